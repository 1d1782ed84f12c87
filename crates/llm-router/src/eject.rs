//! How much of a route may be set aside on the word of detectors, and who is asked when nothing else
//! is left.

use crate::request::Request;
use crate::resolve::{Candidate, Resolved, Role};
use crate::select::{self, Admission, Fit, Set};
use crate::table::{Slot, Table};
use crate::target::TargetId;
use llm_breaker::{Breaker, EjectionCap, Readiness, State};
use std::time::Instant;

impl Table {
    /// Whether a detector may set `target` aside: no more of the route's members are so at once than
    /// [`Policy::eject_percent`](crate::Policy::eject_percent) says, and never the last one. Two that are judged in the same instant may both pass.
    pub(crate) fn may_eject(&self, route: &Resolved, target: TargetId, now: Instant) -> bool {
        let (mut members, mut ejected) = (0, 0);
        for member in route.candidates.iter() {
            if member.weight == 0 || member.role != Role::Member {
                continue;
            }
            members += 1;
            if member.target != target {
                let seen = self.gate(member.target).snapshot(now);
                let out = seen.state != State::Closed && EjectionCap::applies(seen.reason);
                ejected += u32::from(out);
            }
        }
        let share = f64::from(route.policy.eject_percent) / 100.0;
        EjectionCap::new(share).allows(members, ejected)
    }

    /// The candidate outside `tried` that is kept back by gates alone, none of them for a reason
    /// that asking cannot mend, and is back soonest.
    pub(crate) fn least_bad(
        &self,
        route: &Resolved,
        request: &Request,
        fit: Fit,
        tried: Set,
        now: Instant,
    ) -> Option<u8> {
        let back = |candidate: &Candidate| {
            let slot = self.slot(candidate.target);
            select::fits(self, candidate, request, fit, now).ok()?;
            match select::admission(self, slot, request, now) {
                Admission::Open(until) if self.only_ill(slot, now) => Some(until),
                _ => None,
            }
        };
        let all = route.candidates.iter().zip(0u8..);
        all.filter(|(_, position)| !tried.contains(*position))
            .filter_map(|(candidate, position)| Some((back(candidate)?, position)))
            .min()
            .map(|(_, position)| position)
    }

    /// Whether every gate that keeps calls from a target is open for its health.
    fn only_ill(&self, slot: &Slot, now: Instant) -> bool {
        let ill = |gate: &Breaker| match gate.readiness(now) {
            Readiness::Ready | Readiness::Probe => true,
            Readiness::Held(_) => false,
            Readiness::Open(_) => {
                let seen = gate.snapshot(now);
                seen.held_until.is_none() && seen.reason.is_passing()
            }
        };
        ill(&slot.health.gate) && self.scopes(slot).all(|shared| ill(&shared.state.gate))
    }
}
