//! Waits and what they may cost: backoff, jitter, hints as floors, deadlines, retry budgets, hedges.
//!
//! Five lines make any asynchronous call of anyone survive a passing failure:
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! # use std::time::Duration;
//! # #[derive(Debug)] struct Failure { status: u16, retry_after: Option<Duration> }
//! # async fn ask(window: Option<Duration>) -> Result<String, Failure> { Ok("answer".into()) }
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use llm_backoff::{Retry, TokioSleep, condition::on_error};
//!
//! let answer = Retry::interactive(TokioSleep)
//!     .when(on_error(|e: &Failure| e.status == 429 || e.status >= 500))
//!     .hint(|e: &Failure| e.retry_after)
//!     .run(|attempt| ask(attempt.window))
//!     .await;
//! # assert_eq!(answer.unwrap(), "answer");
//! # }); }
//! ```
//!
//! Every part is also usable alone and has no runtime in it: time is an argument, randomness a generator you hand in.
//!
//! | question | part |
//! |---|---|
//! | how long to wait? | [`Backoff`], [`Jitter`]; compose with [`wait`]: `fixed`, `uniform`, `incrementing`, `chain`, `then`, `by`, `+` |
//! | what if the server said how long? | [`Backoff::delay_with_hint`], [`floor_with_hint`]: a hint is a floor, spread upwards |
//! | when to stop? | [`stop`]: `attempts`, `elapsed`, `before`, `never`, `when`, <code>\|</code>, `&` |
//! | which results are worth it? | [`condition`]: `on_error`, `on_value`, `on_cause`, <code>\|</code>, `&`, `!` |
//! | by when must it be over? | [`Deadline`]: wall clock, time inside attempts included |
//! | how long may one attempt take? | [`AttemptWindow`]; learnt per size class: [`AdaptiveWindow`] |
//! | may we afford it? | [`RetryBudget`], funded by successes |
//! | when is a second request worth sending? | [`HedgeDelay`], [`HedgeBudget`] |
//! | what happened? | [`Event`]s, [`Statistics`] of a call, [`Tally`] over all calls |
//!
//! # In your code
//!
//! | to | |
//! |---|---|
//! | change something between attempts | put it into a lock: [`Retry::run`] |
//! | keep a policy in a struct, or rules that the configuration chooses | [`Retry`] |
//! | share a budget | `static` or `Arc`: [`RetryBudget`] |
//! | test without waiting | a clock that jumps: [`Sleep`] |
//! | log and count | [`Retry::observe`] hears of every attempt and how the run ended; [`Retry::report`], [`Retry::tally`] |
//! | bring rules of your own | implement [`Stop`](stop::Stop), [`Wait`](wait::Wait), [`Condition`](condition::Condition), [`Hint`], [`Limit`] or [`Observer`] |
//! | hold attempts to a time | [`Retry::limit`]; without it they are only told what is left. Learnt: [below](#windows-that-are-learnt) |
//!
//! # Windows that are learnt
//!
//! One small type of your own lets an [`AdaptiveWindow`] hold attempts to what is usual, and teaches it how long they took:
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! # use std::time::{Duration, Instant};
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! use llm_backoff::{AdaptiveWindow, Attempt, AttemptWindow, Event, Limit, Observer, Retry, SizeClass, TokioSleep};
//!
//! #[derive(Debug)]
//! enum Failure { TimedOut, Refused(u16) }
//! # async fn ask() -> Result<String, Failure> { Ok("answer".into()) }
//!
//! #[derive(Clone, Copy)]
//! struct Learnt<'a>(&'a AdaptiveWindow, SizeClass);
//!
//! impl Limit<Failure> for Learnt<'_> {
//!     fn window(&self, now: Instant) -> Option<AttemptWindow> {
//!         Some(AttemptWindow::new(self.0.window(self.1, now)))
//!     }
//!     fn expired(&self, _: &Attempt) -> Option<Failure> {
//!         Some(Failure::TimedOut)
//!     }
//! }
//!
//! impl<T> Observer<T, Failure> for Learnt<'_> {
//!     fn observe(&self, event: Event<'_, T, Failure>) {
//!         match event {
//!             // A refusal says nothing of how long an answer takes; what ran into its window is booked with that.
//!             Event::After(attempt, Err(Failure::TimedOut)) | Event::Ended(attempt, Ok(_), None) => {
//!                 self.0.record(self.1, attempt.now - attempt.began, attempt.now);
//!             }
//!             _ => {}
//!         }
//!     }
//! }
//!
//! // One for each target, kept: until 100 calls have taught it, the cap alone holds.
//! let window = AdaptiveWindow::new(Duration::from_secs(30), tokio::time::Instant::now().into_std());
//! let learnt = Learnt(&window, SizeClass::whole(800));
//! let answer = Retry::interactive(TokioSleep).limit_by(learnt).observe(learnt).run(|_| ask()).await;
//! # assert_eq!(answer.unwrap(), "answer");
//! # let _ = Failure::Refused(429);
//! # }); }
//! ```
//!
//! # Under tower
//!
//! In a `tower` stack, where `tower::retry` repeats the call, the parts serve its policy:
//!
//! ```
//! # #[cfg(feature = "tokio")] {
//! use llm_backoff::{Backoff, RetryBudget};
//! use std::sync::Arc;
//!
//! #[derive(Clone, Default)]
//! struct Policy { waits: Backoff, budget: Arc<RetryBudget>, retries: u32 }
//!
//! impl<Q: Clone, T, E> tower::retry::Policy<Q, T, E> for Policy {
//!     type Future = tokio::time::Sleep;
//!
//!     fn retry(&mut self, _: &mut Q, result: &mut Result<T, E>) -> Option<Self::Future> {
//!         if result.is_ok() {
//!             self.budget.deposit();
//!             return None;
//!         }
//!         let wait = self.waits.delay(self.retries, &mut rand::rng());
//!         self.retries += 1;
//!         (self.retries <= 2 && self.budget.withdraw()).then(|| tokio::time::sleep(wait))
//!     }
//!
//!     fn clone_request(&mut self, request: &Q) -> Option<Q> {
//!         Some(request.clone())
//!     }
//! }
//! # }
//! ```
//!
//! # Formulas
//!
//! With `c = min(ceiling, base * factor^n)` for the n-th wait (n from 0):
//!
//! | | wait |
//! |---|---|
//! | full jitter | `U(0, c)` |
//! | equal jitter | `c/2 + U(0, c/2)` |
//! | decorrelated jitter | `min(ceiling, U(base, 3 * previous))` |
//! | no jitter | `c` |
//! | with a server's hint `h` | `max(wait, h) + U(0, min(h/4, 5 s))` |
//! | attempt window | `min(own * 1.5^timeouts, remaining - reserve)` |
//! | learnt window | `clamp(2 * p99, 2 s, cap)`, the cap alone below 100 calls |
//! | hedge delay | `max(p90 of what callers saw, 50 ms)`, none below 100 calls |
//!
//! Jitters: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015. Budgets funded by successes: Finagle, gRPC
//! (gRFC A6). Hedging at a quantile: Dean and Barroso, "The Tail at Scale", CACM 2013.
//! Twice the p99 as a window is a choice of ours: one call in a hundred is beyond the p99 by definition, and hardly any beyond twice that where
//! tails fall off as they usually do.
//!
//! # Defaults
//!
//! | | default | why |
//! |---|---|---|
//! | base, factor, ceiling | 0.5 s, 2, 10 s | the first retry is soon, the third has left a blip behind |
//! | jitter | full | fewest calls under contention; the ceiling holds after jitter |
//! | attempts | 3 (6 in the background, 5 for agents) | what three tries do not cure another target should |
//! | whole call | 30 s (10 min, 3 min) | after that nobody is waiting any more; see [`Preset`]. For a model that thinks before it speaks give more: 10 min, and 5 of them an attempt |
//! | longest hint waited out | 10 s (5 min, 60 s) | beyond it, set the target aside and move on |
//! | retry budget | 20 % of successes, 10 in reserve, 100 at most | while some calls fail, load is at most 1.2 of the usual one; when all do, what is in store is spent once |
//! | hedge budget | 10 % of calls and of spend | what a p90 costs, and not more |
//!
//! # Promises, each held by a test
//!
//! - no sleep outlasts the deadline, and none follows the last attempt;
//! - attempts never exceed the stop rule; a hint never lengthens a call beyond its deadline;
//! - a hint of zero leaves the ordinary wait in force;
//! - no wait without a hint is above the ceiling;
//! - tokens of a budget are conserved, from any number of threads;
//! - the same seed gives the same waits;
//! - a call that succeeds allocates nothing.
//!
//! # What it does not do
//!
//! It does not know what an error means (that is for the caller's condition), does not choose another target, and remembers nothing
//! about a target's health.
//!
//! # Features
//!
//! | feature | default | what |
//! |---|---|---|
//! | `tokio` | off | `TokioSleep`, the clock and sleep of Tokio |

mod adaptive;
mod backoff;
mod budget;
pub mod condition;
mod deadline;
mod hedge;
mod operator;
mod preset;
mod progress;
mod quantile;
mod retry;
mod sleep;
mod statistics;
pub mod stop;
pub mod wait;
mod window;

pub use self::adaptive::{AdaptiveWindow, SizeClass};
pub use self::backoff::{
    Backoff, BackoffBuilder, BackoffError, HINT_SPREAD_MAX, Jitter, floor_with_hint, spread_hint,
};
pub use self::budget::RetryBudget;
pub use self::deadline::Deadline;
pub use self::hedge::{HedgeBudget, HedgeDelay};
pub use self::preset::Preset;
pub use self::progress::{Attempt, Progress, StopReason};
pub use self::quantile::{Quantile, Slower};
pub use self::retry::{Event, Hint, Limit, NoHint, NoLimit, Observer, Retry, Unobserved, Within};
pub use self::sleep::Sleep;
#[cfg(feature = "tokio")]
pub use self::sleep::TokioSleep;
pub use self::statistics::{Report, Statistics, Tally, Totals};
pub use self::window::AttemptWindow;

/// What the page beside this crate shows compiles.
#[cfg(all(doctest, feature = "tokio"))]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(test)]
mod tests {
    /// Some instant to start from.
    #[expect(
        clippy::disallowed_methods,
        reason = "tests need some instant, and none compares it with another"
    )]
    pub(crate) fn start() -> std::time::Instant {
        std::time::Instant::now()
    }
}
