//! What must hold by default, where the world is rougher than in a story of its own: two targets with nothing but names.

use crate::beside::two;
use crate::world::*;
use llm_breaker::State;
use llm_errors::ErrorKind as K;
use llm_router::{
    Action, Event, Hedging, Plan, Policy, Request, Route, Table, Target, Tokens, Why,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

/// Streams and whole answers to prompts of all sizes, by the number of the call.
fn mixed(n: u64) -> Request {
    let request =
        Request::new().context_tokens([300, 900, 5_000, 40_000][usize::try_from(n % 4).unwrap()]);
    if n.is_multiple_of(3) {
        request
    } else {
        request.streamed()
    }
}

/// Lognormal times with a median of 0.4 s, some of them eight times as long.
fn lognormal(rng: &mut SmallRng) -> Duration {
    let normal = (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0;
    let straggles = if rng.random::<f64>() < 0.02 { 8.0 } else { 1.0 };
    ms(400).mul_f64((0.4 * normal).exp() * straggles)
}

fn times(seed: u64, count: u64, slower: f64) -> Vec<Reply> {
    let mut rng = SmallRng::seed_from_u64(seed);
    (0..count)
        .map(|_| Reply::Good(lognormal(&mut rng).mul_f64(slower)))
        .collect()
}

/// Ends of requests of which the last that was sent to the first target came so long after the first request, and the
/// longest that anybody waited until another one was asked.
fn left(world: &World, done: &[Done]) -> (Duration, Duration) {
    let first = world.table.targets().next().unwrap();
    let began = done[0].sent_at;
    let (mut left, mut waited) = (Duration::ZERO, Duration::ZERO);
    for done in done {
        assert_eq!(done.end, End::Answered, "{:?}", done.trace);
        if done.trace.hops.iter().any(|hop| hop.target == first) {
            left = left.max(done.sent_at - began);
        }
        if let Some(other) = done.trace.hops.iter().find(|hop| hop.target != first) {
            waited = waited.max(other.sent_after);
        }
    }
    (left, waited)
}

#[test]
fn a_hang_of_mixed_traffic_is_left_within_three_seconds_at_any_rate_from_twenty_calls_a_second_on()
{
    for (pause, calls) in [(ms(50), 1_500), (ms(5), 4_000)] {
        for seed in 0..4 {
            let mut world = two(Policy::default());
            world.script("primary", times(seed, calls, 1.0));
            world.traffic(calls, pause, |n| (mixed(n), n));
            world.script("primary", [Reply::Hang]);
            let count = 5_000 / u64::try_from(pause.as_millis()).unwrap();
            let done = world.traffic(count, pause, |n| (mixed(n), 90_000 + n));
            let (left, waited) = left(&world, &done);
            let case = format!("{pause:?}, seed {seed}: {left:?}, {waited:?}");
            assert!(left <= secs(3) && waited <= secs(3), "{case}");
        }
    }
}

#[test]
fn mixed_traffic_that_grows_ten_times_slower_is_moved_within_five_seconds_at_any_rate() {
    for (pause, calls) in [(ms(500), 400), (ms(50), 1_500), (ms(5), 4_000)] {
        for seed in 0..4 {
            let mut world = two(Policy::default());
            world.script("primary", times(seed, calls, 1.0));
            world.script("backup", times(seed + 100, 10_000, 1.2));
            world.traffic(calls, pause, |n| (mixed(n), n));
            world.script("primary", times(seed + 50, 10_000, 10.0));
            let count = 8_000 / u64::try_from(pause.as_millis()).unwrap();
            let done = world.traffic(count, pause, |n| (mixed(n), 90_000 + n));
            let (left, waited) = left(&world, &done);
            assert!(
                left <= secs(5),
                "{pause:?}, seed {seed}: {left:?}, {waited:?}"
            );
            assert!(left > Duration::ZERO, "{pause:?}, seed {seed}: left before");
        }
    }
}

#[test]
fn callers_who_leave_after_a_second_or_two_do_not_hide_a_hang() {
    for patience in [ms(1_500), ms(2_000)] {
        let mut world = two(Policy::default());
        world.script("primary", times(1, 600, 1.0));
        let request = Request::new().streamed();
        world.traffic(600, ms(50), |n| (request, n));
        world.script("primary", [Reply::Hang]);
        world.callers_wait = Some(patience);
        let done = world.traffic(200, ms(50), |n| (request, 9_000 + n));
        let first = world.table.targets().next().unwrap();
        let last = done
            .iter()
            .rev()
            .find(|done| done.trace.hops.iter().any(|hop| hop.target == first));
        let after = last.map(|last| last.sent_at - done[0].sent_at);
        let lost = done.iter().filter(|done| done.end == End::Left).count();
        assert!(
            after.is_some_and(|after| after <= secs(3)),
            "{patience:?}: {after:?}"
        );
        assert!(lost <= 5, "{patience:?}: {lost} left");
    }
}

/// The same targets and route, built anew.
fn rebuilt(before: &Arc<Table>, now: std::time::Instant) -> Arc<Table> {
    Table::builder()
        .target(Target::new("primary", "one"))
        .target(Target::new("backup", "two"))
        .route(Route::new("r").tier(["primary"]).tier(["backup"]))
        .inherit(Arc::clone(before))
        .build(now)
        .unwrap()
}

#[test]
fn a_table_changed_live_at_every_call_delays_neither_the_leaving_nor_the_return() {
    let mut world = two(Policy::default());
    let request = Request::new().streamed();
    world.script("primary", times(1, 600, 1.0));
    world.traffic(600, ms(50), |n| (request, n));
    world.reload = Some(rebuilt);
    world.looks_for_recovery = true;
    world.script("primary", [Reply::Hang]);
    let done = world.traffic(200, ms(50), |n| (request, 9_000 + n));
    let (left, waited) = left(&world, &done);
    assert!(left <= secs(3) && waited <= secs(3), "{left:?} {waited:?}");
    world.script("primary", times(2, 2_000, 1.0));
    world.traffic(600, ms(50), |n| (request, 20_000 + n));
    let first = world.table.targets().next();
    for done in world.traffic(20, ms(50), |n| (request, 30_000 + n)) {
        assert_eq!(done.trace.answered_by(), first);
    }
}

#[test]
fn after_a_week_of_everything_down_callers_are_back_in_half_a_minute() {
    let mut world = two(Policy::default());
    world.looks_for_recovery = true;
    world.script("primary", times(1, 300, 1.0));
    world.traffic(300, ms(50), |n| (mixed(n), n));
    for down in [bad(K::ServerError), Reply::Hang] {
        for target in ["primary", "backup"] {
            world.script(target, [down]);
        }
        // A caller every five minutes for a week, then twenty a second for the last minute of it.
        world.traffic(2_016, secs(300), |n| (mixed(n), n));
        world.calls.clear();
        let done = world.traffic(1_200, ms(50), |n| (mixed(n), 5_000 + n));
        assert!(done.iter().all(|done| done.end != End::Answered));
        // Nearly all of them have been told at once, and the providers spared.
        assert!(world.calls.len() <= 1_200, "{}", world.calls.len());
        for target in ["primary", "backup"] {
            world.script(target, times(3, 4_000, 1.0));
        }
        let healed = world.now;
        let done = world.traffic(1_000, ms(50), |n| (mixed(n), 9_000 + n));
        let lost = done.iter().rev().find(|done| done.end != End::Answered);
        let lost = lost.map(|done| done.sent_at - healed);
        assert!(lost.is_none_or(|lost| lost <= secs(10)), "{lost:?}");
        let first = world.table.targets().next();
        let elsewhere = |done: &&Done| done.trace.hops.first().map(|hop| hop.target) != first;
        let last = done.iter().rev().find(elsewhere);
        let last = last.map(|done| done.sent_at - healed);
        assert!(last.is_none_or(|last| last <= secs(30)), "{last:?}");
    }
}

#[test]
fn with_everything_down_upstream_calls_stay_within_targets_and_a_fifth_at_any_rate() {
    let quick = [K::ServerError, K::Overloaded, K::EmptyOutput].map(bad);
    let limited = [
        bad(K::RateLimitRequests),
        bad_for(K::RateLimitRequests, secs(0)),
    ];
    for down in quick.into_iter().chain(limited).chain([Reply::Hang]) {
        for pause in [ms(50), secs(1), secs(20), secs(600)] {
            let mut world = two(Policy::default());
            world.looks_for_recovery = true;
            let request = Request::new().streamed();
            world.traffic(300, pause, |n| (request, n));
            for target in ["primary", "backup"] {
                world.script(target, [down]);
            }
            world.calls.clear();
            let done = world.traffic(400, pause, |n| (request, 1_000 + n));
            let calls = world.calls.len();
            assert!(calls <= 880, "{down:?}, {pause:?}: {calls} calls for 400");
            // A limit that ends in time is waited for, and a silence is listened to; what fails at once is told at once.
            let told = |done: &Done| done.took <= secs(2);
            let told = done.iter().all(told);
            let at_once =
                matches!(down, Reply::Bad(verdict) if verdict.kind != K::RateLimitRequests);
            assert!(told || !at_once, "{down:?}, {pause:?}");
        }
    }
}

#[test]
fn callers_who_leave_every_probe_shut_nobody_out() {
    let mut world = two(Policy::default());
    let request = Request::new().streamed();
    world.script("primary", [bad(K::ServerError)]);
    world.traffic(20, ms(50), |n| (request, n));
    let primary = world.table.targets().next().unwrap();
    assert_eq!(
        world.table.gate(primary).snapshot(world.now).state,
        State::Open
    );
    world.script("primary", [good()]);
    world.now += secs(61);
    let route = world.table.route("r").unwrap();
    // Half of them say that they leave, half are lost.
    for n in 0..50 {
        let mut plan = Plan::new(Arc::clone(&world.table), route, request, world.now, n);
        let Action::Send { target, .. } = plan.poll(world.now) else {
            panic!("nobody is asked");
        };
        assert_eq!(target, primary, "{n}");
        if n.is_multiple_of(2) {
            plan.cancel(world.now);
        }
        world.now += ms(10);
    }
    let (end, trace) = world.call_with(request, 99);
    assert_eq!((end, trace.answered_by()), (End::Answered, Some(primary)));
}

#[test]
fn hedges_stay_within_a_tenth_of_the_calls_when_everything_straggles() {
    let mut policy = Policy::default();
    policy.hedging = Hedging::AtP90;
    let mut world = two(policy);
    let request = Request::new().streamed();
    world.script("primary", times(1, 600, 1.0));
    world.traffic(600, ms(50), |n| (request, n));
    let hedged = |done: &[Done]| {
        let hops = done.iter().flat_map(|done| &done.trace.hops);
        hops.filter(|hop| hop.why == Why::Hedge).count()
    };
    for target in ["primary", "backup"] {
        world.script(target, [Reply::Good(ms(1_200))]);
    }
    let done = world.traffic(1_000, ms(50), |n| (request, 9_000 + n));
    let count = hedged(&done);
    assert!(count <= 120, "{count} of 1000");
}

#[test]
fn a_hint_of_zero_does_not_bring_every_caller_to_the_limited_target() {
    let mut world = two(Policy::default());
    let request = Request::new().streamed();
    world.traffic(300, ms(50), |n| (request, n));
    world.script("primary", [bad_for(K::RateLimitRequests, secs(0))]);
    world.calls.clear();
    let done = world.traffic(600, ms(50), |n| (request, 1_000 + n));
    for done in &done {
        assert_eq!(done.end, End::Answered);
        assert!(done.took <= secs(2), "{:?}", done.took);
    }
    // It is left alone for a while, as if it had stated no wait.
    let calls = world.calls_to("primary");
    assert!(calls <= 60, "{calls} for 600");
}

#[test]
fn the_latest_of_a_healthy_crowd_are_no_streak_although_they_come_last() {
    for seed in [1, 8] {
        let mut world = two(Policy::default());
        world.script("primary", times(seed, 10_000, 1.0));
        world.script("backup", times(seed + 100, 10_000, 1.2));
        for done in world.traffic(10_000, ms(1), |n| (mixed(n), n)) {
            assert!(done.trace.changes.is_empty(), "{seed}: {:?}", done.trace);
        }
    }
}

#[test]
fn clocks_that_go_back_a_little_or_ahead_by_hours_disturb_nothing() {
    let mut rng = SmallRng::seed_from_u64(9);
    let world = two(Policy::default());
    let route = world.table.route("r").unwrap();
    let primary = world.table.targets().next().unwrap();
    let mut at = world.now + secs(10);
    for n in 0..3_000 {
        at += if n % 500 == 499 { secs(7_200) } else { ms(50) };
        // Each look at the clock is up to 200 ms off, either way.
        let mut seen = |later: Duration| at + later + ms(200) - ms(rng.random_range(0..400));
        let now = seen(ms(0));
        let mut plan = Plan::new(Arc::clone(&world.table), route, mixed(n), now, n);
        let Action::Send {
            attempt, target, ..
        } = plan.poll(seen(ms(0)))
        else {
            panic!("nobody is asked: {:?}", plan.trace());
        };
        assert_eq!(target, primary);
        let end = ms(300 + n * 37 % 300);
        if !n.is_multiple_of(3) {
            plan.on(Event::FirstToken(attempt), seen(end));
            assert_eq!(plan.poll(seen(end)), Action::Accept(attempt));
        }
        plan.on(Event::Succeeded(attempt, Tokens::default()), seen(end * 2));
        if n.is_multiple_of(3) {
            assert_eq!(plan.poll(seen(end * 2)), Action::Accept(attempt));
        }
        assert!(plan.trace().changes.is_empty());
    }
    assert_eq!(world.table.in_flight(primary), 0);
}
