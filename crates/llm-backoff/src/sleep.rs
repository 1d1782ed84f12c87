//! The clock and the sleep of the driver, which come from outside.

use std::sync::Arc;
use std::time::{Duration, Instant};

/// A clock that can be waited on.
///
/// Bring your runtime's; with the `tokio` feature there is [`TokioSleep`]. In tests a clock that jumps makes waits free:
///
/// ```
/// # #[cfg(feature = "tokio")] {
/// use std::sync::{Arc, Mutex};
/// use std::time::{Duration, Instant};
/// use llm_backoff::{Retry, Sleep};
///
/// struct Jumping(Mutex<Instant>);
///
/// impl Sleep for Jumping {
///     fn now(&self) -> Instant {
///         *self.0.lock().unwrap()
///     }
///     async fn sleep(&self, wait: Duration) {
///         *self.0.lock().unwrap() += wait;
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let start = Instant::now();
/// let clock = Arc::new(Jumping(Mutex::new(start)));
/// let report = Retry::background(Arc::clone(&clock))
///     .report(|_| async { Err::<(), _>("busy") })
///     .await;
/// assert_eq!(report.statistics.attempts, 6);
/// assert_eq!(report.statistics.elapsed, clock.now() - start);
/// # }); }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no clock to wait on",
    note = "`TokioSleep` is, with the feature `tokio`; or implement `Sleep`: two short functions"
)]
pub trait Sleep {
    /// The present moment.
    fn now(&self) -> Instant;

    /// Waits this long.
    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send;
}

impl<S: Sleep> Sleep for &S {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        (**self).sleep(wait)
    }
}

impl<S: Sleep> Sleep for Arc<S> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        (**self).sleep(wait)
    }
}

/// Tokio's clock, which its tests can pause.
#[cfg(feature = "tokio")]
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSleep;

#[cfg(feature = "tokio")]
impl Sleep for TokioSleep {
    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep(&self, wait: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(wait)
    }
}
