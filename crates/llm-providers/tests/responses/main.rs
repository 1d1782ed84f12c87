//! The responses wire: requests, answers and streams, both ways, in bodies of the documented shape.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "../support/script.rs"]
mod script;
#[path = "../support/wire.rs"]
mod wire;

mod answers;
mod requests;
mod streams;

use llm_providers::Dialect;

const OPENAI: Dialect = Dialect::OpenAiChat;
const RESPONSES: Dialect = Dialect::OpenAiResponses;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;
