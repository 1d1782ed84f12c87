//! Neutral chat types: what a conversation with a model is, whatever wire carries it.
//!
//! Every adapter encodes from and decodes into these, so a new wire needs one adapter, not one a
//! pair. They are also what a Rust caller builds by hand:
//!
//! ```
//! use llm_providers::chat::{Request, Tool};
//!
//! let request = Request::new("gpt-5-mini")
//!     .system("Answer in one word.")
//!     .user("Where is the Eiffel tower?")
//!     .max_tokens(16);
//! assert_eq!(request.messages.len(), 2);
//! ```
//!
//! A part that only one wire knows keeps its place here (a thinking signature, a cache mark), so
//! that translation there and back loses nothing that both ends can express.

mod assembly;
mod citation;
mod event;
mod message;
mod reply;
mod request;
mod tool;

pub use self::assembly::Assembly;
pub use self::citation::Citation;
pub(crate) use self::citation::{
    MAX_CITATIONS, REPLY_CITATION_PLACES, REPLY_CITATIONS, chars, lenient, number,
};
pub use self::event::StreamEvent;
pub(crate) use self::message::name_of_call;
pub use self::message::{
    Audio, Document, Image, Message, Part, Role, Source, Text, Thinking, ToolResult,
};
pub use self::reply::{FinishReason, Reply, Usage};
pub(crate) use self::reply::{is_broken_arguments, is_broken_call};
pub use self::request::{Effort, JsonSchema, Reasoning, Request, ResponseFormat};
pub use self::tool::{Tool, ToolCall, ToolChoice};
