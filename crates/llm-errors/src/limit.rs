//! What kind of limit a limit really is.

use crate::dictionary::Dictionary;
use crate::kind::ErrorKind;
use crate::known::Known;
use crate::row::Row;
use crate::rule::Outcome;
use crate::seen::Seen;
use crate::snapshot::Dimension;
use crate::verdict::Resend;
use std::time::Duration;

/// A per-day limit that asks for no more than this refills as one goes: it is worth waiting for.
pub(crate) const SHORT_WAIT: Duration = Duration::from_secs(120);
/// No short window asks for a wait as long as this.
const LONG_WAIT: Duration = Duration::from_secs(3600);

/// Kinds that speak of some allowance.
pub(crate) const fn is_limit(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RateLimitRequests
            | ErrorKind::RateLimitTokens
            | ErrorKind::RateLimitConcurrency
            | ErrorKind::RateLimitOther
            | ErrorKind::QuotaExhausted
    )
}

/// What kind of limit it really is: by quota names, spans, headers and sizes.
pub(crate) fn sharper_limit(
    dictionary: &Dictionary,
    outcome: Outcome,
    known: &Known,
    row: &mut Row<'_>,
    seen: &Seen,
    wait: Option<Duration>,
    told: Option<Duration>,
) -> Option<Outcome> {
    let spent = Outcome {
        kind: ErrorKind::QuotaExhausted,
        resend: None,
        scope: None,
    };
    let quota = known.quota;
    if matches!(
        outcome.kind,
        ErrorKind::OrgLimit | ErrorKind::Billing | ErrorKind::Overloaded
    ) {
        return None;
    }
    if quota.zero || quota.per_day || row.has_zero_limit(dictionary.marks.limit) {
        return Some(spent);
    }
    // the text is only asked where the wait leaves it open
    let mut long_span = || !row.is_empty() && dictionary.long_span(row);
    let mut better = outcome;
    if quota.per_minute {
        better.kind = if quota.tokens {
            ErrorKind::RateLimitTokens
        } else if quota.requests {
            ErrorKind::RateLimitRequests
        } else {
            ErrorKind::RateLimitOther
        };
        return Some(better);
    }
    if outcome.kind == ErrorKind::QuotaExhausted {
        // who tells the caller to come back in a moment speaks of a window that slides
        let soon = told.is_some_and(|wait| wait <= SHORT_WAIT) && !long_span();
        let kind = ErrorKind::RateLimitOther;
        return soon.then_some(Outcome { kind, ..outcome });
    }
    let long = match wait {
        Some(wait) => wait >= LONG_WAIT || (wait > SHORT_WAIT && long_span()),
        None => long_span(),
    };
    if long {
        return Some(spent);
    }
    let plan = seen.limits.get(Dimension::Plan);
    if seen.plan_rejected || plan.is_some_and(|plan| plan.remaining == Some(0)) {
        return Some(spent);
    }
    if better.kind == ErrorKind::RateLimitOther {
        better.kind = limit_by_header(seen).unwrap_or(better.kind);
    }
    if !row.is_empty()
        && let Some((limit, asked)) = dictionary.allowance(row)
        && asked > limit
        && limit > 0
    {
        better.kind = match better.kind {
            ErrorKind::RateLimitOther => ErrorKind::RateLimitTokens,
            kind => kind,
        };
        better.resend = Some(Resend::AfterChange);
    }
    Some(better)
}

/// The dimension that the headers name: a policy, or the one window that is exhausted.
fn limit_by_header(seen: &Seen) -> Option<ErrorKind> {
    if seen.policy.is_some() {
        return seen.policy;
    }
    let limits = &seen.limits;
    if limits.is_empty() {
        return None;
    }
    let (mut tokens, mut requests) = (false, false);
    for window in limits.windows() {
        let spent = window.remaining == Some(0);
        tokens |= spent && window.dimension.is(Dimension::Tokens);
        requests |= spent && window.dimension.is(Dimension::Requests);
    }
    match (tokens, requests) {
        (true, false) => Some(ErrorKind::RateLimitTokens),
        (false, true) => Some(ErrorKind::RateLimitRequests),
        (false, false) => {
            // only one dimension is spoken of at all
            let tokens = limits
                .windows()
                .any(|window| window.dimension.is(Dimension::Tokens));
            let requests = limits
                .windows()
                .any(|window| window.dimension.is(Dimension::Requests));
            let silent = limits.windows().all(|window| window.remaining.is_none());
            match (tokens, requests) {
                (true, false) if silent => Some(ErrorKind::RateLimitTokens),
                (false, true) if silent => Some(ErrorKind::RateLimitRequests),
                _ => None,
            }
        }
        (true, true) => None,
    }
}
