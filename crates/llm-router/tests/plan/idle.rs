//! A fallback that nobody has needed for long: it must be there, and found, on the day it is.

use crate::beside::two;
use crate::world::*;
use llm_breaker::{State, TripReason};
use llm_errors::ErrorKind as K;
use llm_router::{Policy, Request};

/// A healthy time, with some spread: 190 ms on average.
fn usual(call: u64) -> Reply {
    Reply::Good(ms(150 + call * 37 % 80))
}

/// Calls of a warm primary, 20 a second.
fn warm(world: &mut World, calls: u64) {
    world.script("primary", (0..calls).map(usual));
    world.traffic(calls, ms(50), |n| (Request::new().streamed(), n));
}

/// `slow` calls that take ten times as long, then healthy ones until a minute is over.
fn spell(world: &mut World, slow: u64, calls: u64) {
    let began = world.now;
    let times = (0..slow).map(|_| Reply::Good(ms(1_900)));
    world.script("primary", times.chain((0..calls).map(usual)));
    world.traffic(slow + calls, ms(50), |n| (Request::new().streamed(), n));
    world.now = world.now.max(began + secs(60));
}

#[test]
fn a_slow_spell_is_noticed_however_many_there_were_although_nobody_calls_the_second_target() {
    let mut world = two(Policy::default());
    warm(&mut world, 1_200);
    for _ in 0..25 {
        // Over before anything can be concluded.
        spell(&mut world, 16, 400);
    }
    let primary = world.table.targets().next().unwrap();
    let seen = world.table.gate(primary).snapshot(world.now);
    assert_eq!(seen.state, State::Closed);
    let tried = world.calls_to("backup");
    assert!((100..=240).contains(&tried), "{tried} trials in 25 minutes");
    world.script("primary", [Reply::Good(ms(1_900))]);
    world.leaves_the_first(secs(5), 400, Request::new().streamed());
}

#[test]
fn each_of_many_slow_spells_is_left_within_five_seconds() {
    for pause in [ms(50), ms(500)] {
        let mut world = two(Policy::default());
        let request = Request::new().streamed();
        world.script("primary", (0..400).map(usual));
        world.traffic(400, pause, |n| (request, n));
        let primary = world.table.targets().next().unwrap();
        for round in 0..15 {
            world.script("primary", [Reply::Good(ms(1_900))]);
            let began = world.now;
            let calls = 10_000 / u64::try_from(pause.as_millis()).unwrap();
            for done in world.traffic(calls, pause, |n| (request, round * 1_000 + n)) {
                let to_primary = done.trace.hops.iter().any(|hop| hop.target == primary);
                let after = done.sent_at - began;
                assert!(!to_primary || after <= secs(5), "{round}: {after:?}");
            }
            // It heals, and nobody asks for anything until long after.
            world.script("primary", (0..200).map(usual));
            world.now += secs(1_800);
            world.traffic(100, ms(500), |n| (request, n));
            let seen = world.table.gate(primary).snapshot(world.now);
            assert_eq!(seen.state, State::Closed, "{pause:?} {round} {seen:?}");
        }
    }
}

/// What the fallback went through when it was last needed, an hour before the primary's trouble.
fn after_a_bad_time_of_the_fallback(last: Reply) -> World {
    let mut world = two(Policy::default());
    world.looks_for_recovery = true;
    let request = Request::new().streamed();
    warm(&mut world, 300);
    // For a while the fallback has all the traffic, at first as usual and then as told.
    world.script("primary", [bad(K::ServerError)]);
    world.script("backup", (0..300).map(usual).chain([last]));
    world.traffic(600, ms(50), |n| (request, n));
    world.script("backup", [good()]);
    world.script("primary", (0..3_000).map(usual));
    // The primary is back, and the fallback answers nobody any more.
    world.now += secs(400);
    world.traffic(200, ms(100), |n| (request, n));
    world.now += secs(3_600);
    warm(&mut world, 300);
    world
}

#[test]
fn a_fallback_that_had_its_own_trouble_long_ago_answers_everybody_today() {
    let request = Request::new().streamed();
    for (pause, calls) in [(ms(50), 200), (ms(500), 30)] {
        for last in [Reply::Good(secs(5)), bad(K::ServerError), Reply::Hang] {
            for today in [bad(K::ServerError), Reply::Hang, Reply::Good(ms(1_900))] {
                let mut world = after_a_bad_time_of_the_fallback(last);
                let primary = world.table.targets().next().unwrap();
                world.script("primary", [today]);
                let began = world.now;
                for done in world.traffic(calls, pause, |n| (request, 70_000 + n)) {
                    let case = || format!("{last:?}, then {today:?}: {:?}", done.trace);
                    assert_eq!(done.end, End::Answered, "{}", case());
                    assert!(done.took <= secs(3), "{}", case());
                    let to_primary = done.trace.hops.iter().any(|hop| hop.target == primary);
                    assert!(!to_primary || done.sent_at - began <= secs(5), "{}", case());
                }
            }
        }
    }
}

#[test]
fn a_fallback_that_was_set_aside_is_looked_after_although_nobody_needs_it() {
    for looks in [true, false] {
        let mut world = two(Policy::default());
        world.looks_for_recovery = looks;
        let request = Request::new().streamed();
        warm(&mut world, 200);
        let backup = world.table.targets().nth(1).unwrap();
        let tripped = world.table.gate(backup).trip(world.now, TripReason::Streak);
        assert!(tripped.is_some());
        world.traffic(120, secs(1), |n| (request, n));
        assert_eq!(world.table.gate(backup).share(world.now) == 1.0, looks);
        world.script("primary", [bad(K::ServerError)]);
        let done = world.traffic(100, ms(20), |n| (request, 9_000 + n));
        assert!(done.iter().all(|done| done.end == End::Answered));
        // Otherwise one of those who need it is its probe, and the others wait to hear of that.
        let longest = done.iter().map(|done| done.took).max().unwrap();
        assert_eq!(longest > ms(500), !looks, "{longest:?}");
    }
}
