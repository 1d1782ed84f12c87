//! Settings that belong together.

use std::time::Duration;

use crate::backoff::Backoff;

/// How patient a kind of caller is.
///
/// | | attempts | base | ceiling | whole call | one attempt | longest hint waited out |
/// |---|---|---|---|---|---|---|
/// | [`interactive`](Self::interactive) | 3 | 0.5 s | 10 s | 30 s | 30 s | 10 s |
/// | [`background`](Self::background) | 6 | 0.5 s | 60 s | 10 min | 5 min | 5 min |
/// | [`agent`](Self::agent) | 5 | 0.5 s | 20 s | 3 min | 2 min | 60 s |
///
/// A person in front of a screen leaves after half a minute; a nightly job would rather be late than wrong; an agent has
/// many steps behind it that a failure throws away, and somebody waiting for the end of them. Your own begins as one of them:
///
/// ```
/// use llm_backoff::{Preset, Retry, Sleep};
/// use std::time::Duration;
///
/// fn mine<S: Sleep>(sleep: S) -> Retry<'static, S> {
///     let mut preset = Preset::agent();
///     preset.attempts = 3;
///     preset.hint_max = Duration::from_secs(5);
///     Retry::preset(sleep, &preset)
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Preset {
    /// The waits.
    pub backoff: Backoff,
    /// Attempts, the first included.
    pub attempts: u32,
    /// Wall clock for the whole call.
    pub total: Duration,
    /// The limit of one attempt.
    pub attempt: Duration,
    /// A server's hint beyond this is not waited out.
    pub hint_max: Duration,
}

impl Preset {
    /// A caller who waits: chat, completion in an editor. This is the default.
    #[must_use]
    pub fn interactive() -> Self {
        Self {
            backoff: Backoff::default(),
            attempts: 3,
            total: Duration::from_secs(30),
            attempt: Duration::from_secs(30),
            hint_max: Duration::from_secs(10),
        }
    }

    /// Nobody waits: batches, nightly jobs.
    #[must_use]
    pub fn background() -> Self {
        Self {
            backoff: Backoff::default().with_ceiling(Duration::from_secs(60)),
            attempts: 6,
            total: Duration::from_secs(10 * 60),
            attempt: Duration::from_secs(5 * 60),
            hint_max: Duration::from_secs(5 * 60),
        }
    }

    /// One step of many: agents, tool loops.
    #[must_use]
    pub fn agent() -> Self {
        Self {
            backoff: Backoff::default().with_ceiling(Duration::from_secs(20)),
            attempts: 5,
            total: Duration::from_secs(3 * 60),
            attempt: Duration::from_secs(2 * 60),
            hint_max: Duration::from_secs(60),
        }
    }
}

impl Default for Preset {
    fn default() -> Self {
        Self::interactive()
    }
}
