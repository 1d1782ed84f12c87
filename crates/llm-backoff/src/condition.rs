//! Which results are worth another attempt.
//!
//! A condition looks at a whole result, so that a bad answer which came as a success can be tried again as well. Conditions
//! compose: `a | b`, `a & b`, `!a`.
//!
//! ```
//! use llm_backoff::condition::{Condition, on_error, on_value};
//!
//! let again = on_error(|status: &u16| *status >= 500) | on_value(|text: &String| text.is_empty());
//! assert!(again.retry(&Err::<String, u16>(503)));
//! assert!(again.retry(&Ok::<String, u16>(String::new())));
//! assert!(!again.retry(&Err::<String, u16>(400)));
//! ```

use std::ops::Not;

use crate::operator::{operators, pointers};

/// Decides whether a result is worth another attempt.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no condition on a `Result<{T}, {E}>`",
    note = "a closure becomes one by `on_error(|error: &{E}| ..)` or `on_value(|value: &{T}| ..)`"
)]
pub trait Condition<T, E> {
    /// Whether to try again.
    fn retry(&self, result: &Result<T, E>) -> bool;
}

pointers! { Condition<T, E> => fn retry(&self, result: &Result<T, E>) -> bool; }

/// Any error.
#[must_use]
pub const fn any_error() -> AnyError {
    AnyError
}

/// Errors that the function picks.
#[must_use]
pub const fn on_error<E, F: Fn(&E) -> bool>(pick: F) -> OnError<F> {
    OnError(pick)
}

/// Values that the function rejects: an empty answer, a status that says "not yet".
#[must_use]
pub const fn on_value<T, F: Fn(&T) -> bool>(reject: F) -> OnValue<F> {
    OnValue(reject)
}

/// Errors whose chain of sources holds a `Cause` that the function picks.
#[must_use]
pub const fn on_cause<Cause: std::error::Error + 'static, F: Fn(&Cause) -> bool>(
    pick: F,
) -> OnCause<Cause, F> {
    OnCause(pick, std::marker::PhantomData)
}

/// See [`any_error`].
#[derive(Debug, Clone, Copy)]
pub struct AnyError;

impl<T, E> Condition<T, E> for AnyError {
    fn retry(&self, result: &Result<T, E>) -> bool {
        result.is_err()
    }
}

/// See [`on_error`].
#[derive(Debug, Clone, Copy)]
pub struct OnError<F>(F);

impl<T, E, F: Fn(&E) -> bool> Condition<T, E> for OnError<F> {
    fn retry(&self, result: &Result<T, E>) -> bool {
        result.as_ref().is_err_and(|error| (self.0)(error))
    }
}

/// See [`on_value`].
#[derive(Debug, Clone, Copy)]
pub struct OnValue<F>(F);

impl<T, E, F: Fn(&T) -> bool> Condition<T, E> for OnValue<F> {
    fn retry(&self, result: &Result<T, E>) -> bool {
        result.as_ref().is_ok_and(|value| (self.0)(value))
    }
}

/// See [`on_cause`].
#[derive(Debug, Clone, Copy)]
pub struct OnCause<Cause, F>(F, std::marker::PhantomData<fn(&Cause)>);

/// Links of a source chain that are followed; a longer one is a loop or as good as one.
const CHAIN_MAX: usize = 64;

impl<T, E, Cause, F> Condition<T, E> for OnCause<Cause, F>
where
    E: std::error::Error + 'static,
    Cause: std::error::Error + 'static,
    F: Fn(&Cause) -> bool,
{
    fn retry(&self, result: &Result<T, E>) -> bool {
        let Err(error) = result else {
            return false;
        };
        let first: &(dyn std::error::Error + 'static) = error;
        std::iter::successors(Some(first), |link| link.source())
            .take(CHAIN_MAX)
            .filter_map(|link| link.downcast_ref::<Cause>())
            .any(|cause| (self.0)(cause))
    }
}

/// Either condition: `a | b`.
#[derive(Debug, Clone, Copy)]
pub struct Any<A, B>(A, B);

impl<T, E, A: Condition<T, E>, B: Condition<T, E>> Condition<T, E> for Any<A, B> {
    fn retry(&self, result: &Result<T, E>) -> bool {
        self.0.retry(result) || self.1.retry(result)
    }
}

/// Both conditions: `a & b`.
#[derive(Debug, Clone, Copy)]
pub struct All<A, B>(A, B);

impl<T, E, A: Condition<T, E>, B: Condition<T, E>> Condition<T, E> for All<A, B> {
    fn retry(&self, result: &Result<T, E>) -> bool {
        self.0.retry(result) && self.1.retry(result)
    }
}

/// The opposite: `!a`.
#[derive(Debug, Clone, Copy)]
pub struct Inverse<A>(A);

impl<T, E, A: Condition<T, E>> Condition<T, E> for Inverse<A> {
    fn retry(&self, result: &Result<T, E>) -> bool {
        !self.0.retry(result)
    }
}

macro_rules! inverses {
    ($( $type:ident $(< $($param:ident),+ >)? ),+ $(,)?) => {$(
        impl $(<$($param),+>)? Not for $type $(<$($param),+>)? {
            type Output = Inverse<Self>;
            fn not(self) -> Inverse<Self> {
                Inverse(self)
            }
        }
    )+};
}

operators!(AnyError, OnError<F>, OnValue<F>, OnCause<Cause, F>, Any<A, B>, All<A, B>, Inverse<A>);
inverses!(AnyError, OnError<F>, OnValue<F>, OnCause<Cause, F>, Any<A, B>, All<A, B>, Inverse<A>);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compose() {
        let server = on_error(|status: &u16| *status >= 500);
        let not_implemented = on_error(|status: &u16| *status == 501);
        let rule = server & !not_implemented | on_value(|n: &i32| *n < 0);
        for (result, again) in [
            (Ok(1), false),
            (Ok(-1), true),
            (Err(500), true),
            (Err(501), false),
            (Err(404), false),
        ] {
            assert_eq!(rule.retry(&result), again, "{result:?}");
        }
        assert!(any_error().retry(&Err::<(), _>(())));
        assert!(!any_error().retry(&Ok::<_, ()>(())));
    }

    #[test]
    fn a_cause_is_found_at_any_depth() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] std::io::Error);
        let rule = on_cause(|e: &std::io::Error| e.kind() == std::io::ErrorKind::ConnectionReset);
        let reset = Outer(std::io::ErrorKind::ConnectionReset.into());
        assert!(rule.retry(&Err::<(), _>(reset)));
        let other = Outer(std::io::ErrorKind::NotFound.into());
        assert!(!rule.retry(&Err::<(), _>(other)));
    }
}
