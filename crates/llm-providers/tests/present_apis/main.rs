//! What the providers' interfaces of today ask for: no request that one of them takes is refused by another for a form
//! that could have been changed, and nothing is left out without being named.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "../support/script.rs"]
mod script;

mod answers;
mod claude;
mod losses;

use llm_providers::{Dialect, Encoded};
use serde_json::Value;

const OPENAI: Dialect = Dialect::OpenAiChat;
const RESPONSES: Dialect = Dialect::OpenAiResponses;
const ANTHROPIC: Dialect = Dialect::AnthropicMessages;

/// The body of a request, and what is not carried.
fn read(encoded: &Encoded) -> (Value, Vec<&'static str>) {
    let mut dropped = encoded.dropped.clone();
    dropped.sort_unstable();
    dropped.dedup();
    (serde_json::from_slice(&encoded.body).unwrap(), dropped)
}
