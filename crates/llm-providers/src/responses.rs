//! OpenAI's responses wire.
//!
//! Requests, answers, items and events after the types of `openai-python` (`src/openai/types/responses`, read
//! 2026-11-26) and the API reference
//! (<https://developers.openai.com/api/reference/resources/responses/methods/create>, read 2026-11-26).
//!
//! | here | in the neutral form |
//! |---|---|
//! | `instructions` | the first turn, of the system |
//! | items `reasoning`, `message` of the assistant, `function_call` in a row | one turn of the model |
//! | items `function_call_output` in a row | one turn of the user, of tool results |
//! | `call_id` | the call's id; an item's own id means something to its maker alone |
//! | the summary of a `reasoning` item | reasoning as text |
//! | `encrypted_content` that OpenAI sealed | nothing: no other provider can read it |
//! | `encrypted_content` of an item made here | the other provider's own seal, so that its reasoning comes back whole |
//! | status `incomplete` | a length stop or a filter |
//!
//! State that lives at OpenAI (`previous_response_id`, `conversation`, `background`, stored prompts, references to
//! items) and tools that OpenAI runs need a target of this wire. `store` is switched off for callers of other wires,
//! who cannot know of it.

mod annotation;
mod item;
mod kept;
mod mark;
mod reply;
mod request;
mod stream;
mod watch;
mod wire;

pub(crate) use self::mark::{foreign_items, is_foreign_response};
pub use self::reply::{decode_reply, encode_reply};
pub use self::request::{decode_request, encode_request};
pub use self::stream::{StreamDecoder, StreamEncoder};
pub(crate) use self::watch::{Watch, glance_at_reply};
pub(crate) use self::wire::OpenAiResponses;
