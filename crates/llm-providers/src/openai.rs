//! OpenAI's chat completions wire, and what the providers compatible with it do differently.
//!
//! Request, reply and stream after the API reference
//! (<https://platform.openai.com/docs/api-reference/chat>) and the types of `openai-python`
//! (`src/openai/types/chat`), read 2026-11-23.

mod quirk;
mod reply;
mod request;
mod stream;
mod watch;

pub use self::quirk::{MaxTokensField, Quirks};
pub use self::reply::{decode_reply, encode_reply};
pub use self::request::{decode_request, encode_request};
pub use self::stream::{StreamDecoder, StreamEncoder};
pub(crate) use self::watch::{Watch, glance_at_reply};
