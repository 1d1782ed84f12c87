//! One quota: a theoretical arrival time, and the rate at which it comes back to now.

use super::{DAILY, REQUESTS};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One quota. All times are nanoseconds since the origin of its pace.
#[derive(Debug)]
pub(super) struct Quota {
    pub(super) tat: AtomicU64,
    /// The time in which one unit flows in, rounded up; told by the limit.
    unit_ns: AtomicU64,
    pub(super) burst_ns: u64,
    /// Units a window; 0 while unknown.
    pub(super) limit: AtomicU64,
    /// The configured units a window, which headers may lower and not raise; 0 for none.
    pub(super) configured: u64,
    window_ns: u64,
}

impl Quota {
    pub(super) fn new(limit: Option<u64>, window_ns: u64, burst_ns: u64) -> Self {
        let configured = limit.unwrap_or(0);
        let quota = Self {
            tat: AtomicU64::new(0),
            unit_ns: AtomicU64::new(0),
            burst_ns,
            limit: AtomicU64::new(0),
            configured,
            window_ns,
        };
        quota.set_limit(configured);
        quota
    }

    /// A decision between the two stores sees a limit and the unit of another one: as good as one made before, or after.
    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Relaxed);
        let unit_ns = match limit {
            0 => 0,
            limit => self.window_ns.div_ceil(limit),
        };
        self.unit_ns.store(unit_ns, Relaxed);
    }

    /// The time in which one unit flows in.
    pub(super) fn unit(&self) -> u64 {
        self.unit_ns.load(Relaxed)
    }

    /// The time in which the quota yields `units`; zero where it has no limit.
    pub(super) fn span(&self, units: u64) -> u64 {
        match (units, self.limit.load(Relaxed)) {
            (_, 0) => 0,
            (1, _) => self.unit(),
            (_, limit) => units.saturating_mul(self.window_ns).div_ceil(limit),
        }
    }

    /// The latest TAT at `now` that lets a call of this `span` through.
    pub(super) fn ceiling(&self, span: u64, now: u64) -> u64 {
        let burst = self.burst_ns.max(self.unit());
        now.saturating_add(burst.saturating_sub(span))
    }

    /// The span that a call of `units` is held to; `None` where it can never pass. A limit that was
    /// only learnt refuses nobody for size: how the provider counts (reserved output, cached input)
    /// is not known, so such a call is held to a whole window.
    pub(super) fn fitting_span(&self, units: u64) -> Option<u64> {
        match self.span(units) {
            span if span <= self.window_ns => Some(span),
            _ if self.configured == 0 => Some(self.window_ns),
            _ => None,
        }
    }

    /// When a call of `units` passes; zero for now, `None` for never.
    pub(super) fn wait(&self, units: u64, now: u64) -> Option<u64> {
        let span = self.fitting_span(units)?;
        let tat = self.tat.load(Relaxed);
        Some(tat.saturating_sub(self.ceiling(span, now)))
    }

    /// Takes `units` where that is allowed now.
    pub(super) fn take(&self, units: u64, now: u64) -> Option<u64> {
        let span = self.fitting_span(units)?;
        let ceiling = self.ceiling(span, now);
        self.tat
            .fetch_update(Relaxed, Relaxed, |tat| {
                (tat <= ceiling).then(|| tat.max(now).saturating_add(span))
            })
            .ok()
            .map(|_| span)
    }

    /// One more than the longest span that passes at `now`; where each call takes one unit, beside that unit. 0 where nothing passes.
    pub(super) fn room(&self, place: usize, now: u64) -> u64 {
        let unit = self.unit();
        let own = if is_of_requests(place) { unit } else { 0 };
        let used = self.tat.load(Relaxed).saturating_sub(now);
        (self.burst_ns.max(unit) + 1).saturating_sub(used.saturating_add(own))
    }

    pub(super) fn give_back(&self, span: u64) {
        if span != 0 {
            // The closure always answers: there is no failure to handle.
            let _ = self
                .tat
                .fetch_update(Relaxed, Relaxed, |tat| Some(tat.saturating_sub(span)));
        }
    }

    pub(super) fn charge(&self, span: u64, now: u64) {
        if span != 0 {
            let _ = self.tat.fetch_update(Relaxed, Relaxed, |tat| {
                Some(tat.max(now).saturating_add(span))
            });
        }
    }

    /// Nothing of the burst is left at `from`, and one unit is.
    pub(super) fn drain(&self, from: u64) {
        let unit = self.unit();
        if unit != 0 {
            let burst = self.burst_ns.max(unit);
            self.tat
                .fetch_max(from.saturating_add(burst - unit), Relaxed);
        }
    }

    pub(super) fn free_share(&self, now: u64) -> f64 {
        let burst = self.burst_ns.max(self.unit());
        let used = self.tat.load(Relaxed).saturating_sub(now);
        (1.0 - ratio(used, burst)).max(0.0)
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a share needs no more than 52 bits"
)]
fn ratio(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// Whether the quota counts requests, of which every call is one, and not tokens.
pub(super) const fn is_of_requests(place: usize) -> bool {
    matches!(place, REQUESTS | DAILY)
}
