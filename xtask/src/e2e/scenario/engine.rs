//! What the engine learns from many calls and does about it, by default configuration: an outage, a hang, slowness, stragglers.
//!
//! A crowd of callers teaches how long the first provider usually takes. Then an SDK makes one call after the other, or callers go
//! on coming at 20 a second; the fleets are in `cargo xtask simulate`.

use super::Expect::{Answer, Either};
use super::{Crowd, Players, SECOND, Scenario};

/// Enough good calls for times to be learnt, and how many of them may go to the second provider because this machine was slow.
const WARM: usize = 130;
const STRAY: usize = 13;

/// The same with the SDK's own first call.
const KNOWN: usize = WARM + 1;

const WELL: &str = "[[rule]]\nslow = { latency = \"200ms\" }\n";
const TEN_TIMES_SLOWER: &str = "[[rule]]\nslow = { latency = \"2s\" }\n";
const HANGS: &str = "[[rule]]\nhang = \"forever\"\n";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        outage(),
        hang(),
        hang_under_load(),
        slow(),
        slow_under_load(),
        stragglers(),
    ]
}

/// An SDK's first call takes longer than all others; here it comes before the trouble.
fn warmed(name: &'static str, well: &'static str, trouble: &'static str) -> Scenario {
    let scenario = crowded(name, well).ask(Either, KNOWN..=KNOWN, 0..=STRAY);
    scenario.then_rules(trouble, well)
}

/// Well until its times are known; the second one stays well.
fn crowded(name: &'static str, well: &'static str) -> Scenario {
    Scenario::new(name, well).second(well).crowd(Crowd {
        callers: WARM,
        every_ms: 25,
        within_ms: 5_000,
        calls: [WARM..=WARM, 0..=STRAY],
        leaves_first_within_ms: None,
    })
}

fn outage() -> Scenario {
    Scenario::new(
        "an outage: five failures, then the first is left alone",
        "[[rule]]\npreset = \"server_error\"\n",
    )
    .ask(Answer(SECOND), 5..=8, 20..=20)
    .but(|ask| {
        ask.times = 20;
        ask.within_ms = 3_000;
        ask.median_ms = 1_000;
        ask.leaves_first_after = 8;
    })
}

fn hang() -> Scenario {
    warmed(
        "a warm provider begins to hang: nobody waits 3 s, by default",
        WELL,
        HANGS,
    )
    .ask(Answer(SECOND), KNOWN + 1..=KNOWN + 8, 15..=15 + STRAY)
    .but(|ask| {
        ask.times = 15;
        ask.within_ms = 3_000;
        ask.median_ms = 1_000;
        ask.leaves_first_after = 6;
    })
}

fn hang_under_load() -> Scenario {
    crowded(
        "a warm provider begins to hang at 20 calls a second: left within 3 s, and nobody waits longer, by default",
        WELL,
    )
    .then_rules(HANGS, WELL)
    .players(Players::One)
    .crowd(Crowd {
        callers: 110,
        every_ms: 50,
        within_ms: 3_000,
        // Once left it is looked after no sooner than 5 s later.
        calls: [WARM + 1..=WARM + 60, 110..=110 + STRAY],
        leaves_first_within_ms: Some(3_000),
    })
}

/// The other one is asked beside a call that is silent for 1 s, and sooner beside those after it.
fn slow() -> Scenario {
    warmed(
        "a warm provider grows ten times slower without an error: left after six calls, by default",
        WELL,
        TEN_TIMES_SLOWER,
    )
    .ask(Either, KNOWN + 4..=KNOWN + 12, 20..=30 + STRAY)
    .but(|ask| {
        ask.times = 30;
        ask.within_ms = 3_000;
        ask.median_ms = 1_000;
        ask.leaves_first_after = 6;
    })
}

fn slow_under_load() -> Scenario {
    crowded(
        "a warm provider grows ten times slower at 20 calls a second: left within 5 s, by default",
        WELL,
    )
    .then_rules(TEN_TIMES_SLOWER, WELL)
    .players(Players::One)
    .crowd(Crowd {
        callers: 130,
        every_ms: 50,
        // It still answers: to wait for it is no failure.
        within_ms: 5_000,
        calls: [WARM + 1..=WARM + 100, 30..=130 + STRAY],
        leaves_first_within_ms: Some(5_000),
    })
}

/// Where nobody hedges, another one is asked after a second at the soonest.
fn stragglers() -> Scenario {
    warmed(
        "one call in ten straggles: hedged, nobody waits 1 s",
        "[[rule]]\nslow = { latency = \"50ms\" }\n",
        "[[rule]]\nevery = 10\nslow = { latency = \"4s\" }\n[[rule]]\nslow = { latency = \"50ms\" }\n",
    )
    .route("hedging = \"at_p90\"")
    .ask(Either, KNOWN + 40..=KNOWN + 40, 4..=18)
    .but(|ask| {
        ask.times = 40;
        ask.within_ms = 999;
    })
}
