//! A router for what is no language model: three mirrors of a file, asked by an asynchronous shell of its own.
//!
//! The shell polls the calls under way while it waits, so a second mirror beside a slow first one costs nothing but a task, and a caller who
//! leaves takes all of them along.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use llm_errors::{ErrorKind, Hint, HintSource, Phase, Verdict};
use llm_router::{
    Action, Cause, Event, Plan, Request, Route, RouteId, Table, Target, TargetId, Tokens,
};
use std::collections::HashMap;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};

/// What a mirror may answer with instead of the file.
#[derive(Debug, Clone, Copy)]
enum MirrorError {
    Unreachable,
    TooLate,
    Status(u16, Option<Duration>),
}

#[derive(Debug, PartialEq)]
enum FetchError {
    /// No mirror could answer.
    NoMirror(Cause),
    /// It would be the same everywhere.
    Refused(Verdict),
}

/// What the router is told of it.
fn verdict(error: MirrorError) -> Verdict {
    match error {
        MirrorError::Unreachable => Verdict::new(ErrorKind::Network, Phase::Connect),
        MirrorError::TooLate => Verdict::new(ErrorKind::Timeout, Phase::Sent),
        MirrorError::Status(429, wait) => {
            let verdict = Verdict::new(ErrorKind::RateLimitRequests, Phase::FirstByte);
            let hint = |wait| Hint::new(wait, HintSource::RetryAfterHeader);
            wait.map_or(verdict, |wait| verdict.with_hint(hint(wait)))
        }
        MirrorError::Status(400..=499, _) => {
            Verdict::new(ErrorKind::InvalidRequest, Phase::FirstByte)
        }
        MirrorError::Status(..) => Verdict::new(ErrorKind::ServerError, Phase::FirstByte),
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

struct Mirrors {
    table: Arc<Table>,
    files: RouteId,
}

impl Mirrors {
    fn new() -> Arc<Self> {
        let table = Table::builder()
            .target(Target::new("near", "near.example"))
            .target(Target::new("far", "far.example"))
            .target(Target::new("archive", "archive.example"))
            .route(Route::new("files").tier(["near", "far"]).tier(["archive"]))
            .build(now())
            .unwrap();
        let files = table.route("files").unwrap();
        Arc::new(Self { table, files })
    }

    /// The file, from whichever mirror has it.
    async fn fetch<F>(&self, get: impl Fn(TargetId) -> F) -> Result<String, FetchError>
    where
        F: Future<Output = Result<String, MirrorError>> + Send + 'static,
    {
        let mut plan = Plan::new(
            Arc::clone(&self.table),
            self.files,
            Request::new(),
            now(),
            rand::random(),
        );
        let (mut calls, mut handles, mut files) = (JoinSet::new(), HashMap::new(), HashMap::new());
        loop {
            match plan.poll(now()) {
                Action::Send {
                    attempt,
                    target,
                    windows,
                    ..
                } => {
                    let call = timeout(windows.whole, get(target));
                    let call =
                        async move { (attempt, call.await.unwrap_or(Err(MirrorError::TooLate))) };
                    handles.insert(attempt, calls.spawn(call));
                }
                Action::WaitUntil(at) => tokio::select! {
                    Some(ended) = calls.join_next() => {
                        let Ok((attempt, result)) = ended else { continue }; // it was cancelled
                        let event = match result {
                            Ok(file) => {
                                files.insert(attempt, file);
                                Event::Succeeded(attempt, Tokens::default())
                            }
                            Err(error) => Event::Failed(attempt, verdict(error)),
                        };
                        plan.on(event, now());
                    }
                    () = sleep_until(at.into()) => {}
                },
                Action::Cancel(attempt) => {
                    if let Some(call) = handles.remove(&attempt) {
                        call.abort();
                    }
                }
                Action::Accept(attempt) => return Ok(files.remove(&attempt).unwrap()),
                Action::Degrade(cause) => return Err(FetchError::NoMirror(cause)),
                Action::GiveUp(verdict) => return Err(FetchError::Refused(verdict)),
            }
        }
    }

    /// The same with what each mirror answers by its name.
    async fn fetch_where(
        &self,
        answer: fn(&str) -> Result<(), MirrorError>,
    ) -> Result<String, FetchError> {
        self.fetch(|mirror| {
            let name = self.table.target_name(mirror).to_owned();
            async move { answer(&name).map(|()| name) }
        })
        .await
    }
}

#[tokio::test(start_paused = true)]
async fn the_file_comes_from_whoever_has_it() {
    let mirrors = Mirrors::new();
    let fetch = tokio::spawn(async move {
        let answer = |name: &str| match name {
            "near" => Err(MirrorError::Status(503, None)),
            "far" => Err(MirrorError::Status(429, Some(Duration::from_secs(20)))),
            _ => Ok(()),
        };
        mirrors.fetch_where(answer).await
    });
    assert_eq!(fetch.await.unwrap(), Ok("archive".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn what_no_mirror_can_mend_is_said_at_once() {
    let error = Mirrors::new()
        .fetch_where(|_| Err(MirrorError::Status(404, None)))
        .await;
    assert_eq!(
        error,
        Err(FetchError::Refused(verdict(MirrorError::Status(404, None))))
    );
}

#[tokio::test(start_paused = true)]
async fn where_all_are_out_the_error_says_so() {
    let error = Mirrors::new()
        .fetch_where(|_| Err(MirrorError::Unreachable))
        .await;
    let Err(FetchError::NoMirror(cause)) = error else {
        panic!("{error:?}")
    };
    assert_eq!(cause.to_string(), "no target could answer: network");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_leaves_takes_his_calls_along() {
    let mirrors = Mirrors::new();
    let calls = Arc::new(());
    let left = timeout(
        Duration::from_secs(1),
        mirrors.fetch(|_| {
            let call = Arc::clone(&calls);
            async move {
                let _call = call;
                pending().await
            }
        }),
    );
    assert!(left.await.is_err());
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&calls), 1);
    assert!(
        mirrors
            .table
            .targets()
            .all(|mirror| mirrors.table.in_flight(mirror) == 0)
    );
}
