//! What calls cost, and what is not sent because it would cost too much.

use crate::world::*;
use llm_errors::{Certainty, ErrorKind as K, Phase, Verdict};
use llm_router::{
    Allowance, Cost, Payer, Policy, Price, Refusal, Request, Route, Spend, Table, Target,
};

/// A dollar for a thousand tokens of the prompt.
fn dear() -> Price {
    Price {
        input: 1_000_000_000,
        ..Price::default()
    }
}

fn cheap() -> Price {
    Price {
        input: 1_000_000,
        ..Price::default()
    }
}

fn asks(tokens: u64) -> Request {
    Request::new().expected(Cost {
        input_tokens: tokens,
        output_tokens: 0,
    })
}

fn cap(dollars: u64, alerts: &[u64]) -> Allowance {
    let mut allowance = Allowance::default();
    allowance.per_hour = (dollars > 0).then_some(Spend(dollars * 1_000_000));
    allowance.alerts = alerts.iter().map(|sum| Spend(sum * 1_000_000)).collect();
    allowance
}

fn two(policy: Policy, primary: Allowance, route: Allowance) -> World {
    World::new(|now| {
        Table::builder()
            .target(
                Target::new("cheap", "one")
                    .price(cheap())
                    .allowance(primary),
            )
            .target(Target::new("dear", "two").price(dear()))
            .route(
                Route::new("r")
                    .tier(["cheap"])
                    .tier(["dear"])
                    .policy(policy)
                    .allowance(route),
            )
            .build(now)
            .unwrap()
    })
}

#[test]
fn a_dearer_fallback_is_used_only_inside_the_cap_of_the_request() {
    let mut policy = Policy::default();
    policy.max_cost = Some(Spend(500_000));
    let mut world = two(policy, Allowance::default(), Allowance::default());
    world.script("cheap", [bad(K::ServerError)]);
    // 400 tokens cost 40 cents there.
    let (end, trace) = world.call_with(asks(400), 1);
    assert_eq!(end, End::Answered);
    assert_eq!(
        trace.cost(),
        Spend(400 * 2 + 400_000),
        "two calls that may have run, and the answer"
    );
    let (end, trace) = world.call_with(asks(600), 2);
    assert!(
        matches!(end, End::Degraded(cause) if cause.kind == K::ServerError),
        "{end:?}"
    );
    assert_eq!(trace.refused[0].reason, Refusal::OverBudget);
    // A request may lower the cap for itself.
    let mut thrifty = asks(400);
    thrifty.max_cost = Some(Spend(100_000));
    let (end, _) = world.call_with(thrifty, 3);
    assert!(matches!(end, End::Degraded(_)));
}

#[test]
fn failed_calls_count_towards_the_cap_of_their_request() {
    let mut policy = Policy::default();
    policy.max_cost = Some(Spend(1_500_000));
    let mut world = World::new(|now| {
        let target = |name: &'static str| Target::new(name, name).price(dear());
        Table::builder()
            .target(target("a"))
            .target(target("b"))
            .target(target("c"))
            .route(
                Route::new("r")
                    .tier(["a"])
                    .tier(["b"])
                    .tier(["c"])
                    .policy(policy),
            )
            .build(now)
            .unwrap()
    });
    let mut cut = Verdict::new(K::Timeout, Phase::Sent);
    cut.certainty = Certainty::MayHaveExecuted;
    world.script("a", [Reply::Bad(cut)]);
    world.script("b", [Reply::Bad(cut)]);
    let (end, trace) = world.call_with(asks(600), 1);
    assert!(matches!(end, End::Degraded(_)), "{end:?}");
    assert_eq!(
        world.calls,
        ["a", "b"],
        "60 cents each, and nothing is left for a third"
    );
    assert!(
        trace
            .refused
            .iter()
            .any(|seen| seen.reason == Refusal::OverBudget)
    );
    // What was refused costs nothing.
    let mut refused = Verdict::new(K::ServerError, Phase::FirstByte);
    refused.certainty = Certainty::Rejected;
    world.script("a", [Reply::Bad(refused)]);
    let (_, trace) = world.call_with(asks(600), 2);
    assert_eq!(trace.hops[0].cost, Spend(0));
}

#[test]
fn a_target_at_its_hourly_cap_is_passed_over_until_the_hour_has_passed() {
    let mut world = two(Policy::default(), cap(1, &[]), Allowance::default());
    // A tenth of a cent a call.
    let request = asks(1_000);
    for seed in 0..1_000 {
        world.call_with(request, seed);
    }
    assert_eq!(world.calls_to("cheap"), 1_000);
    let (end, trace) = world.call_with(request, 1);
    assert_eq!(end, End::Answered);
    assert_eq!(trace.hops[0].passed_over[0].reason, Refusal::SpendCap);
    assert_eq!(world.calls_to("dear"), 1);
    let route = world.table.route("r").unwrap();
    let words = world.table.explain(route, &request, world.now).to_string();
    assert!(
        words.contains("tier 0 cheap: not used: spend_cap"),
        "{words}"
    );
    world.now += secs(3_660);
    world.call_with(request, 2);
    assert_eq!(world.calls_to("cheap"), 1_001);
}

#[test]
fn a_route_at_its_hourly_cap_asks_nobody_and_says_why() {
    let mut world = two(Policy::default(), Allowance::default(), cap(1, &[]));
    for seed in 0..1_000 {
        world.call_with(asks(1_000), seed);
    }
    world.calls.clear();
    let (end, trace) = world.call_with(asks(1_000), 1);
    assert!(
        matches!(end, End::Degraded(cause) if cause.kind == K::QuotaExhausted),
        "{end:?}"
    );
    assert!(world.calls.is_empty());
    assert_eq!(trace.refused[0].reason, Refusal::RouteSpendCap);
}

#[test]
fn crossing_a_sum_is_told_once_by_the_request_that_did_it() {
    let mut world = two(Policy::default(), cap(0, &[1]), cap(0, &[1, 2]));
    let mut told = Vec::new();
    for seed in 0..2_500 {
        let (_, trace) = world.call_with(asks(1_000), seed);
        told.extend(
            trace
                .alerts
                .iter()
                .map(|alert| (alert.payer, alert.threshold.0, seed)),
        );
    }
    let cheap = world.table.targets().next().unwrap();
    assert_eq!(
        told,
        [
            (Payer::Target(cheap), 1_000_000, 999),
            (Payer::Route, 1_000_000, 999),
            (Payer::Route, 2_000_000, 1_999)
        ]
    );
}

#[test]
fn calls_beside_each_other_cannot_pass_a_cap_together_and_a_lost_plan_is_billed_its_prompt() {
    use llm_router::{Action, Plan};
    let world = two(Policy::default(), cap(1, &[]), Allowance::default());
    let route = world.table.route("r").unwrap();
    let cheap = world.table.targets().next().unwrap();
    let start = |seed| {
        let table = std::sync::Arc::clone(&world.table);
        let mut plan = Plan::new(table, route, asks(600_000), world.now, seed);
        let Action::Send { target, .. } = plan.poll(world.now) else {
            panic!()
        };
        (plan, target)
    };
    let (first, target) = start(1);
    assert_eq!(target, cheap);
    let (_second, target) = start(2);
    assert_ne!(
        target, cheap,
        "60 cents are set aside, and 60 more would pass the dollar"
    );
    drop(first);
    assert_eq!(world.table.spent(cheap, world.now), Some(Spend(600_000)));
}
