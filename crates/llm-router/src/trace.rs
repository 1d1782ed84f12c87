//! What a request went through, hop by hop: enough to explain it, to bill it and to replay it.

use crate::canary::CanaryVerdict;
use crate::cut::Form;
use crate::money::Spend;
use crate::pace::Cost;
use crate::route::RouteId;
use crate::table::Table;
use crate::target::TargetId;
use llm_breaker::{Change, TripReason};
use llm_errors::{Certainty, ErrorKind, HintSource, Scope, Verdict};
use std::fmt;
use std::time::Duration;

/// The record of one request. Times are offsets from its start.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Trace {
    /// The route that was asked.
    pub route: RouteId,
    /// The seed of every random choice: the same seed and events give the same trace.
    pub seed: u64,
    /// Every upstream call, in the order of sending. Bounded by the route's `max_sends`.
    pub hops: Vec<Hop>,
    /// Health that changed because of this request.
    pub changes: Vec<HealthChange>,
    /// What this request decided about the target on trial, if it decided anything.
    pub canary: Option<(TargetId, CanaryVerdict)>,
    /// Sums of an hour's spend that this request crossed.
    pub alerts: Vec<SpendAlert>,
    /// Targets that a detector would have set aside, if half of the route were not already, or nobody else took all that comes.
    pub spared: Vec<(TargetId, TripReason)>,
    /// Candidates that were refused when the search ended without an answer.
    pub refused: Vec<Refused>,
    /// When the plan ended; `None` while it runs.
    pub ended_after: Option<Duration>,
}

/// Health that changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthChange {
    /// The target whose call showed it.
    pub target: TargetId,
    /// Whose health: `Deployment` is the target's own, any other what it shares with other targets.
    pub scope: Scope,
    /// What changed.
    pub change: Change,
}

/// The spend of the last hour has crossed a sum at which somebody wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpendAlert {
    /// Whose spend.
    pub payer: Payer,
    /// The sum that was crossed.
    pub threshold: Spend,
    /// The spend of the hour now.
    pub spent: Spend,
}

/// Whose money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Payer {
    /// A target's, over all routes.
    Target(TargetId),
    /// That of the trace's route, over all targets.
    Route,
}

/// One upstream call.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Hop {
    /// The target that was called.
    pub target: TargetId,
    /// Why this one.
    pub why: Why,
    /// True where the call was a breaker's probe.
    pub probe: bool,
    /// In which form it was sent; where it was to continue a broken stream, this names the seam.
    pub form: Form,
    /// The wait before it, and where its length came from.
    pub waited: Option<(Duration, WaitSource)>,
    /// When it was sent.
    pub sent_after: Duration,
    /// Its first token, where it streamed.
    pub first_token_after: Option<Duration>,
    /// Its end.
    pub ended_after: Option<Duration>,
    /// What became of it.
    pub result: HopResult,
    /// What was found wrong with its answer, where it was looked at.
    pub finding: Option<&'static str>,
    /// What of the request its wire had no place for, and of its answer that of the caller: names of
    /// fields, as the shell told them.
    pub lost: Vec<&'static str>,
    /// Events of its stream that could not be read, as the shell told: left out where they held no part of the answer.
    pub broken_events: u32,
    /// What it cost by its target's price: the tokens reported or seen, the expected ones where none are;
    /// for a failed or cancelled call that may have been executed what was seen of it, at the least the expected prompt. Nothing
    /// where the price is not known.
    pub cost: Spend,
    /// Candidates of the same or an earlier tier that were passed over, and why.
    pub passed_over: Vec<Refused>,
}

/// A candidate that was not used, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// The candidate.
    pub target: TargetId,
    /// The reason.
    pub reason: Refusal,
}

/// Why a candidate was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// It was tried before in this request.
    Tried,
    /// It lacks an ability the request needs.
    Unable,
    /// It cannot be told all that the request says, and the caller wants all or nothing.
    Lossy,
    /// Its context window is too small for the request.
    TooSmall,
    /// The route does not name it for refused prompts.
    NotLessRestrictive,
    /// It does not go on from the beginning of an answer.
    NoPrefill,
    /// Its weight is 0.
    NoWeight,
    /// A rate limit holds it back.
    Held,
    /// Its breaker is open or its probe is under way.
    Open,
    /// Its credential is set aside.
    CredentialSetAside,
    /// Its organisation is set aside.
    OrganisationSetAside,
    /// Its model is set aside at this provider.
    ModelSetAside,
    /// Its region is set aside.
    RegionSetAside,
    /// Its provider is set aside.
    ProviderSetAside,
    /// Its rate limit is spent for the moment, by our own count.
    Paced,
    /// It has as many calls in flight as it may have, or so many that another one would come too late.
    Full,
    /// It has stopped answering, and the first call that comes to it is sent elsewhere for that.
    Hanging,
    /// The request exceeds its rate limit by itself.
    OverLimit,
    /// The request keeps away from it, by name, by tag or by wanting no fallback.
    Excluded,
    /// The route names it for a sort of failure that this request has not met.
    NotForThis,
    /// It is on trial, and the request is not on its side.
    OnTrial,
    /// With it the request would cost more than it may.
    OverBudget,
    /// The target's spend of the hour is at its cap.
    SpendCap,
    /// The route's spend of the hour is at its cap.
    RouteSpendCap,
}

/// Why a target was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Why {
    /// The route's first choice.
    First,
    /// Another target of the tier in which the one before failed.
    Sibling,
    /// A target of another tier.
    Fallback,
    /// The same target once more.
    Retry,
    /// A target with a longer context window.
    LongerContext,
    /// A target the route names for refused prompts.
    LessRestrictive,
    /// A target the route names for refused or spent credentials.
    OtherCredential,
    /// A target the route names for outages of a region.
    OtherRegion,
    /// The target on trial.
    Canary,
    /// Beside a probe that had not answered at the usual time.
    Cover,
    /// Beside a call whose target was found to hang.
    Rescue,
    /// Beside a target that has grown slow, to see whether another is faster.
    Trial,
    /// Beside a call that had no answer at the p90.
    Hedge,
    /// Every target is set aside, and the route asks the one that is back soonest.
    LeastBad,
}

/// What became of an upstream call.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum HopResult {
    /// Still under way.
    Running,
    /// It answered; tokens as the provider reported them, or as they were estimated of an answer that was cut short.
    Answered(Tokens),
    /// It failed.
    Failed(Verdict),
    /// It was to continue a broken stream and said something else than what the caller already had.
    Diverged,
    /// It was cancelled before its end: the caller left, or the deadline passed.
    Cancelled,
}

/// Tokens that a call used, as the provider reported them; 0 where it reported none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tokens {
    /// Tokens of the prompt.
    pub input: u32,
    /// Tokens of the answer.
    pub output: u32,
}

impl Tokens {
    /// As what they took from rate limits.
    pub(crate) fn as_cost(self) -> Cost {
        Cost {
            input_tokens: u64::from(self.input),
            output_tokens: u64::from(self.output),
        }
    }
}

/// Where the length of a wait came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WaitSource {
    /// The provider's hint.
    Hint(HintSource),
    /// The computed backoff.
    Backoff,
    /// A hold that another request's rate limit put on the target.
    Hold,
    /// The rest of the time for which every target was set aside.
    Opening,
    /// Room at a target that has more to do than it can.
    Room,
}

macro_rules! labels {
    ($name:ident { $($variant:pat => $text:literal,)+ }) => {
        impl $name {
            /// Every stable name, in the order of the reference.
            pub const NAMES: &[&str] = &[$($text),+];

            /// The stable name, for traces and metrics: one of [`NAMES`](Self::NAMES).
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

labels!(Refusal {
    Self::Tried => "tried",
    Self::Unable => "unable",
    Self::Lossy => "lossy",
    Self::TooSmall => "context_too_small",
    Self::NotLessRestrictive => "not_less_restrictive",
    Self::NoPrefill => "no_prefill",
    Self::NoWeight => "no_weight",
    Self::Held => "held",
    Self::Open => "open",
    Self::CredentialSetAside => "credential_set_aside",
    Self::OrganisationSetAside => "organisation_set_aside",
    Self::ModelSetAside => "model_set_aside",
    Self::RegionSetAside => "region_set_aside",
    Self::ProviderSetAside => "provider_set_aside",
    Self::Paced => "paced",
    Self::Full => "full",
    Self::Hanging => "hanging",
    Self::OverLimit => "over_limit",
    Self::Excluded => "excluded",
    Self::NotForThis => "not_for_this",
    Self::OnTrial => "on_trial",
    Self::OverBudget => "over_budget",
    Self::SpendCap => "spend_cap",
    Self::RouteSpendCap => "route_spend_cap",
});

impl Refusal {
    /// A shared scope is set aside.
    pub(crate) const fn of_scope(scope: Scope) -> Self {
        match scope {
            Scope::Credential => Self::CredentialSetAside,
            Scope::Organisation => Self::OrganisationSetAside,
            Scope::Model => Self::ModelSetAside,
            Scope::Region => Self::RegionSetAside,
            Scope::Provider => Self::ProviderSetAside,
            _ => Self::Open,
        }
    }

    /// Whose gate keeps calls away; `None` where it is no gate.
    #[must_use]
    pub const fn scope(self) -> Option<Scope> {
        match self {
            Self::Open => Some(Scope::Deployment),
            Self::CredentialSetAside => Some(Scope::Credential),
            Self::OrganisationSetAside => Some(Scope::Organisation),
            Self::ModelSetAside => Some(Scope::Model),
            Self::RegionSetAside => Some(Scope::Region),
            Self::ProviderSetAside => Some(Scope::Provider),
            _ => None,
        }
    }
}

labels!(Why {
    Self::First => "first",
    Self::Sibling => "sibling",
    Self::Fallback => "fallback",
    Self::Retry => "retry",
    Self::LongerContext => "longer_context",
    Self::LessRestrictive => "less_restrictive",
    Self::OtherCredential => "other_credential",
    Self::OtherRegion => "other_region",
    Self::Canary => "canary",
    Self::Cover => "cover",
    Self::Rescue => "rescue",
    Self::Trial => "trial",
    Self::Hedge => "hedge",
    Self::LeastBad => "least_bad",
});

labels!(WaitSource {
    Self::Hint(HintSource::RetryAfterHeader) => "retry_after_header",
    Self::Hint(HintSource::ResetHeader) => "reset_header",
    Self::Hint(HintSource::Body) => "body",
    Self::Hint(HintSource::Text) => "text",
    Self::Hint(_) => "hint",
    Self::Backoff => "backoff",
    Self::Hold => "hold",
    Self::Opening => "opening",
    Self::Room => "room",
});

// === impl Trace ===

impl Trace {
    pub(crate) fn new(route: RouteId, seed: u64) -> Self {
        Self {
            route,
            seed,
            hops: Vec::new(),
            changes: Vec::new(),
            canary: None,
            alerts: Vec::new(),
            spared: Vec::new(),
            refused: Vec::new(),
            ended_after: None,
        }
    }

    /// Upstream calls made.
    #[must_use]
    pub fn sends(&self) -> usize {
        self.hops.len()
    }

    /// The target whose answer was used, if any.
    #[must_use]
    pub fn answered_by(&self) -> Option<TargetId> {
        self.hops
            .iter()
            .rev()
            .find(|hop| matches!(hop.result, HopResult::Answered(_)))
            .map(|hop| hop.target)
    }

    /// What all hops cost together, as far as it is known.
    #[must_use]
    pub fn cost(&self) -> Spend {
        self.hops.iter().map(|hop| hop.cost).sum()
    }

    /// The failures, in order.
    #[must_use]
    pub fn failures(&self) -> impl DoubleEndedIterator<Item = Verdict> + '_ {
        self.hops.iter().filter_map(|hop| match hop.result {
            HopResult::Failed(verdict) => Some(verdict),
            HopResult::Running
            | HopResult::Answered(_)
            | HopResult::Diverged
            | HopResult::Cancelled => None,
        })
    }

    /// Whether a call that failed may have been executed all the same.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        let mut failures = self.failures();
        failures.any(|verdict| {
            matches!(
                verdict.certainty,
                Certainty::MayHaveExecuted | Certainty::Committed
            )
        })
    }

    /// The trace in words, one hop after the other, with the names of `table`.
    ///
    /// ```text
    /// primary first 503 overloaded in 12ms; primary retry after 230ms (backoff) overloaded in 9ms; backup fallback answered in 480ms
    /// ```
    #[must_use]
    pub fn describe<'a>(&'a self, table: &'a Table) -> impl fmt::Display + 'a {
        Described { trace: self, table }
    }
}

impl Hop {
    /// How long the call took; `None` while it runs.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        Some(self.ended_after?.saturating_sub(self.sent_after))
    }

    /// What went wrong, if anything did.
    #[must_use]
    pub fn error(&self) -> Option<ErrorKind> {
        match self.result {
            HopResult::Failed(verdict) => Some(verdict.kind),
            HopResult::Running
            | HopResult::Answered(_)
            | HopResult::Diverged
            | HopResult::Cancelled => None,
        }
    }
}

struct Described<'a> {
    trace: &'a Trace,
    table: &'a Table,
}

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for hop in &self.trace.hops {
            write!(
                f,
                "{separator}{} {}",
                self.table.target_name(hop.target),
                hop.why
            )?;
            if hop.probe {
                f.write_str(" probe")?;
            }
            if matches!(hop.form, Form::Shortened { .. } | Form::Rewritten) {
                write!(f, " {}", hop.form)?;
            }
            if let Some(at) = hop.form.seam() {
                write!(f, " from char {at} by {}", hop.form)?;
            }
            if let Some((wait, source)) = hop.waited {
                write!(f, " after {}ms ({source})", wait.as_millis())?;
            }
            match hop.result {
                HopResult::Running => f.write_str(" running")?,
                HopResult::Answered(_) => f.write_str(" answered")?,
                HopResult::Failed(verdict) => write!(f, " {}", verdict.kind)?,
                HopResult::Diverged => f.write_str(" diverged")?,
                HopResult::Cancelled => f.write_str(" cancelled")?,
            }
            for (at, name) in hop.lost.iter().enumerate() {
                write!(f, "{}{name}", if at == 0 { " without " } else { ", " })?;
            }
            if hop.broken_events > 0 {
                write!(f, " (broken events: {})", hop.broken_events)?;
            }
            if let Some(finding) = hop.finding {
                write!(f, " ({finding})")?;
            }
            if let Some(took) = hop.took() {
                write!(f, " in {}ms", took.as_millis())?;
            }
            for refused in &hop.passed_over {
                let name = self.table.target_name(refused.target);
                write!(f, " [{name}: {}]", refused.reason)?;
            }
            separator = "; ";
        }
        if let Some((target, verdict)) = self.trace.canary {
            let name = self.table.target_name(target);
            match verdict {
                CanaryVerdict::Promote(100) => write!(f, "{separator}canary {name} promoted")?,
                CanaryVerdict::Promote(share) => {
                    write!(f, "{separator}canary {name} now gets {share} %")?;
                }
                CanaryVerdict::Stop(reason) => {
                    write!(
                        f,
                        "{separator}canary {name} stopped for its {}",
                        reason.as_str()
                    )?;
                }
                CanaryVerdict::Continue => {}
            }
            separator = "; ";
        }
        for (target, reason) in &self.trace.spared {
            let name = self.table.target_name(*target);
            write!(
                f,
                "{separator}{name} not set aside for {reason}: half of the route is"
            )?;
            separator = "; ";
        }
        for refused in &self.trace.refused {
            let name = self.table.target_name(refused.target);
            write!(f, "{separator}{name} not used: {}", refused.reason)?;
            separator = "; ";
        }
        Ok(())
    }
}
