//! The limits of a target, and what a call takes from them.

use super::QUOTAS;
use std::time::Duration;

/// The limits of one target. `None` (and 0) means that the limit is not known.
///
/// ```
/// use llm_router::{Limits, Target};
///
/// let mut limits = Limits::default();
/// limits.rpm = Some(500);
/// limits.concurrency = Some(20);
/// let target = Target::new("primary", "openai").limits(limits);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Requests a minute.
    pub rpm: Option<u64>,
    /// Tokens a minute, input and output together.
    pub tpm: Option<u64>,
    /// Input tokens a minute.
    pub input_tpm: Option<u64>,
    /// Output tokens a minute.
    pub output_tpm: Option<u64>,
    /// Requests a day.
    pub rpd: Option<u64>,
    /// Calls in flight at once.
    pub concurrency: Option<u32>,
    /// How much of a minute's allowance may be used at once, as time at the full rate. 10 s by
    /// default; one call always fits.
    pub burst: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rpm: None,
            tpm: None,
            input_tpm: None,
            output_tpm: None,
            rpd: None,
            concurrency: None,
            burst: Duration::from_secs(10),
        }
    }
}

/// What one call takes from the quotas, estimated before and known after it. A call is one
/// request by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cost {
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Generated tokens.
    pub output_tokens: u64,
}

impl Cost {
    /// Units taken from each quota, in the order of `Pace::quotas`.
    pub(super) const fn units(self) -> [u64; QUOTAS] {
        [1, self.tokens(), self.input_tokens, self.output_tokens, 1]
    }

    /// Tokens of both kinds.
    pub(super) const fn tokens(self) -> u64 {
        self.input_tokens.saturating_add(self.output_tokens)
    }
}
