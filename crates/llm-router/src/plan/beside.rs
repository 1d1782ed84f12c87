//! Asking another target beside the first, and who wins.
//!
//! | the attempt sent last | another one starts | paid from |
//! |---|---|---|
//! | is a breaker's probe | at the usual time (5 s where none is known, 60 s where the model thinks first) | nothing: it is the call the caller would have made |
//! | has been silent for 1 s or more, and twice its target's p99 | then | its target's purse, then the other one's retry budget |
//! | goes to a target whose last calls were as late as that | at half again its p90 | the same |
//! | goes to a target grown slow | at half again its old usual time, or when the other one would have answered by its last time | the same |
//! | is a stream, and nothing better is known of its target | at [a quarter of its window](super::quiet) | the same; at half of it, nothing |
//! | has been silent for 1 s or more, and its target hangs or its breaker has opened meanwhile | then; one by one at a target that has healed in the last 30 s | nothing: it is the call the caller would have made |
//! | is ordinary, without a thought, and the route hedges | at the p90 | the route's hedge budget: a tenth of its calls, and of its spend where the prices of both are known |
//!
//! What was paid for and not sent, because a gate or a limit let another call in first, is paid back.
//!
//! Never for a request with side effects, never after a first token, never more than three at once. The
//! first good answer wins; an error never does. The losers are cancelled.

use super::{Action, AttemptId, Live, Plan, Settled, State, Used, abandon};
use crate::canary::CallOutcome;
use crate::detector::Detector;
use crate::money::Spend;
use crate::resolve::Resolved;
use crate::route::Edge;
use crate::select;
use crate::table::{Slot, Table};
use crate::target::TargetId;
use crate::trace::{HopResult, Why};
use crate::vitals::Vitals;
use llm_backoff::{HedgeBudget, RetryBudget};
use llm_breaker::{Outcome, Readiness, TripReason};
use llm_errors::Scope;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// When to cover a probe of a target whose usual time is not known, and one that its model thinks about.
const UNKNOWN_USUAL: Duration = Duration::from_secs(5);
const UNKNOWN_THOUGHT: Duration = Duration::from_secs(60);

/// When an attempt that is silent is first looked at, and how often then: sooner while it is young.
const LOOK: Duration = Duration::from_secs(1);
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Those who can pay for a second attempt.
struct Bill<'a> {
    doubted: &'a Vitals,
    retries: &'a RetryBudget,
    hedges: &'a HedgeBudget,
    /// What a hedge is expected to cost, in millionths of a dollar; 0 where that cannot be held against what calls cost.
    hedge_micro_usd: u64,
}

/// Who has paid.
#[derive(Clone, Copy)]
enum PaidBy {
    Purse,
    Retries,
    Hedges,
    Nobody,
}

impl Bill<'_> {
    /// `None` where it cannot be afforded.
    fn pay(&self, why: Why, now: Instant) -> Option<PaidBy> {
        let (paid, payer) = match why {
            Why::Trial if self.doubted.trials.pay(now) => (true, PaidBy::Purse),
            Why::Trial => (self.retries.withdraw(), PaidBy::Retries),
            Why::Hedge => (self.hedges.withdraw(self.hedge_micro_usd), PaidBy::Hedges),
            _ => (true, PaidBy::Nobody),
        };
        paid.then_some(payer)
    }

    /// For an attempt that was not sent after all.
    fn refund(&self, payer: PaidBy) {
        match payer {
            PaidBy::Purse => self.doubted.trials.refund(),
            PaidBy::Retries => self.retries.refund(),
            PaidBy::Hedges => self.hedges.refund(self.hedge_micro_usd),
            PaidBy::Nobody => {}
        }
    }
}

/// A second attempt that is due at a time unless the first answers before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) at: Instant,
    pub(super) why: Why,
}

impl Plan {
    /// Whether, when and why a second target should be asked beside the attempt that starts now.
    pub(super) fn plan_beside(
        &self,
        route: &Resolved,
        slot: &Slot,
        probe: bool,
        now: Instant,
    ) -> Option<Beside> {
        if self.request.side_effects || self.cut.is_some() {
            return None;
        }
        let usual = slot.health.vitals.usual(&self.request, now);
        let thinks = slot.health.vitals.thinks(&self.request);
        if probe {
            let unknown = if thinks {
                UNKNOWN_THOUGHT
            } else {
                UNKNOWN_USUAL
            };
            let at = now + usual.unwrap_or(unknown);
            return Some(Beside {
                at,
                why: Why::Cover,
            });
        }
        let doubtful = slot.doubtful_after(&self.request, now);
        // Another one would think as long, and both are paid.
        let hedged = match route.policy.hedging.hedge() {
            Some(_) if thinks => None,
            Some(hedge) if hedge.is_usual() => usual,
            Some(hedge) => slot.health.vitals.hedge_after(&self.request, &hedge, now),
            None => None,
        };
        let slow = slot.is_slow(&self.request);
        let (after, why) = match (doubtful, hedged) {
            (_, Some(hedge)) if !slow => (hedge, Why::Hedge),
            (Some(after), _) if after < LOOK => (after, Why::Trial),
            // Whoever waits for longer is looked after from then on.
            _ => (LOOK, Why::Rescue),
        };
        Some(Beside {
            at: now + after,
            why,
        })
    }

    /// Looks at the attempt sent last again in a moment, or after an eighth of the time it has taken so far; sooner where its silence is
    /// too long by then for a target of which little is known.
    pub(super) fn look_again(&mut self, now: Instant) {
        let sent_at = self.lives.youngest().map(|live| live.sent_at);
        let age = now.saturating_duration_since(sent_at.unwrap_or(now));
        let at = now + LOOK_AGAIN.max(age / 8);
        let unsure_at = self.unsure_at(now).into_iter().flatten();
        let unsure_at = unsure_at.filter(|unsure_at| *unsure_at > now).min();
        self.beside = Some(Beside {
            at: unsure_at.map_or(at, |unsure_at| unsure_at.min(at)),
            why: Why::Rescue,
        });
    }

    /// The same, where one more may join those under way.
    pub(super) fn watch(&mut self, now: Instant) {
        if self.beside.is_none() && self.lives.has_room() && self.lives.count() > 0 {
            self.look_again(now);
        }
    }

    /// The attempt sent last has been silent for long: if its target hangs, this caller does not
    /// wait for its window to end. If it is only this call that is late, another target is tried beside it.
    pub(super) fn look_for_hang(&mut self, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let live = self.lives.youngest()?;
        let (position, age) = (live.position, now.saturating_duration_since(live.sent_at));
        let candidate = route.candidates.get(usize::from(position))?;
        let slot = table.slot(candidate.target);
        let left = slot.health.gate.readiness(now);
        let hangs = self.leave_if_hanging(&table, route, position, now)
            || matches!(left, Readiness::Open(_));
        if hangs {
            let rescue = self.start_beside(Why::Rescue, now);
            if rescue.is_none() {
                self.look_again(now);
            }
            return rescue;
        }
        let doubtful = slot.doubtful_after(&self.request, now);
        let [unsure, no_more] = self.unsure_at(now).map(|at| at.is_some_and(|at| at <= now));
        let late = unsure
            || slot.health.vitals.is_late(&self.request, age, now)
            || doubtful.is_some_and(|doubtful| age >= doubtful);
        let trial = late.then(|| self.start_beside(Why::Trial, now)).flatten();
        let another = trial.or_else(|| no_more.then(|| self.start_beside(Why::Cover, now))?);
        if another.is_none() {
            self.look_again(now);
        }
        another
    }

    /// Starts the attempt that is due, if another target is ready and it can be afforded.
    pub(super) fn start_beside(&mut self, why: Why, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        if self.trace.hops.len() >= self.max_sends(&route.policy) || !self.lives.has_room() {
            return None;
        }
        let mut passed = self.tried();
        for live in self.lives.iter() {
            passed.insert(live.position);
        }
        let doubted = self.lives.youngest()?.position;
        let candidate = route.candidates.get(usize::from(doubted))?;
        let first = table.slot(candidate.target);
        let doubted = &first.health.vitals;
        if why == Why::Trial && !doubted.is_trial_news(&self.request, now) {
            return None;
        }
        // A target that is slow or silent is what the edge to another region is for.
        let fit = self.fit.with(Edge::Region);
        let edges = route.edges().map(|(_, tier)| tier);
        for tier in route.tiers().chain(edges) {
            while let Some(position) = select::pick(
                &table,
                tier,
                &self.request,
                &fit,
                passed,
                now,
                &mut self.rng,
            ) {
                let target = route.candidates.get(usize::from(position))?.target;
                let slot = table.slot(target);
                let vitals = &slot.health.vitals;
                if why == Why::Trial && vitals.is_slow_of_late(&self.request, now) {
                    passed.insert(position);
                    continue;
                }
                let bill = Bill {
                    doubted,
                    retries: table.budget(slot),
                    hedges: &route.hedges,
                    hedge_micro_usd: match why {
                        Why::Hedge => self.hedge_cost(first, slot),
                        _ => 0,
                    },
                };
                let paid = match why {
                    Why::Rescue => vitals.takes_refugee(now).then_some(PaidBy::Nobody),
                    why => bill.pay(why, now),
                };
                let Some(paid) = paid else {
                    // Another one may let it in, or be paid from elsewhere.
                    passed.insert(position);
                    continue;
                };
                if let Some(send) = self.send(position, why, now) {
                    self.watch(now);
                    return Some(send);
                }
                // Its gate or its limits let another call in first.
                bill.refund(paid);
                passed.insert(position);
            }
        }
        None
    }

    /// What a hedge is expected to cost in millionths of a dollar. Beside a call without a price it is held against nothing, for no spend is
    /// known of which it could be a tenth.
    fn hedge_cost(&self, first: &Slot, other: &Slot) -> u64 {
        match select::expected_cost(first, &self.request) {
            Spend(0) => 0,
            _ => select::expected_cost(other, &self.request).0,
        }
    }

    /// An attempt has a good answer: the other one, if there is one, has lost.
    pub(super) fn win(&mut self, winner: AttemptId, now: Instant) {
        self.beside = None;
        let table = Arc::clone(&self.table);
        let won = self.trace.hops.get(winner.index());
        let won = won.map(|hop| {
            (
                hop.why,
                self.since_start(now).saturating_sub(hop.sent_after),
            )
        });
        while let Some(loser) = self.lives.take_other(Some(winner)) {
            self.cancels.push(loser.attempt);
            self.lose(&table, loser, won, now);
        }
    }

    /// What being beaten says of the loser; by whom, and how long that one took.
    fn lose(&mut self, table: &Table, mut loser: Live, won: Option<(Why, Duration)>, now: Instant) {
        let slot = self.close_hop(table, &mut loser, HopResult::Cancelled, now);
        self.leave_silence(slot, &loser, now);
        let (won_by, took) = won.unzip();
        let vitals = &slot.health.vitals;
        let age = now.saturating_duration_since(loser.sent_at);
        let outwaited =
            matches!(won_by, Some(Why::Trial | Why::Cover | Why::Hedge)) && !loser.spoke;
        if matches!(won_by, Some(Why::Trial | Why::Hedge)) && !loser.spoke {
            vitals.was_beaten(&self.request, age, now);
        }
        let in_trial = match won_by {
            // Its target was found to hang.
            Some(Why::Rescue) => Some(CallOutcome::Error),
            // It would have taken longer than this.
            _ => outwaited.then_some(CallOutcome::Good(age)),
        };
        if let Some(outcome) = in_trial {
            self.judge_canary(table.resolved(self.route), &loser, outcome);
        }
        let own = match won_by {
            _ if outwaited && vitals.outwaited(&self.request, age) => Outcome::Hard,
            // The probe was later than nine in ten and beaten besides: it waits for another, and no
            // longer than before. Where its usual time is not known, that proves nothing.
            Some(Why::Cover)
                if loser.tickets.is_probe() && vitals.usual(&self.request, now).is_some() =>
            {
                Outcome::Soft
            }
            Some(Why::Trial) => {
                let (position, sent_at) = (loser.position, loser.sent_at);
                abandon(table, slot, loser, &self.request);
                let took = took.unwrap_or_default();
                vitals.lost_trial(&self.request, sent_at, took, now);
                self.leave_if_outrun(table, slot, position, now);
                return;
            }
            _ => {
                abandon(table, slot, loser, &self.request);
                return;
            }
        };
        let settled = Settled {
            own,
            spared: false,
            used: Used::Unknown,
        };
        self.settle(table, slot, loser, settled, now);
    }

    /// Opens the breaker of a target that has grown slow by more than a wave of load, and that another one has beaten again and again.
    pub(super) fn leave_if_outrun(
        &mut self,
        table: &Table,
        slot: &Slot,
        position: u8,
        now: Instant,
    ) {
        let route = table.resolved(self.route);
        let Some(candidate) = route.candidates.get(usize::from(position)) else {
            return;
        };
        if slot.health.vitals.is_outrun(&self.request, now)
            && slot.facts.detectors.contains(Detector::Latency)
            && self.another_takes_all(table, route, position, now)
            && self.may_eject(table, route, candidate.target, TripReason::Latency, now)
        {
            slot.health.vitals.trials.fill();
            self.leave_as_slow(slot, candidate.target, now);
        }
    }

    /// Opens the breaker of a target that has grown slow, and forgets what showed it: its probe is judged anew.
    pub(super) fn leave_as_slow(&mut self, slot: &Slot, target: TargetId, now: Instant) {
        let change = slot.health.gate.trip(now, TripReason::Latency);
        slot.health.gate.per_token().reset();
        slot.health.vitals.recovered(now);
        self.note_change(target, Scope::Deployment, change);
    }

    /// The first target answered before the one that was asked beside it.
    pub(super) fn note_trial_won(&self, slot: &Slot, live: &Live) {
        let tried_beside = self.trace.hops.iter().any(|hop| hop.why == Why::Trial);
        let first = self.trace.hops.get(live.attempt.index());
        if tried_beside && first.is_some_and(|hop| hop.why != Why::Trial) {
            slot.health.vitals.won_trial(&self.request);
        }
    }

    /// Says the cancellations that are due, then the answer.
    pub(super) fn accept(&mut self, attempt: AttemptId) -> Action {
        if let Some(loser) = self.cancels.pop() {
            return Action::Cancel(loser);
        }
        self.state = match self.lives.find_mut(attempt) {
            Some(live) => {
                live.committed = true;
                State::Running
            }
            None => State::Answered,
        };
        Action::Accept(attempt)
    }
}
