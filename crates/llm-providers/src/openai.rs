//! OpenAI's chat completions wire, and what the providers compatible with it do differently.
//!
//! The request's fields after the types of `openai-python` (`src/openai/types/chat`, a stored copy
//! read 2026-11-23); reply and stream as the API reference has them
//! (<https://platform.openai.com/docs/api-reference/chat>).

mod annotation;
mod extra;
mod fitted;
mod model;
mod quirk;
mod reply;
mod request;
mod stream;
mod thoughts;
mod watch;
mod wire;

pub(crate) use self::extra::{extra_for, is_native};
pub(crate) use self::fitted::fitted;
pub(crate) use self::model::{Model, thinking};
pub use self::quirk::{MaxTokensField, Quirks, ReasoningField};
pub use self::reply::{decode_reply, encode_reply};
pub use self::request::{decode_request, encode_request};
pub(crate) use self::request::{effort, is_strict};
pub use self::stream::{StreamDecoder, StreamEncoder};
pub(crate) use self::thoughts::with_thoughts;
use self::watch::{Watch, glance_at_reply};
pub(crate) use self::wire::OpenAiChat;
