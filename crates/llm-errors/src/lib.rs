//! Understands every failure of a large language model call: one [`Verdict`] for retry, router,
//! breaker, cache and operator.
//!
//! ```
//! use llm_errors::{ErrorKind, Provider, Reply, Resend, classify_reply};
//! use std::time::SystemTime;
//!
//! let headers = [("content-type", "application/json")];
//! let body = br#"{"error":{"message":"Your credit balance is too low","type":"invalid_request_error"}}"#;
//! let reply = Reply::new(400, &headers, body, SystemTime::UNIX_EPOCH);
//! let verdict = classify_reply(Provider::Anthropic, &reply);
//! assert_eq!(verdict.kind, ErrorKind::Billing); // although the status says: a bad request
//! assert_eq!(verdict.resend(), Resend::NoSameTarget);
//! assert!(verdict.advice.alert);
//! ```
//!
//! # How it decides
//!
//! 1. **Structure**: codes, types, reasons, gRPC status names and quota names, wherever a provider
//!    or relay puts them, also inside JSON that arrives as a string. Some decide alone, some leave
//!    the words to tell which member of a family it is.
//! 2. **Status**, where the structure is silent or vague.
//! 3. **Words**: phrases over normalised words. What stands in quotes, and what a reply echoes of
//!    the request, is not seen.
//! 4. **Sharpening** of limits: a day's quota is not a minute's, a wait of hours is no short window,
//!    headers name the exhausted dimension, and a single request above the allowance must shrink.
//!
//! Codes and phrases are data: `dialects/*.txt`, one file a provider, in a format that
//! [`Classifier::with_rules`] also reads from users.
//!
//! # What it does not do
//!
//! It never sleeps, retries, opens a socket or reads a clock, and keeps no piece of what it read:
//! a message that comes again, be it with other numbers, is known by a hash, beside which stand the
//! places of its numbers and the number of the rule that decided. That changes no verdict, and takes
//! 56 KB for each [`Classifier`] with rules of its own.
//!
//! # Features
//!
//! | feature | adds |
//! |---|---|
//! | `http` | [`Headers`] for `http::HeaderMap` |
//! | `serde` | serialisation of verdicts and evidence |

mod address;
mod classifier;
mod classify;
mod dictionary;
mod duration;
mod evidence;
mod fact;
mod header;
mod hint;
mod index;
mod key;
mod kind;
mod known;
mod lexicon;
mod limit;
mod mark;
mod memo;
mod moment;
mod page;
mod path;
mod pattern;
mod phrase;
mod presence;
mod provider;
mod quoted;
mod reader;
mod reply;
mod row;
mod rule;
mod scan;
mod seen;
mod shape;
mod snapshot;
mod stated;
mod status;
mod text;
mod transport;
mod verdict;
mod wait;
mod window;
mod word;

/// The examples of the README, compiled.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub use self::classifier::{Classifier, Dialect};
pub use self::classify::{classify_answer, classify_reply, classify_stream_error};
pub use self::evidence::{Evidence, Explained, Field, RuleId};
pub use self::header::Headers;
pub use self::kind::{Certainty, ErrorKind, HealthEffect, Phase, Scope, UnknownName};
pub use self::provider::Provider;
pub use self::reply::Reply;
pub use self::rule::RuleError;
pub use self::snapshot::{Dimension, RateLimits, Window};
pub use self::transport::{TransportFault, classify_transport, stream_cut};
pub use self::verdict::{Advice, Basis, Change, Hint, HintSource, Needs, Resend, Retry, Verdict};
