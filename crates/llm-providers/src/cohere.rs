//! Cohere's chat wire, version 2, as targets speak it.
//!
//! After <https://docs.cohere.com/reference/chat>, <https://docs.cohere.com/reference/chat-stream> and
//! the types of `cohere-python` (`src/cohere/types`); JSON schemas after
//! <https://docs.cohere.com/v2/docs/parameter-types-in-json>. All read 2026-11-26.
//!
//! - What the model means to do with its tools (`tool_plan`) is reasoning, and is translated as that.
//! - Citations of documents and tool results that have a `url` are kept; others are dropped, named
//!   `reply.citations`.
//! - Nothing in an answer names the model.

pub(crate) mod embedding;
mod reply;
mod request;
mod stream;
mod wire;

pub(crate) use self::wire::CohereChat;
