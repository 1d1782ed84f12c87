//! What a wire must offer so that callers who speak it can be served.

use crate::call::BadRequest;
use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::Untranslatable;
use crate::stream::{Facts, Glance, Shown};
use bytes::{Bytes, BytesMut};
use std::fmt;

/// A wire as callers speak it.
pub(crate) trait Caller: Sync {
    /// Reads a caller's request.
    fn decode_request(&self, body: &[u8]) -> Result<Request, BadRequest>;

    /// Writes a whole answer, made at `created` (seconds since 1970) where it does not say so
    /// itself. What has no place here is named in `dropped`.
    fn encode_reply(&self, reply: &Reply, created: u64, dropped: &mut Vec<&'static str>) -> Bytes;

    /// Starts writing a streamed answer. `include_usage` is the caller's wish on OpenAI's wire,
    /// `created` the time in seconds since 1970.
    fn writer(&self, include_usage: bool, created: u64) -> Box<dyn Writer>;

    /// Starts watching a streamed answer that passes as it comes.
    fn watch(&self) -> Box<dyn Watch>;
}

/// Writes a stream in a caller's dialect.
pub(crate) trait Writer: fmt::Debug + Send + Sync {
    /// Appends one event to `out`.
    fn write(&mut self, event: &StreamEvent, out: &mut BytesMut) -> Result<(), Untranslatable>;

    /// What had no place in the dialect: names of fields.
    fn lost(&self) -> &[&'static str] {
        &[]
    }

    /// A writer that has written the same: it goes on with an answer whose stream broke.
    fn fork(&self) -> Box<dyn Writer>;
}

/// Watches a stream pass by, without building a tree and without copying text.
pub(crate) trait Watch: fmt::Debug + Send {
    /// Looks at one event, by name and data, and notes what it tells.
    fn glance(&mut self, name: &[u8], data: &[u8], facts: &mut Facts) -> Glance;

    /// True once the answer's finish reason has come.
    fn is_complete(&self) -> bool;

    /// From now on keeps what passes, for the answer to be continued if its stream breaks.
    fn keep(&mut self);

    /// What has passed, where it is kept.
    fn shown(&self) -> Option<&Shown>;

    /// A writer that goes on with what has passed; `None` where it was not kept. The arguments are those
    /// of [`Caller::writer`].
    fn resume(&self, include_usage: bool, created: u64) -> Option<Box<dyn Writer>>;

    /// The end marker to supply where a complete stream ended without one.
    fn end_marker(&self) -> &'static [u8];
}
