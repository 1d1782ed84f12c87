//! Hedging at the p90: how many extra calls it makes, and what it buys. Seeded, no clock.
#![expect(clippy::indexing_slicing, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use llm_backoff::{HedgeBudget, HedgeDelay};
use rand::{RngExt, SeedableRng, rngs::SmallRng};

/// Lognormal times to first token (median 0.6 s, sigma 0.6), some calls eight times as slow.
struct Provider {
    rng: SmallRng,
    stragglers: f64,
}

impl Provider {
    fn body(&mut self) -> f64 {
        let (a, b): (f64, f64) = (self.rng.random(), self.rng.random());
        let normal = (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos();
        0.6 * (0.6 * normal).exp()
    }

    fn straggles(&mut self) -> bool {
        self.rng.random::<f64>() < self.stragglers
    }
}

struct Outcome {
    extra: f64,
    p99_bare: f64,
    p99_hedged: f64,
}

/// `shared`: the part of the stragglers that the request itself causes, so that both legs have it.
fn run(seed: u64, shared: f64) -> Outcome {
    let mut provider = Provider {
        rng: SmallRng::seed_from_u64(seed),
        stragglers: 0.03,
    };
    let origin = start();
    let (delay, budget) = (HedgeDelay::new(origin), HedgeBudget::default());
    let (mut bare, mut hedged, mut hedges) = (vec![], vec![], 0u32);
    for n in 0..60_000u32 {
        let now = origin + Duration::from_millis(u64::from(n) * 50);
        let slow = |yes| if yes { 8.0 } else { 1.0 };
        let from_request = provider.straggles() && provider.rng.random::<f64>() < shared;
        let leg = |p: &mut Provider| {
            let own = p.straggles() && p.rng.random::<f64>() >= shared;
            p.body() * slow(own || from_request)
        };
        let (first, second) = (leg(&mut provider), leg(&mut provider));
        let mut seen = first;
        if let Some(wait) = delay.delay(now).map(|d| d.as_secs_f64())
            && first > wait
            && budget.withdraw(0)
        {
            hedges += u32::from(n >= 10_000);
            seen = first.min(wait + second);
        }
        delay.record(Duration::from_secs_f64(seen), now);
        budget.deposit(0);
        if n >= 10_000 {
            bare.push(first);
            hedged.push(seen);
        }
    }
    let p99 = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() * 99 / 100]
    };
    Outcome {
        extra: f64::from(hedges) / bare.len() as f64,
        p99_bare: p99(bare),
        p99_hedged: p99(hedged),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs some instant to start from"
)]
fn start() -> Instant {
    Instant::now()
}

#[test]
fn one_call_in_ten_is_hedged_and_the_p99_at_least_halves() {
    for seed in 0..3 {
        let outcome = run(seed, 0.0);
        assert!((0.09..=0.11).contains(&outcome.extra), "{}", outcome.extra);
        assert!(
            outcome.p99_hedged <= outcome.p99_bare / 2.0,
            "{} -> {}",
            outcome.p99_bare,
            outcome.p99_hedged
        );
    }
}

#[test]
fn stragglers_that_the_request_causes_leave_less_to_gain() {
    let (independent, half) = (run(7, 0.0), run(7, 0.5));
    assert!((0.09..=0.11).contains(&half.extra), "{}", half.extra);
    assert!(half.p99_hedged < half.p99_bare);
    assert!(half.p99_hedged > independent.p99_hedged);
}
