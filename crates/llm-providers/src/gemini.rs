//! Google's Gemini wire (`generateContent`), as targets speak it at AI Studio and on Vertex.
//!
//! Fields after <https://ai.google.dev/api/generate-content> and the types of `python-genai`; thoughts
//! and their seals after <https://ai.google.dev/gemini-api/docs/thought-signatures>; what of JSON
//! schema is understood after <https://ai.google.dev/gemini-api/docs/structured-output>. All read
//! 2026-11-26.
//!
//! - A stream is a run of partial answers without an end marker: the finish reason ends it.
//! - A tool call comes whole, in one event. Older models give it no id, so one is made up.
//! - The seal on a call's reasoning (`thoughtSignature`) has no place in another dialect and is
//!   dropped, named `reply.thought_signature`; when the conversation comes back, models that ask for
//!   one get the placeholder that Google documents for histories of other models.

mod citation;
mod embedding;
mod model;
mod reply;
mod request;
mod stream;
mod wire;

pub(crate) use self::model::thinking;
pub(crate) use self::wire::Gemini;
