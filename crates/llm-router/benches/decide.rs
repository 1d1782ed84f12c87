//! What one routing decision costs: its target's gate and those it shares with its credential and its provider, two
//! rate limits and the calls in flight read. With the power of two choices that is done for two targets, and their
//! latencies are compared. Sticky keys know their target, and so does the lowest price by the request's size. The others compare one
//! number of four targets first.
//!
//! The baseline is the same draw without any gate: a weighted choice among so many numbers.

#![expect(clippy::disallowed_methods, reason = "a bench is its own shell")]
#![expect(clippy::expect_used, reason = "a bench may fail loudly")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use llm_router::{
    Action, Cost, Event, Limits, Member, Pace, Plan, Policy, Price, Request, Route, RouteId,
    Strategy, Table, Target, Tokens,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

const SIZES: [u32; 2] = [8, 64];
/// What each call is expected to take from the rate limits.
const COST: Cost = Cost {
    input_tokens: 900,
    output_tokens: 100,
};

/// Two limits that are kept and never reached.
fn ample() -> Limits {
    let mut limits = Limits::default();
    limits.rpm = Some(60_000_000_000);
    limits.tpm = Some(60_000_000_000_000);
    limits
}

fn table(size: u32, strategy: Strategy, now: Instant) -> (Arc<Table>, RouteId) {
    let mut builder = Table::builder();
    let mut members = Vec::new();
    for index in 0..size {
        let name = format!("t{index}");
        let target = Target::new(name.clone(), "p").credential(name.clone());
        let price = Price {
            input: 100_000 * u64::from(1 + index % 5),
            output: 400_000,
            ..Price::default()
        };
        builder = builder.target(target.limits(ample()).price(price));
        members.push(Member::new(name).weight(1 + index % 3));
    }
    let mut policy = Policy::default();
    policy.strategy = strategy;
    let table = builder
        .route(Route::new("r").tier(members).policy(policy))
        .build(now)
        .expect("a valid table");
    let route = table.route("r").expect("the route is there");
    (table, route)
}

/// Calls on every target: latencies are learnt, and two in three calls are still under way.
fn load(table: &Arc<Table>, route: RouteId, size: u32, now: Instant) -> Vec<Plan> {
    let mut under_way = Vec::new();
    for nth in 0..u64::from(size) * 12 {
        let request = Request::new().expected(COST);
        let mut plan = Plan::new(Arc::clone(table), route, request, now, nth);
        let Action::Send { attempt, .. } = plan.poll(now) else {
            continue;
        };
        if nth % 3 == 0 {
            let then = now + Duration::from_millis(400 + nth);
            plan.on(Event::Succeeded(attempt, Tokens::default()), then);
        } else {
            under_way.push(plan);
        }
    }
    under_way
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for size in SIZES {
        for strategy in Strategy::ALL {
            let start = Instant::now();
            let (table, route) = table(size, strategy, start);
            let _under_way = load(&table, route, size, start);
            let now = start + Duration::from_secs(2);
            let request = Request::new().expected(COST);
            let mut rng = SmallRng::seed_from_u64(7);
            let name = format!("{strategy}, now given");
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| table.decide(black_box(route), &request, black_box(now), &mut rng));
            });
            if !matches!(strategy, Strategy::Weighted | Strategy::PowerOfTwo) {
                // The clock costs these what it costs the others.
                continue;
            }
            let name = format!("{strategy}, clock read");
            group.bench_function(BenchmarkId::new(name, size), |b| {
                b.iter(|| table.decide(black_box(route), &request, Instant::now(), &mut rng));
            });
        }
        let mut rng = SmallRng::seed_from_u64(7);
        let weights: Vec<u64> = (0..u64::from(size)).map(|index| 1 + index % 3).collect();
        group.bench_function(BenchmarkId::new("baseline", size), |b| {
            b.iter(|| {
                let weights = black_box(&weights);
                let mut point = rng.random_range(0..weights.iter().sum::<u64>());
                weights
                    .iter()
                    .position(|weight| match point.checked_sub(*weight) {
                        Some(left) => {
                            point = left;
                            false
                        }
                        None => true,
                    })
            });
        });
    }
    group.finish();
}

/// One call under a limit of requests and one of tokens, taken and, with us, corrected afterwards; governor cannot give back.
fn two_rate_limits(c: &mut Criterion) {
    let mut group = c.benchmark_group("two_rate_limits");
    let now = Instant::now();
    let pace = Pace::new(ample(), now);
    group.bench_function("pace, reserve and correct, now given", |b| {
        b.iter(|| {
            let reserved = pace.reserve(black_box(COST), 1, black_box(now));
            // What it took is given back, so that the bench does not run dry.
            pace.refund(reserved.expect("ample"));
        });
    });
    group.bench_function("pace, reserve and correct, clock read", |b| {
        b.iter(|| {
            let now = Instant::now();
            let reserved = pace.reserve(black_box(COST), 1, now).expect("ample");
            pace.correct(reserved, black_box(COST), now);
        });
    });
    let most = std::num::NonZeroU32::MAX;
    let calls = governor::RateLimiter::direct(governor::Quota::per_second(most));
    let tokens = governor::RateLimiter::direct(governor::Quota::per_second(most));
    let thousand = std::num::NonZeroU32::new(1_000).expect("not zero");
    group.bench_function("governor, clock read", |b| {
        b.iter(|| {
            let _ = black_box(calls.check());
            let _ = black_box(tokens.check_n(black_box(thousand)));
        });
    });
    group.finish();
}

/// A whole request that succeeds at once: plan made, sent, settled, accepted.
fn request(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for size in SIZES {
        let now = Instant::now();
        let (table, route) = table(size, Strategy::Weighted, now);
        group.bench_function(BenchmarkId::new("route", size), |b| {
            b.iter(|| {
                let mut plan = Plan::new(Arc::clone(&table), route, Request::new(), now, 7);
                if let Action::Send { attempt, .. } = plan.poll(now) {
                    plan.on(Event::Succeeded(attempt, Tokens::default()), now);
                }
                black_box(plan.poll(now))
            });
        });
    }
    group.bench_function("baseline", |b| b.iter(|| black_box(Box::new([0u8; 64]))));
    group.finish();
}

criterion_group!(benches, decide, two_rate_limits, request);
criterion_main!(benches);
