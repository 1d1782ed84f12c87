//! Speaks to providers: chat types, one adapter a wire, streams, translation and one transport.
//!
//! One call of [`exchange`] is one attempt: it puts a [`Call`] into the dialect of an [`Endpoint`],
//! sends it once, and comes back with an answer in the *caller's* dialect or with a [`Failure`]
//! that has been understood. It never retries, never waits for a better moment and never chooses
//! another target: that is for whoever drives it.
//!
//! ```no_run
//! use llm_errors::Provider;
//! use llm_providers::{Call, Endpoint, Exchange, ReqwestTransport, Windows, chat, exchange};
//! use std::time::SystemTime;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let transport = ReqwestTransport::try_new()?;
//! let endpoint = Endpoint::builder(Provider::Anthropic, "claude-sonnet-5")
//!     .credential("sk-ant-…".into())
//!     .build()?;
//! let call = Call::from_chat(chat::Request::new("any").user("Where is the Eiffel tower?"))?;
//!
//! match exchange(&transport, &endpoint, &call, &Windows::default(), SystemTime::now()).await? {
//!     Exchange::Whole(whole) => println!("{:?}", whole.chat().map(|reply| reply.text())),
//!     Exchange::Stream(mut stream) => while let Some(bytes) = stream.next().await { drop(bytes?); },
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The way of a call
//!
//! ```text
//!            Call (bytes, scanned once)                     Endpoint (address, key, wire, model)
//!                 │                                              │
//!   same dialect ─┤─ the model's name spliced, nothing else      │
//!   other dialect ┴─ decode ─► chat::Request ─► encode ──────────┴─► Transport ─► provider
//!                                                                                    │
//!   caller ◄─ same bytes, or chat::StreamEvent re-encoded ◄─ watched for content, ◄──┘
//!                                                            errors, usage, the end
//! ```
//!
//! | what came | before the first content | after it |
//! |---|---|---|
//! | a status that is no success | `Err(Failure)` | – |
//! | an error object in a 200 | `Err(Failure)` | `Err` item, last |
//! | silence; pings and comments only | `Err(Failure)`: first-token window | `Err` item: idle window |
//! | the connection lost or ended | `Err(Failure)` | `Err` item; a normal end if the finish reason had come |
//! | an end marker without a finish reason | `Err(Failure)` | `Err` item; the marker is kept back |
//! | an event that is no JSON object | `Err(Failure)` | `Err` item: it may have carried a part of the answer |
//! | the same, but no part of the answer: by its name, a word such as `ping` or `OK`, or after the finish reason | left out, counted | left out, counted; a run of them is an `Err` item |
//! | tool arguments that are no object, in an answer to be translated | `Err(Failure)` | `Err` item in place of the finish reason |
//! | a 200 that is empty, cut, a page or not JSON | `Err(Failure)` | – |
//! | a length stop, refusal or filter *with* content | the answer | the answer |
//!
//! # Dialects
//!
//! [`Wire`] names what targets speak, [`Dialect`] those of them that callers speak as well. Each is a
//! folder that encodes requests and decodes answers and streams; a caller's dialect ([`openai`],
//! [`responses`], [`anthropic`]) does the reverse too. All meet in [`chat`], so a further wire is one folder and
//! one row, not one for every pair. [`catalog`] holds what is known of each provider: address, key
//! header, wire, quirks. [`model`] holds what public pages state of models: window, abilities, price
//! and last day, with the date on which that was read.
//!
//! What a wire cannot carry is named in [`Facts::dropped`], never lost in silence. These are adapted
//! and named as well:
//!
//! - JSON mode on Anthropic's wire becomes an instruction; so does a tool that must be called, where
//!   the model refuses to be forced, and then no other tool is offered;
//! - a system message between two turns moves to the front, but stays where the API takes it there;
//! - a temperature above 1.0 becomes 1.0;
//! - the bounds in a schema, which Claude refuses, become words of its descriptions;
//! - a conversation that begins with the assistant gets a first turn on Converse;
//! - Mistral, which refuses what it does not know, is sent what it knows of a request in OpenAI's
//!   dialect, under its own names;
//! - where tools were called, turns of the model get a space for the reasoning that DeepSeek and
//!   Moonshot want back, in requests of the same dialect as well;
//! - reasoning that the model cannot switch off, or that would not leave half of `max_tokens`, is left
//!   to the model.
//!
//! Only the name of a JSON schema and an empty text go unmentioned. Reasoning of other providers does
//! not reach callers of Anthropic's wire (`reply.reasoning`): without Anthropic's signature it could
//! not be sent back, and every later turn of the conversation would be refused. Nor is Anthropic's
//! sent back to a model that binds it to the conversation as it was (`messages.thinking`).
//!
//! | wire | whole answer | streamed in | notes |
//! |---|---|---|---|
//! | `openai_chat` | JSON | server-sent events, `[DONE]` | and all that is compatible: [`openai::Quirks`] |
//! | `openai_responses` | JSON | server-sent events, `response.completed` | what OpenAI would keep is switched off for callers of other wires |
//! | `anthropic_messages` | JSON | server-sent events, `message_stop` | on Vertex: the model in the address, the version in the body |
//! | `gemini` | JSON | server-sent events, no end marker | at AI Studio and on Vertex |
//! | `bedrock_converse` | JSON | AWS's binary stream, checksums verified | signed by [`AwsCredential`], or a Bedrock key |
//! | `cohere_chat` | JSON | server-sent events, `message-end` | version 2 |
//! | `ollama_chat` | JSON | JSON, one object a line | the server's own; it speaks OpenAI's as well |
//!
//! A key that is fixed travels in a header. What must be made for each request, a signature or a
//! token that runs out, comes from a [`Credential`]: [`AwsCredential`], [`GoogleCredential`], or your
//! own.
//!
//! # Bounds
//!
//! | what | at most |
//! |---|---|
//! | a whole answer | [`MAX_REPLY_BYTES`], 32 MiB |
//! | an error's body that is kept | [`MAX_ERROR_BODY_BYTES`], 64 KiB, and 2 s of waiting for it |
//! | a provider's message that is kept | [`MAX_MESSAGE_BYTES`], 2 KiB |
//! | one event of a translated stream, one comment of any | [`MAX_EVENT_BYTES`], 1 MiB |
//! | one event of a stream that passes as it came | [`MAX_REPLY_BYTES`], 32 MiB |
//! | what is held back before the caller gets the first word | [`MAX_HELD_BYTES`], 256 KiB |
//! | text kept for an answer to be continued | [`MAX_SHOWN_BYTES`], 1 MiB |
//! | a token to fetch | 5 s, by one attempt for all that wait; 64 KiB |
//! | broken events in a row | [`MAX_BROKEN_RUN`], 64 |
//! | time | [`Windows`]: connect, first token, idle, total |
//!
//! # What it does not do
//!
//! It reads no environment and no file, keeps no state between calls but the connection pool, spawns
//! no task, and logs nothing. It does not translate several choices, log probabilities, sound in
//! an answer or tools that the provider runs: a call that needs one of them passes in the same dialect
//! and fails with `unsupported_feature`, before anything is sent, at a target of the other. Sound in a
//! prompt reaches the wires that have a place for it.
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `tokenizer` | no | [`Estimate`]'s `O200k`: prompts counted with OpenAI's vocabulary (`bpe-openai`, MIT), 4 MB in the program |

mod address;
pub mod anthropic;
mod base64;
mod bedrock;
mod call;
pub mod catalog;
pub mod chat;
mod claude;
mod codec;
mod cohere;
mod credential;
pub mod embedding;
mod endpoint;
mod exchange;
mod failure;
pub mod form;
mod framing;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod gemini;
pub mod model;
mod ollama;
pub mod openai;
mod prefill;
pub mod responses;
mod splice;
mod sse;
mod stream;
mod transport;
mod wire;

pub use self::call::{BadRequest, Call, Estimate, Features, Purpose};
pub use self::codec::{Encoded, Untranslatable};
pub use self::credential::{AwsCredential, AwsKeys, Credential, CredentialError, GoogleCredential};
pub use self::endpoint::{DEFAULT_MAX_TOKENS, Endpoint, EndpointBuilder, EndpointError};
pub use self::exchange::{Exchange, MAX_REPLY_BYTES, Whole, Windows, exchange, exchange_reading};
pub use self::failure::{Failure, MAX_ERROR_BODY_BYTES, MAX_MESSAGE_BYTES};
pub use self::prefill::Prefill;
pub use self::sse::MAX_EVENT_BYTES;
pub use self::stream::{
    Facts, Hold, MAX_BROKEN_RUN, MAX_HELD_BYTES, MAX_SHOWN_BYTES, Reading, ReplyStream, Resume,
    Seam,
};
pub use self::transport::{
    DEFAULT_CONNECT_TIMEOUT, HttpRequest, HttpResponse, ReqwestTransport, ReqwestTransportBuilder,
    Transport, TransportBuildError, TransportError,
};
pub use self::wire::{Dialect, UnknownDialect, Wire};

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
