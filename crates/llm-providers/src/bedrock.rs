//! Amazon Bedrock's Converse wire, as targets speak it.
//!
//! Fields and events after
//! <https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html>,
//! [`ConverseStream`](https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html)
//! and their types; JSON schemas after
//! <https://docs.aws.amazon.com/bedrock/latest/userguide/structured-output.html>. All read 2026-11-26.
//!
//! - The model's name is in the path, and nowhere in the answer.
//! - A stream is AWS's binary one. Usage comes in an event of its own after the stop reason, and ends
//!   it. An exception inside it is classified like any other failure.
//! - Signatures on Claude's reasoning are the same here as at Anthropic, so they pass.

mod embedding;
mod reply;
mod request;
mod stream;
mod wire;

pub(crate) use self::wire::BedrockConverse;
