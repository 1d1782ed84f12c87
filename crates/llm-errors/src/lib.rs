//! Understands every failure of a large language model call: one [`Verdict`] for retry, router,
//! breaker, cache and operator.

mod classifier;
mod classify;
mod dictionary;
mod duration;
mod evidence;
mod fact;
mod header;
mod hint;
mod kind;
mod lexicon;
mod page;
mod pattern;
mod provider;
mod reply;
mod rule;
mod scan;
mod snapshot;
mod text;
mod transport;
mod verdict;

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
pub use self::verdict::{
    Advice, Basis, Change, Hint, HintSource, Needs, Resend, Retry, Verdict,
};
