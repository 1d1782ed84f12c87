//! In other people's code: what is spawned, kept in a struct, chosen while the program runs, or shared.
#![cfg(feature = "tokio")]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use llm_backoff::condition::{Condition, OnError, any_error, on_error};
use llm_backoff::stop::{self, Stop};
use llm_backoff::wait::{self, Wait};
use llm_backoff::{
    Attempt, AttemptWindow, Report, Retry, RetryBudget, Sleep, StopReason, Tally, TokioSleep,
};

#[derive(Debug, PartialEq)]
struct Busy;

struct Connection {
    queries: u32,
}

impl Connection {
    async fn query(&mut self) -> Result<u32, Busy> {
        tokio::task::yield_now().await;
        self.queries += 1;
        if self.queries < 3 {
            Err(Busy)
        } else {
            Ok(self.queries)
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_spawned_operation_changes_what_it_borrows() {
    let call = tokio::spawn(async {
        let mut connection = Connection { queries: 0 };
        let lent = tokio::sync::Mutex::new(&mut connection);
        let third = Retry::interactive(TokioSleep)
            .run(|_| async { lent.lock().await.query().await })
            .await;
        (third, connection.queries)
    });
    assert_eq!(call.await.unwrap(), (Ok(3), 3));
}

static BUDGET: RetryBudget = RetryBudget::new(0.2, 10);
static TALLY: Tally = Tally::new();

type Patient =
    Retry<'static, Arc<TokioSleep>, wait::Fixed, stop::Attempts, OnError<fn(&Busy) -> bool>>;

/// A policy whose type is written out.
struct Client {
    retry: Patient,
    budget: Arc<RetryBudget>,
    asked: AtomicU32,
}

impl Client {
    async fn get(&self) -> Result<u32, Busy> {
        let retry = self.retry.clone().budget(&self.budget).tally(&TALLY);
        retry.run(|attempt| self.once(attempt)).await
    }

    async fn once(&self, attempt: Attempt) -> Result<u32, Busy> {
        tokio::task::yield_now().await;
        self.asked.fetch_add(1, Ordering::Relaxed);
        if attempt.number < 2 { Err(Busy) } else { Ok(7) }
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_is_kept_in_a_struct_and_shared_between_tasks() {
    let client = Arc::new(Client {
        retry: Retry::interactive(Arc::new(TokioSleep))
            .wait(wait::fixed(Duration::from_secs(1)))
            .when(on_error((|_| true) as fn(&Busy) -> bool)),
        budget: Arc::default(),
        asked: AtomicU32::new(0),
    });
    let calls: Vec<_> = (0..4)
        .map(|_| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.get().await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(7));
    }
    assert_eq!(client.asked.load(Ordering::Relaxed), 8);
    assert_eq!(client.budget.balance(), 6.8);
    assert_eq!(TALLY.totals().attempts, 8);
}

#[tokio::test(start_paused = true)]
async fn rules_are_chosen_while_the_program_runs() {
    let stop: Box<dyn Stop + Send + Sync> = Box::new(stop::attempts(4));
    let wait: Arc<dyn Wait + Send + Sync> = Arc::new(wait::none());
    let when: Box<dyn Condition<u32, Busy> + Send + Sync> = Box::new(any_error());
    let rule = stop::elapsed(Duration::from_secs(60)) | &stop;
    let retry = Retry::interactive(TokioSleep)
        .stop(rule)
        .wait(wait)
        .when(when)
        .budget(&BUDGET);
    let report: Report<u32, Busy> = retry.report(|_| async { Err(Busy) }).await;
    assert_eq!(report.stopped, Some(StopReason::Rule));
    assert_eq!(report.statistics.attempts, 4);
}

/// What a library would offer of its own.
async fn wrapped<T, F>(call: impl Fn(Attempt) -> F) -> Result<T, Busy>
where
    F: Future<Output = Result<T, Busy>>,
{
    let window = AttemptWindow::new(Duration::from_secs(9));
    Retry::interactive(TokioSleep)
        .limit(window, |_| Busy)
        .run(call)
        .await
}

#[tokio::test(start_paused = true)]
async fn a_generic_wrapper_is_spawned_like_any_call() {
    let start = TokioSleep.now();
    let hanging = tokio::spawn(wrapped(|_| pending::<Result<(), Busy>>()));
    assert_eq!(hanging.await.unwrap(), Err(Busy));
    assert!(TokioSleep.now() - start <= Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_is_made_whose_time_the_reserve_has_eaten() {
    let window = AttemptWindow::new(Duration::from_secs(10)).reserve(Duration::from_secs(10));
    let retry = Retry::agent(TokioSleep)
        .total(Some(Duration::from_secs(30)))
        .wait(wait::none());
    let report: Report<(), Busy> = retry.limit(window, |_| Busy).report(|_| pending()).await;
    assert_eq!(report.stopped, Some(StopReason::Deadline));
    // 10 s, then what is left above the reserve; a third would have been sent to be cancelled.
    assert_eq!(report.statistics.attempts, 2);
    assert_eq!(report.statistics.elapsed.as_secs(), 20);
}

#[tokio::test]
async fn an_endless_retry_without_waits_starves_nobody() {
    let retry = Retry::interactive(TokioSleep)
        .stop(stop::never())
        .wait(wait::none())
        .total(None);
    let endless = tokio::spawn(async move { retry.run(|_| async { Err::<(), _>(Busy) }).await });
    tokio::task::yield_now().await;
    endless.abort();
    assert!(endless.await.unwrap_err().is_cancelled());
}
