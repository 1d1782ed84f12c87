//! What a policy can be given besides its rules: somebody who watches, a reader of hints, a limit of single attempts.

use std::time::{Duration, Instant};

use crate::progress::{Attempt, Progress, StopReason};
use crate::window::AttemptWindow;

/// What happens during a call, for logs and metrics.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a, T, E> {
    /// An attempt is about to begin.
    Before(&'a Attempt),
    /// An attempt ended with a result that is worth another one.
    After(&'a Progress, &'a Result<T, E>),
    /// A wait of `progress.wait` is about to begin.
    BeforeSleep(&'a Progress, &'a Result<T, E>),
    /// The run is over, with this result; the reason, where it is worth another attempt that is not made. The last of its events, and
    /// told once, unless the run is dropped before: nothing is told of that.
    Ended(&'a Progress, &'a Result<T, E>, Option<StopReason>),
}

/// Told of every [`Event`]; implemented by functions, and by types of your own: see [the manual](crate#windows-that-are-learnt).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot watch calls that end with `Result<{T}, {E}>`",
    note = "a closure can that says what it is told of: `|event: Event<'_, {T}, {E}>| ..`"
)]
pub trait Observer<T, E> {
    /// Takes note.
    fn observe(&self, event: Event<'_, T, E>);

    /// Whether it wants to hear of [`Event::Ended`], which costs a look at the clock. It does by default.
    #[inline]
    fn hears_ends(&self) -> bool {
        true
    }
}

impl<T, E, F: Fn(Event<'_, T, E>)> Observer<T, E> for F {
    fn observe(&self, event: Event<'_, T, E>) {
        self(event);
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy)]
pub struct Unobserved;

impl<T, E> Observer<T, E> for Unobserved {
    fn observe(&self, _: Event<'_, T, E>) {}

    #[inline]
    fn hears_ends(&self) -> bool {
        false
    }
}

/// Reads how long the server asked to wait from an error; implemented by functions, and by types of your own.
#[diagnostic::on_unimplemented(
    message = "`{Self}` reads no hint from a `{E}`",
    note = "a closure does that says what it reads: `|error: &{E}| ..`, of type `Option<Duration>`"
)]
pub trait Hint<E> {
    /// The wait asked for, if any.
    fn hint(&self, error: &E) -> Option<Duration>;
}

impl<E, F: Fn(&E) -> Option<Duration>> Hint<E> for F {
    fn hint(&self, error: &E) -> Option<Duration> {
        self(error)
    }
}

/// Errors carry no hints.
#[derive(Debug, Clone, Copy)]
pub struct NoHint;

impl<E> Hint<E> for NoHint {
    fn hint(&self, _: &E) -> Option<Duration> {
        None
    }
}

/// Limits the time of attempts: a fixed one by [`Retry::limit`](super::Retry::limit), or one of your own, such as one that is
/// [learnt](crate#windows-that-are-learnt).
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no `{E}` of an attempt that ran into its limit",
    note = "`Retry::limit` takes a window and a closure; `Retry::limit_by` what implements `Limit<{E}>`"
)]
pub trait Limit<E> {
    /// The limit of an attempt that begins now, if there is one.
    fn window(&self, now: Instant) -> Option<AttemptWindow>;

    /// The error of an attempt that ran into the limit; without one the attempt is let run on.
    fn expired(&self, attempt: &Attempt) -> Option<E>;
}

/// Attempts run as long as they like; see [`Retry::limit`](super::Retry::limit).
#[derive(Debug, Clone, Copy)]
pub struct NoLimit;

impl<E> Limit<E> for NoLimit {
    fn window(&self, _: Instant) -> Option<AttemptWindow> {
        None
    }

    fn expired(&self, _: &Attempt) -> Option<E> {
        None
    }
}

/// See [`Retry::limit`](super::Retry::limit).
#[derive(Debug, Clone, Copy)]
pub struct Within<F> {
    pub(super) window: AttemptWindow,
    pub(super) expired: F,
}

impl<E, F: Fn(&Attempt) -> E> Limit<E> for Within<F> {
    fn window(&self, _: Instant) -> Option<AttemptWindow> {
        Some(self.window)
    }

    fn expired(&self, attempt: &Attempt) -> Option<E> {
        Some((self.expired)(attempt))
    }
}
