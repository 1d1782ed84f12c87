//! Tables that replace one another, and what they say of themselves.

use crate::world::*;
use llm_breaker::{Mode, State};
use llm_errors::ErrorKind as K;
use llm_router::{Member, Refusal, Request, Route, Table, TableBuilder, Target};
use std::sync::Arc;

fn description() -> TableBuilder {
    Table::builder()
        .target(Target::new("a", "one").credential("key"))
        .target(Target::new("b", "two"))
        .route(Route::new("r").tier(["a"]).tier(["b"]))
}

#[test]
fn a_replaced_table_keeps_what_was_learnt() {
    let mut world = World::new(|now| description().build(now).unwrap());
    world.script("a", [bad(K::QuotaExhausted)]);
    world.script("b", [bad(K::ServerError)]);
    while world.calls_to("b") < 5 {
        world.call();
    }
    world.table = description()
        .target(Target::new("c", "three"))
        .route(Route::new("other").tier(["c"]))
        .inherit(Arc::clone(&world.table))
        .build(world.now)
        .unwrap();
    let ids: Vec<_> = world.table.targets().collect();
    assert_eq!(
        world
            .table
            .credential_gate(ids[0])
            .snapshot(world.now)
            .state,
        State::Open
    );
    assert_eq!(
        world.table.gate(ids[1]).snapshot(world.now).state,
        State::Open
    );
    assert_eq!(
        world.table.gate(ids[2]).snapshot(world.now).state,
        State::Closed
    );
    let before = world.calls.len();
    world.call();
    assert_eq!(
        world.calls.len(),
        before,
        "nothing that is set aside is called"
    );
}

#[test]
fn an_operators_word_stands_for_the_breakers_from_one_table_to_the_next() {
    let describe = |mode| {
        Table::builder()
            .target(Target::new("a", "one").breaker(mode))
            .target(Target::new("b", "two"))
            .route(Route::new("r").tier(["a"]).tier(["b"]))
    };
    let mut world = World::new(|now| describe(Mode::ForcedOpen).build(now).unwrap());
    for name in ["a", "b"] {
        world.script(name, [good()]);
    }
    world.call();
    assert_eq!(world.calls.last().unwrap(), "b");
    for (mode, name) in [(Mode::Enforce, "a"), (Mode::ForcedOpen, "b")] {
        world.table = describe(mode)
            .inherit(Arc::clone(&world.table))
            .build(world.now)
            .unwrap();
        world.call();
        assert_eq!(world.calls.last().unwrap(), name, "{mode:?}");
    }
}

#[test]
fn another_credential_begins_with_a_clean_slate() {
    let mut world = World::new(|now| description().build(now).unwrap());
    world.script("a", [bad(K::AuthInvalidKey)]);
    world.call();
    world.table = Table::builder()
        .target(Target::new("a", "one").credential("new key"))
        .target(Target::new("b", "two"))
        .route(Route::new("r").tier(["a"]).tier(["b"]))
        .inherit(Arc::clone(&world.table))
        .build(world.now)
        .unwrap();
    world.script("a", [good()]);
    world.call();
    assert_eq!(world.calls.last().unwrap(), "a");
}

#[test]
fn a_call_under_way_ends_on_the_table_it_began_on_and_counts_on_the_next() {
    let world = World::new(|now| description().build(now).unwrap());
    let route = world.table.route("r").unwrap();
    let mut plan = llm_router::Plan::new(
        Arc::clone(&world.table),
        route,
        Request::new(),
        world.now,
        1,
    );
    plan.poll(world.now);
    let next = description()
        .inherit(Arc::clone(&world.table))
        .build(world.now)
        .unwrap();
    let a = next.targets().next().unwrap();
    assert_eq!(next.in_flight(a), 1);
    drop(plan);
    assert_eq!(next.in_flight(a), 0);
}

#[test]
fn explain_tells_for_every_candidate_why_it_wins_or_loses() {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("spent", "one"))
            .target(Target::new("heavy", "two"))
            .target(Target::new("light", "three"))
            .target(Target::new("small", "four").context_window(100))
            .target(Target::new("last", "five"))
            .route(
                Route::new("r")
                    .tier(["spent"])
                    .tier([Member::new("heavy").weight(3), Member::new("light")])
                    .tier(["small", "last"]),
            )
            .build(now)
            .unwrap()
    });
    world.script("spent", [bad_for(K::QuotaExhausted, secs(90))]);
    world.call();
    let route = world.table.route("r").unwrap();
    let request = Request::new().context_tokens(1_000);
    let explanation = world.table.explain(route, &request, world.now);
    let refusals: Vec<_> = explanation.candidates.iter().map(|c| c.refusal).collect();
    assert_eq!(
        refusals,
        [
            Some(Refusal::CredentialSetAside),
            None,
            None,
            Some(Refusal::TooSmall),
            None
        ]
    );
    let shares: Vec<_> = explanation.candidates.iter().map(|c| c.share).collect();
    assert_eq!(shares, [0.0, 0.75, 0.25, 0.0, 0.0]);
    let words = explanation.to_string();
    assert!(
        words.contains("tier 0 spent: not used: credential_set_aside (quota), back in 89.9 s"),
        "{words}"
    );
    assert!(
        words.contains("tier 1 heavy: wins 75 % of the time"),
        "{words}"
    );
    assert!(
        words.contains("tier 2 last: ready, behind an earlier tier"),
        "{words}"
    );
}

#[test]
fn new_settings_hold_for_targets_that_stay() {
    use llm_breaker::BreakerConfig;
    let mut world = World::new(|now| description().build(now).unwrap());
    let a = world.table.targets().next().unwrap();
    let next = |failures: u32, world: &World| {
        let config = BreakerConfig::builder().failures(failures).build().unwrap();
        let before = Arc::clone(&world.table);
        description()
            .breaker(config)
            .inherit(before)
            .build(world.now)
            .unwrap()
    };
    let changed = next(2, &world);
    assert_eq!(changed.gate(a).config().failures(), 2);
    world.table = changed;
    // A table that cannot be built changes nothing.
    let before = Arc::clone(&world.table);
    let broken = description()
        .route(Route::new("x").tier(["nobody"]))
        .inherit(before)
        .build(world.now);
    assert!(broken.is_err());
    assert_eq!(world.table.gate(a).config().failures(), 2);
    assert_eq!(next(3, &world).gate(a).config().failures(), 3);
}

#[test]
fn explain_tells_the_share_that_the_strategy_gives() {
    use llm_router::{Policy, Price, Spend, Strategy};
    let explain = |strategy: Strategy| {
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let dear = Price {
            per_request: 2,
            ..Price::default()
        };
        let world = World::new(|now| {
            Table::builder()
                .target(Target::new("dear", "one").price(dear))
                .target(Target::new("free", "two"))
                .route(Route::new("r").tier(["dear", "free"]).policy(policy))
                .build(now)
                .unwrap()
        });
        let route = world.table.route("r").unwrap();
        let explained = world
            .table
            .explain(route, &Request::new().key(7), world.now);
        assert_eq!(explained.strategy, strategy);
        assert_eq!(explained.candidates[0].cost, Spend(2));
        assert!(
            explained.to_string().contains("costs $0.000002"),
            "{explained}"
        );
        explained
            .candidates
            .iter()
            .map(|one| one.share)
            .collect::<Vec<_>>()
    };
    assert_eq!(explain(Strategy::Weighted), [0.5, 0.5]);
    assert_eq!(explain(Strategy::Cheapest), [0.0, 1.0]);
    let sticky = explain(Strategy::Sticky);
    assert!(sticky == [1.0, 0.0] || sticky == [0.0, 1.0], "{sticky:?}");
    let drawn = explain(Strategy::LeastInFlight);
    assert!((drawn[0] - 0.5).abs() < 0.15, "{drawn:?}");
}
