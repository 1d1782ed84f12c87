//! What calls that are made again are paid from.

use crate::world::*;
use llm_errors::ErrorKind as K;
use llm_router::{Request, Route, Table, Target};

/// Calls that one more request to the second target makes, after all have failed at the first: two routes to one provider.
fn calls_after_a_bad_hour_elsewhere(first_region: &str, second_region: &str) -> usize {
    let mut world = World::new(|now| {
        Table::builder()
            .target(Target::new("first", "one").region(first_region))
            .target(Target::new("second", "one").region(second_region))
            .route(Route::new("r").tier(["first"]))
            .route(Route::new("other").tier(["second"]))
            .build(now)
            .unwrap()
    });
    world.script("first", [bad(K::Overloaded)]);
    world.script("second", [bad(K::Overloaded), good()]);
    for n in 0..200 {
        world.call_with(Request::new(), n);
    }
    // Ten first calls and the ten repeated ones that a budget begins with; then the breaker has seen enough.
    assert_eq!(world.calls_to("first"), 20);
    world.route = "other";
    world.call_with(Request::new(), 1_000);
    world.calls_to("second")
}

#[test]
fn each_region_of_a_provider_pays_for_its_own_repeated_calls() {
    assert_eq!(calls_after_a_bad_hour_elsewhere("east", "west"), 2);
    assert_eq!(calls_after_a_bad_hour_elsewhere("east", "east"), 1);
}
