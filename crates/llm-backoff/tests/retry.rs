//! The driver under a clock that moves only when somebody sleeps or works.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use llm_backoff::condition::{any_error, on_error, on_value};
use llm_backoff::{
    AttemptWindow, Backoff, Deadline, Event, Jitter, Retry, RetryBudget, Sleep, StopReason, Tally,
    stop, wait,
};

const S: fn(u64) -> Duration = Duration::from_secs;
const MS: fn(u64) -> Duration = Duration::from_millis;

/// Virtual time: sleeping moves it, and so does work that says how long it takes.
struct Clock {
    start: Instant,
    now: Mutex<Instant>,
    slept: Mutex<Vec<Duration>>,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a test needs some instant to start from"
    )]
    fn new() -> Self {
        let start = Instant::now();
        Self {
            start,
            now: Mutex::new(start),
            slept: Mutex::default(),
        }
    }

    fn work(&self, span: Duration) {
        *self.now.lock().unwrap() += span;
    }

    fn elapsed(&self) -> Duration {
        *self.now.lock().unwrap() - self.start
    }

    fn sleeps(&self) -> Vec<Duration> {
        self.slept.lock().unwrap().clone()
    }
}

impl Sleep for Clock {
    fn now(&self) -> Instant {
        *self.now.lock().unwrap()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        self.work(wait);
        self.slept.lock().unwrap().push(wait);
        ready(())
    }
}

/// Runs a future that never has to wait.
fn run<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    match future
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("nothing here waits"),
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Failure {
    status: u16,
    retry_after: Option<Duration>,
}

fn failure(status: u16) -> Failure {
    Failure {
        status,
        retry_after: None,
    }
}

fn hinted(seconds: u64) -> Failure {
    Failure {
        status: 429,
        retry_after: Some(S(seconds)),
    }
}

fn no_jitter() -> Backoff {
    Backoff::builder().jitter(Jitter::None).build().unwrap()
}

#[test]
fn a_success_is_returned_at_once() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock).report(|attempt| {
        assert_eq!(attempt.number, 1);
        assert_eq!(attempt.window, Some(S(30)));
        ready(Ok::<_, Failure>(7))
    }));
    assert_eq!(report.result, Ok(7));
    assert_eq!((report.stopped, report.statistics.attempts), (None, 1));
    assert!(clock.sleeps().is_empty());
}

#[test]
fn waits_follow_the_rule_and_there_is_none_after_the_last_attempt() {
    let clock = Clock::new();
    let report = run(Retry::background(&clock)
        .wait(no_jitter())
        .stop(stop::attempts(4))
        .report(|_| ready(Err::<(), _>(failure(500)))));
    assert_eq!(clock.sleeps(), [MS(500), S(1), S(2)]);
    assert_eq!(report.stopped, Some(StopReason::Rule));
    assert_eq!(report.statistics.attempts, 4);
    assert_eq!(report.statistics.slept, MS(3500));
    assert_eq!(report.result, Err(failure(500)));
}

#[test]
fn an_error_that_is_not_worth_it_is_returned_at_once() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock)
        .when(on_error(|e: &Failure| e.status >= 500))
        .report(|_| ready(Err::<(), _>(failure(400)))));
    assert_eq!((report.stopped, report.statistics.attempts), (None, 1));
}

#[test]
fn a_bad_value_is_tried_again_and_returned_if_it_stays_bad() {
    let clock = Clock::new();
    let calls = Cell::new(0);
    let policy =
        Retry::interactive(&clock).when(any_error() | on_value(|text: &&str| text.is_empty()));
    let answer = run(policy.run(|_| {
        calls.set(calls.get() + 1);
        ready(Ok::<_, Failure>(if calls.get() < 3 { "" } else { "text" }))
    }));
    assert_eq!((answer, calls.get()), (Ok("text"), 3));
    let report = run(policy.report(|_| ready(Ok::<_, Failure>(""))));
    assert_eq!(report.result, Ok(""));
    assert_eq!(report.stopped, Some(StopReason::Rule));
}

#[test]
fn time_inside_attempts_counts_towards_the_deadline() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock)
        .wait(wait::fixed(S(1)))
        .stop(stop::never())
        .report(|_| {
            clock.work(S(9));
            ready(Err::<(), _>(failure(500)))
        }));
    // 9 + 1 + 9 + 1 + 9 = 29 s; another second would end on the deadline.
    assert_eq!(report.statistics.attempts, 3);
    assert_eq!(report.stopped, Some(StopReason::Deadline));
    assert_eq!(clock.elapsed(), S(29));
}

#[test]
fn an_outer_deadline_counts_when_it_is_earlier() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock)
        .deadline(Deadline::after(clock.start, S(2)))
        .wait(wait::fixed(S(3)))
        .report(|attempt| {
            assert_eq!(attempt.window, Some(S(2)));
            ready(Err::<(), _>(failure(500)))
        }));
    assert_eq!(report.stopped, Some(StopReason::Deadline));
    assert!(clock.sleeps().is_empty());
}

#[test]
fn a_hint_is_a_floor() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock)
        .stop(stop::attempts(2))
        .hint(|e: &Failure| e.retry_after)
        .report(|_| ready(Err::<(), _>(hinted(4)))));
    assert_eq!(report.statistics.attempts, 2);
    let sleeps = clock.sleeps();
    assert!(sleeps[0] >= S(4) && sleeps[0] <= S(5), "{sleeps:?}");
}

#[test]
fn a_hint_beyond_patience_ends_the_call_without_a_wait() {
    let clock = Clock::new();
    let report = run(Retry::interactive(&clock)
        .hint(|e: &Failure| e.retry_after)
        .report(|_| ready(Err::<(), _>(hinted(3600)))));
    assert_eq!(report.stopped, Some(StopReason::Hint));
    assert!(clock.sleeps().is_empty());
}

#[test]
fn a_spent_budget_ends_the_call_and_successes_refill_it() {
    let clock = Clock::new();
    let budget = RetryBudget::new(0.2, 1);
    let policy = Retry::background(&clock).budget(&budget);
    let report = run(policy.report(|_| ready(Err::<(), _>(failure(500)))));
    assert_eq!(report.stopped, Some(StopReason::Budget));
    assert_eq!(report.statistics.attempts, 2);
    for _ in 0..5 {
        run(policy.run(|_| ready(Ok::<_, Failure>(())))).unwrap();
    }
    assert_eq!(budget.balance(), 1.0);
}

/// A clock whose sleeps never end.
struct Stopped(Instant);

impl Sleep for Stopped {
    fn now(&self) -> Instant {
        self.0
    }

    fn sleep(&self, _: Duration) -> impl Future<Output = ()> + Send {
        std::future::pending()
    }
}

#[test]
fn who_leaves_before_a_retry_is_made_gets_its_payment_back() {
    let clock = Stopped(Clock::new().start);
    let budget = RetryBudget::new(0.2, 1);
    let policy = Retry::background(&clock).wait(no_jitter()).budget(&budget);
    for _ in 0..3 {
        let mut call = Box::pin(policy.run(|_| ready(Err::<(), _>(failure(500)))));
        let mut context = Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert_eq!(
            budget.balance(),
            0.0,
            "the retry that is waited for is paid"
        );
        drop(call);
        assert_eq!(budget.balance(), 1.0);
    }
}

#[test]
fn the_same_seed_makes_the_same_run() {
    let sleeps = |seed| {
        let clock = Clock::new();
        let policy = Retry::background(&clock).seed(seed);
        run(policy.run(|_| ready(Err::<(), _>(failure(500))))).unwrap_err();
        clock.sleeps()
    };
    assert_eq!(sleeps(1), sleeps(1));
    assert_ne!(sleeps(1), sleeps(2));
}

#[test]
fn observers_hear_everything_in_order() {
    let clock = Clock::new();
    let heard = RefCell::new(Vec::new());
    let result = run(Retry::interactive(&clock)
        .wait(no_jitter())
        .stop(stop::attempts(2))
        .observe(|event: Event<'_, (), Failure>| {
            heard.borrow_mut().push(match event {
                Event::Before(attempt) => format!("before {}", attempt.number),
                Event::After(progress, result) => {
                    format!("after {} {}", progress.attempt, result.unwrap_err().status)
                }
                Event::BeforeSleep(progress, _) => format!("sleep {:?}", progress.wait),
                Event::Ended(_, _, Some(reason)) => format!("gave up: {reason}"),
                _ => "something else".to_owned(),
            });
        })
        .run(|_| ready(Err(failure(500)))));
    assert!(result.is_err());
    assert_eq!(
        heard.into_inner(),
        [
            "before 1",
            "after 1 500",
            "sleep 500ms",
            "before 2",
            "after 2 500",
            "gave up: rule"
        ]
    );
}

#[test]
fn a_tally_adds_up_over_calls() {
    let clock = Clock::new();
    let tally = Tally::default();
    let policy = Retry::interactive(&clock).wait(no_jitter()).tally(&tally);
    let _ = run(policy.run(|_| ready(Err::<(), _>(failure(500)))));
    let _ = run(policy.run(|_| ready(Ok::<_, Failure>(()))));
    let totals = tally.totals();
    assert_eq!((totals.calls, totals.attempts), (2, 4));
    assert_eq!((totals.gave_up, totals.slept_ms), (1, 1500));
    assert_eq!(totals.amplification(), 2.0);
}

#[cfg(feature = "tokio")]
mod with_tokio {
    use super::*;
    use llm_backoff::TokioSleep;

    #[tokio::test(start_paused = true)]
    async fn a_hanging_attempt_is_cut_and_the_next_gets_half_as_much_again() {
        let windows = RefCell::new(Vec::new());
        let start = tokio::time::Instant::now();
        let report = Retry::interactive(TokioSleep)
            .wait(wait::none())
            .limit(AttemptWindow::new(S(8)).reserve(S(2)), |_| failure(504))
            .report(|attempt| {
                windows.borrow_mut().push(attempt.window.unwrap());
                std::future::pending::<Result<(), Failure>>()
            })
            .await;
        assert_eq!(report.result, Err(failure(504)));
        assert_eq!(report.statistics.timeouts, 3);
        // 8, 12, then what 30 s leave: 10, less 2 for whoever comes after.
        assert_eq!(windows.into_inner(), [S(8), S(12), S(8)]);
        assert_eq!(start.elapsed(), S(28));
    }

    #[tokio::test(start_paused = true)]
    async fn the_future_can_move_between_threads() {
        let task = tokio::spawn(async {
            Retry::interactive(TokioSleep)
                .limit(AttemptWindow::new(S(1)), |_| failure(504))
                .run(|_| async { Ok::<_, Failure>(1) })
                .await
        });
        assert_eq!(task.await.unwrap(), Ok(1));
    }
}

mod laws {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Whatever the attempts cost, the server says and the rules are: no sleep passes the deadline, attempts stay
        /// within the cap, and every sleep is followed by an attempt.
        #[test]
        fn deadline_and_cap_hold(
            total_ms in 0u64..60_000, cap in 1u32..8, seed: u64,
            script in prop::collection::vec((0u64..20_000, prop::option::of(0u64..90_000)), 1..10),
        ) {
            let clock = Clock::new();
            let calls = Cell::new(0usize);
            let deadline = clock.start + MS(total_ms);
            let report = run(Retry::background(&clock)
                .total(Some(MS(total_ms))).stop(stop::attempts(cap)).seed(seed).hint_max(S(60))
                .hint(|e: &Failure| e.retry_after)
                .observe(|event: Event<'_, (), Failure>| if let Event::BeforeSleep(p, _) = event {
                    assert!(p.now + p.wait < deadline);
                })
                .report(|_| {
                    let (work, hint) = script[calls.get() % script.len()];
                    calls.set(calls.get() + 1);
                    clock.work(MS(work));
                    ready(Err::<(), _>(Failure { status: 429, retry_after: hint.map(MS) }))
                }));
            prop_assert!(calls.get() <= cap as usize);
            prop_assert_eq!(report.statistics.attempts as usize, calls.get());
            prop_assert!(report.stopped.is_some());
            prop_assert!(clock.sleeps().len() < calls.get());
            prop_assert_eq!(report.statistics.elapsed, clock.elapsed());
        }
    }
}
