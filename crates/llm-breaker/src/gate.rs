//! The one word that decides whether a call may pass.
//!
//! ```text
//!  63 62   61 60   59   56   55      42   41                    0
//! | phase |  mode |  reason |   epoch    |      until, in ms      |
//! ```
//!
//! *Until* counts milliseconds since the breaker's origin (42 bits: 139 years). Its meaning follows the phase: open —
//! no probe before it; half-open — the probe's lease ends then; ramp — when its step began, and in the two lowest bits which
//! one that is; closed — unused. The epoch
//! changes with every change of phase but the quiet last step from ramp to closed (and not when one probe follows another), so a result can be told from one
//! of an earlier life of the breaker. A closed, enforcing gate is the only word below 2^60: one compare lets a call in.

use crate::reason::TripReason;

const UNTIL_BITS: u32 = 42;
const EPOCH_BITS: u32 = 14;
const REASON_SHIFT: u32 = UNTIL_BITS + EPOCH_BITS;
const MODE_SHIFT: u32 = REASON_SHIFT + 4;
const PHASE_SHIFT: u32 = MODE_SHIFT + 2;

/// The largest time the word can hold.
pub(crate) const UNTIL_MAX: u64 = (1 << UNTIL_BITS) - 1;
const EPOCH_MAX: u64 = (1 << EPOCH_BITS) - 1;
const STEP_BITS: u32 = 2;
const STEP_MASK: u64 = (1 << STEP_BITS) - 1;

/// Where the breaker is; the public [`State`](crate::State) counts the ramp as half-open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Closed,
    Open,
    HalfOpen,
    Ramp,
}

/// Whether the breaker's opinion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Calls are refused while the breaker is open.
    #[default]
    Enforce,
    /// Everything is judged and nothing is refused: for trying settings out on live traffic.
    Observe,
    /// Everything passes and nothing is judged.
    ForcedClosed,
    /// Everything is refused and nothing is judged.
    ForcedOpen,
}

/// The packed word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate(pub(crate) u64);

impl Gate {
    pub(crate) const CLOSED: Self = Self(0);

    /// Closed and enforcing: nothing to look at.
    pub(crate) const fn is_clear(self) -> bool {
        self.0 >> MODE_SHIFT == 0
    }

    pub(crate) const fn phase(self) -> Phase {
        match self.0 >> PHASE_SHIFT {
            0 => Phase::Closed,
            1 => Phase::Open,
            2 => Phase::HalfOpen,
            _ => Phase::Ramp,
        }
    }

    pub(crate) const fn mode(self) -> Mode {
        match (self.0 >> MODE_SHIFT) & 3 {
            0 => Mode::Enforce,
            1 => Mode::Observe,
            2 => Mode::ForcedClosed,
            _ => Mode::ForcedOpen,
        }
    }

    /// Whether somebody decided in the breaker's place.
    pub(crate) const fn is_forced(self) -> bool {
        matches!(self.mode(), Mode::ForcedOpen | Mode::ForcedClosed)
    }

    pub(crate) const fn reason(self) -> TripReason {
        TripReason::from_bits((self.0 >> REASON_SHIFT) & 15)
    }

    pub(crate) const fn epoch(self) -> u16 {
        ((self.0 >> UNTIL_BITS) & EPOCH_MAX) as u16
    }

    pub(crate) const fn until(self) -> u64 {
        self.0 & UNTIL_MAX
    }

    /// The next phase: same mode, a new epoch.
    pub(crate) const fn enter(self, phase: Phase, reason: TripReason, until: u64) -> Self {
        self.with(phase, reason, Self::after(self.epoch()) as u64, until)
    }

    /// The same life of the breaker, something else about it.
    pub(crate) const fn stay(self, phase: Phase, reason: TripReason, until: u64) -> Self {
        self.with(phase, reason, self.epoch() as u64, until)
    }

    /// A step of the ramp, from 0, which begins at `since`.
    pub(crate) const fn ramp(self, epoch: u16, step: u64, since: u64) -> Self {
        let longest = UNTIL_MAX >> STEP_BITS;
        let since = if since > longest { longest } else { since };
        let until = (since << STEP_BITS) | (step & STEP_MASK);
        self.with(Phase::Ramp, self.reason(), epoch as u64, until)
    }

    /// Which step of the ramp has begun, and when.
    pub(crate) const fn step(self) -> (u64, u64) {
        (self.until() & STEP_MASK, self.until() >> STEP_BITS)
    }

    /// The epoch after this one.
    pub(crate) const fn after(epoch: u16) -> u16 {
        ((epoch as u64 + 1) & EPOCH_MAX) as u16
    }

    pub(crate) const fn with_mode(self, mode: Mode) -> Self {
        Self((self.0 & !(3 << MODE_SHIFT)) | ((mode as u64) << MODE_SHIFT))
    }

    const fn with(self, phase: Phase, reason: TripReason, epoch: u64, until: u64) -> Self {
        let until = if until > UNTIL_MAX { UNTIL_MAX } else { until };
        Self(
            ((phase as u64) << PHASE_SHIFT)
                | (self.0 & (3 << MODE_SHIFT))
                | (reason.bits() << REASON_SHIFT)
                | (epoch << UNTIL_BITS)
                | until,
        )
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_closed_enforcing_gate_is_clear() {
        assert!(Gate::CLOSED.is_clear());
        assert!(!Gate::CLOSED.with_mode(Mode::Observe).is_clear());
        assert!(
            !Gate::CLOSED
                .enter(Phase::Open, TripReason::Streak, 0)
                .is_clear()
        );
        assert!(
            Gate::CLOSED
                .enter(Phase::Closed, TripReason::Streak, 0)
                .with_mode(Mode::Enforce)
                .0
                >> MODE_SHIFT
                == 0
        );
    }

    proptest! {
        #[test]
        fn fields_do_not_touch_each_other(start: u64, phase in 0u8..4, mode in 0u8..4, reason in 0usize..TripReason::ALL.len(), until: u64) {
            let phase = [Phase::Closed, Phase::Open, Phase::HalfOpen, Phase::Ramp][usize::from(phase)];
            let mode = [Mode::Enforce, Mode::Observe, Mode::ForcedClosed, Mode::ForcedOpen][usize::from(mode)];
            let reason = TripReason::ALL[reason];
            let gate = Gate(start);
            let next = gate.with_mode(mode).enter(phase, reason, until);
            prop_assert_eq!(next.phase(), phase);
            prop_assert_eq!(next.mode(), mode);
            prop_assert_eq!(next.reason(), reason);
            prop_assert_eq!(u64::from(next.epoch()), (u64::from(gate.epoch()) + 1) % 16_384);
            prop_assert_eq!(next.until(), until.min(UNTIL_MAX));
            prop_assert_eq!(next.stay(phase, reason, until), next);
            let since = until.min(UNTIL_MAX >> STEP_BITS);
            let ramp = gate.ramp(next.epoch(), 2, until);
            prop_assert_eq!((ramp.step(), ramp.phase()), ((2, since), Phase::Ramp));
            prop_assert_eq!((ramp.epoch(), ramp.mode(), ramp.reason()), (next.epoch(), gate.mode(), gate.reason()));
        }
    }
}
