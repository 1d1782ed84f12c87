//! Types of one's own in the places of a policy, and what a run tells who watches it.
#![cfg(feature = "tokio")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests"
)]

use std::future::pending;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use llm_backoff::condition::on_error;
use llm_backoff::{
    AdaptiveWindow, Attempt, AttemptWindow, Event, Hint, Limit, Observer, Retry, SizeClass,
    StopReason, TokioSleep, stop,
};

const S: fn(u64) -> Duration = Duration::from_secs;

#[derive(Debug, PartialEq, Clone, Copy)]
enum Failure {
    TimedOut,
    Busy(Duration),
    Refused,
}

struct Stated;

impl Hint<Failure> for Stated {
    fn hint(&self, error: &Failure) -> Option<Duration> {
        match error {
            Failure::Busy(wait) => Some(*wait),
            Failure::TimedOut | Failure::Refused => None,
        }
    }
}

/// An attempt window that is learnt, and what teaches it.
#[derive(Clone, Copy)]
struct Learnt<'a>(&'a AdaptiveWindow);

const CLASS: fn() -> SizeClass = || SizeClass::whole(10);

impl Limit<Failure> for Learnt<'_> {
    fn window(&self, now: Instant) -> Option<AttemptWindow> {
        Some(AttemptWindow::new(self.0.window(CLASS(), now)))
    }

    fn expired(&self, _: &Attempt) -> Option<Failure> {
        Some(Failure::TimedOut)
    }
}

impl<T> Observer<T, Failure> for Learnt<'_> {
    fn observe(&self, event: Event<'_, T, Failure>) {
        if let Event::After(p, Err(Failure::TimedOut)) | Event::Ended(p, Ok(_), None) = event {
            self.0.record(CLASS(), p.now - p.began, p.now);
        }
    }
}

/// What was heard: events by name, with the number of the attempt and how long it took.
#[derive(Default)]
struct Heard(Mutex<Vec<Told>>);

type Told = (&'static str, u32, Duration, Option<StopReason>);

impl Observer<u32, Failure> for &Heard {
    fn observe(&self, event: Event<'_, u32, Failure>) {
        let heard = match event {
            Event::Before(attempt) => ("before", attempt.number, Duration::ZERO, None),
            Event::After(p, _) => ("after", p.attempt, p.now - p.began, None),
            Event::BeforeSleep(p, _) => ("sleep", p.attempt, p.wait, None),
            Event::Ended(p, Ok(_), why) => ("good", p.attempt, p.now - p.began, why),
            Event::Ended(p, Err(_), why) => ("bad", p.attempt, p.now - p.began, why),
            _ => return,
        };
        self.0.lock().unwrap().push(heard);
    }
}

/// Each attempt takes a second more than the one before and ends as told.
async fn run(results: &[Result<u32, Failure>]) -> Vec<(&'static str, u32, u64)> {
    let heard = Heard::default();
    let retry = Retry::interactive(TokioSleep)
        .wait(llm_backoff::wait::fixed(S(7)))
        .stop(stop::attempts(3))
        .when(on_error(|e: &Failure| *e != Failure::Refused))
        .hint(Stated)
        .observe(&heard);
    let last = retry.run(|attempt| async move {
        tokio::time::sleep(S(attempt.number.into())).await;
        results[attempt.number as usize - 1]
    });
    let last = last.await;
    let heard = heard.0.into_inner().unwrap();
    let ends = heard
        .iter()
        .filter(|(name, ..)| matches!(*name, "good" | "bad"));
    assert_eq!(ends.count(), 1, "{heard:?}");
    let (name, number, _, why) = *heard.last().unwrap();
    assert_eq!(
        (name == "good", number as usize),
        (last.is_ok(), results.len())
    );
    assert_eq!(why.is_some(), number == 3 && last.is_err());
    let seconds = |(name, number, took, _): Told| (name, number, took.as_secs());
    heard.into_iter().map(seconds).collect()
}

#[tokio::test(start_paused = true)]
async fn every_run_tells_how_it_ended_and_how_long_its_attempts_took() {
    let first = run(&[Ok(1)]).await;
    assert_eq!(first, [("before", 1, 0), ("good", 1, 1)]);
    // A fatal error is no reason to stop: it is not worth another attempt.
    let fatal = run(&[Err(Failure::Refused)]).await;
    assert_eq!(fatal, [("before", 1, 0), ("bad", 1, 1)]);
    let third = run(&[Err(Failure::TimedOut), Err(Failure::TimedOut), Ok(3)]).await;
    let steps = [("after", 1, 1), ("sleep", 1, 7), ("before", 2, 0)];
    assert_eq!(third[1..4], steps);
    assert_eq!(
        third[4..],
        [
            ("after", 2, 2),
            ("sleep", 2, 7),
            ("before", 3, 0),
            ("good", 3, 3)
        ]
    );
    let none = run(&[Err(Failure::TimedOut); 3]).await;
    assert_eq!(none[7..], [("after", 3, 3), ("bad", 3, 3)]);
}

#[tokio::test(start_paused = true)]
async fn a_hint_read_by_a_type_of_ones_own_is_a_floor() {
    let waits = run(&[Err(Failure::Busy(S(9))), Ok(2)]).await;
    let (name, _, wait) = waits[2];
    assert!(name == "sleep" && (9..=12).contains(&wait), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_window_that_is_learnt_holds_attempts_to_what_is_usual() {
    let now = || tokio::time::Instant::now().into_std();
    let window = AdaptiveWindow::new(S(30), now());
    let learnt = Learnt(&window);
    let retry = Retry::interactive(TokioSleep)
        .total(None)
        .limit_by(learnt)
        .observe(learnt);
    let hung = || async {
        let began = now();
        let report = retry.report(|_| pending::<Result<u32, Failure>>()).await;
        assert_eq!(report.result, Err(Failure::TimedOut));
        assert_eq!(report.statistics.timeouts, 3);
        now() - began - report.statistics.slept
    };
    // Cold: the cap, and half as much again after each timeout.
    assert_eq!(hung().await.as_secs(), 30 + 45 + 67);
    for _ in 0..300 {
        let answer = retry.run(|_| async {
            tokio::time::sleep(S(2)).await;
            Ok::<u32, Failure>(1)
        });
        assert_eq!(answer.await, Ok(1));
    }
    // Warm: twice the p99 of two seconds, not of what hung, which is three calls of three hundred.
    let took = hung().await;
    assert!(took >= S(18) && took <= S(25), "{took:?}");
}
