//! What the headers of one reply say, gathered in one pass.

use crate::duration::{self, MAX_WAIT};
use crate::header::Headers;
use crate::kind::ErrorKind;
use crate::rule::Signal;
use crate::snapshot::RateLimits;
use crate::verdict::{Basis, Hint, HintSource};
use std::time::{Duration, SystemTime};

/// The headers that bear on a failure.
pub(crate) struct Seen {
    /// The wait that a header states outright; milliseconds before seconds.
    pub(crate) hint: Option<Hint>,
    /// What the error-type header of AWS says.
    pub(crate) error_type: Option<Signal>,
    /// The dimension that a policy's name states.
    pub(crate) policy: Option<ErrorKind>,
    /// The provider's own word on repeating the request.
    pub(crate) should_retry: Option<bool>,
    /// A plan's window is spent.
    pub(crate) plan_rejected: bool,
    /// The rate-limit windows.
    pub(crate) limits: RateLimits,
    precise: bool,
}

impl Seen {
    /// Nothing read yet.
    #[inline]
    pub(crate) const fn new() -> Self {
        Self {
            hint: None,
            error_type: None,
            policy: None,
            should_retry: None,
            plan_rejected: false,
            limits: RateLimits::new(),
            precise: false,
        }
    }

    /// Reads the headers; `code` looks an error type up.
    pub(crate) fn read(
        &mut self,
        headers: &dyn Headers,
        now: SystemTime,
        code: impl Fn(&[u8]) -> Option<Signal>,
    ) {
        headers.for_each(&mut |name, value| {
            // most headers begin otherwise
            if let Some(b'x' | b'X' | b'a' | b'A' | b'r' | b'R' | b'p' | b'P') =
                name.as_bytes().first()
            {
                self.take(name, value, now, &code);
            }
        });
    }

    /// The wait that the headers state outright.
    pub(crate) fn stated_wait(headers: &dyn Headers, now: SystemTime) -> Option<Hint> {
        let mut seen = Self::new();
        seen.read(headers, now, |_| None);
        seen.hint
    }

    #[inline(never)]
    fn take(
        &mut self,
        name: &str,
        value: &[u8],
        now: SystemTime,
        code: &impl Fn(&[u8]) -> Option<Signal>,
    ) {
        let is = |wanted: &str| name == wanted || name.eq_ignore_ascii_case(wanted);
        match name.len() {
            9 if is("policy-id") => self.policy = policy(value),
            11 if is("retry-after") => self.retry_after(value, now),
            13 if is("x-retry-after") => self.retry_after(value, now),
            14 if is("retry-after-ms") => self.retry_after_ms(value),
            14 if is("x-should-retry") => {
                self.should_retry = match value {
                    b"true" => Some(true),
                    b"false" => Some(false),
                    _ => None,
                };
            }
            16 if is("x-retry-after-ms") => self.retry_after_ms(value),
            16 if is("x-amzn-errortype") => {
                self.error_type = self.error_type.or_else(|| code(value));
            }
            19 if is("x-ms-retry-after-ms") => self.retry_after_ms(value),
            34 if is("anthropic-ratelimit-unified-status") => {
                self.plan_rejected = value == b"rejected";
            }
            _ => self.limits.take(name, value, now),
        }
    }

    /// Milliseconds are the most precise statement: they win over seconds.
    fn retry_after_ms(&mut self, value: &[u8]) {
        if !self.precise
            && let Some(milli) = crate::scan::milli(value.trim_ascii())
        {
            let wait = Duration::from_millis(milli / 1000).min(MAX_WAIT);
            self.hint = Some(Hint::new(wait, HintSource::RetryAfterHeader));
            self.precise = true;
        }
    }

    /// Of several the first counts.
    fn retry_after(&mut self, value: &[u8], now: SystemTime) {
        if self.hint.is_some() {
            return;
        }
        if let Some(wait) = duration::parse(value) {
            self.hint = Some(Hint::new(wait, HintSource::RetryAfterHeader));
        } else if let Some(at) = duration::instant(value) {
            let wait = at.duration_since(now).unwrap_or_default().min(MAX_WAIT);
            self.hint = Some(Hint::new(wait, HintSource::RetryAfterHeader).with_basis(Basis::Date));
        }
    }
}

/// The dimension in a policy's name, such as `DeploymentRatelimit-Token`.
fn policy(value: &[u8]) -> Option<ErrorKind> {
    let has = |needle: &[u8]| {
        value
            .windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
    };
    if has(b"token") {
        Some(ErrorKind::RateLimitTokens)
    } else if has(b"request") || has(b"call") {
        Some(ErrorKind::RateLimitRequests)
    } else {
        None
    }
}
