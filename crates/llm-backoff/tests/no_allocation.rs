//! A call that succeeds pays no allocation for being retryable.
#![expect(clippy::panic, reason = "a test stops at the first surprise")]
#![expect(clippy::disallowed_methods, reason = "any instant will do")]

use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use llm_backoff::condition::{on_error, on_value};
use llm_backoff::{AttemptWindow, Event, Retry, RetryBudget, Sleep, Tally};

struct Clock(Instant);

impl Sleep for Clock {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

fn poll<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a ready call is pending"),
    }
}

fn allocations(mut calls: impl FnMut()) -> u64 {
    allocation_counter::measure(|| (0..100).for_each(|_| calls())).count_total
}

#[test]
fn a_call_that_succeeds_does_not_allocate_whatever_the_policy() {
    let now = Instant::now();
    let budget = RetryBudget::default();
    let tally = Tally::new();
    let clock = Clock(now);
    let plain = Retry::interactive(&clock);
    assert_eq!(
        allocations(|| assert_eq!(poll(plain.run(|_| ready(Ok::<u32, u16>(7)))), Ok(7))),
        0
    );
    let full = plain
        .when(on_error(|status: &u16| *status >= 500) | on_value(|n: &u32| *n == 0))
        .hint(|_: &u16| None)
        .limit(AttemptWindow::new(Duration::from_secs(5)), |_| 504)
        .observe(|event: Event<'_, u32, u16>| {
            std::hint::black_box(event);
        })
        .budget(&budget)
        .tally(&tally);
    let given = || assert_eq!(poll(full.run_from(now, |_| ready(Ok(7)))), Ok(7));
    assert_eq!(allocations(given), 0);
    let report = || assert_eq!(poll(full.report(|_| ready(Ok(7)))).result, Ok(7));
    assert_eq!(allocations(report), 0);
    assert_eq!(tally.totals().calls, 200);
    // Nor does a retry, once its thread has a generator.
    let again = plain.seed(1);
    let mut failed = false;
    let twice = || {
        let result = poll(again.run(|_| {
            failed = !failed;
            ready(if failed { Err(503) } else { Ok(7) })
        }));
        assert_eq!(result, Ok(7));
    };
    assert_eq!(allocations(twice), 0);
}
