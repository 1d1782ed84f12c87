//! Writing JSON without a fuss: the values of this crate can always be written.

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde_json::value::RawValue;

/// Appends a value.
pub(crate) fn write(buffer: &mut BytesMut, value: &impl Serialize) {
    let written = serde_json::to_writer(buffer.writer(), value);
    debug_assert!(written.is_ok(), "plain data is always JSON");
}

/// A value as a body.
pub(crate) fn bytes(value: &impl Serialize) -> Bytes {
    let mut buffer = BytesMut::with_capacity(512);
    write(&mut buffer, value);
    buffer.freeze()
}

/// A tool's arguments as a JSON value, not as a string, for wires that nest them.
pub(crate) fn raw(arguments: &str) -> Option<&RawValue> {
    serde_json::from_str(arguments).ok()
}
