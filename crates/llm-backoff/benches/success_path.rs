//! What does a call that succeeds at once pay for being retryable, and what does a retry budget cost?
#![expect(
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench reads the clock and stops at the first surprise"
)]

use std::future::ready;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use backon::Retryable;
use criterion::{Criterion, criterion_group, criterion_main};
use llm_backoff::{
    Backoff, HedgeDelay, Retry, RetryBudget, Sleep, condition::on_error, condition::on_value,
};
use rand::{SeedableRng, rngs::SmallRng};
use tower::retry::budget::{Budget, TpsBudget};

struct SystemClock;

impl Sleep for SystemClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

fn poll<F: Future>(future: F) -> F::Output {
    let mut context = Context::from_waker(Waker::noop());
    match pin!(future).poll(&mut context) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a ready call is pending"),
    }
}

async fn call() -> Result<u32, u16> {
    black_box(Ok(7))
}

fn success(c: &mut Criterion) {
    let mut group = c.benchmark_group("success_path");
    group.bench_function("direct call", |b| b.iter(|| poll(call())));

    let now = Instant::now();
    let plain = Retry::interactive(SystemClock);
    group.bench_function("llm-backoff, now given", |b| {
        b.iter(|| poll(plain.run_from(black_box(now), |_| call())));
    });
    // What no wrapper with a deadline can do without.
    group.bench_function("the clock alone, clock read", |b| b.iter(Instant::now));
    group.bench_function("llm-backoff, clock read", |b| {
        b.iter(|| poll(plain.run(|_| call())));
    });
    let budget = RetryBudget::default();
    let full = plain
        .when(on_error(|status: &u16| *status >= 500) | on_value(|n: &u32| *n == 0))
        .hint(|_: &u16| None)
        .budget(&budget);
    group.bench_function("llm-backoff, conditions, hint and budget, now given", |b| {
        b.iter(|| poll(full.run_from(black_box(now), |_| call())));
    });
    group.bench_function("backon", |b| {
        b.iter(|| {
            let retry = call
                .retry(backon::ExponentialBuilder::default())
                .sleep(|_: Duration| ready(()));
            poll(retry.into_future())
        });
    });
    group.finish();
}

fn budget(c: &mut Criterion) {
    let mut group = c.benchmark_group("budget");
    let ours = RetryBudget::new(1.0, 10);
    group.bench_function("llm-backoff, deposit and withdraw", |b| {
        b.iter(|| {
            ours.deposit();
            black_box(ours.withdraw())
        });
    });
    let tower = TpsBudget::new(Duration::from_secs(10), 10, 1.0);
    group.bench_function("tower, deposit and withdraw", |b| {
        b.iter(|| {
            tower.deposit();
            black_box(tower.withdraw())
        });
    });
    group.finish();
}

fn parts(c: &mut Criterion) {
    let mut group = c.benchmark_group("parts");
    let mut rng = SmallRng::seed_from_u64(1);
    let backoff = Backoff::default();
    group.bench_function("one wait with full jitter", |b| {
        b.iter(|| backoff.delay(black_box(3), &mut rng));
    });
    let origin = Instant::now();
    let delay = HedgeDelay::new(origin);
    group.bench_function("a time recorded for hedging", |b| {
        b.iter(|| delay.record(black_box(Duration::from_millis(600)), origin));
    });
    group.bench_function("the hedge delay read", |b| {
        b.iter(|| delay.delay(black_box(origin)));
    });
    group.finish();
}

criterion_group!(benches, success, budget, parts);
criterion_main!(benches);
