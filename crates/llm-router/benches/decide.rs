//! What one routing decision costs: its target's gate and its credential's, two rate limits and the calls in flight read.
//!
//! The baseline is the same draw without any gate: a weighted choice among so many numbers.

#![expect(clippy::disallowed_methods, reason = "a bench is its own shell")]
#![expect(clippy::expect_used, reason = "a bench may fail loudly")]

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use llm_breaker::Outcome;
use llm_router::{
    Action, Cost, Event, Limits, Member, Pace, Plan, Request, Route, RouteId, Table, Target, Tokens,
};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const SIZES: [u32; 3] = [2, 8, 64];

/// Two limits that are kept and never reached.
fn ample() -> Limits {
    let mut limits = Limits::default();
    limits.rpm = Some(60_000_000_000);
    limits.tpm = Some(60_000_000_000_000);
    limits
}

fn table(size: u32, now: Instant) -> (Arc<Table>, RouteId) {
    let mut builder = Table::builder();
    let mut members = Vec::new();
    for index in 0..size {
        let name = format!("t{index}");
        let target = Target::new(name.clone(), "p").credential(name.clone());
        builder = builder.target(target.limits(ample()));
        members.push(Member::new(name).weight(1 + index % 3));
    }
    let table = builder
        .route(Route::new("r").tier(members))
        .build(now)
        .expect("a valid table");
    let route = table.route("r").expect("the route is there");
    (table, route)
}

fn decide(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for size in SIZES {
        let now = Instant::now();
        let (table, route) = table(size, now);
        let request = Request::new();
        let mut rng = SmallRng::seed_from_u64(7);
        group.bench_function(BenchmarkId::new("route", size), |b| {
            b.iter(|| table.decide(black_box(route), &request, black_box(now), &mut rng));
        });
        group.bench_function(BenchmarkId::new("route, clock read", size), |b| {
            b.iter(|| table.decide(black_box(route), &request, Instant::now(), &mut rng));
        });
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
    let cost = Cost {
        input_tokens: 900,
        output_tokens: 100,
    };
    group.bench_function("pace, reserve and correct, now given", |b| {
        b.iter(|| {
            let reserved = pace.reserve(black_box(cost), 1, black_box(now));
            // What it took is given back, so that the bench does not run dry.
            pace.refund(reserved.expect("ample"));
        });
    });
    group.bench_function("pace, reserve and correct, clock read", |b| {
        b.iter(|| {
            let now = Instant::now();
            let reserved = pace.reserve(black_box(cost), 1, now).expect("ample");
            pace.correct(reserved, black_box(cost), now);
        });
    });
    let most = std::num::NonZeroU32::MAX;
    let calls = governor::RateLimiter::direct(governor::Quota::per_second(most));
    let tokens = governor::RateLimiter::direct(governor::Quota::per_second(most));
    let thousand = std::num::NonZeroU32::new(1_000).expect("not zero");
    group.bench_function("governor, two checks, clock read", |b| {
        b.iter(|| {
            let _ = black_box(calls.check());
            let _ = black_box(tokens.check_n(black_box(thousand)));
        });
    });
    group.finish();
}

fn admit_and_record(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_and_record");
    let now = Instant::now();
    let (table, _) = table(2, now);
    let target = table.targets().next().expect("a target");
    let gate = table.gate(target);
    group.bench_function("route", |b| {
        b.iter(|| {
            let ticket = gate.acquire(black_box(now)).expect("a healthy gate");
            gate.settle(ticket, Outcome::Success, black_box(now))
        });
    });
    let counter = std::sync::atomic::AtomicU64::new(0);
    group.bench_function("baseline", |b| {
        b.iter(|| counter.fetch_add(black_box(1), std::sync::atomic::Ordering::Relaxed));
    });
    group.finish();
}

/// A whole request that succeeds at once: plan made, sent, settled, accepted.
fn request(c: &mut Criterion) {
    let mut group = c.benchmark_group("request");
    for size in SIZES {
        let now = Instant::now();
        let (table, route) = table(size, now);
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

criterion_group!(benches, decide, two_rate_limits, admit_and_record, request);
criterion_main!(benches);
