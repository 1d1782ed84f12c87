//! What replies say of rate limits, and what that means for a quota.

use super::quota::Quota;
use super::{DAILY, REQUESTS, nanos};
use llm_errors::Dimension;
use std::time::Duration;

/// A requests window that takes longer than this to turn over is a day's, whatever its name says.
const LONGEST_MINUTE: Duration = Duration::from_secs(120);

/// What a reply's headers say of one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What the window counts.
    pub dimension: Dimension,
    /// Its allowance, where stated.
    pub limit: Option<u64>,
    /// What is left of it, where stated.
    pub remaining: Option<u64>,
    /// The time until it is full again, where stated.
    pub reset_in: Option<Duration>,
    /// [`Reservation::sequence`](super::Reservation::sequence) of the call that the reply answers.
    pub sequence: u64,
}

/// The quota that a window is about.
pub(super) fn place(seen: &Seen) -> Option<usize> {
    match seen.dimension {
        Dimension::Requests if seen.reset_in.is_some_and(|reset| reset > LONGEST_MINUTE) => {
            Some(DAILY)
        }
        Dimension::Requests => Some(REQUESTS),
        Dimension::Tokens => Some(1),
        Dimension::InputTokens => Some(2),
        Dimension::OutputTokens => Some(3),
        Dimension::RequestsPerDay => Some(DAILY),
        _ => None,
    }
}

/// The least TAT that keeps within what the server says is left.
pub(super) fn bound(
    quota: &Quota,
    limit: Option<u64>,
    remaining: u64,
    stated: Option<Duration>,
    place: usize,
    at: u64,
) -> u64 {
    let left = quota.span(remaining);
    let reset = match stated {
        Some(reset) if place != DAILY => nanos(reset.min(LONGEST_MINUTE)),
        // A day's allowance is spent as it comes, and blocked where it is gone.
        _ => 0,
    };
    let refill = match stated {
        Some(stated) if fills_as_it_goes(quota, limit, remaining, stated) => 0,
        _ => reset,
    };
    let unit = quota.unit();
    let burst = quota.burst_ns.max(unit);
    // The unit that flows in at the reset itself is the next window's.
    at.saturating_add(burst)
        .saturating_add(refill.saturating_sub(unit))
        .saturating_sub(left)
}

/// Whether the stated reset is the time in which a token bucket gets back what is used of it.
pub(super) fn fills_as_it_goes(
    quota: &Quota,
    limit: Option<u64>,
    remaining: u64,
    reset: Duration,
) -> bool {
    let used = limit.map_or(0, |limit| quota.span(limit.saturating_sub(remaining)));
    nanos(reset).abs_diff(used) <= used / 4
}
