//! Anthropic's messages wire.
//!
//! Request, usage and stop reasons after the types of `anthropic-sdk-python` 2.12.0 (`src/anthropic/types`, read
//! 2026-11-26); the stream's events as the documentation has them
//! (<https://platform.claude.com/docs/en/build-with-claude/streaming>).

mod citation;
mod reply;
mod request;
pub(crate) mod schema;
mod stream;
mod watch;
mod wire;

pub(crate) use self::citation::foreign_citations;
pub use self::reply::{decode_reply, encode_reply};
pub(crate) use self::request::{Demand, LOST_CITATIONS, thinking_fields};
pub use self::request::{decode_request, encode_request};
use self::request::{encode_on_own_platform, encode_on_vertex};
pub use self::stream::{StreamDecoder, StreamEncoder};
use self::watch::{Watch, glance_at_reply};
pub(crate) use self::wire::AnthropicMessages;

/// The version of this wire that Vertex asks for, in the body
/// (<https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>, read 2026-11-26).
pub(crate) const VERTEX_VERSION: &str = "vertex-2023-10-16";
