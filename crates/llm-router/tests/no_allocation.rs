//! The routing hot path does not allocate.

use llm_breaker::Outcome;
use llm_router::{Cost, Limits, Member, Pace, Policy, Request, Route, Strategy, Table, Target};
use rand::SeedableRng;
use rand::rngs::SmallRng;
use std::time::Instant;

/// Limits that are kept and never reached.
fn ample() -> Limits {
    let mut limits = Limits::default();
    limits.rpm = Some(60_000_000_000);
    limits.tpm = Some(60_000_000_000_000);
    limits
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do, and none can be made up"
)]
fn decide_admit_and_record_do_not_allocate() {
    let now = Instant::now();
    let request = Request::new().expected(Cost {
        input_tokens: 900,
        output_tokens: 100,
    });
    for strategy in Strategy::ALL {
        let mut builder = Table::builder();
        for index in 0..10 {
            let target = Target::new(format!("t{index}"), "p").credential(format!("c{index}"));
            builder = builder.target(target.limits(ample()));
        }
        let members = (0..10).map(|index| Member::new(format!("t{index}")).weight(1 + index));
        let mut policy = Policy::default();
        policy.strategy = strategy;
        let table = builder
            .route(Route::new("r").tier(members).policy(policy))
            .build(now)
            .unwrap();
        let route = table.route("r").unwrap();
        let mut rng = SmallRng::seed_from_u64(1);

        let mut decided = 0;
        let counted = allocation_counter::measure(|| {
            for _ in 0..1_000 {
                let target = table.decide(route, &request, now, &mut rng).unwrap();
                decided += target.index() + 1;
                let gate = table.gate(target);
                let ticket = gate.acquire(now).unwrap();
                gate.settle(ticket, Outcome::Success, now);
            }
        });
        assert!(decided > 0);
        assert_eq!(counted.count_total, 0, "{strategy}");
    }
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do, and none can be made up"
)]
fn rate_limits_do_not_allocate() {
    let now = Instant::now();
    let pace = Pace::new(ample(), now);
    let cost = Cost {
        input_tokens: 900,
        output_tokens: 100,
    };
    let counted = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            let reserved = pace.reserve(cost, 1, now).unwrap();
            pace.correct(reserved, cost, now);
        }
    });
    assert_eq!(counted.count_total, 0);
}
