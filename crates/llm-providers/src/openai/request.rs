//! Requests: from OpenAI's wire to the neutral form and back.

mod decode;
mod encode;
mod strict;

pub(super) use self::decode::decode_message;
pub use self::decode::decode_request;
pub(crate) use self::encode::effort;
pub use self::encode::encode_request;
pub(crate) use self::strict::is_strict;
