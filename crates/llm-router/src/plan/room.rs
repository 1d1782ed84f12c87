//! A lone target with more to do than it can: whom to cut off, whom not to send, who waits for room.
//!
//! Slow answers are a target's way of saying that it has much to do. Where another one is ready the call goes there. Where none is,
//! to cut it off and ask again gives the target more to do and the caller nothing, so it is cut off only if the target answers others
//! as usual: then it is this call that was lost. Nor does its breaker hear of those who waited in vain, as long as others are answered.
//!
//! A call that would come too late is not sent: the queue there would only grow. But trouble ends, and then a queue empties
//! fast; so the request waits here a little before it is given up. Those who wait are let in one by one, and none because its wait is over: all at
//! once they would be a stampede on what has just healed. Nor are those cut off who stand in line at a target that was left meanwhile, as long as there is
//! time: each is sent on as its turn comes.

use super::{AttemptId, Live, Plan, RESERVE, State};
use crate::resolve::Resolved;
use crate::select;
use crate::table::{Slot, Table};
use crate::trace::WaitSource;
use llm_breaker::Readiness;
use llm_errors::{ErrorKind, Phase, Verdict};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The longest such wait, and how often room is looked for, or a rescue.
const LONGEST: Duration = Duration::from_secs(8);
const LOOK: Duration = Duration::from_millis(250);

impl Plan {
    /// Whether this request would wait too long before a target that has grown slow.
    pub(super) fn is_crowded(&self, slot: &Slot, now: Instant) -> bool {
        let left = self.deadline.remaining(now);
        slot.health.vitals.is_crowded(&self.request, left, now)
    }

    /// Whether a call may join those at the target: room is there and, where it was waited for, this one's turn has come.
    pub(super) fn may_join(&self, slot: &Slot, now: Instant) -> bool {
        let in_turn = || self.room_until.is_none() || slot.health.vitals.lets_in(now);
        !self.is_crowded(slot, now) && in_turn()
    }

    /// Whether an attempt that has timed out was one of many at a slow target that goes on answering others, and there is nobody else.
    pub(super) fn stood_in_line(
        &self,
        table: &Table,
        slot: &Slot,
        live: &Live,
        now: Instant,
    ) -> bool {
        let route = table.resolved(self.route);
        !live.is_probe()
            && slot.health.vitals.works_slowly(
                &self.request,
                now.saturating_duration_since(live.sent_at),
                now,
            )
            && !self.another_takes_all(table, route, live.position, now)
    }

    /// Ends an attempt that is late at a lone target, unless all are late there; names the one it ended. One at a target that was left
    /// meanwhile waits for its [rescue](super::beside), as long as the time allows and somebody is left to come.
    pub(super) fn cut_if_late(&mut self, now: Instant) -> Option<AttemptId> {
        let late = |cut_at: Option<Instant>| cut_at.is_some_and(|cut_at| cut_at <= now);
        let live = self.lives.iter().find(|live| late(live.cut_at))?;
        let (attempt, position) = (live.attempt, live.position);
        let table = Arc::clone(&self.table);
        let route = table.resolved(self.route);
        let candidate = route.candidates.get(usize::from(position))?;
        let health = &table.slot(candidate.target).health;
        // Once it was left for its silence, all are late there.
        let left = matches!(health.gate.readiness(now), Readiness::Open(_));
        let at_last = self.deadline.instant().checked_sub(RESERVE);
        let now_or_never = at_last.is_none_or(|at_last| now >= at_last);
        let dead = self.is_as_good_as_dead(&health.vitals, now);
        let rescuer = || self.unasked_others(&table, route, position, now).next();
        let lost = if left {
            now_or_never || (dead && rescuer().is_none())
        } else {
            dead || health.vitals.is_quick(&self.request)
        };
        if lost {
            let verdict = Verdict::new(ErrorKind::Timeout, Phase::Sent);
            self.on_failure(attempt, verdict, now);
            return Some(attempt);
        }
        let again = at_last.map(|at_last| at_last.min(now + LOOK));
        self.lives.find_mut(attempt)?.cut_at = again.filter(|_| left);
        None
    }

    /// Begins a short wait for room at a target that nothing else keeps this request from, for a quarter of its time at most; goes on with
    /// it for a quarter of the rest where there is room in the end, and only its turn has not come.
    pub(super) fn wait_for_room(&mut self, table: &Table, route: &Resolved, now: Instant) -> bool {
        let (tried, moment) = (self.tried(), table.moment(now));
        let mut candidates = route.candidates.iter().zip(0u8..);
        let crowded = candidates.find(|(candidate, position)| {
            !tried.contains(*position)
                && select::refusal(table, candidate, &self.request, self.fit, &moment).is_none()
                && (self.room_until.is_some() || self.is_crowded(table.slot(candidate.target), now))
        });
        let Some((candidate, position)) = crowded else {
            return false;
        };
        let slot = table.slot(candidate.target);
        let longest = LONGEST.min(self.deadline.remaining(now) / 4);
        let mut end = *self.room_until.get_or_insert(now + longest);
        if now >= end {
            if self.is_crowded(slot, now) {
                return false;
            }
            // Room is there: it is a question of turns, and worth another wait.
            end = now + longest;
            self.room_until = Some(end);
        }
        if end <= now {
            // Of the last nanoseconds there is no quarter to wait for.
            return false;
        }
        let until = (now + LOOK).min(end);
        let so_far = match self.waited {
            Some((so_far, WaitSource::Room)) => so_far,
            _ => Duration::ZERO,
        };
        self.waited = Some((so_far + (until - now), WaitSource::Room));
        self.state = State::Waiting { position, until };
        true
    }
}
