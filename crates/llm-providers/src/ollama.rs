//! Ollama's own chat wire, as targets speak it.
//!
//! After <https://docs.ollama.com/api/chat> and the types of its server (`api/types.go`), read
//! 2026-11-26.
//!
//! - A stream is one JSON object a line; the last has `done` and the counts of tokens.
//! - Tool calls come whole, without an id, so one is made up; results name the tool.
//! - Pictures are bytes in the request: a URL cannot be carried.

mod embedding;
mod reply;
mod request;
mod wire;

pub(crate) use self::wire::OllamaChat;
