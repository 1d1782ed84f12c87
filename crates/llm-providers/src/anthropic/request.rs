//! Requests: from Anthropic's wire to the neutral form and back.

mod decode;
mod demand;
mod encode;
mod thinking;

pub(crate) use self::decode::LOST_CITATIONS;
pub(super) use self::decode::decode_blocks;
pub use self::decode::decode_request;
pub(crate) use self::demand::Demand;
pub use self::encode::encode_request;
pub(super) use self::encode::{encode_block, encode_on_own_platform, encode_on_vertex};
pub(crate) use self::thinking::thinking_fields;
