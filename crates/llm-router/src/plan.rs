//! One request as a state machine: facts and events in, actions out.
//!
//! The plan owns no socket, clock, task or random source that it was not handed. Its caller sends
//! what it says, sleeps as long as it says, reports what happened and asks again:
//!
//! ```text
//!            ┌──────────── a failure teaches something ────────────┐
//!            ▼                                                     │
//!   poll ► choose ──► Send ──► running ──► Accept (first token, or whole answer)
//!            │ ▲                  │
//!            │ └── WaitUntil ◄────┤ the same target again, after a wait
//!            ▼                    ▼
//!   Degrade / GiveUp           Cancel (the deadline passed)
//! ```

mod beside;
mod change;
mod end;
mod flow;
mod learn;
mod live;
pub(crate) mod pay;
mod protocol;
mod quality;
mod quiet;
mod rescue;
mod room;
mod search;
mod send;
mod trial;

use self::beside::Beside;
use self::live::{Live, Lives, Tickets};
pub use self::protocol::{Action, AttemptId, Cause, Event};
pub use self::quality::BadAnswer;
use self::rescue::Cut;
pub use self::rescue::{Broken, Mend};
use self::trial::Side;
use crate::cut::Form;
use crate::pace::Seen;
use crate::reaction::Lesson;
use crate::request::Request;
use crate::route::{LONGEST, Policy, RouteId};
use crate::scope::Passes;
use crate::select::{Fit, Set};
use crate::table::{Slot, Table};
use crate::target::TargetId;
use crate::trace::{HealthChange, HopResult, Tokens, Trace, WaitSource, Why};
use llm_backoff::Deadline;
use llm_breaker::{Change, Outcome};
use llm_errors::{Scope, Window};
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The search for an answer to one request.
///
/// Dropping a plan whose attempt is under way counts that attempt as abandoned: nobody's health
/// suffers, and a probe's lease is free again.
#[derive(Debug)]
pub struct Plan {
    table: Arc<Table>,
    route: RouteId,
    request: Request,
    rng: SmallRng,
    started: Instant,
    deadline: Deadline,
    /// The beginning, or the break that is being mended.
    searching_since: Instant,
    /// A target was asked whose model thinks first.
    thought: bool,
    patience: Duration,
    fit: Fit,
    side: Side,
    touched: Vec<Touched>,
    waited: Option<(Duration, WaitSource)>,
    /// The end of an opening was waited for.
    awaited: bool,
    /// Whom to call again at once: a connection to it was stale.
    at_once: Option<u8>,
    state: State,
    lives: Lives,
    /// Another attempt that is due beside those under way.
    beside: Option<Beside>,
    /// Until when it waits for room at an overloaded target, once it does.
    room_until: Option<Instant>,
    /// Attempts that lost and were not yet said to be cancelled. At most two.
    cancels: Vec<AttemptId>,
    /// The break of a stream that is being mended.
    cut: Option<Cut>,
    /// How the request has changed since it was asked.
    changed: Form,
    /// Answers that were no good: after the second there is no third.
    bad_answers: u8,
    trace: Trace,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Look for the next candidate.
    Choosing,
    /// Sleep, then go to `position`.
    Waiting { position: u8, until: Instant },
    /// An attempt is under way.
    Running,
    /// The live attempt's answer is about to be handed over.
    Accepting(AttemptId),
    /// The answer is with the caller.
    Answered,
    /// The search is over.
    Ended(Action),
}

/// What this request has learnt of a candidate it called.
#[derive(Debug, Clone, Copy)]
struct Touched {
    position: u8,
    tries: u8,
    lesson: Lesson,
    /// The most tries it may get in this request.
    cap: u8,
    /// Not before this instant, whatever the patience: the provider's hint.
    floor: Instant,
    /// When to call it again.
    again_at: Instant,
    source: WaitSource,
    timed_out: bool,
    /// When the call was sent that said nothing at all for the whole of its window.
    silent_since: Option<Instant>,
}

/// A wait that would lead to a call.
#[derive(Debug, Clone, Copy)]
struct Wait {
    position: u8,
    until: Instant,
    source: WaitSource,
}

/// What the end of an attempt tells gates and limits.
#[derive(Debug, Clone, Copy)]
struct Settled {
    own: Outcome,
    /// Detectors have set aside as many as they may.
    spared: bool,
    used: Used,
}

/// What an attempt took from its target's rate limits.
#[derive(Debug, Clone, Copy)]
enum Used {
    /// This much.
    Tokens(Tokens),
    /// Nothing: it was refused, or never sent.
    Nothing,
    /// Not known: the estimate stands.
    Unknown,
}

/// The tries a target gets while another tier is left.
const QUICK_TRIES: u8 = 2;
/// The tries of a target that hung or answered badly.
const DOUBTFUL_TRIES: u8 = 2;
/// The longest part of the deadline kept back for the next target.
const RESERVE: Duration = Duration::from_secs(10);
/// The first hold of a rate limit that states no wait; it doubles with each in a row.
const UNHINTED_HOLD: Duration = Duration::from_secs(1);
/// The longest such hold.
const LONGEST_UNHINTED_HOLD: Duration = Duration::from_secs(30);

impl Plan {
    /// Starts the search on `route`. `seed` makes every random choice repeatable.
    ///
    /// # Panics
    ///
    /// If `route` comes from a larger table.
    #[must_use]
    pub fn new(
        table: Arc<Table>,
        route: RouteId,
        request: Request,
        now: Instant,
        seed: u64,
    ) -> Self {
        let policy = table.policy(route);
        let allowed = request.deadline.unwrap_or(policy.deadline).min(LONGEST);
        Self {
            deadline: Deadline::after(now, allowed),
            searching_since: now,
            thought: false,
            patience: request.patience.unwrap_or(policy.patience),
            fit: Fit::of(policy, &request),
            side: Side::Undrawn,
            route,
            request,
            rng: SmallRng::seed_from_u64(seed),
            started: now,
            touched: Vec::new(),
            waited: None,
            awaited: false,
            at_once: None,
            state: State::Choosing,
            lives: Lives::default(),
            beside: None,
            room_until: None,
            cancels: Vec::new(),
            cut: None,
            changed: Form::AsAsked,
            bad_answers: 0,
            trace: Trace::new(route, seed),
            table,
        }
    }

    /// The table the plan decides on.
    #[must_use]
    pub fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The record so far.
    #[must_use]
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The instant at which the search ends at the latest. It moves when a target is asked whose model thinks first, and when another
    /// is asked after it.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Hands over the record, leaving an empty one.
    pub fn take_trace(&mut self) -> Trace {
        let empty = Trace::new(self.route, self.trace.seed);
        std::mem::replace(&mut self.trace, empty)
    }

    /// Records that the caller left: the attempt under way is cancelled and nothing follows.
    pub fn cancel(&mut self, now: Instant) {
        self.cancel_all(now);
        if !matches!(self.state, State::Ended(_) | State::Answered) {
            self.trace.ended_after = Some(self.since_start(now));
            self.state = State::Answered;
        }
    }

    /// Takes in what the headers of an attempt's reply say of a rate limit.
    pub fn saw_limit(&self, attempt: AttemptId, window: &Window, now: Instant) {
        let Some(live) = self.lives.find(attempt) else {
            return;
        };
        let route = self.table.resolved(self.route);
        if let Some(candidate) = route.candidates.get(usize::from(live.position)) {
            let seen = Seen {
                dimension: window.dimension,
                limit: window.limit,
                remaining: window.remaining,
                reset_in: window.reset,
                sequence: live.reservation.sequence(),
            };
            self.table.slot(candidate.target).pace.learn(&seen, now);
        }
    }

    /// What to do now. Asking again without an event or the passing of time gives the same answer,
    /// except that `Send`, `Cancel` and `Accept` are said once.
    pub fn poll(&mut self, now: Instant) -> Action {
        loop {
            match self.state {
                State::Choosing => {
                    if let Some(action) = self.choose(now) {
                        return action;
                    }
                }
                State::Waiting { until, .. } if now < until => return Action::WaitUntil(until),
                State::Waiting { position, .. } => {
                    self.state = State::Choosing;
                    if self.tried().contains(position)
                        && !self.deadline.is_past(now)
                        && let Some(send) = self.send_again(position, now)
                    {
                        return send;
                    }
                }
                State::Running => {
                    if let Some(action) = self.run(now) {
                        return action;
                    }
                }
                State::Accepting(attempt) => return self.accept(attempt),
                State::Answered => return Action::WaitUntil(self.deadline.instant().max(now)),
                State::Ended(action) => return action,
            }
        }
    }

    /// While attempts are under way; `None` where the last one is gone.
    fn run(&mut self, now: Instant) -> Option<Action> {
        if self.lives.iter().any(|live| live.committed) {
            let idle = self.table.policy(self.route).windows.idle;
            return Some(Action::WaitUntil(now + idle));
        }
        if self.lives.count() == 0 {
            self.state = State::Choosing;
            return None;
        }
        if self.deadline.is_past(now) {
            let attempt = self.expire(now)?;
            if self.lives.count() == 0 {
                self.end(now);
            }
            return Some(Action::Cancel(attempt));
        }
        if let Some(attempt) = self.cut_if_late(now) {
            return Some(Action::Cancel(attempt));
        }
        let cut_at = self.lives.iter().filter_map(|live| live.cut_at).min();
        let end = self.deadline.instant();
        let end = cut_at.map_or(end, |cut_at| cut_at.min(end));
        match self.beside {
            Some(due) if due.at <= now => {
                self.beside = None;
                match due.why {
                    Why::Rescue => self.look_for_hang(now),
                    why => self.start_beside(why, now).or_else(|| {
                        // Not to be had or not to be afforded: the caller is still watched over.
                        self.look_again(now);
                        None
                    }),
                }
            }
            Some(due) => Some(Action::WaitUntil(due.at.min(end))),
            None => Some(Action::WaitUntil(end)),
        }
    }

    /// Takes in what happened. Events of attempts that are over are ignored.
    pub fn on(&mut self, event: Event, now: Instant) {
        let (Event::FirstToken(attempt)
        | Event::Succeeded(attempt, _)
        | Event::Failed(attempt, _)
        | Event::Broken(attempt, _)
        | Event::Bad(attempt, _)
        | Event::Diverged(attempt, _)) = event;
        if self.lives.find(attempt).is_none() {
            return;
        }
        match event {
            Event::FirstToken(_) => self.on_first_token(attempt, now),
            Event::Succeeded(_, tokens) => self.on_success(attempt, tokens, now),
            Event::Failed(_, verdict) => self.on_failure(attempt, verdict, now),
            Event::Broken(_, broken) => self.on_broken(attempt, broken, now),
            Event::Bad(_, bad) => self.on_bad(attempt, bad, now),
            Event::Diverged(_, tokens) => self.on_diverged(attempt, tokens, now),
        }
    }

    fn tried(&self) -> Set {
        let mut tried = Set::default();
        for touched in &self.touched {
            tried.insert(touched.position);
        }
        tried
    }

    /// Upstream calls that this request may make.
    fn max_sends(&self, policy: &Policy) -> usize {
        usize::from(self.request.max_sends.unwrap_or(policy.max_sends))
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    /// Writes the end of an attempt into the trace, bills it, and tells the trial it is part of.
    fn close_hop<'t>(
        &mut self,
        table: &'t Table,
        live: &mut Live,
        result: HopResult,
        now: Instant,
    ) -> &'t Slot {
        self.close_billed(table, live, (result, result), now)
    }

    /// The same for a call that is billed as if another result had been its.
    fn close_billed<'t>(
        &mut self,
        table: &'t Table,
        live: &mut Live,
        (result, billed): (HopResult, HopResult),
        now: Instant,
    ) -> &'t Slot {
        let ended = self.since_start(now);
        let route = table.resolved(self.route);
        let position = usize::from(live.position);
        #[expect(
            clippy::indexing_slicing,
            reason = "a live attempt was sent to a candidate of this very route"
        )]
        let target = route.candidates[position].target;
        let slot = table.slot(target);
        let spent = pay::bill(slot, &self.request, billed, live.used);
        if let Some(hop) = self.trace.hops.get_mut(live.attempt.index()) {
            hop.ended_after = Some(ended);
            hop.result = result;
            hop.cost = spent;
        }
        self.pay(route, slot, target, live, spent, now);
        if let Some(outcome) = trial::outcome(result, live, now) {
            self.judge_canary(route, live, outcome);
        }
        slot
    }

    /// Books the end of an attempt; what it changed of its target's own gate.
    fn settle(
        &mut self,
        table: &Table,
        slot: &Slot,
        live: Live,
        outcome: Settled,
        now: Instant,
    ) -> Option<Change> {
        let Settled { own, spared, used } = outcome;
        live.leave(slot, &self.request);
        match used {
            Used::Tokens(tokens) => {
                slot.pace.correct(live.reservation, tokens.as_cost(), now);
            }
            Used::Nothing => slot.pace.refund(live.reservation),
            Used::Unknown => {}
        }
        let target = self.target_of(live.attempt)?;
        let (
            gate,
            Tickets {
                own: ticket,
                shared,
            },
        ) = (&slot.health.gate, live.tickets);
        let is_probe = ticket.is_probe();
        let change = if spared {
            gate.settle_spared(ticket, now)
        } else {
            gate.settle(ticket, own, now)
        };
        let news = (own, change, is_probe);
        if live.begun && own == Outcome::Success {
            // That it came all have known since its first token.
            self.note_own(slot, target, news, now);
        } else {
            self.tell_all(table, slot, target, shared, news, now);
        }
        change
    }

    /// Tells the gates that the target shares how a call ended, once its own knows and has changed in this way.
    fn tell_all(
        &mut self,
        table: &Table,
        slot: &Slot,
        target: TargetId,
        shared: Passes,
        news: (Outcome, Option<Change>, bool),
        now: Instant,
    ) {
        let (outcome, ..) = news;
        match outcome {
            Outcome::Success | Outcome::Begun => table.well(slot),
            Outcome::Hard => table.ill(slot),
            Outcome::Soft | Outcome::BadAnswer | Outcome::Neutral => {}
        }
        self.note_own(slot, target, news, now);
        for (shared, pass) in table.scopes(slot).zip(shared) {
            if let Some(ticket) = pass {
                let outcome = shared.outcome(outcome);
                let change = shared.state.gate.settle(ticket, outcome, now);
                self.note_change(target, shared.key.scope, change);
            }
        }
    }

    /// What its own gate has made of a call.
    fn note_own(
        &mut self,
        slot: &Slot,
        target: TargetId,
        (_, change, is_probe): (Outcome, Option<Change>, bool),
        now: Instant,
    ) {
        match change {
            Some(Change::Closed) if !is_probe => slot.health.vitals.ramped(now),
            Some(Change::Closed | Change::Ramping) => slot.health.vitals.recovered(now),
            _ => {}
        }
        self.note_change(target, Scope::Deployment, change);
    }

    fn note_change(&mut self, target: TargetId, scope: Scope, change: Option<Change>) {
        self.trace.changes.extend(change.map(|change| HealthChange {
            target,
            scope,
            change,
        }));
    }

    fn target_of(&self, attempt: AttemptId) -> Option<TargetId> {
        let hop = self.trace.hops.get(attempt.index())?;
        Some(hop.target)
    }
}

impl Drop for Plan {
    fn drop(&mut self) {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        while let Some(mut live) = self.lives.take_other(None) {
            if let Some(candidate) = route.candidates.get(usize::from(live.position)) {
                let slot = table.slot(candidate.target);
                // No clock here: dropped without a word, it says nothing.
                slot.health.vitals.forget_silence(live.waiting);
                let (marks, sent_at) = (std::mem::take(&mut live.earmarks), live.sent_at);
                let spent = pay::bill(slot, &self.request, HopResult::Cancelled, live.used);
                pay::book_untold(route, slot, marks, spent, sent_at);
                abandon(&table, slot, live, &self.request);
            }
        }
    }
}

fn abandon(table: &Table, slot: &Slot, live: Live, request: &Request) {
    live.leave(slot, request);
    slot.health.gate.abandon(live.tickets.own);
    table.abandon_passes(slot, live.tickets.shared);
}

/// A uniform part of `most`.
fn jitter(rng: &mut SmallRng, most: Duration) -> Duration {
    most.mul_f64(rng.random::<f64>())
}
