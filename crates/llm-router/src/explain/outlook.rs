//! How often each candidate would be the first to be called: a plan's [search](crate::Plan) without a call.
//!
//! It is gone through many times, with other draws each time. Gates let through as evenly as they do in truth, but nothing is asked of them,
//! and no turn is taken. A probe is one call, and a target that is found to hang is left by the first that comes: what is told is how those
//! after these would go.

use crate::canary::{Arm, CanaryState};
use crate::reaction;
use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Role, Tier};
use crate::route::{Edge, FailOpen, LONGEST};
use crate::select::{self, Admission, Fit, Set};
use crate::strategy::{self, Fact, Strategy};
use crate::table::{Moment, Slot, Table};
use crate::trace::Refusal;
use llm_breaker::{Breaker, Readiness};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often the search is gone through.
const DRAWS: u32 = 2_048;

/// How one candidate stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Why it cannot be called; `None` where it can.
    pub(super) refusal: Option<Refusal>,
    /// The next call that comes to it is a probe, and those after it are refused for this.
    pub(super) probe: Option<Refusal>,
    /// The share of the calls that come to it which its gates let through.
    pub(super) admits: f64,
    /// The chance that it is the first to be called.
    pub(super) share: f64,
    /// Its probe is under way, or it was left for its silence: not before a call has come to it.
    shut: bool,
    /// It has so much to do that a call would come too late: picked, and not sent.
    crowded: bool,
    /// What has come to its gates since they last let a call through, in calls.
    waiting: f64,
}

/// How each candidate of a route stands before one request.
pub(super) fn standings(
    table: &Table,
    route: &Resolved,
    request: &Request,
    now: Instant,
) -> Vec<Standing> {
    let mut fit = Fit::of(&route.policy, request);
    fit.canary = true;
    for edge in Edge::ALL {
        // Whether it is open is told below.
        fit.open(edge);
    }
    let mut search = Search {
        table,
        route,
        request,
        now,
        moment: table.moment(now),
        fit,
        opened: Fit::of(&route.policy, request),
        standings: Vec::new(),
    };
    let all = route.candidates.iter();
    search.standings = all.map(|candidate| search.standing(candidate)).collect();
    search.run();
    search.standings
}

impl Standing {
    /// Whether no more than one call comes to it: its probe, or the one that finds it hanging.
    fn is_for_one(&self) -> bool {
        self.probe.is_some() || self.refusal == Some(Refusal::Hanging)
    }

    /// Why it is not chosen; `None` where it may be.
    fn keeps_away(&self) -> Option<Refusal> {
        match self.refusal {
            _ if self.is_for_one() => self.probe.or(self.refusal).filter(|_| self.shut),
            _ if self.crowded => None,
            refusal => refusal,
        }
    }
}

struct Search<'a> {
    table: &'a Table,
    route: &'a Resolved,
    request: &'a Request,
    now: Instant,
    moment: Moment,
    /// With every edge open.
    fit: Fit,
    /// With the edges open that the search has opened.
    opened: Fit,
    standings: Vec<Standing>,
}

impl<'a> Search<'a> {
    /// What is to be told of a candidate by itself.
    fn standing(&self, candidate: &Candidate) -> Standing {
        let slot = self.table.slot(candidate.target);
        let vitals = &slot.health.vitals;
        let mut refusal =
            select::refusal(self.table, candidate, self.request, self.fit, &self.moment);
        let ready = refusal.is_none();
        let crowded = ready && vitals.is_crowded(self.request, self.time_left(), self.now);
        if ready && self.is_left_for_silence(candidate, slot) {
            refusal = Some(Refusal::Hanging);
        } else if crowded {
            refusal = Some(Refusal::Full);
        }
        let shared = self.table.scopes(slot).map(|shared| &shared.state.gate);
        let gates = shared.chain([&slot.health.gate]);
        Standing {
            refusal,
            probe: self.probe(slot).filter(|_| ready),
            admits: gates.map(|gate| gate.share(self.now)).product(),
            share: 0.0,
            // By weight everybody's turn comes.
            shut: self.route.policy.strategy == Strategy::Weighted,
            crowded,
            waiting: 0.0,
        }
    }

    fn time_left(&self) -> Duration {
        let usual = self.route.policy.deadline;
        self.request.deadline.unwrap_or(usual).min(LONGEST)
    }

    /// Whether the first call that comes to it would open its breaker, because it hangs and another takes all that comes.
    fn is_left_for_silence(&self, candidate: &Candidate, slot: &Slot) -> bool {
        let fit = Fit::of(&self.route.policy, self.request).with(Edge::Region);
        let takes_all = |other: &Candidate| {
            let health = &self.table.slot(other.target).health;
            other.position != candidate.position
                && health.gate.share(self.now) >= 1.0
                && !self.table.slot(other.target).is_hanging(self.now)
                && select::refusal(self.table, other, self.request, fit, &self.moment).is_none()
        };
        slot.is_hanging(self.now)
            && self.route.candidates.iter().any(takes_all)
            && self.table.may_eject(self.route, candidate.target, self.now)
    }

    /// What keeps calls away once its probe is under way; `None` where none is due.
    fn probe(&self, slot: &Slot) -> Option<Refusal> {
        let due = |gate: &Breaker| gate.readiness(self.now) == Readiness::Probe;
        if due(&slot.health.gate) {
            return Some(Refusal::Open);
        }
        let mut shared = self.table.scopes(slot);
        let shared = shared.find(|shared| due(&shared.state.gate))?;
        Some(Refusal::of_scope(shared.key.scope))
    }

    fn run(&mut self) {
        let mut rng = SmallRng::seed_from_u64(0);
        let exact = self.first_group();
        let on_trial = self.on_trial();
        let whole = 1.0 - on_trial;
        if let Some(shares) = exact {
            for (position, share) in shares {
                self.give(position, whole * share);
            }
        } else {
            for _ in 0..DRAWS {
                if let Some(position) = self.draw(&mut rng) {
                    self.give(position, whole / f64::from(DRAWS));
                }
            }
        }
        self.close_edges();
        let called = self.standings.iter().any(|one| one.share > 0.0);
        if !called && let Some(position) = self.least_bad() {
            self.give(position, 1.0);
        }
    }

    fn give(&mut self, position: u8, share: f64) {
        if let Some(standing) = self.standings.get_mut(usize::from(position)) {
            standing.share += share;
        }
    }

    fn of(&self, position: u8) -> Option<&Standing> {
        self.standings.get(usize::from(position))
    }

    /// The exact shares, where the first group that anybody of can be called goes by weight and all of these take every call.
    fn first_group(&mut self) -> Option<Vec<(u8, f64)>> {
        let (group, _) = self.groups(|search, tier| {
            let pool = search.pool(tier, Set::default());
            (!pool.is_empty()).then_some(pool)
        })?;
        let plain = |one: &&Candidate| {
            let standing = self.of(one.position);
            standing.is_some_and(|standing| !standing.crowded && standing.admits >= 1.0)
        };
        if self.route.policy.strategy != Strategy::Weighted || !group.iter().all(plain) {
            return None;
        }
        let all: f64 = group.iter().map(|one| f64::from(one.weight)).sum();
        let share = |one: &Candidate| (one.position, f64::from(one.weight) / all);
        Some(group.into_iter().map(share).collect())
    }

    /// What is found first in the tiers and, once a tier yields nothing, along the edges that lead round what keeps calls from it; and
    /// which edges were open then.
    fn groups<T>(
        &mut self,
        mut look: impl FnMut(&mut Self, Tier<'a>) -> Option<T>,
    ) -> Option<(T, Fit)> {
        let route = self.route;
        let mut fit = Fit::of(&route.policy, self.request);
        for tier in route.tiers() {
            if let Some(found) = look(self, tier) {
                return Some((found, fit));
            }
            for candidate in tier.candidates {
                let standing = self.of(candidate.position);
                let refusal = standing.and_then(Standing::keeps_away);
                if let Some(edge) = refusal.and_then(reaction::edge_round) {
                    fit.open(edge);
                    self.opened.open(edge);
                }
            }
            for edge in Edge::ALL.into_iter().filter(|edge| fit.is_open(*edge)) {
                let tier = route.edges().find(|(known, _)| *known == edge);
                if let Some(found) = tier.and_then(|(_, tier)| look(self, tier)) {
                    return Some((found, fit));
                }
            }
        }
        None
    }

    /// Those of a group that a strategy chooses among, outside `passed`.
    fn pool(&self, tier: Tier<'a>, passed: Set) -> Vec<&'a Candidate> {
        let may = |one: &&Candidate| {
            let standing = self.of(one.position);
            !passed.contains(one.position)
                && standing.is_some_and(|standing| standing.keeps_away().is_none())
        };
        tier.candidates.iter().filter(may).collect()
    }

    /// The first that is called by one more draw.
    fn draw(&mut self, rng: &mut SmallRng) -> Option<u8> {
        let mut passed = Set::default();
        let found = self.groups(|search, tier| search.within(tier, &mut passed, rng));
        if let Some((position, _)) = found {
            return Some(position);
        }
        self.in_a_ramp(passed, rng)
    }

    fn within(&mut self, tier: Tier<'a>, passed: &mut Set, rng: &mut SmallRng) -> Option<u8> {
        loop {
            let pool = self.pool(tier, *passed);
            let position = self.choose(&pool, rng)?;
            if self.lets_through(position) {
                return Some(position);
            }
            let standing = self.standings.get_mut(usize::from(position))?;
            standing.shut |= standing.is_for_one();
            passed.insert(position);
        }
    }

    /// Asks the gates of one once more.
    fn lets_through(&mut self, position: u8) -> bool {
        let Some(standing) = self.standings.get_mut(usize::from(position)) else {
            return false;
        };
        if standing.crowded || standing.is_for_one() {
            return false;
        }
        standing.waiting += standing.admits;
        // What is summed up of tenths is not quite one.
        let lets_through = standing.waiting >= 1.0 - 1e-9;
        standing.waiting -= f64::from(u8::from(lets_through));
        lets_through
    }

    fn choose(&self, pool: &[&Candidate], rng: &mut SmallRng) -> Option<u8> {
        let facts: Vec<Fact> = pool
            .iter()
            .map(|one| fact_of(one, self.request, self.now))
            .collect();
        let strategy = self.route.policy.strategy;
        let place = strategy::choose(strategy, &facts, rng.next_u64(), self.request.key)?;
        pool.get(place).map(|one| one.position)
    }

    /// Whoever is called though it is in its ramp and has refused: the one of its tier that is furthest behind.
    fn in_a_ramp(&mut self, passed: Set, rng: &mut SmallRng) -> Option<u8> {
        let mut groups = self
            .route
            .tiers()
            .chain(self.route.edges().map(|(_, tier)| tier));
        let refused = |one: &Candidate| passed.contains(one.position);
        let tier = groups.find(|tier| tier.candidates.iter().any(refused))?;
        let mut pool = self.pool(tier, Set::default());
        let share = |one: &Candidate| one.health.gate.share(self.now);
        let least = pool
            .iter()
            .map(|one| share(one))
            .fold(f64::INFINITY, f64::min);
        pool.retain(|one| share(one) <= least);
        let position = self.choose(&pool, rng)?;
        // Its gates are asked once more, and let it in whatever they say.
        self.lets_through(position);
        let crowded = self.of(position).is_none_or(|one| one.crowded);
        (!crowded).then_some(position)
    }

    /// Gives the target on trial its share, and returns it.
    fn on_trial(&mut self) -> f64 {
        let Some(trial) = &self.route.canary else {
            return 0.0;
        };
        let percent = match trial.canary.state() {
            CanaryState::Running(percent) => percent,
            CanaryState::Promoted => 100,
            CanaryState::Stopped(_) => 0,
        };
        let asked = match self.request.key {
            0 => f64::from(percent) / 100.0,
            key => f64::from(u8::from(trial.canary.admit(key) == Arm::Canary)),
        };
        let position = trial.position;
        let Some(standing) = self.standings.get_mut(usize::from(position)) else {
            return 0.0;
        };
        if percent == 0 {
            standing.refusal = Some(Refusal::OnTrial);
        }
        let free = standing.refusal.is_none() && standing.probe.is_none();
        let share = if free { asked * standing.admits } else { 0.0 };
        standing.share = share;
        share
    }

    /// What stands behind an edge that the search has not opened is for others.
    fn close_edges(&mut self) {
        for (candidate, standing) in self.route.candidates.iter().zip(&mut self.standings) {
            if let Role::Edge(edge) = candidate.role
                && !self.opened.is_open(edge)
                // These are asked before.
                && !matches!(standing.refusal, Some(Refusal::Excluded | Refusal::NoWeight))
            {
                standing.refusal = Some(Refusal::NotForThis);
            }
        }
    }

    /// Whom the route asks all the same when every one is set aside, and none is worth a wait.
    fn least_bad(&self) -> Option<u8> {
        if self.route.policy.fail_open == FailOpen::Never {
            return None;
        }
        let patience = self.request.patience.unwrap_or(self.route.policy.patience);
        let within = |wait: Duration, until: Instant| until <= self.now + wait;
        let fit = self.opened;
        let worth_a_wait = |candidate: &Candidate| {
            let slot = self.table.slot(candidate.target);
            select::fits(self.table, candidate, self.request, fit, self.now).is_ok()
                && match select::admission(self.table, slot, self.request, self.now) {
                    // A probe is not waited for.
                    Admission::Ready => self
                        .of(candidate.position)
                        .is_some_and(|one| one.probe.is_none()),
                    Admission::Held(until) | Admission::Paced(until) => {
                        within(self.time_left(), until)
                    }
                    Admission::Open(until) => within(patience.min(self.time_left()), until),
                }
        };
        if self.route.candidates.iter().any(worth_a_wait) {
            return None;
        }
        self.table
            .least_bad(self.route, self.request, fit, Set::default(), self.now)
    }
}

/// What the strategies know of a candidate.
fn fact_of(candidate: &Candidate, request: &Request, now: Instant) -> Fact {
    let slot = &*candidate.slot;
    Fact {
        id: candidate.sticky_id,
        weight: candidate.weight,
        in_flight: slot.health.in_flight.load(Ordering::Relaxed),
        ewma: slot.health.ewma.read(now),
        headroom: slot.pace.headroom(now),
        price: select::expected_cost(slot, request).0,
    }
}
