//! Requests: from Anthropic's wire to the neutral form and back.

mod decode;
mod encode;

pub(crate) use self::decode::LOST_CITATIONS;
pub(super) use self::decode::decode_blocks;
pub use self::decode::decode_request;
pub(super) use self::encode::encode_block;
pub(super) use self::encode::encode_on_vertex;
pub use self::encode::encode_request;
pub(crate) use self::encode::thinking_fields;
