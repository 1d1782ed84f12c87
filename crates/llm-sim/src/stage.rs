//! A script being played: its counters and its clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::limit::Limiter;
use crate::script::{Moment, Rule, Script};
use crate::seed;

/// A script with its state. A reset or a change of script makes a new one; calls in progress keep theirs.
#[derive(Debug)]
pub(crate) struct Stage {
    pub script: Arc<Script>,
    pub limiter: Option<Arc<Limiter>>,
    pub started: Instant,
    seed: u64,
    /// Calls that met the fixed conditions of each rule.
    seen: Vec<AtomicU64>,
}

impl Stage {
    pub(crate) fn new(script: Arc<Script>, seed: u64, now: Instant) -> Self {
        let limiter = script.limits.map(|limits| Arc::new(Limiter::new(limits)));
        let seen = script.rules.iter().map(|_| AtomicU64::new(0)).collect();
        Self {
            script,
            limiter,
            started: now,
            seed,
            seen,
        }
    }

    /// The first rule that matches, with its index.
    pub(crate) fn pick(&self, moment: &Moment<'_>) -> Option<(usize, &Rule)> {
        self.script
            .rules
            .iter()
            .zip(&self.seen)
            .enumerate()
            .find_map(|(index, (rule, seen))| {
                if !rule.concerns(moment) {
                    return None;
                }
                let call = seen.fetch_add(1, Ordering::Relaxed) + 1;
                let strikes = rule.calls.contains(&call)
                    && call % rule.every == 0
                    && self.dice(index, call) < rule.rate;
                strikes.then_some((index, rule))
            })
    }

    /// A number in `0.0..1.0` for the n-th call of a rule: the same in every run with this seed.
    fn dice(&self, rule: usize, call: u64) -> f64 {
        let place = u64::try_from(rule).unwrap_or(u64::MAX);
        seed::fraction(seed::join(seed::join(self.seed, place), call))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http::HeaderMap;

    use super::*;
    use crate::wire::Wire;

    #[expect(clippy::disallowed_methods, reason = "a test needs some first instant")]
    fn stage(script: Script, seed: u64) -> Stage {
        Stage::new(Arc::new(script), seed, Instant::now())
    }

    fn picks(stage: &Stage, count: usize) -> Vec<Option<usize>> {
        let headers = HeaderMap::new();
        let moment = Moment {
            wire: Wire::OpenAiChat,
            path: "/v1/chat/completions",
            model: Some("m"),
            stream: false,
            since_start: Duration::from_secs(7),
            headers: &headers,
        };
        (0..count)
            .map(|_| stage.pick(&moment).map(|(index, _)| index))
            .collect()
    }

    #[test]
    fn rules_follow_one_another() {
        let script = Script::builder()
            .rule(Rule::new().calls(1..=2))
            .rule(Rule::new().calls(2..=2))
            .build()
            .unwrap();
        assert_eq!(
            picks(&stage(script, 1), 5),
            [Some(0), Some(0), None, Some(1), None]
        );
    }

    #[test]
    fn every_third_call() {
        let script = Script::builder()
            .rule(Rule::new().every(3))
            .build()
            .unwrap();
        assert_eq!(
            picks(&stage(script, 1), 6),
            [None, None, Some(0), None, None, Some(0)]
        );
    }

    #[test]
    fn a_rate_is_met_and_repeats_with_the_seed() {
        let script = || {
            Script::builder()
                .rule(Rule::new().rate(0.3))
                .build()
                .unwrap()
        };
        let first = picks(&stage(script(), 1), 2_000);
        assert_eq!(first, picks(&stage(script(), 1), 2_000));
        assert_ne!(first, picks(&stage(script(), 2), 2_000));
        let share = first.iter().flatten().count();
        assert!((540..660).contains(&share), "{share}");
        let never = Script::builder()
            .rule(Rule::new().rate(0.0))
            .build()
            .unwrap();
        assert_eq!(picks(&stage(never, 1), 50), vec![None; 50]);
    }

    #[test]
    fn a_window_of_time_begins_included_and_ends_excluded() {
        for (from, until, inside) in [(7, 8, true), (0, 7, false), (8, 9, false)] {
            let rule = Rule::new()
                .from(Duration::from_secs(from))
                .until(Duration::from_secs(until));
            let script = Script::builder().rule(rule).build().unwrap();
            assert_eq!(picks(&stage(script, 1), 1), [inside.then_some(0)]);
        }
    }

    #[test]
    fn the_list_of_models_is_left_alone_unless_named() {
        let headers = HeaderMap::new();
        let moment = Moment {
            wire: Wire::Models,
            path: "/v1/models",
            model: None,
            stream: false,
            since_start: Duration::ZERO,
            headers: &headers,
        };
        let all = Script::builder().rule(Rule::new()).build().unwrap();
        assert!(stage(all, 1).pick(&moment).is_none());
        let named = Script::builder()
            .rule(Rule::new().wire(Wire::Models))
            .build()
            .unwrap();
        assert!(stage(named, 1).pick(&moment).is_some());
    }
}
