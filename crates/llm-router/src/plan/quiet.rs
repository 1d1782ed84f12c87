//! A request to which nobody says anything: how long it goes on.
//!
//! A target that is silent at its first calls, or at the only one in ten minutes, may be slow or dead, and nothing but time could tell
//! which. To give every target its whole window, one after the other, would take all of the caller's time; so they are asked
//! beside each other, and what one window is enough for is over with it:
//!
//! | the stream sent last has been silent for | then |
//! |---|---|
//! | a quarter of the first token's window, and three times its target's usual time | another target is asked beside it, if a trial can be paid |
//! | half of it, and as long | another one is asked in any case |
//! | what is left of one window since the first call was sent to one of them, but half a window at least, and three times its target's usual time or its learnt window | it is given up |
//!
//! When all have been silent so, none is asked again that answers nobody: the answer is degraded. With two targets that is after one window, with three as
//! well where trials can be paid.
//!
//! One that is always outwaited by another would never be known. So where the usual time is not known, each silence that another target put an
//! end to makes half as much again of it, until a call is answered or has been silent for its whole window; and after that one each
//! such silence is a failure, until a call is answered.
//!
//! The first two are for targets that answer nobody at present, and of which too little is known to say when a call is late. None is for prompts of 32,000 tokens and more at a
//! target that has not answered some of these: reading alone may take it a window. Nor for calls in which the model thinks first, nor for whole
//! answers: they are given minutes, and the deadline is shorter.

use super::{Plan, Touched};
use crate::budget::Learnt;
use crate::route::Windows;
use crate::vitals::Vitals;
use std::time::{Duration, Instant};

impl Plan {
    /// When the silence of the attempt sent last is long enough to ask another target beside it, if that can be paid, and in any case.
    pub(super) fn unsure_at(&self, now: Instant) -> [Option<Instant>; 2] {
        let route = self.table.resolved(self.route);
        let unsure = self.lives.youngest().and_then(|live| {
            let candidate = route.candidates.get(usize::from(live.position))?;
            let vitals = &self.table.slot(candidate.target).health.vitals;
            let known = Some(Learnt::default());
            let better_known = vitals.answers_within(&self.request, known, now).is_some();
            let least = vitals.surely_silent_after(&self.request);
            let unsure = !better_known && vitals.may_be_dead(&self.request, now);
            Some((live.sent_at, least.filter(|_| unsure)?))
        });
        let window = route.policy.windows.first_token;
        [window / 4, window / 2]
            .map(|after| unsure.map(|(sent_at, least)| sent_at + least.max(after)))
    }

    /// How long an attempt that is sent now waits for its first token, where others have been silent in this request.
    pub(super) fn quiet_window(
        &self,
        position: u8,
        vitals: &Vitals,
        allowed: Windows,
        now: Instant,
    ) -> Option<Duration> {
        let least = vitals.surely_silent_after(&self.request)?;
        let by = self.table.policy(self.route).learnt;
        let learnt = vitals.answers_within(&self.request, by, now);
        let since = self.silent_since(position)?;
        let whole = allowed.first_token;
        let left = (since + whole).saturating_duration_since(now);
        Some(
            left.max(whole / 2)
                .max(least)
                .max(learnt.unwrap_or_default()),
        )
    }

    /// Whether a target that could be slow or dead, for all that is known, answers nobody, and there are others to ask.
    pub(super) fn is_as_good_as_dead(&self, vitals: &Vitals, now: Instant) -> bool {
        let route = self.table.resolved(self.route);
        route.candidates.len() > 1
            && vitals.surely_silent_after(&self.request).is_some()
            && vitals.may_be_dead(&self.request, now)
    }

    /// Since when another one has been silent: in the end, or so far. Who thinks is not.
    fn silent_since(&self, position: u8) -> Option<Instant> {
        let over = self.touched.iter();
        let over = over.filter_map(|known| Some((known.position, known.silent_since?)));
        let so_far = self.lives.iter().map(|live| (live.position, live.sent_at));
        let route = self.table.resolved(self.route);
        let thinks = |position: u8| {
            let candidate = route.candidates.get(usize::from(position));
            candidate.is_some_and(|one| one.health.vitals.thinks(&self.request))
        };
        let others = over
            .chain(so_far)
            .filter(|(other, _)| *other != position && !thinks(*other));
        others.map(|(_, since)| since).min()
    }

    /// Whether to ask a target again, that has been silent, would find no one: it answers nobody, others were asked, and all have been silent, or
    /// what one window is enough for is over.
    pub(super) fn is_silence_final(&self, known: &Touched, vitals: &Vitals, now: Instant) -> bool {
        let silent = |known: &Touched| known.silent_since.is_some();
        let window = self.table.policy(self.route).windows.first_token;
        let over = || now.saturating_duration_since(self.searching_since) >= window;
        self.request.streamed
            && self.touched.len() > 1
            && silent(known)
            && (over() || self.touched.iter().all(silent))
            && vitals.may_be_dead(&self.request, now)
    }

    /// Remembers, of a call that failed, since when it had been silent.
    pub(super) fn note_silence(&mut self, position: u8, since: Option<Instant>) {
        let known = self
            .touched
            .iter_mut()
            .find(|known| known.position == position);
        if let Some(known) = known {
            known.silent_since = since;
        }
    }
}
