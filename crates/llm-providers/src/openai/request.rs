//! Requests: from OpenAI's wire to the neutral form and back.

mod decode;
mod encode;
mod strict;

pub(super) use self::decode::decode_message;
pub use self::decode::decode_request;
pub use self::encode::encode_request;
