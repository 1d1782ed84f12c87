//! Requests: from this wire to the neutral form and back.

mod decode;
mod encode;

pub use self::decode::decode_request;
pub use self::encode::encode_request;
