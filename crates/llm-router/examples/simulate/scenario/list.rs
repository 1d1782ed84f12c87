//! The scenarios, each in a few lines.

use super::{Scenario, Size};
use crate::site::{Capacity, Fault, Limit, Pace, Site, Trouble, Waves};
use llm_breaker::BreakerConfig;
use llm_errors::ErrorKind;
use std::time::Duration;

/// Every trouble begins here: the routers are warm by then.
const START: Duration = Duration::from_secs(60);

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// All scenarios for fleets of this size; limits and capacities are set in proportion to it.
pub(crate) fn all(size: &Size) -> Vec<Scenario> {
    let load = size.per_second;
    vec![
        healthy(),
        waves(
            "load waves, short",
            "Nothing fails; load makes all calls of a target faster and slower together, most of it gone in two seconds. Each target has waves of its own, so the other is often faster.",
            (0.5, false),
        ),
        waves(
            "load waves, long",
            "The same, with waves of ten seconds and more.",
            (0.9, false),
        ),
        waves(
            "load waves, shared, short",
            "The same waves come over both targets, at three times the usual load: a gate that opens here opens in vain.",
            (0.5, true),
        ),
        waves(
            "load waves, shared, long",
            "The same, with waves of ten seconds and more.",
            (0.9, true),
        ),
        pair(
            "outage",
            "The primary answers every call with a 500 for 30 s.",
            30,
            |to| vec![fault(to, Trouble::Errors(1.0, ErrorKind::ServerError))],
        ),
        pair(
            "brown-out",
            "30 % of the primary's calls fail with a 503 for 60 s.",
            60,
            |to| vec![fault(to, Trouble::Errors(0.3, ErrorKind::ServerError))],
        ),
        pair(
            "rate-limit storm",
            "For 60 s the primary lets a tenth of the load in and answers the rest with 429 and a Retry-After of 23 s.",
            60,
            |to| {
                let per_second = load / 10.0;
                vec![fault(
                    to,
                    Trouble::Throttled {
                        per_second,
                        wait: secs(23),
                    },
                )]
            },
        ),
        pair(
            "short rate limits",
            "For 60 s the primary lets 80 % of the load in; a 429 states the second or so until there is room.",
            60,
            |to| {
                let per_second = load * 0.8;
                vec![fault(
                    to,
                    Trouble::Throttled {
                        per_second,
                        wait: secs(1),
                    },
                )]
            },
        ),
        limited(
            "demand above the limit",
            "The primary takes two thirds of the demand a minute, in fixed windows, from start to end.",
            // A minute's worth of two thirds of the load.
            Limit::Window {
                length: secs(60),
                calls: count(load * 40.0),
            },
        ),
        limited(
            "demand above a smooth limit",
            "The same, where room comes back call by call.",
            Limit::Bucket {
                per_second: load * 2.0 / 3.0,
                burst: secs(1),
            },
        ),
        pair(
            "quota spent at noon",
            "The primary's quota is spent; its 429 states the reset, 120 s away.",
            120,
            |to| vec![fault(to, Trouble::Spent)],
        ),
        pair(
            "latency x4",
            "The primary takes four times as long, without an error, for 60 s.",
            60,
            |to| vec![fault(to, Trouble::Slow(4.0))],
        ),
        pair(
            "latency x10",
            "The primary takes ten times as long, without an error, for 60 s.",
            60,
            |to| vec![fault(to, Trouble::Slow(10.0))],
        ),
        pair(
            "hang",
            "The primary accepts every call and never answers, for 60 s.",
            60,
            |to| vec![fault(to, Trouble::Hang)],
        ),
        whole(pair(
            "hang, whole answers",
            "The same, where no caller streams.",
            60,
            |to| vec![fault(to, Trouble::Hang)],
        )),
        regional(),
        pair(
            "flapping",
            "The primary is down for 10 s and up for 10 s, six times.",
            110,
            |_| {
                (0..6)
                    .map(|turn| Fault {
                        from: START + secs(20 * turn),
                        to: START + secs(20 * turn + 10),
                        what: Trouble::Errors(1.0, ErrorKind::ServerError),
                    })
                    .collect()
            },
        ),
        stragglers(
            "stragglers, hedged",
            "From start to end 3 % of all calls take eight times as long; the router hedges.",
            0.0,
        ),
        stragglers(
            "stragglers, half from the request",
            "The same, where half of the stragglers would be slow wherever they are sent.",
            0.5,
        ),
        paced(load),
        overload(
            load,
            "metastable overload",
            "One provider with a queue, near its capacity, takes three times as long for 20 s; nothing else is left.",
            (20, 3.0),
            false,
        ),
        overload(
            load,
            "metastable overload, deep",
            "The same for 60 s: by then the queue is longer than anybody waits.",
            (60, 3.0),
            false,
        ),
        overload(
            load,
            "metastable overload, lasting",
            "The same for 3 minutes: it becomes what is usual.",
            (180, 3.0),
            false,
        ),
        overload(
            load,
            "metastable overload, two providers",
            "20 s of it with a second provider that has as little room to spare.",
            (20, 3.0),
            true,
        ),
        two_tiers_down(),
        both(
            Trouble::Errors(1.0, ErrorKind::ServerError),
            "everything down",
            "Both providers answer every call with a 503 for 60 s.",
            60,
        ),
        both(
            Trouble::Errors(1.0, ErrorKind::ServerError),
            "everything down for long",
            "The same for 5 minutes.",
            300,
        ),
        both(
            Trouble::Hang,
            "everything silent",
            "Both providers accept every call and never answer, for 60 s.",
            60,
        ),
        canary(
            "canary that is 3 points worse",
            "A new target beside the primary fails in 5 of 100 calls, the primary in 2. Callers of twice the usual number; every gateway tries it for itself.",
            0.05,
        ),
        canary(
            "canary that is as good",
            "The same with 2 of 100 for both. It is worth having: the router takes it for all callers.",
            0.02,
        ),
    ]
}

fn site(name: &'static str, first_ms: u64, faults: Vec<Fault>) -> Site {
    Site {
        name,
        provider: name,
        pace: Pace::new(first_ms),
        waves: None,
        capacity: None,
        limit: None,
        faults,
    }
}

fn fault(to: Duration, what: Trouble) -> Fault {
    Fault {
        from: START,
        to,
        what,
    }
}

/// Five times the load, and nothing wrong: whatever a policy does here is a false alarm.
fn healthy() -> Scenario {
    let about = "Both targets are well, with 2 % stragglers, at five times the usual load.";
    let mut scenario = pair("nothing wrong", about, 60, |_| Vec::new());
    scenario.load = 5.0;
    scenario.length = scenario.to + secs(60);
    scenario
}

/// Waves on both targets, by which one second in twenty is more than twice as slow as the middle one.
fn waves(name: &'static str, about: &'static str, (memory, shared): (f64, bool)) -> Scenario {
    let mut scenario = pair(name, about, 120, |_| Vec::new());
    for site in &mut scenario.sites {
        site.waves = Some(Waves {
            memory,
            sigma: 0.5,
            shared,
        });
    }
    if shared {
        scenario.load = 3.0;
    }
    scenario.length = scenario.to + secs(60);
    scenario
}

/// A primary with this trouble for so many seconds, and a healthy backup.
fn pair(
    name: &'static str,
    about: &'static str,
    seconds: u64,
    faults: impl FnOnce(Duration) -> Vec<Fault>,
) -> Scenario {
    let to = START + secs(seconds);
    Scenario {
        name,
        about,
        sites: vec![
            site("primary", 500, faults(to)),
            site("backup", 700, Vec::new()),
        ],
        tiers: vec![vec![0], vec![1]],
        sick: 0,
        from: START,
        to,
        length: to + secs(150),
        streamed: 1.0,
        load: 1.0,
        hedging: false,
        told_rpm: None,
        breaker: BreakerConfig::default(),
        canary: None,
    }
}

fn whole(scenario: Scenario) -> Scenario {
    Scenario {
        streamed: 0.0,
        ..scenario
    }
}

/// Demand is above a limit all the time.
fn limited(name: &'static str, about: &'static str, limit: Limit) -> Scenario {
    let mut scenario = pair(name, about, 120, |_| Vec::new());
    scenario.sites[0].limit = Some(limit);
    scenario
}

/// Two regions share the load; one of them drops off the network.
fn regional() -> Scenario {
    let to = START + secs(60);
    let mut east = site("east", 500, vec![fault(to, Trouble::Unreachable)]);
    let mut west = site("west", 500, Vec::new());
    (east.provider, west.provider) = ("regional", "regional");
    Scenario {
        name: "regional loss",
        about: "One of two regions that share the load cannot be connected to for 60 s; a backup is there as well.",
        sites: vec![east, west, site("backup", 700, Vec::new())],
        tiers: vec![vec![0, 1], vec![2]],
        sick: 0,
        from: START,
        to,
        length: to + secs(150),
        streamed: 1.0,
        load: 1.0,
        hedging: false,
        told_rpm: None,
        breaker: BreakerConfig::default(),
        canary: None,
    }
}

/// A few calls take very long all the time; this share of them because of what is asked.
fn stragglers(name: &'static str, about: &'static str, from_request: f64) -> Scenario {
    let mut scenario = pair(name, about, 120, |_| Vec::new());
    for site in &mut scenario.sites {
        site.pace.stragglers = 0.03;
        site.pace.factor = 8.0;
        site.pace.from_request = from_request;
    }
    scenario.length = scenario.to + secs(60);
    scenario.hedging = true;
    scenario
}

/// A lone provider that takes one request a second, asked for three.
fn paced(load: f64) -> Scenario {
    let about = "A lone provider takes 60 requests a minute and is asked for 180; the router is told the limit, each gateway its part.";
    let mut scenario = pair("three times the limit, told", about, 600, |_| Vec::new());
    scenario.sites.truncate(1);
    scenario.tiers.truncate(1);
    scenario.sites[0].limit = Some(Limit::Bucket {
        per_second: 1.0,
        burst: secs(60),
    });
    scenario.told_rpm = Some(60);
    scenario.load = 3.0 / load;
    scenario.length = scenario.to + secs(60);
    scenario
}

/// The first two of three tiers fail.
fn two_tiers_down() -> Scenario {
    let down = |to| vec![fault(to, Trouble::Errors(1.0, ErrorKind::ServerError))];
    let about =
        "The primary and the backup answer every call with a 500 for 60 s; a third tier is well.";
    let mut scenario = pair("two tiers down", about, 60, down);
    scenario.sites[1].faults = down(scenario.to);
    scenario.sites.push(site("last", 900, Vec::new()));
    scenario.tiers.push(vec![2]);
    scenario
}

/// Providers with a queue and a fifth of their capacity to spare, so many times as slow for so many seconds.
fn overload(
    load: f64,
    name: &'static str,
    about: &'static str,
    (seconds, slower): (u64, f64),
    second: bool,
) -> Scenario {
    let slow = |to| vec![fault(to, Trouble::Slow(slower))];
    let mut scenario = pair(name, about, seconds, slow);
    let mean_hold = 2.1; // seconds: first token and rest, means of the pace
    let room = |share: f64| Capacity {
        at_once: whole_number(load * mean_hold * share),
        // As much as is served in half a minute: nobody waits that long.
        waiting: whole_number(load * 30.0),
    };
    scenario.sites[0].capacity = Some(room(1.2));
    if second {
        scenario.sites[1].capacity = Some(room(0.6));
    } else {
        scenario.sites.truncate(1);
        scenario.tiers.truncate(1);
    }
    scenario.length = scenario.to + secs(220);
    scenario
}

/// A new target that fails this share of its calls, beside a primary that fails one in fifty.
fn canary(name: &'static str, about: &'static str, errors: f64) -> Scenario {
    let length = secs(400);
    let failing = |share| Fault {
        from: Duration::ZERO,
        to: length,
        what: Trouble::Errors(share, ErrorKind::ServerError),
    };
    let mut scenario = pair(name, about, 0, |_| vec![failing(0.02)]);
    scenario.sites.push(site("new", 500, vec![failing(errors)]));
    scenario.canary = Some(2);
    scenario.sick = 2;
    (scenario.from, scenario.to, scenario.length) = (Duration::ZERO, length, length);
    scenario.load = 2.0;
    scenario
}

fn both(trouble: Trouble, name: &'static str, about: &'static str, seconds: u64) -> Scenario {
    let down = |to| vec![fault(to, trouble)];
    let mut scenario = pair(name, about, seconds, down);
    scenario.sites[1].faults = down(scenario.to);
    scenario
}

fn count(value: f64) -> u32 {
    u32::try_from(whole_number(value)).unwrap_or(u32::MAX)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "loads are small and positive"
)]
fn whole_number(value: f64) -> usize {
    value.round() as usize
}
