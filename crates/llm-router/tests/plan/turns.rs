//! Shares by weight over live changes, and callers without a key.

use crate::world::*;
use llm_router::{Member, Policy, Request, Route, Strategy, Table, Target};
use std::sync::Arc;

fn weighted(builder: llm_router::TableBuilder) -> llm_router::TableBuilder {
    builder
        .target(Target::new("a", "one"))
        .target(Target::new("b", "two"))
        .route(Route::new("r").tier([Member::new("a").weight(3), Member::new("b")]))
}

#[test]
fn shares_by_weight_hold_over_live_changes() {
    let mut world = World::new(|now| weighted(Table::builder()).build(now).unwrap());
    for seed in 0..400 {
        world.call_with(Request::new(), seed);
        let before = Arc::clone(&world.table);
        let next = weighted(Table::builder()).inherit(before).build(world.now);
        world.table = next.unwrap();
    }
    assert_eq!(world.calls_to("b"), 100);
}

#[test]
fn callers_without_a_key_are_spread_where_keys_are_at_home() {
    let mut world = World::new(|now| {
        let mut policy = Policy::default();
        policy.strategy = Strategy::Sticky;
        Table::builder()
            .target(Target::new("a", "one"))
            .target(Target::new("b", "two"))
            .route(Route::new("r").tier(["a", "b"]).policy(policy))
            .build(now)
            .unwrap()
    });
    for seed in 0..200 {
        world.call_with(Request::new(), seed);
    }
    assert!(
        (60..=140).contains(&world.calls_to("a")),
        "{}",
        world.calls_to("a")
    );
    world.calls.clear();
    for seed in 0..50 {
        world.call_with(Request::new().key(7), seed);
    }
    assert!([0, 50].contains(&world.calls_to("a")), "a key stays");
}
