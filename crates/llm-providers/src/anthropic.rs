//! Anthropic's messages wire.
//!
//! Request, reply and stream after the API reference
//! (<https://platform.claude.com/docs/en/api/messages>,
//! <https://platform.claude.com/docs/en/build-with-claude/streaming>) and the types of
//! `anthropic-sdk-python` (`src/anthropic/types`), read 2026-11-23.

mod reply;
mod request;
mod stream;
mod watch;

pub use self::reply::{decode_reply, encode_reply};
pub use self::request::{decode_request, encode_request};
pub use self::stream::{StreamDecoder, StreamEncoder};
pub(crate) use self::watch::{Watch, glance_at_reply};
