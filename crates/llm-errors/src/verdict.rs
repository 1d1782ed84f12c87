//! One failure, understood once: what happened, what it speaks for, what to do and how long to wait.

use crate::kind::{Certainty, ErrorKind, HealthEffect, Phase, Scope, named};
use std::time::Duration;

named! {
    /// Whether the same target may be asked again.
    pub enum Retry {
        /// Not with this request: the answer would be the same.
        Never = "never",
        /// Once the [`Hint`] has passed.
        AfterHint = "after_hint",
        /// After a computed backoff.
        Backoff = "backoff",
        /// Once, at once, by another connection: the failure was that of the old one.
        AtOnce = "at_once",
    }
}

named! {
    /// How the request itself must change before it can succeed.
    #[non_exhaustive]
    pub enum Change {
        /// No change is needed.
        None = "none",
        /// Shorten the prompt.
        Truncate = "truncate",
        /// Ask for fewer output tokens.
        LowerMaxTokens = "lower_max_tokens",
        /// Allow more output tokens: the answer reached its length.
        RaiseMaxTokens = "raise_max_tokens",
        /// Rephrase the prompt.
        Rewrite = "rewrite",
        /// Correct the request; the caller's error as it stands.
        Fix = "fix",
    }
}

named! {
    /// What another target must offer for it to be worth asking.
    #[non_exhaustive]
    pub enum Needs {
        /// Any other target will do.
        Any = "any",
        /// A longer context window or output cap.
        LongerContext = "longer_context",
        /// A less restrictive content policy; only where the route names one.
        LessRestrictive = "less_restrictive",
        /// The feature that this target lacks.
        Feature = "feature",
        /// Another credential or account.
        OtherCredential = "other_credential",
    }
}

/// What to do about a failure. Every consumer reads the same advice, so they cannot disagree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Advice {
    /// May the same target be asked again?
    pub retry: Retry,
    /// Is another target worth asking?
    pub elsewhere: bool,
    /// How the request must change first, if the same target is to accept it.
    pub change: Change,
    /// What the other target must offer.
    pub needs: Needs,
    /// Should somebody be told? True for keys, money and spent quotas.
    pub alert: bool,
}

named! {
    /// The whole advice in one word: may this very request be sent again, and to whom?
    pub enum Resend {
        /// Yes, to the same target, after the wait.
        Yes = "yes",
        /// Not to the same target; another one may take it as it is.
        NoSameTarget = "no_same_target",
        /// Only once the request has changed.
        AfterChange = "after_change",
        /// No: nobody holding this key, or nobody at all, will take it.
        No = "no",
    }
}

named! {
    /// Where a wait was read from.
    #[non_exhaustive]
    pub enum HintSource {
        /// A `retry-after` header in seconds or as a date, or one of its millisecond forms.
        RetryAfterHeader = "retry_after_header",
        /// A rate-limit reset header of the binding window.
        ResetHeader = "reset_header",
        /// A structured field of the body, such as Google's `RetryInfo`.
        Body = "body",
        /// The message text ("try again in 7m12s").
        Text = "text",
    }
}

named! {
    /// How a wait was stated, and so how sure it is.
    pub enum Basis {
        /// As an interval: counted from the arrival of the reply.
        Interval = "interval",
        /// As a date: as good as the two clocks agree.
        Date = "date",
        /// As the reset of a rate-limit window that is held to be the binding one.
        Window = "window",
    }
}

/// How long the provider asks callers to stay away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hint {
    wait_ms: u32,
    source: HintSource,
    basis: Basis,
}

/// Everything that is known about one failure. Small and `Copy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Verdict {
    /// What happened.
    pub kind: ErrorKind,
    /// How much of the world it speaks for.
    pub scope: Scope,
    /// How far the call had come.
    pub phase: Phase,
    /// Whether it may have run.
    pub certainty: Certainty,
    /// What to do.
    pub advice: Advice,
    /// What it says about the target's health.
    pub health: HealthEffect,
    /// How long to stay away, where the provider said so.
    pub hint: Option<Hint>,
    /// The context window the provider stated, in tokens; 0 where it stated none.
    pub context_limit_tokens: u32,
    /// The size it says was asked for, in tokens; 0 where it stated none.
    pub context_requested_tokens: u32,
}

impl Hint {
    /// A wait of `wait` read from `source`. Waits beyond 49 days are cut to that.
    #[must_use]
    pub fn new(wait: Duration, source: HintSource) -> Self {
        let millis = wait.as_secs().saturating_mul(1000);
        let millis = millis.saturating_add(wait.subsec_millis().into());
        Self {
            wait_ms: u32::try_from(millis).unwrap_or(u32::MAX),
            source,
            basis: Basis::Interval,
        }
    }

    /// The same hint, stated in another way.
    #[must_use]
    pub const fn with_basis(mut self, basis: Basis) -> Self {
        self.basis = basis;
        self
    }

    /// How it was stated.
    #[must_use]
    pub const fn basis(self) -> Basis {
        self.basis
    }

    /// The wait, counted from the moment the reply arrived. Zero means "now".
    #[must_use]
    pub const fn wait(self) -> Duration {
        Duration::from_millis(self.wait_ms as u64)
    }

    /// Where the wait was read from.
    #[must_use]
    pub const fn source(self) -> HintSource {
        self.source
    }
}

impl Verdict {
    /// The default verdict on `kind` in `phase`: the row that the failure table has for it.
    ///
    /// Classifiers refine it with what the reply says: a hint, a narrower scope, a context size.
    #[must_use]
    pub const fn new(kind: ErrorKind, phase: Phase) -> Self {
        let row = Row::of(kind);
        Self {
            kind,
            scope: row.scope,
            phase,
            certainty: match phase {
                Phase::Connect => Certainty::NeverSent,
                Phase::MidStream => Certainty::Committed,
                Phase::Sent | Phase::FirstByte => row.certainty,
            },
            advice: row.advice,
            health: row.health,
            hint: None,
            context_limit_tokens: 0,
            context_requested_tokens: 0,
        }
    }

    /// The same verdict with this wait. Retry advice of "after a backoff" becomes "after the
    /// hint"; a failure that must not be retried stays so, and keeps the hint as the earliest
    /// time at which its target may be back.
    #[must_use]
    pub const fn with_hint(mut self, hint: Hint) -> Self {
        self.hint = Some(hint);
        if matches!(self.advice.retry, Retry::Backoff) {
            self.advice.retry = Retry::AfterHint;
        }
        self
    }

    /// The same verdict with the context sizes that the provider stated, in tokens (0 = not
    /// stated).
    #[must_use]
    pub const fn with_context(mut self, limit_tokens: u32, requested_tokens: u32) -> Self {
        self.context_limit_tokens = limit_tokens;
        self.context_requested_tokens = requested_tokens;
        self
    }

    /// The wait the provider asked for, if it stated one.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self.hint {
            Some(hint) => Some(hint.wait()),
            None => None,
        }
    }

    /// True where the same target may be asked again with the same request.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        !matches!(self.advice.retry, Retry::Never)
    }

    /// The advice in one word.
    #[must_use]
    pub const fn resend(self) -> Resend {
        if self.is_retryable() {
            return Resend::Yes;
        }
        if !matches!(self.advice.change, Change::None) {
            return Resend::AfterChange;
        }
        let key_refused = matches!(
            self.kind,
            ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission
        ) && matches!(self.advice.needs, Needs::OtherCredential);
        if self.advice.elsewhere && !key_refused {
            Resend::NoSameTarget
        } else {
            Resend::No
        }
    }

    /// The same verdict with its advice turned to `resend`.
    #[must_use]
    pub const fn with_resend(mut self, resend: Resend) -> Self {
        let advice = &mut self.advice;
        match resend {
            Resend::Yes => {
                if matches!(advice.retry, Retry::Never) {
                    advice.retry = if self.hint.is_some() {
                        Retry::AfterHint
                    } else {
                        Retry::Backoff
                    };
                }
                advice.change = Change::None;
            }
            Resend::NoSameTarget => {
                advice.retry = Retry::Never;
                advice.elsewhere = true;
                advice.change = Change::None;
                if matches!(
                    self.kind,
                    ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission
                ) {
                    advice.needs = Needs::Any;
                }
            }
            Resend::AfterChange => {
                advice.retry = Retry::Never;
                if matches!(advice.change, Change::None) {
                    advice.change = match self.kind {
                        ErrorKind::ContextLength | ErrorKind::RateLimitTokens => Change::Truncate,
                        ErrorKind::ContentFilter | ErrorKind::Refusal => Change::Rewrite,
                        ErrorKind::Billing => Change::LowerMaxTokens,
                        _ => Change::Fix,
                    };
                }
            }
            Resend::No => {
                advice.retry = Retry::Never;
                advice.change = Change::None;
                if matches!(
                    self.kind,
                    ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission
                ) {
                    advice.needs = Needs::OtherCredential;
                    self.scope = Scope::Credential;
                } else {
                    advice.elsewhere = false;
                }
            }
        }
        self
    }

    /// A truncated answer whose connection broke, rather than one that reached its length: worth
    /// another try as it is.
    #[must_use]
    pub(crate) const fn cut_off(mut self) -> Self {
        self.advice.retry = Retry::Backoff;
        self.advice.change = Change::None;
        self.advice.needs = Needs::Any;
        self.health = HealthEffect::Hard;
        self
    }
}

/// The default answers for one kind.
struct Row {
    scope: Scope,
    certainty: Certainty,
    advice: Advice,
    health: HealthEffect,
}

impl Row {
    /// The row of `kind` in the failure table.
    const fn of(kind: ErrorKind) -> Self {
        use Certainty::{MayHaveExecuted, Rejected};
        use ErrorKind as K;
        use HealthEffect::{Hard, Neutral, Soft};
        match kind {
            K::RateLimitRequests
            | K::RateLimitTokens
            | K::RateLimitConcurrency
            | K::RateLimitOther => Self::again(Scope::Deployment, Rejected, Soft),
            K::QuotaExhausted | K::Billing => {
                Self::away(Scope::Credential, Needs::OtherCredential, Soft).alerting()
            }
            K::OrgLimit => Self::away(Scope::Organisation, Needs::OtherCredential, Soft).alerting(),
            K::Overloaded => Self::again(Scope::Model, Rejected, Soft),
            K::ServerError => Self::again(Scope::Deployment, MayHaveExecuted, Hard),
            K::BadGatewayHtml => Self::again(Scope::Provider, MayHaveExecuted, Hard),
            K::Timeout => Self::again(Scope::Deployment, MayHaveExecuted, Hard),
            K::Network => Self::again(Scope::Provider, MayHaveExecuted, Hard),
            K::AuthInvalidKey => {
                Self::away(Scope::Credential, Needs::OtherCredential, Soft).alerting()
            }
            K::AuthPermission => Self::away(Scope::Deployment, Needs::Any, Soft).alerting(),
            K::ModelNotFound | K::ModelDeprecated => {
                Self::away(Scope::Deployment, Needs::Any, Soft).alerting()
            }
            K::ContextLength => Self::change(Change::Truncate, Needs::LongerContext),
            K::OutputLimit => Self::change(Change::LowerMaxTokens, Needs::LongerContext),
            K::PayloadTooLarge => Self::change(Change::Truncate, Needs::Any),
            K::ContentFilter | K::Refusal => {
                let mut row = Self::away(Scope::Request, Needs::LessRestrictive, Neutral);
                row.certainty = MayHaveExecuted;
                row
            }
            K::InvalidRequest | K::SchemaInvalid => {
                let mut row = Self::change(Change::Fix, Needs::Any);
                row.advice.elsewhere = false;
                row
            }
            K::UnsupportedFeature => Self::change(Change::Fix, Needs::Feature),
            K::ToolCallInvalid | K::StructuredOutputInvalid | K::EmptyOutput => {
                Self::again(Scope::Request, MayHaveExecuted, Soft)
            }
            K::Truncated => {
                let mut row = Self::change(Change::Fix, Needs::LongerContext);
                row.advice.change = Change::RaiseMaxTokens;
                row.certainty = MayHaveExecuted;
                row
            }
            K::Conflict => {
                let mut row = Self::away(Scope::Request, Needs::Any, Neutral);
                row.advice.elsewhere = false;
                row
            }
            K::Other => Self::away(Scope::Request, Needs::Any, Soft),
        }
    }

    /// Worth another try, here or elsewhere.
    const fn again(scope: Scope, certainty: Certainty, health: HealthEffect) -> Self {
        Self {
            scope,
            certainty,
            advice: Advice {
                retry: Retry::Backoff,
                elsewhere: true,
                change: Change::None,
                needs: Needs::Any,
                alert: false,
            },
            health,
        }
    }

    /// Never here again, but perhaps elsewhere.
    const fn away(scope: Scope, needs: Needs, health: HealthEffect) -> Self {
        Self {
            scope,
            certainty: Certainty::Rejected,
            advice: Advice {
                retry: Retry::Never,
                elsewhere: true,
                change: Change::None,
                needs,
                alert: false,
            },
            health,
        }
    }

    /// Never as it is: the request must change, or a target must offer more.
    const fn change(change: Change, needs: Needs) -> Self {
        Self {
            scope: Scope::Request,
            certainty: Certainty::Rejected,
            advice: Advice {
                retry: Retry::Never,
                elsewhere: true,
                change,
                needs,
                alert: false,
            },
            health: HealthEffect::Neutral,
        }
    }

    /// The same row, with somebody to be told.
    const fn alerting(mut self) -> Self {
        self.advice.alert = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_stays_small() {
        assert_eq!(size_of::<Verdict>(), 28);
        assert_eq!(size_of::<Hint>(), 8);
    }

    #[test]
    fn money_and_keys_are_never_retried() {
        for kind in [
            ErrorKind::QuotaExhausted,
            ErrorKind::OrgLimit,
            ErrorKind::Billing,
            ErrorKind::AuthInvalidKey,
            ErrorKind::AuthPermission,
        ] {
            let hint = Hint::new(Duration::from_secs(1), HintSource::Text);
            let verdict = Verdict::new(kind, Phase::FirstByte).with_hint(hint);
            assert_eq!(verdict.advice.retry, Retry::Never, "{kind}");
            assert!(verdict.advice.alert, "{kind}");
        }
    }
}
