//! What is kept, and what comes back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

/// An answer worth repeating.
///
/// Its debug form shows sizes and names, never the body.
#[derive(Clone)]
pub struct Entry {
    body: Bytes,
    dialect: Arc<str>,
    model: Arc<str>,
    stored: Instant,
}

impl Entry {
    /// An entry for an answer that **passed the quality look**: complete, not refused, not degraded, valid in its form.
    ///
    /// Degraded mode replays what is stored here for hours; an answer nobody looked at must not become the one
    /// everybody gets. `dialect` names the wire form of `body`, `model` the model that answered.
    #[must_use]
    pub fn of_verified(
        body: Bytes,
        dialect: impl Into<Arc<str>>,
        model: impl Into<Arc<str>>,
        now: Instant,
    ) -> Self {
        Self {
            body,
            dialect: dialect.into(),
            model: model.into(),
            stored: now,
        }
    }

    /// The answer as it was sent to the caller.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        &self.body
    }

    /// The wire form of the body.
    #[must_use]
    pub fn dialect(&self) -> &str {
        &self.dialect
    }

    /// The model that answered.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// When the answer was stored.
    #[must_use]
    pub const fn stored(&self) -> Instant {
        self.stored
    }

    /// How old the answer is.
    #[must_use]
    pub fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.stored)
    }

    /// What the entry costs in memory: its parts and a flat sum for the bookkeeping around it.
    #[must_use]
    pub fn weight_bytes(&self) -> usize {
        /// Key, pointers, timestamps and the cache's own nodes; measured generously rather than exactly.
        const OVERHEAD: usize = 256;
        self.body.len() + self.dialect.len() + self.model.len() + OVERHEAD
    }
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("body_bytes", &self.body.len())
            .field("dialect", &self.dialect)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// Why a stale answer is better than none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StaleReason {
    /// Every target failed or is set aside.
    TargetsExhausted,
    /// The caller's deadline leaves no time for another attempt.
    DeadlineNear,
    /// No money or retry budget is left for another attempt.
    BudgetSpent,
}

impl StaleReason {
    /// The stable name, for headers, metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TargetsExhausted => "targets_exhausted",
            Self::DeadlineNear => "deadline_near",
            Self::BudgetSpent => "budget_spent",
        }
    }
}

impl std::fmt::Display for StaleReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Whether an answer may pass for a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Inside the fresh time.
    Fresh,
    /// Past it; the caller must be told, with age and reason.
    Stale(StaleReason),
}

/// A found answer.
#[derive(Debug, Clone)]
pub struct Hit {
    /// What was stored.
    pub entry: Entry,
    /// How old it is.
    pub age: Duration,
    /// Whether it may pass for a new one.
    pub freshness: Freshness,
}

impl Hit {
    /// The answer.
    #[must_use]
    pub const fn body(&self) -> &Bytes {
        self.entry.body()
    }
}
