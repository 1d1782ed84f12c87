//! The driver: runs an asynchronous operation again until its result is accepted or something forbids another attempt.
//!
//! Order after a result that is worth another attempt: hooks (*after*); the wait is computed, raised to the server's
//! hint; then the first of these that applies ends the call: the hint is longer than the caller waits for, the stop rule,
//! the deadline would pass during the wait or leave the attempt no time, the budget is spent. Only then does it sleep. So there is
//! never a sleep after the last attempt, and never one that outlasts the deadline.

use std::pin::pin;
use std::time::{Duration, Instant};

use rand::{SeedableRng, rngs::SmallRng};

use crate::backoff::{Backoff, floor_with_hint};
use crate::budget::RetryBudget;
use crate::condition::{AnyError, Condition};
use crate::deadline::Deadline;
use crate::preset::Preset;
use crate::progress::{Attempt, Progress, StopReason};
use crate::sleep::Sleep;
use crate::statistics::{Report, Statistics, Tally};
use crate::stop::{self, Stop};
use crate::wait::Wait;
use crate::window::AttemptWindow;

mod parts;
mod polling;

pub use self::parts::{Event, Hint, Limit, NoHint, NoLimit, Observer, Unobserved, Within};
use self::polling::{first, give_way};

/// A retry policy, ready to run any asynchronous operation. It is reusable, and allocates nothing.
///
/// Kept in a struct it is `Retry<'static, TokioSleep>`, with its rules' types behind that where they are not the preset's; a rule that is
/// chosen while the program runs is a `Box<dyn Stop + Send + Sync>`. What it borrows, a budget or a tally, is a `static` or is added
/// where it runs: `self.retry.budget(&self.budget).run(..)`.
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use std::time::Duration;
/// use llm_backoff::{Retry, TokioSleep, condition::on_error};
///
/// # #[derive(Debug)] struct Failure { status: u16, retry_after: Option<Duration> }
/// # async fn ask(window: Option<Duration>) -> Result<String, Failure> { Ok("answer".into()) }
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let answer = Retry::interactive(TokioSleep)
///     .when(on_error(|e: &Failure| e.status == 429 || e.status >= 500))
///     .hint(|e: &Failure| e.retry_after)
///     .run(|attempt| ask(attempt.window))
///     .await;
/// # assert_eq!(answer.unwrap(), "answer");
/// # }); }
/// ```
#[derive(Debug, Clone, Copy)]
#[must_use = "a policy does nothing until it runs something"]
pub struct Retry<
    'a,
    Z,
    W = Backoff,
    S = stop::Attempts,
    C = AnyError,
    G = NoHint,
    L = NoLimit,
    O = Unobserved,
> {
    sleep: Z,
    wait: W,
    stop: S,
    condition: C,
    hint: G,
    limit: L,
    observer: O,
    limits: Limits<'a>,
}

/// The parts of a policy that are of one type whatever the rules.
#[derive(Debug, Clone, Copy)]
struct Limits<'a> {
    hint_max: Duration,
    total: Option<Duration>,
    deadline: Option<Deadline>,
    budget: Option<&'a RetryBudget>,
    tally: Option<&'a Tally>,
    seed: Option<u64>,
}

impl<'a, Z: Sleep> Retry<'a, Z> {
    /// A policy from a preset, except that the time of single attempts is not limited (see [`limit`](Self::limit)).
    pub fn preset(sleep: Z, preset: &Preset) -> Self {
        Self {
            sleep,
            wait: preset.backoff,
            stop: stop::attempts(preset.attempts),
            condition: AnyError,
            hint: NoHint,
            limit: NoLimit,
            observer: Unobserved,
            limits: Limits {
                hint_max: preset.hint_max,
                total: Some(preset.total),
                deadline: None,
                budget: None,
                tally: None,
                seed: None,
            },
        }
    }

    /// For a caller who waits; see [`Preset::interactive`].
    pub fn interactive(sleep: Z) -> Self {
        Self::preset(sleep, &Preset::interactive())
    }

    /// For work nobody waits for; see [`Preset::background`].
    pub fn background(sleep: Z) -> Self {
        Self::preset(sleep, &Preset::background())
    }

    /// For one step of many; see [`Preset::agent`].
    pub fn agent(sleep: Z) -> Self {
        Self::preset(sleep, &Preset::agent())
    }
}

impl<'a, Z: Sleep, W, S, C, G, L, O> Retry<'a, Z, W, S, C, G, L, O> {
    /// How long to wait between attempts. Default: the preset's [`Backoff`].
    pub fn wait<W2: Wait>(self, wait: W2) -> Retry<'a, Z, W2, S, C, G, L, O> {
        Retry {
            sleep: self.sleep,
            wait,
            stop: self.stop,
            condition: self.condition,
            hint: self.hint,
            limit: self.limit,
            observer: self.observer,
            limits: self.limits,
        }
    }

    /// When to stop. Default: after the preset's number of attempts.
    pub fn stop<S2: Stop>(self, stop: S2) -> Retry<'a, Z, W, S2, C, G, L, O> {
        Retry {
            sleep: self.sleep,
            wait: self.wait,
            stop,
            condition: self.condition,
            hint: self.hint,
            limit: self.limit,
            observer: self.observer,
            limits: self.limits,
        }
    }

    /// Which results are worth another attempt. Default: every error.
    pub fn when<C2>(self, condition: C2) -> Retry<'a, Z, W, S, C2, G, L, O> {
        Retry {
            sleep: self.sleep,
            wait: self.wait,
            stop: self.stop,
            condition,
            hint: self.hint,
            limit: self.limit,
            observer: self.observer,
            limits: self.limits,
        }
    }

    /// Reads a server's hint from an error. The hint is a floor for the wait, spread upwards.
    ///
    /// A closure that says what it reads (`|error: &Failure| ..`), or anything else that is a [`Hint`].
    pub fn hint<G2>(self, hint: G2) -> Retry<'a, Z, W, S, C, G2, L, O> {
        Retry {
            sleep: self.sleep,
            wait: self.wait,
            stop: self.stop,
            condition: self.condition,
            hint,
            limit: self.limit,
            observer: self.observer,
            limits: self.limits,
        }
    }

    /// Cancels attempts that outlast the window, and makes their error by a function. Without this, attempts are only *told*
    /// what the deadline leaves them, and an attempt that ignores it makes the call late.
    pub fn limit<E, F: Fn(&Attempt) -> E>(
        self,
        window: AttemptWindow,
        expired: F,
    ) -> Retry<'a, Z, W, S, C, G, Within<F>, O> {
        self.limit_by(Within { window, expired })
    }

    /// The same with a [`Limit`] of your own, such as one that is [learnt](crate#windows-that-are-learnt).
    pub fn limit_by<L2>(self, limit: L2) -> Retry<'a, Z, W, S, C, G, L2, O> {
        Retry {
            sleep: self.sleep,
            wait: self.wait,
            stop: self.stop,
            condition: self.condition,
            hint: self.hint,
            limit,
            observer: self.observer,
            limits: self.limits,
        }
    }

    /// Watches the call: a closure that says what it is told of (`|event: Event<'_, Answer, Failure>| ..`), or anything else that is an
    /// [`Observer`].
    pub fn observe<O2>(self, observer: O2) -> Retry<'a, Z, W, S, C, G, L, O2> {
        Retry {
            sleep: self.sleep,
            wait: self.wait,
            stop: self.stop,
            condition: self.condition,
            hint: self.hint,
            limit: self.limit,
            observer,
            limits: self.limits,
        }
    }

    /// The longest hint that is waited out; a longer one ends the call with [`StopReason::Hint`]. Default: the preset's.
    pub const fn hint_max(mut self, longest: Duration) -> Self {
        self.limits.hint_max = longest;
        self
    }

    /// Wall clock for the whole call, time inside attempts included; `None` = no limit of its own. Default: the preset's.
    pub const fn total(mut self, total: Option<Duration>) -> Self {
        self.limits.total = total;
        self
    }

    /// An absolute deadline, for a call that is part of a larger one. The earlier of it and [`total`](Self::total) counts.
    pub const fn deadline(mut self, deadline: Deadline) -> Self {
        self.limits.deadline = Some(deadline);
        self
    }

    /// Pays for retries from a shared budget, and pays successes into it.
    pub const fn budget(mut self, budget: &'a RetryBudget) -> Self {
        self.limits.budget = Some(budget);
        self
    }

    /// Adds every call to shared totals.
    pub const fn tally(mut self, tally: &'a Tally) -> Self {
        self.limits.tally = Some(tally);
        self
    }

    /// Makes the randomness of every run repeatable: for tests. All runs of a policy that has a seed, and of its copies, wait exactly as long
    /// as each other, and callers that failed together come back together, which is what jitter is there to prevent.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.limits.seed = Some(seed);
        self
    }
}

impl<Z: Sleep, W: Wait, S: Stop, C, G, L, O> Retry<'_, Z, W, S, C, G, L, O> {
    /// Runs the operation until its result is accepted or something forbids another attempt. The first attempt is always made.
    ///
    /// The operation may borrow from around it. What it needs to *change* goes into a lock, since the future of one attempt is not
    /// known to be gone when the next begins:
    ///
    /// ```
    /// # #[cfg(feature = "tokio")] {
    /// # use llm_backoff::{Retry, TokioSleep};
    /// # struct Connection { queries: u32 }
    /// # impl Connection {
    /// #     async fn query(&mut self) -> Result<u32, &'static str> { self.queries += 1; Ok(self.queries) }
    /// # }
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let mut connection = Connection { queries: 0 };
    /// let connection = tokio::sync::Mutex::new(&mut connection);
    /// let rows = Retry::interactive(TokioSleep)
    ///     .run(|_| async { connection.lock().await.query().await })
    ///     .await;
    /// # assert_eq!(rows, Ok(1));
    /// # }); }
    /// ```
    ///
    /// (An `AsyncFnMut` could lend it out instead, but as of Rust 1.95 a future that holds one cannot be shown to be `Send` for every
    /// lifetime, so that it cannot be spawned.)
    ///
    /// # Errors
    ///
    /// The last attempt's error.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the attempt that is under way, if any; nothing runs on. A retry that was paid for and not yet made
    /// goes back into the budget.
    pub async fn run<T, E, F, Fut>(&self, operation: F) -> Result<T, E>
    where
        C: Condition<T, E>,
        G: Hint<E>,
        L: Limit<E>,
        O: Observer<T, E>,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let now = self.sleep.now();
        self.run_from(now, operation).await
    }

    /// As [`run`](Self::run), for a caller who has just read the clock: a success then costs no further look at it.
    ///
    /// # Errors
    ///
    /// The last attempt's error.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn run_from<T, E, F, Fut>(&self, now: Instant, mut operation: F) -> Result<T, E>
    where
        C: Condition<T, E>,
        G: Hint<E>,
        L: Limit<E>,
        O: Observer<T, E>,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (result, timed_out) = if self.limit.window(now).is_some() {
            self.attempt(&Progress::first(now), &mut operation).await
        } else {
            // What nearly every call comes to: nothing is kept over it but when it began.
            let (attempt, _) = self.begin(&Progress::first(now));
            (operation(attempt).await, false)
        };
        let progress = Progress::first(now).after(timed_out);
        if self.condition.retry(&result) {
            self.go_on(progress, result, operation).await.result
        } else {
            self.end(&progress, result, None).result
        }
    }

    /// As [`run`](Self::run), and tells what the call cost and why it ended.
    ///
    /// # Cancel safety
    ///
    /// As [`run`](Self::run).
    pub async fn report<T, E, F, Fut>(&self, mut operation: F) -> Report<T, E>
    where
        C: Condition<T, E>,
        G: Hint<E>,
        L: Limit<E>,
        O: Observer<T, E>,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let start = self.sleep.now();
        let (result, timed_out) = self.attempt(&Progress::first(start), &mut operation).await;
        let progress = Progress::first(start).after(timed_out);
        let mut report = if self.condition.retry(&result) {
            self.go_on(progress, result, operation).await
        } else {
            self.end(&progress, result, None)
        };
        report.statistics.elapsed = self.sleep.now().saturating_duration_since(start);
        report
    }

    /// After a first attempt whose result is worth another one.
    async fn go_on<T, E, F, Fut>(
        &self,
        mut progress: Progress,
        mut result: Result<T, E>,
        mut operation: F,
    ) -> Report<T, E>
    where
        C: Condition<T, E>,
        G: Hint<E>,
        L: Limit<E>,
        O: Observer<T, E>,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let deadline = self.deadline_from(progress.started);
        let mut rng = None;
        let stopped = loop {
            progress.now = self.sleep.now();
            self.observer.observe(Event::After(&progress, &result));
            let rng = rng.get_or_insert_with(|| self.generator());
            let hint = result.as_ref().err().and_then(|e| self.hint.hint(e));
            let own = self.wait.wait(&progress, rng);
            progress.wait = hint.map_or(own, |hint| floor_with_hint(own, hint, rng));
            let paid = match self.pay::<E>(&progress, hint, deadline) {
                Ok(paid) => paid,
                Err(reason) => break Some(reason),
            };
            self.observer
                .observe(Event::BeforeSleep(&progress, &result));
            if progress.wait.is_zero() {
                // A call that fails at once must not keep everybody else from their turn.
                give_way().await;
            } else {
                self.sleep.sleep(progress.wait).await;
                progress.slept = progress.slept.saturating_add(progress.wait);
            }
            progress.now = self.sleep.now();
            // A busy runtime may wake us late.
            if deadline.is_some_and(|deadline| deadline.is_past(progress.now)) {
                break Some(StopReason::Deadline);
            }
            paid.spend();
            progress.attempt = progress.attempt.saturating_add(1);
            progress.began = progress.now;
            let timed_out;
            (result, timed_out) = self.attempt(&progress, &mut operation).await;
            progress = progress.after(timed_out);
            if !self.condition.retry(&result) {
                break None;
            }
        };
        self.end(&progress, result, stopped)
    }

    /// Books the end of a call.
    #[inline]
    fn end<T, E>(
        &self,
        progress: &Progress,
        result: Result<T, E>,
        stopped: Option<StopReason>,
    ) -> Report<T, E>
    where
        O: Observer<T, E>,
    {
        if self.observer.hears_ends() {
            let progress = Progress {
                now: self.sleep.now(),
                ..*progress
            };
            self.observer
                .observe(Event::Ended(&progress, &result, stopped));
        }
        let statistics = Statistics {
            attempts: progress.attempt,
            timeouts: progress.timeouts,
            slept: progress.slept,
            // Filled in by `report`; nobody else wants to pay for a look at the clock.
            elapsed: Duration::ZERO,
        };
        if let (Ok(_), None, Some(budget)) = (&result, stopped, self.limits.budget) {
            budget.deposit();
        }
        if let Some(tally) = self.limits.tally {
            tally.add(&statistics, stopped);
        }
        Report {
            result,
            stopped,
            statistics,
        }
    }

    /// One attempt, and whether it ran into its limit.
    async fn attempt<T, E, F, Fut>(
        &self,
        progress: &Progress,
        operation: &mut F,
    ) -> (Result<T, E>, bool)
    where
        L: Limit<E>,
        O: Observer<T, E>,
        F: FnMut(Attempt) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let (attempt, window) = self.begin(progress);
        let Some(window) = window else {
            return (operation(attempt).await, false);
        };
        let mut running = pin!(operation(attempt));
        if let Some(result) = first(running.as_mut(), self.sleep.sleep(window)).await {
            return (result, false);
        }
        match self.limit.expired(&attempt) {
            Some(error) => (Err(error), true),
            None => (running.await, true),
        }
    }

    /// What an attempt is told, as is whoever watches; and its limit, if it has one.
    #[inline]
    fn begin<T, E>(&self, progress: &Progress) -> (Attempt, Option<Duration>)
    where
        L: Limit<E>,
        O: Observer<T, E>,
    {
        let deadline = self.deadline_from(progress.started);
        let remaining = || match (self.limits.deadline, progress.attempt) {
            // Nothing has been used up yet.
            (None, 1) => self.limits.total,
            _ => deadline.map(|deadline| deadline.remaining(progress.now)),
        };
        let limit = self.limit.window(progress.now);
        let window = limit.map(|limit| limit.at(progress.now, deadline, progress.timeouts));
        let attempt = Attempt {
            number: progress.attempt,
            now: progress.now,
            deadline,
            window: window.or_else(remaining),
        };
        self.observer.observe(Event::Before(&attempt));
        (attempt, window)
    }

    /// Pays for another attempt, or says what forbids it.
    fn pay<E>(
        &self,
        progress: &Progress,
        hint: Option<Duration>,
        deadline: Option<Deadline>,
    ) -> Result<Paid<'_>, StopReason>
    where
        S: Stop,
        L: Limit<E>,
    {
        // An attempt whose window the reserve has eaten would only be sent to be cancelled.
        let is_over = |deadline: Deadline| {
            let begins = progress.now.checked_add(progress.wait);
            let window = begins.and_then(|at| {
                let limit = self.limit.window(at)?;
                Some(limit.at(at, Some(deadline), progress.timeouts))
            });
            !deadline.allows(progress.now, progress.wait) || window == Some(Duration::ZERO)
        };
        if hint.is_some_and(|hint| hint > self.limits.hint_max) {
            Err(StopReason::Hint)
        } else if self.stop.stop(progress) {
            Err(StopReason::Rule)
        } else if deadline.is_some_and(is_over) {
            Err(StopReason::Deadline)
        } else if self.limits.budget.is_some_and(|budget| !budget.withdraw()) {
            Err(StopReason::Budget)
        } else {
            Ok(Paid(self.limits.budget))
        }
    }

    fn deadline_from(&self, start: Instant) -> Option<Deadline> {
        let own = self.limits.total.map(|total| Deadline::after(start, total));
        match (own, self.limits.deadline) {
            (Some(own), Some(given)) => Some(own.earlier(given)),
            (own, given) => own.or(given),
        }
    }

    fn generator(&self) -> SmallRng {
        match self.limits.seed {
            Some(seed) => SmallRng::seed_from_u64(seed),
            None => SmallRng::from_rng(&mut rand::rng()),
        }
    }
}

/// What another attempt has cost its budget: given back where that is not made after all, be it that its caller has left meanwhile.
struct Paid<'a>(Option<&'a RetryBudget>);

impl Paid<'_> {
    fn spend(mut self) {
        self.0 = None;
    }
}

impl Drop for Paid<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0 {
            budget.refund();
        }
    }
}
