//! The clock and the sleep of the driver, which come from outside.

use std::time::{Duration, Instant};

/// A clock that can be waited on.
///
/// Bring your runtime's, or a virtual one in tests. With the `tokio` feature there is [`TokioSleep`].
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
