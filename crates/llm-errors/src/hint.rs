//! How long to stay away: which kinds ask for it, and which of several statements counts.

use crate::kind::ErrorKind;
use crate::limit::is_limit;
use crate::snapshot::{Dimension, RateLimits};
use crate::verdict::{Basis, Hint, HintSource};
use std::time::Duration;

/// The reset of the binding window: the exhausted one, of several the latest; else the one of
/// the dimension that the text named.
pub(crate) fn window(limits: &RateLimits, kind: ErrorKind) -> Option<Hint> {
    if limits.is_empty() {
        return None;
    }
    let named = match kind {
        ErrorKind::RateLimitTokens => Some(Dimension::Tokens),
        ErrorKind::RateLimitRequests => Some(Dimension::Requests),
        _ => None,
    };
    let exhausted = limits
        .windows()
        .filter(|window| window.remaining == Some(0))
        .filter_map(|window| window.reset.map(|reset| (reset, window.dated)))
        .max();
    let found = exhausted.or_else(|| {
        limits
            .windows()
            .filter(|window| {
                window.remaining.is_none() && named.is_some_and(|named| window.dimension.is(named))
            })
            .filter_map(|window| window.reset.map(|reset| (reset, window.dated)))
            .max()
    });
    found.map(|(reset, dated)| {
        let basis = if dated { Basis::Date } else { Basis::Window };
        Hint::new(reset, HintSource::ResetHeader).with_basis(basis)
    })
}

/// Kinds for which a wait means something.
pub(crate) const fn takes_hint(kind: ErrorKind) -> bool {
    is_limit(kind)
        || matches!(
            kind,
            ErrorKind::OrgLimit
                | ErrorKind::Billing
                | ErrorKind::Overloaded
                | ErrorKind::ServerError
                | ErrorKind::BadGatewayHtml
                | ErrorKind::Timeout
                | ErrorKind::Network
                | ErrorKind::Conflict
                | ErrorKind::Truncated
        )
}

/// Of two statements of one wait the one with more digits; of two that disagree the first.
pub(crate) fn more_precise(first: Option<Hint>, second: Option<Hint>) -> Option<Hint> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let apart = first.wait().abs_diff(second.wait());
            let finer = second.wait().subsec_millis() != 0 && first.wait().subsec_millis() == 0;
            Some(if apart <= Duration::from_millis(1000) && finer {
                second
            } else {
                first
            })
        }
        (first, second) => first.or(second),
    }
}
