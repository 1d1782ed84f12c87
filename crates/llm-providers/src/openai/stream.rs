//! Streams: from OpenAI's wire to neutral events and back.

mod decode;
mod encode;

pub use self::decode::StreamDecoder;
pub use self::encode::StreamEncoder;
