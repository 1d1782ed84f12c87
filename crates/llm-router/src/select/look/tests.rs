//! Decisions of the strategies that remember, or that look at a few.

use crate::strategy::{Fact, Strategy, choose};
use crate::testing::origin;
use crate::{
    Cost, Limits, Member, Pace, PaceReadiness, Policy, Price, Request, Route, Table, Target,
    TargetId,
};
use llm_breaker::Mode;
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::sync::Arc;
use std::time::Duration;

fn table(strategy: Strategy, weights: &[u32]) -> Arc<Table> {
    let mut builder = Table::builder();
    let mut members = Vec::new();
    for (nth, weight) in (0u64..).zip(weights) {
        let price = Price {
            input: 5 - nth % 5,
            output: 1 + nth % 5,
            ..Price::default()
        };
        let name = format!("t{nth}");
        builder = builder.target(Target::new(name.clone(), "p").price(price));
        members.push(Member::new(name).weight(*weight));
    }
    let policy = Policy {
        strategy,
        ..Policy::default()
    };
    let route = Route::new("r").tier(members).policy(policy);
    builder.route(route).build(origin()).unwrap()
}

fn decided(table: &Table, request: &Request, seed: u64) -> Option<TargetId> {
    let route = table.route("r").unwrap();
    table.decide(route, request, origin(), &mut SmallRng::seed_from_u64(seed))
}

#[test]
fn a_key_is_at_home_where_it_would_be_chosen_to_be_and_moves_only_while_that_is_set_aside() {
    let weights: Vec<u32> = (0..70).map(|nth| nth % 4).collect();
    let table = table(Strategy::Sticky, &weights);
    let candidates = &table.resolved(table.route("r").unwrap()).candidates;
    let mut facts: Vec<Fact> = candidates
        .iter()
        .map(|one| Fact {
            id: one.sticky_id,
            weight: one.weight,
            ..Fact::default()
        })
        .collect();
    let asked = |key| decided(&table, &Request::new().key(key), key).unwrap();
    let chosen = |facts: &[Fact], key| choose(Strategy::Sticky, facts, 0, key).unwrap();
    for key in 1..500 {
        let home = candidates[chosen(&facts, key)].target;
        // The second time it is remembered.
        assert_eq!([asked(key), asked(key)], [home, home]);
    }
    let lost = asked(7);
    table.gate(lost).force(Mode::ForcedOpen);
    facts[lost.index()].weight = 0;
    for key in 1..500 {
        assert_eq!(asked(key), candidates[chosen(&facts, key)].target);
    }
    table.gate(lost).force(Mode::Enforce);
    assert_eq!(asked(7), lost);
}

#[test]
fn the_cheapest_is_so_for_the_tokens_of_the_request_and_one_without_weight_never_is() {
    let table = table(Strategy::Cheapest, &[0, 1, 1, 1, 0]);
    let asked = |input_tokens, output_tokens| {
        let cost = Cost {
            input_tokens,
            output_tokens,
        };
        let request = Request::new().expected(cost);
        decided(&table, &request, input_tokens).unwrap().index()
    };
    assert_eq!(asked(1_000, 0), 3);
    assert_eq!(asked(0, 1_000), 1);
    table
        .gate(table.targets().nth(3).unwrap())
        .force(Mode::ForcedOpen);
    assert_eq!(asked(1_000, 0), 2);
}

proptest! {
    #[test]
    fn no_other_has_more_room(
        limits in prop::collection::vec((prop::option::of(1u64..900), any::<bool>(), prop::option::of(1_000u64..9_000)), 1..=4),
        calls in prop::collection::vec((0usize..4, 0u64..40), 0..80), draw: u64,
    ) {
        let mut builder = Table::builder();
        let mut members = Vec::new();
        for (nth, (rpm, is_brief, rpd)) in limits.iter().enumerate() {
            let mut limits = Limits { rpm: *rpm, rpd: *rpd, ..Limits::default() };
            if *is_brief {
                limits.burst = Duration::from_secs(2);
            }
            builder = builder.target(Target::new(format!("t{nth}"), "p").limits(limits));
            members.push(Member::new(format!("t{nth}")));
        }
        let policy = Policy { strategy: Strategy::HeadRoom, ..Policy::default() };
        let route = Route::new("r").tier(members).policy(policy);
        let table = builder.route(route).build(origin()).unwrap();
        let paces: Vec<&Pace> = table.targets().map(|target| &*table.slot(target).pace).collect();
        let mut now = origin();
        for (target, gap) in calls {
            now += Duration::from_millis(gap);
            let _ = paces.get(target).map(|pace| pace.reserve(Cost::default(), 0, now));
        }
        let room = |pace: &Pace| pace.headroom(now);
        let ready = |pace: &&&Pace| pace.readiness(Cost::default(), 0, now) == PaceReadiness::Ready;
        let most = paces.iter().filter(ready).map(|pace| room(pace)).fold(0.0, f64::max);
        let mut rng = SmallRng::seed_from_u64(draw);
        match table.decide(table.route("r").unwrap(), &Request::new(), now, &mut rng) {
            Some(chosen) => prop_assert!(room(paces[chosen.index()]) > most - 1e-4),
            None => prop_assert_eq!(paces.iter().filter(ready).count(), 0),
        }
    }
}

#[test]
fn who_has_no_limit_shares_with_who_has_all_of_it_left() {
    let limited = Limits {
        rpm: Some(6_000),
        ..Limits::default()
    };
    let policy = Policy {
        strategy: Strategy::HeadRoom,
        ..Policy::default()
    };
    let route = Route::new("r").tier(["free", "limited"]).policy(policy);
    let table = Table::builder()
        .target(Target::new("free", "p"))
        .target(Target::new("limited", "p").limits(limited))
        .route(route)
        .build(origin())
        .unwrap();
    let limited = table.targets().nth(1).unwrap();
    let mut now = origin();
    let mut rng = SmallRng::seed_from_u64(3);
    let mut picks = 0;
    for _ in 0..1_000 {
        now += Duration::from_secs(20);
        if table.decide(table.route("r").unwrap(), &Request::new(), now, &mut rng) == Some(limited)
        {
            picks += 1;
            let _ = table
                .slot(limited)
                .pace
                .reserve(Cost::default(), 0, now)
                .unwrap();
        }
    }
    assert!((440..560).contains(&picks), "{picks}");
}
