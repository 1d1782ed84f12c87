//! The routing hot path does not allocate.

use llm_breaker::Outcome;
use llm_router::{Member, Request, Route, Table, Target};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::time::Instant;

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do, and none can be made up"
)]
fn decide_admit_and_record_do_not_allocate() {
    let now = Instant::now();
    let mut builder = Table::builder();
    for index in 0..10 {
        builder = builder.target(Target::new(format!("t{index}"), "p"));
    }
    let members = (0..10).map(|index| Member::new(format!("t{index}")).weight(1 + index));
    let table = builder
        .route(Route::new("r").tier(members))
        .build(now)
        .unwrap();
    let route = table.route("r").unwrap();
    let request = Request::new();
    let mut rng = SmallRng::seed_from_u64(1);

    let mut decided = 0;
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            let target = table.decide(route, &request, now, &mut rng).unwrap();
            decided += target.index();
            let gate = table.gate(target);
            let ticket = gate.acquire(now).unwrap();
            gate.settle(ticket, Outcome::Success, now);
        }
    });
    assert!(decided > 0);
    assert_eq!(counted.count_total, 0);
}
