//! What a failure means for the rest of the request, and for the health of its target.
//!
//! Pure functions of the verdict: the table of this crate's manual in code.

use crate::route::Edge;
use crate::trace::Refusal;
use llm_breaker::{Outcome, TripReason};
use llm_errors::{Change, ErrorKind, HealthEffect, Needs, Retry, Scope, Verdict};
use std::time::Duration;

/// How long calls stay away after failures that only somebody can mend, where the provider names no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetAside {
    /// From a credential or account without money, quota or permission by its organisation.
    pub spent_quota: Duration,
    /// From a refused key: long enough to spare callers, short enough to notice that somebody has granted the permission. Whatever the provider
    /// says.
    pub refused_key: Duration,
    /// From a target whose model is unknown or retired. Whatever the provider says.
    pub missing_model: Duration,
}

impl Default for SetAside {
    /// An hour, 5 minutes, 10 minutes.
    fn default() -> Self {
        Self {
            spent_quota: Duration::from_secs(3600),
            refused_key: Duration::from_secs(300),
            missing_model: Duration::from_secs(600),
        }
    }
}

impl SetAside {
    /// What is wrong with it, and the mend.
    pub(crate) fn fault(&self) -> Option<&'static str> {
        let times = [self.spent_quota, self.refused_key, self.missing_model];
        let good = times
            .iter()
            .all(|time| *time >= Duration::from_millis(1) && *time <= LONGEST);
        (!good).then_some("each time may be 1 ms to 24 h")
    }
}

/// A stated wait of less than this holds nobody else back, and says so again at every call: it is taken at its word once.
const NOTHING: Duration = Duration::from_millis(100);
/// No set-aside lasts longer without another look.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What a failure means for the rest of its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// It is the caller's: nobody else would answer otherwise.
    Stop,
    /// Never this target again; another may answer.
    Elsewhere,
    /// This target again only when no other is left: it hung, broke or answered badly.
    LastResort,
    /// This target again after a wait, even before another tier if the route's patience allows.
    Again,
}

/// What a failure does to the target's future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Consequence {
    /// What its gate is told.
    pub(crate) outcome: Outcome,
    /// Whom to keep calls away from, and how long.
    pub(crate) aside: Aside,
    /// The reason a set-aside is given.
    pub(crate) reason: TripReason,
}

/// A time during which calls stay away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aside {
    /// Nobody.
    None,
    /// Every target of the scope, for the time the provider stated; afterwards as before.
    Hold(Scope, Duration),
    /// The target, for a time to be computed; afterwards as before. A wait of next to nothing may have been stated: then the
    /// first refusal costs no more than that.
    HoldByBackoff(Option<Duration>),
    /// Every target of the scope; comes back through a probe.
    Scope(Scope, Duration),
}

/// Reads the lesson of a verdict.
pub(crate) fn lesson(verdict: &Verdict) -> Lesson {
    let advice = verdict.advice;
    if !advice.elsewhere && advice.retry == Retry::Never {
        return Lesson::Stop;
    }
    if advice.retry == Retry::Never {
        return Lesson::Elsewhere;
    }
    match verdict.kind {
        ErrorKind::RateLimitRequests
        | ErrorKind::RateLimitTokens
        | ErrorKind::RateLimitConcurrency
        | ErrorKind::RateLimitOther
        | ErrorKind::Overloaded
        | ErrorKind::ServerError
        | ErrorKind::BadGatewayHtml
        | ErrorKind::Conflict => Lesson::Again,
        _ => Lesson::LastResort,
    }
}

/// The edge that leads on from a failure, where the route has one.
pub(crate) fn edge(verdict: &Verdict) -> Option<Edge> {
    match verdict.advice.needs {
        Needs::LongerContext => Some(Edge::ContextLength),
        Needs::LessRestrictive => Some(Edge::ContentFilter),
        Needs::OtherCredential => Some(Edge::Credential),
        _ => match verdict.kind {
            ErrorKind::AuthInvalidKey
            | ErrorKind::AuthPermission
            | ErrorKind::Billing
            | ErrorKind::QuotaExhausted
            | ErrorKind::OrgLimit => Some(Edge::Credential),
            ErrorKind::Overloaded
            | ErrorKind::ServerError
            | ErrorKind::BadGatewayHtml
            | ErrorKind::Timeout
            | ErrorKind::Network => Some(Edge::Region),
            _ if verdict.scope == Scope::Region => Some(Edge::Region),
            _ => None,
        },
    }
}

/// The edge that leads round what keeps a candidate from being used.
pub(crate) const fn edge_round(refusal: Refusal) -> Option<Edge> {
    match refusal {
        Refusal::TooSmall => Some(Edge::ContextLength),
        Refusal::CredentialSetAside | Refusal::OrganisationSetAside => Some(Edge::Credential),
        Refusal::Open
        | Refusal::Hanging
        | Refusal::ModelSetAside
        | Refusal::RegionSetAside
        | Refusal::ProviderSetAside => Some(Edge::Region),
        _ => None,
    }
}

/// True where a search that found no other target should hand the failure to the caller rather
/// than a degraded answer: the provider works, the request does not suit it.
pub(crate) fn is_callers(verdict: &Verdict) -> bool {
    matches!(
        verdict.kind,
        ErrorKind::ContextLength
            | ErrorKind::OutputLimit
            | ErrorKind::PayloadTooLarge
            | ErrorKind::ContentFilter
            | ErrorKind::Refusal
            | ErrorKind::InvalidRequest
            | ErrorKind::UnsupportedFeature
            | ErrorKind::SchemaInvalid
    ) || matches!(verdict.advice.needs, Needs::LessRestrictive)
}

/// What the gate of the target that gave a verdict is told.
pub(crate) fn outcome(verdict: &Verdict) -> Outcome {
    match verdict.health {
        // A success in form whose content is of no use: its own streak, not that of crashes.
        _ if is_bad_answer(verdict.kind) => Outcome::BadAnswer,
        HealthEffect::Hard => Outcome::Hard,
        HealthEffect::Soft => Outcome::Soft,
        HealthEffect::Neutral => Outcome::Neutral,
    }
}

/// Reads what a verdict does to the health of the target that gave it, and for how long.
pub(crate) fn consequence(verdict: &Verdict, times: &SetAside) -> Consequence {
    let outcome = outcome(verdict);
    let stated = verdict.retry_after();
    // Where a changed request would pass, the target is there for every other one.
    let for_this_request_only = verdict.advice.change != Change::None;
    let aside = match verdict.kind {
        _ if for_this_request_only => Aside::None,
        ErrorKind::RateLimitRequests
        | ErrorKind::RateLimitTokens
        | ErrorKind::RateLimitConcurrency
        | ErrorKind::RateLimitOther => match (verdict.advice.retry, stated) {
            // One request that exceeds a limit by itself says nothing about the next one.
            (Retry::Never, _) => Aside::None,
            (_, Some(wait)) if wait >= NOTHING => {
                Aside::Hold(limited(verdict.scope), wait.min(LONGEST))
            }
            (_, stated) => Aside::HoldByBackoff(stated),
        },
        ErrorKind::Overloaded => match stated {
            Some(wait) if wait >= NOTHING => Aside::Hold(limited(verdict.scope), wait.min(LONGEST)),
            // Without a wait it counts as a failure, and enough of them set the target aside.
            _ => Aside::None,
        },
        ErrorKind::QuotaExhausted | ErrorKind::OrgLimit | ErrorKind::Billing => {
            by_scope(verdict, stated.unwrap_or(times.spent_quota).min(LONGEST))
        }
        ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission => {
            by_scope(verdict, times.refused_key)
        }
        ErrorKind::ModelNotFound | ErrorKind::ModelDeprecated => {
            Aside::Scope(Scope::Deployment, times.missing_model)
        }
        _ => Aside::None,
    };
    let reason = match verdict.kind {
        ErrorKind::QuotaExhausted | ErrorKind::OrgLimit => TripReason::Quota,
        ErrorKind::Billing => TripReason::Billing,
        ErrorKind::AuthInvalidKey | ErrorKind::AuthPermission => TripReason::Credential,
        ErrorKind::ModelNotFound | ErrorKind::ModelDeprecated => TripReason::Missing,
        _ => TripReason::RateLimit,
    };
    Consequence {
        outcome,
        aside,
        reason,
    }
}

pub(crate) fn is_bad_answer(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::EmptyOutput | ErrorKind::StructuredOutputInvalid | ErrorKind::ToolCallInvalid
    )
}

/// Money, quota and keys belong to a credential or to its organisation, whoever is named beyond.
fn by_scope(verdict: &Verdict, wait: Duration) -> Aside {
    match verdict.scope {
        Scope::Organisation => Aside::Scope(Scope::Organisation, wait),
        Scope::Credential | Scope::Provider => Aside::Scope(Scope::Credential, wait),
        Scope::Request => Aside::None,
        Scope::Region => Aside::Scope(Scope::Region, wait),
        _ => Aside::Scope(Scope::Deployment, wait),
    }
}

/// Whom a stated wait keeps calls away from: as many as the verdict speaks for.
const fn limited(scope: Scope) -> Scope {
    match scope {
        Scope::Request => Scope::Deployment,
        scope => scope,
    }
}

/// The kind of failure that a target was set aside for.
pub(crate) fn kind_of(reason: TripReason) -> ErrorKind {
    match reason {
        TripReason::RateLimit => ErrorKind::RateLimitOther,
        TripReason::Quota => ErrorKind::QuotaExhausted,
        TripReason::Billing => ErrorKind::Billing,
        TripReason::Credential => ErrorKind::AuthInvalidKey,
        TripReason::Missing => ErrorKind::ModelNotFound,
        _ => ErrorKind::Overloaded,
    }
}

/// Orders failures by how much somebody can do about them: the final error names the greatest.
pub(crate) fn actionability(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::AuthInvalidKey => 9,
        ErrorKind::Billing => 8,
        ErrorKind::QuotaExhausted | ErrorKind::OrgLimit => 7,
        ErrorKind::ModelNotFound | ErrorKind::ModelDeprecated => 6,
        ErrorKind::AuthPermission => 5,
        ErrorKind::RateLimitRequests
        | ErrorKind::RateLimitTokens
        | ErrorKind::RateLimitConcurrency
        | ErrorKind::RateLimitOther => 4,
        ErrorKind::Overloaded => 3,
        ErrorKind::ServerError | ErrorKind::BadGatewayHtml | ErrorKind::Timeout => 2,
        ErrorKind::Network => 1,
        _ => 0,
    }
}
