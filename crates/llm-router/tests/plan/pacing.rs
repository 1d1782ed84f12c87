//! Rate limits are kept before the provider refuses: against one with 60 requests a minute and three times the demand.

use crate::world::{End, World, ms, origin, secs};
use llm_errors::{Dimension, ErrorKind, Hint, HintSource, Phase, Verdict, Window};
use llm_router::{
    Action, AttemptId, Event, Limits, Plan, Policy, Request, Route, Table, Target, Tokens,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ten minutes at three calls a second.
const CALLS: u32 = 1_800;
const EVERY: Duration = Duration::from_millis(333);
/// What the last minute's stragglers get after that is not counted: it would be an eleventh minute.
const COUNTED: Duration = Duration::from_secs(600);
/// An answer, or a refusal, takes this long.
const TAKES: Duration = Duration::from_millis(400);

/// A provider with sixty calls in each minute of its clock.
struct Provider {
    start: Instant,
    minute: u64,
    used: u64,
    refused: u32,
}

impl Provider {
    fn new(start: Instant) -> Self {
        Self {
            start,
            minute: 0,
            used: 0,
            refused: 0,
        }
    }

    /// Whether it serves a call, what is left, and the time until all of it is back.
    fn call(&mut self, now: Instant) -> (bool, u64, Duration) {
        let at = now - self.start;
        if at.as_secs() / 60 != self.minute {
            (self.minute, self.used) = (at.as_secs() / 60, 0);
        }
        let served = self.used < 60;
        self.used += u64::from(served);
        self.refused += u32::from(!served);
        let reset = secs((self.minute + 1) * 60) - at;
        (served, 60 - self.used, secs(reset.as_secs() + 1))
    }
}

/// Each caller by itself: at once, then by full jitter up to 10 s, until its 30 s are over.
fn plain(seed: u64) -> (u32, u32) {
    let start = origin();
    let mut provider = Provider::new(start);
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut due: BinaryHeap<_> = (0..CALLS)
        .map(|n| Reverse((start + EVERY * n, n, 0u32)))
        .collect();
    let mut served = 0;
    while let Some(Reverse((now, n, tries))) = due.pop() {
        if now > start + EVERY * n + secs(30) {
            continue;
        }
        if provider.call(now).0 {
            served += u32::from(now < start + COUNTED);
        } else {
            let ceiling = ms((500 << tries.min(5)).min(10_000));
            let wait = ceiling.mul_f64(rng.random::<f64>());
            due.push(Reverse((now + TAKES + wait, n, tries + 1)));
        }
    }
    (served, provider.refused)
}

/// The same through plans: answered, and refused by the provider.
fn paced(limits: Limits, headers: bool) -> (u32, u32) {
    let start = origin();
    let mut policy = Policy::default();
    policy.deadline = secs(30);
    let table = Table::builder()
        .target(Target::new("only", "one").limits(limits))
        .route(Route::new("r").tier(["only"]).policy(policy))
        .build(start)
        .unwrap();
    let route = table.route("r").unwrap();
    let mut provider = Provider::new(start);
    let mut plans: Vec<Option<Plan>> = Vec::new();
    // What happens when: an arrival, a wake-up, or a reply with what its headers say.
    let mut due: BinaryHeap<Reverse<(Instant, u32, u32)>> = (0..CALLS)
        .map(|n| Reverse((start + EVERY * n, n, 0)))
        .collect();
    let mut replies: Vec<Option<(AttemptId, bool, u64, Duration)>> = Vec::new();
    plans.resize_with(CALLS as usize, || None);
    replies.resize(CALLS as usize, None);
    let mut served = 0;
    while let Some(Reverse((now, n, kind))) = due.pop() {
        let index = n as usize;
        if kind == 0 {
            let plan = Plan::new(Arc::clone(&table), route, Request::new(), now, u64::from(n));
            plans[index] = Some(plan);
        }
        let Some(plan) = plans[index].as_mut() else {
            continue;
        };
        if kind == 2
            && let Some((attempt, ok, left, reset)) = replies[index].take()
        {
            if headers {
                let window = Window {
                    dimension: Dimension::Requests,
                    limit: Some(60),
                    remaining: Some(left),
                    reset: Some(reset),
                    dated: false,
                    span: None,
                };
                plan.saw_limit(attempt, &window, now);
            }
            let refused = Verdict::new(ErrorKind::RateLimitRequests, Phase::FirstByte)
                .with_hint(Hint::new(reset, HintSource::RetryAfterHeader));
            let event = if ok {
                Event::Succeeded(attempt, Tokens::default())
            } else {
                Event::Failed(attempt, refused)
            };
            plan.on(event, now);
        }
        match plan.poll(now) {
            Action::Send { attempt, .. } => {
                let (ok, left, reset) = provider.call(now);
                replies[index] = Some((attempt, ok, left, reset));
                due.push(Reverse((now + TAKES, n, 2)));
            }
            // While a reply is on its way the plan only watches over it.
            Action::WaitUntil(until) if replies[index].is_none() => {
                due.push(Reverse((until.max(now + ms(1)), n, 1)));
            }
            Action::WaitUntil(_) => {}
            Action::Accept(_) => {
                served += u32::from(now - TAKES < start + COUNTED);
                plans[index] = None;
            }
            _ => plans[index] = None,
        }
    }
    (served, provider.refused)
}

#[test]
fn a_limited_provider_refuses_three_in_a_hundred_of_what_plain_backoff_meets_at_equal_goodput() {
    let (plain_served, plain_refused) = plain(1);
    assert!(plain_refused > 1_000, "{plain_refused}");
    let mut configured = Limits::default();
    configured.rpm = Some(60);
    for (limits, headers) in [(configured, false), (Limits::default(), true)] {
        let (served, refused) = paced(limits, headers);
        println!("plain {plain_served}/{plain_refused}, paced {served}/{refused}");
        assert!(
            refused * 100 <= plain_refused * 3,
            "{refused} of {plain_refused}"
        );
        assert!(
            served * 100 >= plain_served * 95,
            "{served} of {plain_served}"
        );
    }
}

/// A primary whose limit is kept here, and a backup without one.
fn one_call_a_second() -> World {
    let mut limits = Limits::default();
    limits.rpm = Some(60);
    World::new(|now| {
        Table::builder()
            .target(Target::new("primary", "one").limits(limits))
            .target(Target::new("backup", "two"))
            .route(Route::new("r").tier(["primary"]).tier(["backup"]))
            .build(now)
            .unwrap()
    })
}

/// Of those who come to a limit that is met while another tier is there, one waits for its next place; the others would wait in
/// vain.
#[test]
fn a_limit_that_is_met_keeps_nobody_from_the_fallback_but_who_gets_its_next_place() {
    let mut world = one_call_a_second();
    let primary = world.table.targets().next().unwrap();
    let done = world.traffic(400, ms(50), |n| (Request::new(), n));
    let mut of_backup: Vec<_> = Vec::new();
    let mut by_primary = 0;
    for one in &done {
        assert_eq!(one.end, End::Answered);
        let hop = one.trace.hops.last().unwrap();
        match hop.target == primary {
            true => by_primary += 1,
            false => of_backup.push(hop.sent_after),
        }
    }
    // Ten at once, and then one a second for 20 s: none of its places is lost.
    assert!((28..=31).contains(&by_primary), "{by_primary}");
    let waited = of_backup.iter().filter(|after| **after > ms(10)).count();
    assert!(waited <= 20, "{waited} waited in vain");
}

#[test]
fn a_caller_who_comes_alone_waits_for_the_next_place_within_its_patience() {
    let mut world = one_call_a_second();
    world.traffic(10, ms(0), |n| (Request::new(), n));
    let (end, trace) = world.call();
    assert_eq!(end, End::Answered);
    assert_eq!((world.calls_to("primary"), trace.sends()), (11, 1));
    assert!(trace.hops[0].sent_after <= secs(1));
}
