//! What does one protected call cost, alone and from two threads?
//!
//! `now` is an argument of this crate; the rows "clock read" add one reading of it, which the others do themselves.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a bench reads the clock and stops at the first surprise"
)]

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use failsafe::CircuitBreaker;
use llm_breaker::{Breaker, BreakerConfig, HangDetector, LatencyDetector, Outcome, Readiness};

fn breaker() -> Breaker {
    Breaker::new(BreakerConfig::default(), Instant::now())
}

/// The mean time of one call when two threads make `calls` each.
fn two_threads(calls: u64, call: impl Fn() + Sync) -> Duration {
    let barrier = Barrier::new(2);
    let run = || {
        barrier.wait();
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed()
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(run);
        run().max(other.join().unwrap())
    })
}

fn one_call(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_and_record");
    group.bench_function("direct call", |b| b.iter(|| black_box(Ok::<(), ()>(()))));

    let ours = breaker();
    let now = Instant::now();
    let call = |now: Instant| {
        let ticket = ours.acquire(black_box(now)).unwrap();
        black_box(ours.settle(ticket, Outcome::Success, now));
    };
    group.bench_function("llm-breaker, now given", |b| b.iter(|| call(now)));
    group.bench_function("llm-breaker, clock read", |b| {
        b.iter(|| call(Instant::now()));
    });
    group.bench_function("llm-breaker, permit, now given", |b| {
        b.iter(|| {
            let permit = ours.permit(black_box(now)).unwrap();
            black_box(permit.record(Outcome::Success, now))
        });
    });
    group.bench_function("llm-breaker, now given, two threads", |b| {
        b.iter_custom(|calls| two_threads(calls, || call(now)));
    });

    let recloser = recloser::Recloser::default();
    let call = || {
        let _ = black_box(recloser.call(|| black_box(Ok::<(), ()>(()))));
    };
    group.bench_function("recloser", |b| b.iter(call));
    group.bench_function("recloser, two threads", |b| {
        b.iter_custom(|calls| two_threads(calls, call));
    });

    let failsafe = failsafe::Config::new().build();
    let call = || {
        let _ = black_box(failsafe.call(|| black_box(Ok::<(), ()>(()))));
    };
    group.bench_function("failsafe", |b| b.iter(call));
    group.bench_function("failsafe, two threads", |b| {
        b.iter_custom(|calls| two_threads(calls, call));
    });
    group.finish();
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("parts");
    let origin = Instant::now();
    let ten: Vec<Breaker> = (0..10).map(|_| breaker()).collect();
    let ready = |now| {
        ten.iter()
            .filter(|breaker| breaker.readiness(now) == Readiness::Ready)
            .count()
    };
    group.bench_function("readiness of ten closed targets", |b| {
        b.iter(|| ready(black_box(origin)));
    });
    for breaker in &ten {
        breaker.hold(origin + Duration::from_secs(3600));
    }
    group.bench_function("readiness of ten held targets", |b| {
        b.iter(|| ready(black_box(origin)));
    });
    let now = origin + Duration::from_secs(100);
    let failing = Breaker::new(
        BreakerConfig::builder().ratio(Some(1.0)).build().unwrap(),
        origin,
    );
    group.bench_function("a failure after a success", |b| {
        b.iter(|| {
            for outcome in [Outcome::Hard, Outcome::Success] {
                let ticket = failing.acquire(now).unwrap();
                black_box(failing.settle(ticket, outcome, now));
            }
        });
    });
    let latency = LatencyDetector::default();
    group.bench_function("a time observed", |b| {
        b.iter(|| latency.observe(black_box(Duration::from_millis(600))));
    });
    let hang = HangDetector::new(1, origin);
    group.bench_function("a call in flight begun and answered", |b| {
        b.iter(|| hang.answered(hang.begin(0, black_box(now))));
    });
    group.finish();
}

criterion_group!(benches, one_call, parts);
criterion_main!(benches);
