//! What the engine learns from many calls and does about it, by default configuration: an outage, a hang, slowness, stragglers.
//!
//! An SDK makes one call after the other, so time goes by slowly here; the fleets are in `cargo xtask simulate`.

use super::Expect::{Answer, Either};
use super::{Modes, SECOND, Scenario};

/// Enough good calls for times to be learnt.
const WARM: usize = 130;

/// Healthy for the warming, then these faults.
macro_rules! after_warming {
    ($fault:literal) => {
        concat!("[[rule]]\ncalls = \"131..\"\n", $fault)
    };
}

pub(super) fn all() -> Vec<Scenario> {
    vec![outage(), hang(), slow(), stragglers()]
}

/// Makes the calls that teach how long the first provider usually takes.
fn warmed(name: &'static str, rules: &'static str) -> Scenario {
    Scenario::new(name, rules)
        .modes(Modes::Streamed)
        // A call that the machine is slow to make may be hedged, where the route does that.
        .ask(Either, WARM..=WARM, 0..=13)
        .but(|ask| ask.times = WARM)
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
    })
}

fn hang() -> Scenario {
    warmed(
        "a warm provider begins to hang: nobody waits 3 s, by default",
        after_warming!("hang = \"forever\"\n"),
    )
    .ask(Answer(SECOND), WARM + 1..=WARM + 8, 8..=20)
    .but(|ask| {
        ask.times = 8;
        ask.within_ms = 3_500;
    })
}

/// The other one is asked beside a call that is silent for 1 s, and sooner beside those after it: from the fifth on nobody waits.
fn slow() -> Scenario {
    warmed(
        "a warm provider grows far slower without an error: left for the faster one, by default",
        after_warming!("slow = { first_token = \"1500ms\" }\n"),
    )
    .ask(Either, WARM + 4..=WARM + 8, 4..=22)
    .but(|ask| {
        ask.times = 8;
        ask.within_ms = 2_000;
    })
    .ask(Answer(SECOND), WARM + 4..=WARM + 10, 24..=42)
    .but(|ask| {
        ask.times = 20;
        ask.within_ms = 1_200;
    })
}

fn stragglers() -> Scenario {
    warmed(
        "one call in ten straggles: hedged, nobody waits for it",
        after_warming!("every = 10\nslow = { first_token = \"4s\" }\n"),
    )
    .route("hedging = \"at_p90\"")
    .ask(Either, WARM + 40..=WARM + 40, 4..=20)
    .but(|ask| {
        ask.times = 40;
        ask.within_ms = 2_500;
    })
}
