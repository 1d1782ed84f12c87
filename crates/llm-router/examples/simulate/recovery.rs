//! How callers come back after everything was down, where no shadow probe looks for recovery.

use crate::fleet;
use crate::log::{End, Log};
use crate::measure;
use crate::origin;
use crate::policy::Policy;
use crate::scenario::{self, Scenario, Size};
use llm_breaker::BreakerConfig;
use std::time::Duration;

const SIZE: Size = Size::QUICK;
/// By then every gate has opened.
const LEFT: Duration = Duration::from_secs(10);
/// How long a breaker is open at first by default, and how long at most.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(300);
/// The three steps of a ramp, of 10 s each at most.
const RAMP: Duration = Duration::from_secs(30);
/// Upstream calls a request: one to each of the two targets, and a fifth.
const MOST_CALLS: f64 = 2.2;

/// How two targets stand in their route.
#[derive(Debug, Clone, Copy)]
enum Two {
    Tiers,
    Siblings,
}

/// Both targets fail every call for so long; the breakers grant no shadow probe, all else is the default.
fn down_for(outage: Duration, two: Two) -> Scenario {
    let mut scenario = scenario::all(&SIZE)
        .into_iter()
        .find(|scenario| scenario.name == "everything down for long")
        .unwrap();
    if let Two::Siblings = two {
        scenario.tiers = vec![vec![0, 1]];
    }
    scenario.to = scenario.from + outage;
    for site in &mut scenario.sites {
        // A probe that straggles is beaten by its cover, and its target is back for that gateway after the next one: until then its
        // sibling has all calls.
        site.pace.stragglers = 0.0;
        for fault in &mut site.faults {
            fault.to = scenario.to;
        }
    }
    scenario.length = scenario.to + LONGEST + RAMP * 3;
    let config = BreakerConfig::builder().shadow_every(None);
    scenario.breaker = config.build().unwrap();
    scenario
}

/// How long a breaker is open after so many probes that failed.
fn open_time(probes: u32) -> Duration {
    (FIRST * 2u32.pow(probes)).min(LONGEST)
}

/// Upstream calls that were sent to the site in this time.
fn calls_to(log: &Log, site: usize, from: Duration, to: Duration) -> usize {
    let calls = log.calls.iter().filter(|call| call.site == site);
    calls.filter(|call| (from..to).contains(&call.at)).count()
}

/// After an outage in which so many probes of each gate must fail.
fn comes_back(outage: Duration, probes: u32, two: Two, seed: u64) {
    let scenario = down_for(outage, two);
    let log = fleet::run(&scenario, &SIZE, Policy::Router, seed, origin());
    let (from, to) = (scenario.from, scenario.to);
    let at = format!("{outage:?}, {two:?}, seed {seed}");

    let requests = |from: Duration, to: Duration| {
        let requests = log.requests.iter();
        requests.filter(move |seen| (from..to).contains(&seen.arrived))
    };
    let mut spent = 0;
    for site in 0..scenario.sites.len() {
        // Beyond those that opened the gates nothing is sent but a probe after each opening.
        let probing = calls_to(&log, site, from + LEFT, to);
        assert_eq!(probing, SIZE.gateways * probes as usize, "{at}");
        spent += calls_to(&log, site, from, to);
    }
    let spent = spent as f64 / requests(from, to).count() as f64;
    assert!(spent < MOST_CALLS, "{at}: {spent} calls a request");

    let healed = measure::measure(&scenario, &log).sick.unwrap().healed;
    let healed = healed.unwrap();
    let bound = open_time(probes) + RAMP;
    let back = healed.back.unwrap();
    assert!(back <= bound, "{at}: {back:?} of {bound:?}");
    assert!(healed.peak <= 1.2, "{at}: {}", healed.peak);
    let unanswered = requests(to + bound, scenario.length).filter(|seen| seen.end != End::Answered);
    assert_eq!(unanswered.count(), 0, "{at}");
}

#[test]
fn after_two_minutes_callers_are_back_in_one_open_time_and_the_ramp_without_a_shadow_probe() {
    // Probes fail after 60 and 180 s.
    for two in [Two::Tiers, Two::Siblings] {
        for seed in 1..=6 {
            comes_back(Duration::from_secs(120), 1, two, seed);
            comes_back(Duration::from_secs(190), 2, two, seed);
        }
    }
}

#[test]
fn after_half_an_hour_callers_are_back_in_one_open_time_and_the_ramp_without_a_shadow_probe() {
    // Probes fail after 60, 180, 420, 720, 1 020, 1 320, 1 620 and 1 920 s.
    for two in [Two::Tiers, Two::Siblings] {
        comes_back(Duration::from_secs(1_800), 7, two, 1);
        comes_back(Duration::from_secs(1_930), 8, two, 1);
    }
}
