//! The same conversations through every adapter: what reached the provider, and what the caller was told.
//!
//! An adapter takes a request in a caller's dialect, calls a provider in the provider's, and answers in the caller's.
//! The suite plays some fifty conversations through it, whole and streamed, against a simulated provider over sockets:
//! system prompts, turns, tools and their results, pictures, JSON, sampling, stops, limits, refusals, text that tries to
//! be markup. It looks at both ends, and holds them to laws and to a golden file.
//!
//! ```
//! use llm_conformance::{EndpointAdapter, MODEL, SimStage, run};
//! use llm_errors::Provider;
//! use llm_providers::{Dialect, Endpoint};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let adapter = EndpointAdapter::try_new("anthropic", |address| {
//!     Endpoint::builder(Provider::Anthropic, MODEL).base_url(address).build()
//! })?;
//! let stage = SimStage::start().await?;
//! let report = run(&adapter, &stage, Dialect::OpenAiChat).await?;
//! assert!(report.findings.is_empty(), "{:#?}", report.findings);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A codec, a client library or a gateway of your own takes part by implementing [`Adapter`]; a wire that `llm-sim` does
//! not speak needs a [`Stage`] as well.
//!
//! # The laws
//!
//! | law | |
//! |---|---|
//! | one call | the provider is called once, or not at all where the request is refused |
//! | nothing lost | every text of the conversation, every picture, tool and argument reaches the provider |
//! | the model's name | the provider is asked for its own name of the model |
//! | untouched | a request of the provider's own dialect changes in nothing else |
//! | the answer | text, tool calls and the reason it ended are what the provider said |
//! | one truth | the whole answer and the streamed one say the same, usage included; if one is refused, the other is too |
//!
//! Which fields go where, what is dropped by name and the exact form of every answer stand in the golden file
//! ([`Report::golden_text`]): it changes only when somebody says so.
//!
//! # What it does not do
//!
//! Streams that fail are not its subject: the answers here are healthy ones. It checks no headers and no credentials.
//!
//! There are no Cargo features.

mod adapter;
mod conversation;
mod error;
mod golden;
mod law;
mod stage;
mod suite;

pub use self::adapter::{Adapter, Answer, Ask, EndpointAdapter, MODEL};
pub use self::conversation::{Called, Conversation, Ending, Expect, conversations};
pub use self::error::SuiteError;
pub use self::stage::{Received, SimStage, Stage};
pub use self::suite::{Finding, Played, Report, Side, run};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
