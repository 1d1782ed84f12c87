//! Wires that only targets speak: what is sent, and what an answer becomes in the callers' dialects.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::needless_pass_by_value,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "../support/script.rs"]
mod script;
mod stage;

mod anything;
mod bedrock;
mod citations;
mod cohere;
mod damage;
mod embeddings;
mod gemini;
mod ollama;
mod sockets;
mod stray;
mod vertex;
