//! Where to go next: candidates ready now, then the shortest wait worth its while.

use super::{Plan, QUICK_TRIES, State, Wait, jitter};
use crate::plan::Action;
use crate::reaction::{self, Lesson};
use crate::resolve::{Candidate, Resolved, Role, Tier};
use crate::route::{Edge, FailOpen};
use crate::select::{self, Admission, Set};
use crate::table::Table;
use crate::trace::{WaitSource, Why};
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Plan {
    /// Finds the next step; `None` means ask again, the state has moved.
    pub(super) fn choose(&mut self, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        if self.trace.hops.len() >= self.max_sends(&route.policy)
            || self.deadline.is_past(now)
            || (self.request.at_most_once && self.trace.may_have_run())
        {
            return Some(self.end(now));
        }
        if let Some(position) = self.at_once.take()
            && let Some(send) = self.send_again(position, now)
        {
            return Some(send);
        }
        if let Some(send) = self.ask_canary(&table, route, now) {
            return Some(send);
        }
        let mut passed = self.tried();
        // A prompt that is too long or refused goes to its remedy at once.
        for edge in [Edge::ContextLength, Edge::ContentFilter] {
            if let Some(send) = self.along(&table, route, edge, &mut passed, now) {
                return Some(send);
            }
        }
        for tier in route.tiers() {
            if let Some(send) = self.within(&table, route, tier, &mut passed, now) {
                return Some(send);
            }
            // Nobody of the tier is left: round what keeps them away, before another tier is used.
            self.open_edges(&table, tier.candidates, now);
            for edge in Edge::ALL {
                if let Some(send) = self.along(&table, route, edge, &mut passed, now) {
                    return Some(send);
                }
            }
            let patient = now.checked_add(self.patience);
            let limit = patient.unwrap_or(self.deadline.instant());
            if !self.patience.is_zero()
                && let Some(wait) =
                    self.wait_in(&table, tier.first, tier.candidates, QUICK_TRIES, limit, now)
                && self.start_wait(&table, route, wait, now)
            {
                self.take_turn(&table, route, wait);
                self.patience = self.patience.saturating_sub(wait.until - now);
                return None;
            }
        }
        // Whoever is ready by its gate and yet refused this call is in a ramp: better than nobody.
        let (tried, moment) = (self.tried(), table.moment(now));
        let ramping = route
            .candidates
            .iter()
            .zip(0u8..)
            .find(|(candidate, position)| {
                passed.contains(*position)
                    && !tried.contains(*position)
                    && select::refusal(&table, candidate, &self.request, self.fit, &moment)
                        .is_none()
            });
        if let Some((_, position)) = ramping {
            let position = self.one_of_its_tier(&table, route, position, now);
            if let Some(send) = self.insist(position, self.why(route, position), now) {
                return Some(send);
            }
        }
        let limit = self.deadline.instant();
        if let Some(wait) = self.wait_in(&table, 0, &route.candidates, u8::MAX, limit, now)
            && self.start_wait(&table, route, wait, now)
        {
            return None;
        }
        if self.next_rung() || self.wait_for_room(&table, route, now) || self.shorten(now) {
            return None;
        }
        if let Some(send) = self.fail_open(&table, route, now) {
            return Some(send);
        }
        Some(self.end(now))
    }

    /// This one, or one of its siblings that are ready as well: the one whose ramp is furthest behind, so that they come back
    /// together, and of several by the tier's strategy. The first of several in their ramps is not to have the calls that all of them
    /// refused.
    fn one_of_its_tier(
        &mut self,
        table: &Table,
        route: &Resolved,
        position: u8,
        now: Instant,
    ) -> u8 {
        let place = usize::from(position);
        let mut tiers = route.tiers().chain(route.edges().map(|(_, tier)| tier));
        let tier = tiers.find(|tier| {
            let (first, count) = (usize::from(tier.first), tier.candidates.len());
            count > 1 && (first..first + count).contains(&place)
        });
        let Some(tier) = tier else {
            return position;
        };
        let (mut passed, moment) = (self.tried(), table.moment(now));
        let share = |one: &Candidate| one.health.gate.share(now);
        let ready = |one: &&Candidate| {
            select::refusal(table, one, &self.request, self.fit, &moment).is_none()
        };
        let ready = tier.candidates.iter().filter(ready);
        let least = ready.map(share).fold(f64::INFINITY, f64::min);
        for one in tier.candidates {
            if share(one) > least {
                passed.insert(one.position);
            }
        }
        let (request, fit) = (&self.request, &self.fit);
        select::pick(table, tier, request, fit, passed, now, &mut self.rng).unwrap_or(position)
    }

    /// Sends to one of a tier's ready candidates outside `passed`.
    fn within(
        &mut self,
        table: &Table,
        route: &Resolved,
        tier: Tier<'_>,
        passed: &mut Set,
        now: Instant,
    ) -> Option<Action> {
        while let Some(position) = select::pick(
            table,
            tier,
            &self.request,
            &self.fit,
            *passed,
            now,
            &mut self.rng,
        ) {
            let why = self.why(route, position);
            if let Some(send) = self.send(position, why, now) {
                return Some(send);
            }
            // Its gate let another caller in first.
            passed.insert(position);
        }
        None
    }

    /// Sends to one of an edge's candidates, where the edge is open.
    fn along(
        &mut self,
        table: &Table,
        route: &Resolved,
        edge: Edge,
        passed: &mut Set,
        now: Instant,
    ) -> Option<Action> {
        if !self.fit.is_open(edge) {
            return None;
        }
        let (_, tier) = route.edges().find(|(known, _)| *known == edge)?;
        self.within(table, route, tier, passed, now)
    }

    /// Opens the edges that lead round what keeps these candidates away.
    fn open_edges(&mut self, table: &Table, candidates: &[Candidate], now: Instant) {
        let moment = table.moment(now);
        for candidate in candidates {
            let refusal = select::refusal(table, candidate, &self.request, self.fit, &moment);
            if let Some(edge) = refusal.and_then(reaction::edge_round) {
                self.fit.open(edge);
            }
        }
    }

    /// Asks the least bad of those that are set aside, once, where the route says so.
    fn fail_open(&mut self, table: &Table, route: &Resolved, now: Instant) -> Option<Action> {
        let asked = self.trace.hops.iter().any(|hop| hop.why == Why::LeastBad);
        if route.policy.fail_open == FailOpen::Never || asked {
            return None;
        }
        let tried = self.tried();
        let position = table.least_bad(route, &self.request, self.fit, tried, now)?;
        self.insist(position, Why::LeastBad, now)
    }

    /// The shortest wait that leads to a call of one of `candidates` no later than `limit` and
    /// before the deadline. Spread that would pass the limit is cut, a provider's hint never is.
    pub(super) fn wait_in(
        &mut self,
        table: &Table,
        first: u8,
        candidates: &[Candidate],
        most_tries: u8,
        limit: Instant,
        now: Instant,
    ) -> Option<Wait> {
        let alone = most_tries == u8::MAX;
        let patient = now.checked_add(self.patience).unwrap_or(limit);
        let mut best: Option<Wait> = None;
        for (candidate, position) in candidates.iter().zip(first..) {
            let slot = table.slot(candidate.target);
            if select::fits(table, candidate, &self.request, self.fit, now).is_err() {
                continue;
            }
            let touched = self.touched.iter().find(|known| known.position == position);
            let admission = select::admission(table, slot, &self.request, now);
            let (floor, until, source) = match (touched, admission) {
                (Some(_), Admission::Open(_)) | (None, Admission::Ready) => continue,
                (None, Admission::Open(until)) => {
                    // Once in a request, and no longer than its patience: one caller will be the
                    // probe, the others go on.
                    if !alone || self.awaited || until > patient {
                        continue;
                    }
                    (until, until, WaitSource::Opening)
                }
                // While another tier is left, only those whom the limit has met wait for its end: a
                // crowd that did would come back as one.
                (None, Admission::Held(_)) if !alone => continue,
                (None, Admission::Paced(until)) if !alone => {
                    // Its places come one by one, and so does who waits for them; those who come meanwhile go on at once.
                    if slot.health.vitals.turn.is_taken(now) {
                        continue;
                    }
                    (until, until, WaitSource::Hold)
                }
                (None, Admission::Held(until) | Admission::Paced(until)) => {
                    // A little later than the hold's end, so that those who wait do not all come
                    // back at once.
                    let spread = jitter(&mut self.rng, (until - now) / 4);
                    (until, until + spread, WaitSource::Hold)
                }
                (Some(known), admission) => {
                    let again = match known.lesson {
                        Lesson::Again => true,
                        Lesson::LastResort => {
                            alone && !self.is_silence_final(known, &slot.health.vitals, now)
                        }
                        Lesson::Elsewhere | Lesson::Stop => false,
                    };
                    if !again || known.tries >= known.cap.min(most_tries) {
                        continue;
                    }
                    let held = match admission {
                        Admission::Held(until) | Admission::Paced(until) => until,
                        Admission::Ready | Admission::Open(_) => now,
                    };
                    (
                        known.floor.max(held),
                        known.again_at.max(held),
                        known.source,
                    )
                }
            };
            // A gate keeps its holds in whole milliseconds, rounded up.
            let allowed = floor <= limit + Duration::from_millis(1);
            let until = until.min(limit).max(floor);
            let allowed = allowed && until < self.deadline.instant();
            if allowed && best.is_none_or(|best| until < best.until) {
                best = Some(Wait {
                    position,
                    until,
                    source,
                });
            }
        }
        best
    }

    /// Begins a wait if it looks affordable: another call of the same target will be paid for from
    /// the budgets of its provider's region and of the route, when it is sent.
    pub(super) fn start_wait(
        &mut self,
        table: &Table,
        route: &Resolved,
        wait: Wait,
        now: Instant,
    ) -> bool {
        let again = self.tried().contains(wait.position);
        let Some(candidate) = route.candidates.get(usize::from(wait.position)) else {
            return false;
        };
        let paid = table.budget(table.slot(candidate.target)).balance() >= 1.0
            && (self.was_told_when(wait.position) || route.retries.balance() >= 1.0);
        if again && !paid {
            return false;
        }
        let length = wait.until.saturating_duration_since(now);
        self.waited = (!length.is_zero()).then_some((length, wait.source));
        self.awaited |= wait.source == WaitSource::Opening;
        self.state = State::Waiting {
            position: wait.position,
            until: wait.until,
        };
        true
    }

    /// Whoever waits for a place of a rate limit while another tier is left waits alone.
    fn take_turn(&self, table: &Table, route: &Resolved, wait: Wait) {
        if wait.source == WaitSource::Hold
            && let Some(candidate) = route.candidates.get(usize::from(wait.position))
        {
            let vitals = &table.slot(candidate.target).health.vitals;
            vitals.turn.take(wait.until);
        }
    }

    /// Calls a target once more, if the budgets of its provider's region and of the route pay for it.
    pub(super) fn send_again(&mut self, position: u8, now: Instant) -> Option<Action> {
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let candidate = route.candidates.get(usize::from(position))?;
        let budget = table.budget(table.slot(candidate.target));
        if !budget.withdraw() {
            self.drop_from_now_on(position);
            return None;
        }
        let of_route = !self.was_told_when(position);
        if of_route && !route.retries.withdraw() {
            budget.refund();
            self.drop_from_now_on(position);
            return None;
        }
        let send = self.send(position, Why::Retry, now);
        if send.is_none() {
            budget.refund();
            if of_route {
                route.retries.refund();
            }
            self.drop_if_refused(position, now);
        }
        send
    }

    /// Whether the target itself has said when to come back: who keeps to that is no burden to it,
    /// and counts towards the budget of its provider's region alone.
    fn was_told_when(&self, position: u8) -> bool {
        let mut known = self
            .touched
            .iter()
            .filter(|known| known.position == position);
        known.any(|known| matches!(known.source, WaitSource::Hint(_)))
    }

    fn drop_from_now_on(&mut self, position: u8) {
        let known = self
            .touched
            .iter_mut()
            .find(|known| known.position == position);
        if let Some(known) = known {
            known.lesson = Lesson::Elsewhere;
        }
    }

    /// A gate that reads as open to calls and yet refused this one: not again in this request.
    pub(super) fn drop_if_refused(&mut self, position: u8, now: Instant) {
        let table = Arc::clone(&self.table);
        let candidate = table
            .resolved(self.route)
            .candidates
            .get(usize::from(position));
        let ready = candidate.is_some_and(|candidate| {
            let slot = table.slot(candidate.target);
            select::admission(&table, slot, &self.request, now) == Admission::Ready
        });
        if ready {
            self.drop_from_now_on(position);
        }
    }

    pub(super) fn why(&self, route: &Resolved, position: u8) -> Why {
        let candidate = |position: u8| route.candidates.get(usize::from(position));
        // The canary stands beside the first tier.
        let tier = |position: u8| match candidate(position) {
            Some(candidate) if candidate.role == Role::Canary => 0,
            Some(candidate) => candidate.tier,
            None => u8::MAX,
        };
        if let Some(Role::Edge(edge)) = candidate(position).map(|candidate| candidate.role) {
            return match edge {
                Edge::ContextLength => Why::LongerContext,
                Edge::ContentFilter => Why::LessRestrictive,
                Edge::Credential => Why::OtherCredential,
                Edge::Region => Why::OtherRegion,
            };
        }
        if self.fit.less_restrictive {
            return Why::LessRestrictive;
        }
        if self.fit.context_above > 0 {
            return Why::LongerContext;
        }
        match self.touched.last() {
            None if tier(position) == 0 => Why::First,
            Some(last) if tier(last.position) == tier(position) => Why::Sibling,
            None | Some(_) => Why::Fallback,
        }
    }
}
