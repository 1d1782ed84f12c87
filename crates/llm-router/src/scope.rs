//! Gates that several targets share, because they fail together.
//!
//! ```text
//! credential < organisation         whose key, whose account
//! deployment < model < region < provider   what answers: the target's own gate, then what it has in common with others
//! ```
//!
//! The narrowest gate trips first: a failure is told to the target that gave it. A wider gate opens
//!
//! - by the verdict, where this names the scope: a spent quota sets its credential aside, the cap of
//!   an organisation every credential of it, an overloaded model with a stated wait every deployment;
//! - by inference, where targets that have only the wider scope in common open within a minute and no
//!   call to any of its targets succeeds between, nor did before within the last few failures: two where the failure itself speaks for the scope
//!   or it has at most four targets, else three. Then the others need not each be found out, if the
//!   route has somewhere else to go.
//!
//! A gate exists only where it says more than a narrower one: two targets at least, and not the
//! same ones. It comes back as any breaker does: by a probe (or a shadow probe) through one of its
//! targets, and a ramp. A closed one costs a call two loads and is told nothing.

use crate::table::{Slot, Table};
use crate::target::{Target, TargetId};
use llm_breaker::{Breaker, BreakerConfig, Outcome, Promotion, State, Ticket, TripReason, Unrest};
use llm_errors::Scope;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The shared scopes, narrowest first in each of the two chains.
const SHARED: [Scope; LEVELS] = [
    Scope::Credential,
    Scope::Organisation,
    Scope::Model,
    Scope::Region,
    Scope::Provider,
];
const LEVELS: usize = 5;
const NONE: u16 = u16::MAX;
/// The time within which openings are one trouble.
const TOGETHER: Duration = Duration::from_secs(60);
/// So many failures in a row are enough of a scope of any size: more than one request makes.
const MANY_FAILURES: usize = 9;
/// Scopes of at most so many targets open by inference after two of them.
const FEW: usize = 4;

/// One scope with its targets.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) key: ScopeKey,
    pub(crate) members: Box<[TargetId]>,
    /// Shared with the table that replaces this one.
    pub(crate) state: Arc<SharedState>,
}

/// What a scope is known by: its kind, the provider, and the label there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScopeKey {
    pub(crate) scope: Scope,
    provider: Box<str>,
    label: Box<str>,
}

#[derive(Debug)]
pub(crate) struct SharedState {
    pub(crate) gate: Breaker,
    /// Openings of its targets, forgotten at each success.
    signs: Promotion,
    /// Failed calls to its targets since one succeeded.
    failures: AtomicU32,
}

/// The scopes of one target, as indices of the table's.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Memberships {
    /// Each once, narrowest first.
    list: [u16; LEVELS],
    count: u8,
    /// For each of [`SHARED`], the gate that stands for it: its own, or that of a narrower scope
    /// with the same targets.
    standing: [u16; LEVELS],
}

/// What the shared gates gave for one call; nothing where they are closed.
pub(crate) type Passes = [Option<Ticket>; LEVELS];

/// Finds out who shares what, keeping what `before` has learnt.
pub(crate) fn resolve(
    targets: &[&Target],
    before: Option<&Table>,
    config: BreakerConfig,
    unrest: &Arc<Unrest>,
    now: Instant,
) -> (Box<[Shared]>, Vec<Memberships>) {
    let mut all: Vec<(ScopeKey, Vec<TargetId>)> = Vec::new();
    for (index, target) in targets.iter().enumerate() {
        let id = TargetId(u16::try_from(index).unwrap_or(NONE));
        for scope in SHARED {
            let Some(label) = label(target, scope) else {
                continue;
            };
            let key = ScopeKey {
                scope,
                provider: match scope {
                    Scope::Model | Scope::Provider => target.domain().into(),
                    // What people name goes beyond one server.
                    _ => target.provider.clone(),
                },
                label,
            };
            match all.iter_mut().find(|(known, _)| *known == key) {
                Some((_, members)) => members.push(id),
                None => all.push((key, vec![id])),
            }
        }
    }
    // Wider scopes look for a narrower one that stands for them, so narrower ones come first.
    all.sort_by_key(|(key, _)| SHARED.iter().position(|scope| *scope == key.scope));
    let mut shared: Vec<Shared> = Vec::new();
    let nobody = Memberships {
        list: [NONE; LEVELS],
        count: 0,
        standing: [NONE; LEVELS],
    };
    let mut memberships = vec![nobody; targets.len()];
    for (key, members) in all {
        let level = SHARED.iter().position(|scope| *scope == key.scope);
        let level = level.unwrap_or_default();
        let stands = shared.iter().position(|known| {
            is_account(known.key.scope) == is_account(key.scope) && *known.members == *members
        });
        let useful = members.len() > 1 || key.scope == Scope::Credential;
        let index = match stands {
            Some(index) => index,
            None if !useful => continue,
            None => {
                let known = before.and_then(|before| before.shared_state(&key));
                let new = || {
                    Arc::new(SharedState {
                        gate: Breaker::new(config, now).counted_in(Arc::clone(unrest)),
                        signs: Promotion::with(2, TOGETHER, now),
                        failures: AtomicU32::new(0),
                    })
                };
                shared.push(Shared {
                    key,
                    members: members.clone().into(),
                    state: known.unwrap_or_else(new),
                });
                shared.len() - 1
            }
        };
        let index = u16::try_from(index).unwrap_or(NONE);
        for member in members {
            if let Some(of) = memberships.get_mut(member.index()) {
                of.join(level, index);
            }
        }
    }
    (shared.into(), memberships)
}

/// What a target is called in a scope; `None` where it is in none of that kind.
fn label(target: &Target, scope: Scope) -> Option<Box<str>> {
    match scope {
        Scope::Credential => Some(target.credential.clone()),
        // A credential whose organisation is not named is one by itself.
        Scope::Organisation => match &target.organisation {
            Some(name) => Some(name.clone()),
            None => Some(format!("\0{}", target.credential).into()),
        },
        Scope::Model => target.model.clone(),
        Scope::Region => target.region.clone(),
        Scope::Provider => Some(Box::default()),
        _ => None,
    }
}

/// Whether a scope is about whose key it is, rather than about what answers.
const fn is_account(scope: Scope) -> bool {
    matches!(scope, Scope::Credential | Scope::Organisation)
}

/// Whether a failure of scope `said` speaks for all of `scope`.
fn covers(said: Scope, scope: Scope) -> bool {
    said == scope || said == Scope::Provider
}

impl Memberships {
    fn join(&mut self, level: usize, index: u16) {
        if let Some(place) = self.standing.get_mut(level) {
            *place = index;
        }
        if !self.indices().any(|known| known == index)
            && let Some(place) = self.list.get_mut(usize::from(self.count))
        {
            *place = index;
            self.count += 1;
        }
    }

    /// The gates of these scopes, narrowest first in each chain.
    pub(crate) fn gates(&self, shared: &[Shared]) -> Box<[Arc<SharedState>]> {
        self.indices()
            .filter_map(|index| shared.get(usize::from(index)))
            .map(|shared| Arc::clone(&shared.state))
            .collect()
    }

    fn indices(&self) -> impl Iterator<Item = u16> {
        let list = self.list.get(..usize::from(self.count));
        list.unwrap_or_default().iter().copied()
    }
}

impl Table {
    /// The shared scopes of a target, narrowest first.
    pub(crate) fn scopes(&self, slot: &Slot) -> impl Iterator<Item = &Shared> {
        slot.scopes
            .indices()
            .filter_map(|index| self.shared.get(usize::from(index)))
    }

    /// The gate that stands for `scope` of a target; the target's own where nobody shares it.
    pub(crate) fn gate_of<'t>(&'t self, slot: &'t Slot, scope: Scope) -> &'t Breaker {
        let level = SHARED.iter().position(|known| *known == scope);
        level
            .and_then(|level| slot.scopes.standing.get(level))
            .and_then(|index| self.shared.get(usize::from(*index)))
            .map_or(&slot.health.gate, |shared| &shared.state.gate)
    }

    fn shared_state(&self, key: &ScopeKey) -> Option<Arc<SharedState>> {
        let shared = self.shared.iter().find(|shared| shared.key == *key)?;
        Some(Arc::clone(&shared.state))
    }

    /// Passes every shared gate of a target; `None` where one refuses. `anyway`: whatever they say.
    pub(crate) fn enter(&self, slot: &Slot, anyway: bool, now: Instant) -> Option<Passes> {
        let mut passes = Passes::default();
        for (shared, pass) in self.scopes(slot).zip(passes.iter_mut()) {
            let gate = &shared.state.gate;
            match gate.pass(now) {
                Ok(ticket) => *pass = ticket,
                Err(_) if anyway => *pass = Some(gate.acquire_anyway(now)),
                Err(_) => {
                    self.abandon_passes(slot, passes);
                    return None;
                }
            }
        }
        Some(passes)
    }

    /// Gives back what was not used.
    pub(crate) fn abandon_passes(&self, slot: &Slot, passes: Passes) {
        for (shared, pass) in self.scopes(slot).zip(passes) {
            if let Some(ticket) = pass {
                shared.state.gate.abandon(ticket);
            }
        }
    }

    /// A call through a target succeeded: whatever opened there was not a wider trouble.
    pub(crate) fn well(&self, slot: &Slot) {
        for shared in self.scopes(slot) {
            shared.state.signs.succeeded();
            if shared.state.failures.load(Relaxed) != 0 {
                shared.state.failures.store(0, Relaxed);
            }
        }
    }

    /// A call to a target failed.
    pub(crate) fn ill(&self, slot: &Slot) {
        for shared in self.scopes(slot) {
            shared.state.failures.fetch_add(1, Relaxed);
        }
    }

    /// Whether a target of `shared` is out of health, and for a reason that others may share.
    fn is_down(&self, target: TargetId, now: Instant) -> bool {
        let seen = self.gate(target).snapshot(now);
        seen.state != State::Closed && is_outage(seen.reason)
    }

    /// The wider scopes that should open because `target` did, after a failure that spoke for
    /// `said`: narrowest first.
    pub(crate) fn outages(
        &self,
        target: TargetId,
        said: Scope,
        now: Instant,
    ) -> impl Iterator<Item = &Shared> {
        let slot = self.slot(target);
        let silent = self.gate(target).snapshot(now).reason == TripReason::Hang;
        self.scopes(slot)
            .filter(|shared| !is_account(shared.key.scope))
            // Every scope counts the opening, whatever became of the narrower ones.
            .filter(move |shared| shared.state.signs.child_opened(target.0.into(), now))
            .filter(move |shared| silent || shared.fails_throughout())
            .filter(move |shared| {
                let down = |member: &&TargetId| self.is_down(**member, now);
                let needed = if covers(said, shared.key.scope) || shared.members.len() <= FEW {
                    2
                } else {
                    3
                };
                let count = shared.members.iter().filter(down).count();
                // With all of them open already there is nobody left to spare.
                if count < needed || count == shared.members.len() {
                    return false;
                }
                // What a narrower scope explains stays there.
                let mut narrower = self
                    .scopes(slot)
                    .filter(|known| !is_account(known.key.scope))
                    .take_while(|known| known.key != shared.key);
                !narrower.any(|known| {
                    known.members.len() < shared.members.len()
                        && shared
                            .members
                            .iter()
                            .filter(down)
                            .all(|member| known.members.contains(member))
                })
            })
    }
}

impl Shared {
    /// Whether nobody of it has answered for more calls than a request or two make before they come to one who does. Two that are broken
    /// by themselves and are called in turn open together, beside a third that is well.
    fn fails_throughout(&self) -> bool {
        let few = (2 * self.members.len()).min(MANY_FAILURES);
        let failures = self.state.failures.load(Relaxed);
        usize::try_from(failures).is_ok_and(|failures| failures >= few)
    }

    /// What a call through one of its targets says of the scope.
    ///
    /// A failed probe opens it again, but not for longer: it may have been the one target that is
    /// broken by itself. Of an account only its own failures speak, and those set it aside.
    pub(crate) const fn outcome(&self, own: Outcome) -> Outcome {
        match own {
            // Bad answers are no sign of what is shared: nothing of them is left to show.
            Outcome::Success | Outcome::Begun => Outcome::Success,
            Outcome::Neutral => Outcome::Neutral,
            _ if is_account(self.key.scope) => Outcome::Neutral,
            Outcome::Hard | Outcome::Soft | Outcome::BadAnswer => Outcome::Soft,
        }
    }
}

/// Whether a gate is open for what may be an outage of something wider.
pub(crate) const fn is_outage(reason: TripReason) -> bool {
    matches!(
        reason,
        TripReason::Streak | TripReason::Ratio | TripReason::Hang | TripReason::Probe
    )
}
