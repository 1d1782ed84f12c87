//! A simulated LLM provider on real HTTP that fails by script.
//!
//! It listens on the loopback, speaks the wires of OpenAI (chat completions, responses, embeddings), Anthropic (messages),
//! Gemini and Vertex, Bedrock (Converse), Cohere and Ollama, streamed and whole, with tools, schemas and thinking,
//! and goes wrong exactly as told: with the provider's own error bodies, with
//! silence, resets, cut or garbled answers. It records what it received, so that a test can assert both sides of a
//! call. It shares no code with anything it is used to test.
//!
//! ```
//! use llm_sim::{Script, Sim};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let sim = Sim::builder()
//!     .seed(7)
//!     .script(Script::from_toml(r#"
//!         text = "Paris is the capital of France."
//!
//!         [[rule]]                    # the first two calls: out of money
//!         calls = "1..2"
//!         preset = "insufficient_quota"
//!
//!         [[rule]]                    # of the rest, streams break off after three words
//!         stream = true
//!         cut = { after_chunks = 3 }
//!     "#)?)
//!     .start()
//!     .await?;
//! // … point a client at `sim.openai_base_url()` or `sim.base_url()`, let it work, then look:
//! assert!(sim.received().iter().all(|call| !call.hung_up()));
//! sim.shutdown().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How a call is decided
//!
//! ```text
//! request ─► control (/_sim/…)? ─► first matching rule ─► recorded ─► latency
//!    ─► a blind fault (status, preset, hang, reset, close) strikes here, whatever the request is
//!    ─► key, path, rate limits, JSON, model, context window: refused in the provider's words
//!    ─► the answer is made from seed and prompt ─► delivered at its pace, perhaps spoilt on the way
//! ```
//!
//! | fault | on the socket |
//! |---|---|
//! | [`Fault::Reply`], [`Fault::Preset`] | an error reply; of one's own making, or typical of the provider |
//! | [`Fault::Hang`] | nothing, not even headers |
//! | [`Fault::Silence`] | headers, then nothing |
//! | [`Fault::Stall`] | the answer begins and stands still |
//! | [`Fault::Reset`] | TCP RST, before the reply or within it |
//! | [`Fault::Close`] | FIN without a reply |
//! | [`Fault::Cut`] | the answer ends too early: the HTTP message broken, or whole but without its end marker |
//! | [`Fault::NoEnd`] | a stream that lacks only its end marker |
//! | [`Fault::Empty`], [`Fault::Garbled`] | a 200 with nothing, or with nonsense, in it |
//! | [`Fault::ErrorEvent`] | an error object inside a stream that began with 200 |
//!
//! Every fault means the same on every wire, in the wire's own words:
//!
//! | wire | proper end of a stream | [`Fault::ErrorEvent`] | [`Rule::keep_alive`] | [`Rule::retry_after`] |
//! |---|---|---|---|---|
//! | OpenAI chat | `[DONE]` | `data: {"error": …}` | comment | headers |
//! | OpenAI responses | `response.completed`, `.incomplete` | `response.failed` or `error` | comment | headers |
//! | Anthropic, also on Vertex | `message_stop` | `event: error` | `ping` | headers; none on Vertex |
//! | Gemini, also on Vertex | `finishReason`; the `]` of an array | `{"error": …}` | comment; white space in an array | `RetryInfo`; none on Vertex |
//! | Bedrock Converse | `messageStop`, `metadata` | exception frame | nothing | headers |
//! | Cohere | `message-end` | `message-end`, `ERROR` | comment | headers |
//! | Ollama | `"done": true` | `{"error": …}` | nothing | headers |
//!
//! How a wire is built: `ask/` reads its requests, `wire/` writes its answers, `framing.rs` puts them in a row, `voice/`
//! refuses in the provider's words. The README has the paths and what else differs.
//!
//! # What is made up, and how
//!
//! One word is one token and one stream chunk; usage counts words. The text of an answer depends on the seed and the
//! last user message only, so that two simulators with one seed say the same, and a model that is given the beginning
//! of its answer (prefill) goes on from there. `max_tokens` is obeyed. Tools are called if the request forces one, if the last user
//! message says "use the tool NAME", or if the script says so; a conversation that ends with a tool's result is answered with a
//! quotation of it. JSON mode and JSON schemas are satisfied with the simplest value. Ids also depend on the call's number.
//!
//! # What it does not do
//!
//! No TLS, no HTTP/2, no `n` above one, no log probabilities. Images are taken in and not looked at. It checks of a request
//! only what is cheap and matters to callers: JSON, model, messages, `max_tokens`; of an AWS signature the form
//! (and the whole of it, if the script knows the secret).
//!
//! # Bounds
//!
//! Request bodies: [`MAX_BODY_BYTES`]. Connections, remembered calls and the bytes kept of each: set on [`SimBuilder`].
//! Scripts: [`MAX_RULES`], [`MAX_WORDS`], [`MAX_TEXT_BYTES`], waits up to one hour or for ever. Rate limits are counted
//! apart for 4096 keys or models; later ones share one.
//!
//! There are no Cargo features.

mod answer;
mod ask;
mod control;
mod deliver;
mod exchange;
mod framing;
mod json;
mod limit;
mod play;
mod preset;
mod prose;
mod record;
mod schema;
mod script;
mod seed;
mod server;
mod shared;
mod sigv4;
mod sim;
mod socket;
mod stage;
mod voice;
mod wire;

pub use exchange::MAX_BODY_BYTES;
pub use preset::Preset;
pub use record::{Ended, Received};
pub use script::{
    At, Blank, CutEnd, Fault, Finish, Garbling, LimitScope, Limits, MAX_RULES, MAX_TEXT_BYTES,
    MAX_WORDS, Pace, Reply, Rule, Script, ScriptBuilder, ScriptError,
};
pub use sim::{Sim, SimBuilder, SimHandle, StartError};
pub use wire::Wire;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
