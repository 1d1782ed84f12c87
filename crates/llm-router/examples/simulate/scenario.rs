//! What goes wrong, and for whom.

mod list;

use crate::site::Site;
use llm_breaker::BreakerConfig;
use std::time::Duration;

pub(crate) use list::all;

/// How large a fleet is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) callers: usize,
    pub(crate) gateways: usize,
    /// Requests a second of all callers together.
    pub(crate) per_second: f64,
    /// How many trials of each canary are held.
    pub(crate) trials: u64,
}

impl Size {
    /// Ten thousand callers, each with a request every 50 seconds, on four gateways.
    pub(crate) const FULL: Self = Self {
        callers: 10_000,
        gateways: 4,
        per_second: 200.0,
        trials: 1_000,
    };
    /// Two thousand such callers on two gateways.
    pub(crate) const QUICK: Self = Self {
        callers: 2_000,
        gateways: 2,
        per_second: 40.0,
        trials: 100,
    };
}

/// One story.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// What happens, in a sentence.
    pub(crate) about: &'static str,
    pub(crate) sites: Vec<Site>,
    /// Positions in `sites`.
    pub(crate) tiers: Vec<Vec<usize>>,
    /// The site that is left and returned to.
    pub(crate) sick: usize,
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    /// Arrivals end here.
    pub(crate) length: Duration,
    /// The share of requests that stream.
    pub(crate) streamed: f64,
    /// How many times the fleet's usual requests a second arrive.
    pub(crate) load: f64,
    /// Whether the router hedges.
    pub(crate) hedging: bool,
    /// Requests a minute that the router is told the first site takes, over all gateways.
    pub(crate) told_rpm: Option<u64>,
    /// What the router is told of its breakers.
    pub(crate) breaker: BreakerConfig,
    /// The site that is on trial beside the first tier; every rival sends it a twentieth of the callers, from start to end.
    pub(crate) canary: Option<usize>,
}

impl Scenario {
    /// Whether the sick site is in trouble, at least for a time.
    pub(crate) fn is_sick(&self) -> bool {
        !self.sites[self.sick].faults.is_empty()
    }

    /// Whether it is well before and after.
    pub(crate) fn heals(&self) -> bool {
        self.is_sick() && self.canary.is_none()
    }
}
