//! The whole stack in one client: retry, then fallback, then a degraded answer.
//!
//! ```no_run
//! use llm_resilience::providers::{Endpoint, chat};
//! use llm_resilience::errors::Provider;
//! use llm_resilience::{Client, Degraded, RouteSpec, TargetSpec};
//!
//! # async fn run(openai: String, anthropic: String) -> Result<(), Box<dyn std::error::Error>> {
//! let primary = Endpoint::builder(Provider::OpenAi, "gpt-5-mini").credential(openai.into()).build()?;
//! let backup = Endpoint::builder(Provider::Anthropic, "claude-haiku-4-5").credential(anthropic.into()).build()?;
//! let client = Client::builder()
//!     .target(TargetSpec::new("primary", primary))
//!     .target(TargetSpec::new("backup", backup))
//!     .route(RouteSpec::new("chat").tier(["primary"]).tier(["backup"])
//!         .degraded(Degraded::Cached)
//!         .degraded(Degraded::message("We cannot answer right now.")))
//!     .build()?;
//! let (reply, answer) = client.chat(chat::Request::new("chat").user("Why is the sky blue?")).await?;
//! println!("{} ({})", reply.text(), answer.served.trail());
//! # Ok(())
//! # }
//! ```
//!
//! Nothing needs setting. What may be set (limits of a route by [`router::Policy`], rate limits, prices and health of a target by
//! [`TargetSpec`]) is in the table of the crate's README, each call beside its key in the gateway's file, with an example.
//!
//! # The order of things
//!
//! ```text
//! Call ─► Plan ─► Send ─► exchange ─► answer ─────────────────────────► caller
//!          ▲ │              │
//!          │ └ WaitUntil    └ Failure, understood once as a Verdict
//!          └──── event ◄────┘
//!          │
//!          └ Degrade ─► cached ─► static ─► message ─► error
//! ```
//!
//! Every decision is the [`router::Plan`]'s; this crate sends, sleeps and reports. A call lives in the
//! future its caller polls, and ends with it. The one task ever spawned is a shadow probe: the
//! duplicate of a live call to a target that is set aside and may have healed, at most one every few
//! seconds, its answer thrown away.
//!
//! # The parts, each of use alone
//!
//! | module | crate |
//! |---|---|
//! | [`errors`] | what a failure is, and what to do about it |
//! | [`backoff`] | waits, deadlines, retry budgets |
//! | [`breaker`] | health of one target |
//! | [`router`] | targets, routes, the plan |
//! | [`providers`] | wires, streams, transport |
//! | [`quality`] | whether a 200 is any good |
//! | [`cache`] | answers kept for the day nothing answers |
//!
//! # Features
//!
//! | feature | default | brings |
//! |---|---|---|
//! | `schema` | no | answers and tool arguments are held against the JSON schema that the caller asked for ([`Quality`]): the `jsonschema` validator |
//! | `tokenizer` | no | prompts are counted with OpenAI's vocabulary ([`ClientBuilder::token_estimate`]): 4 MB in the program |

mod answer;
mod attempt;
mod builder;
mod calls;
mod client;
mod degrade;
mod drive;
mod error;
mod keep;
mod look;
mod loops;
mod mend;
mod observe;
mod options;
mod render;
mod rewrite;
#[cfg(feature = "schema")]
mod schema;
#[cfg(not(feature = "schema"))]
#[path = "schema/off.rs"]
mod schema;
mod span;

pub use llm_backoff as backoff;
pub use llm_breaker as breaker;
pub use llm_cache as cache;
pub use llm_errors as errors;
pub use llm_providers as providers;
pub use llm_quality as quality;
pub use llm_router as router;

pub use self::answer::{Answer, AnswerStream, Body, Served};
pub use self::builder::{BuildError, ClientBuilder, RouteSpec, TargetSpec, habit, list_price};
pub use self::client::Client;
pub use self::degrade::{Degraded, Mode, StaticAnswer};
pub use self::error::{Error, What};
pub use self::look::Quality;
pub use self::observe::{Observer, Outcome, Report, Told};
pub use self::options::CallOptions;
pub use self::rewrite::Rewrite;

/// What the page beside this crate shows compiles.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// So does what the first page of the workspace shows.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct FirstPage;
