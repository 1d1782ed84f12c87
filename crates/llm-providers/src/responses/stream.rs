//! Streams: from this wire to neutral events and back.

mod decode;
mod delta;
mod encode;
mod open;
mod whole;

pub use self::decode::StreamDecoder;
pub use self::encode::StreamEncoder;
pub(super) use self::open::{Open, PartKind};
