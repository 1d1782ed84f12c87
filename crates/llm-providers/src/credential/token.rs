//! A token that runs out: kept, and renewed before it does.
//!
//! ```text
//! more than 5 min left ── the token
//! 5 min or less ───────── the token; one attempt renews it, and if that fails nobody notices
//! run out ─────────────── all wait for one renewal; after a failure others fail at once for 1 s
//! ```
//!
//! The calendar may be set back: what is remembered of a later time than now is not believed. A token that the provider
//! refuses is not used again.

use super::CredentialError;
use http::HeaderValue;
use std::sync::{Mutex as Lock, PoisonError};
use std::time::{Duration, SystemTime};

/// A token this near its end is renewed.
const EARLY: Duration = Duration::from_secs(300);
/// A token this near its end is not used: it may run out on the way.
const MARGIN: Duration = Duration::from_secs(10);
/// How long a failure to fetch one answers for others.
const PAUSE: Duration = Duration::from_secs(1);
/// A token that is refused so soon after it was given out is no worse than the next one would be.
const FRESH: Duration = Duration::from_secs(60);
/// How long fetching a token may take.
const WAIT: Duration = Duration::from_secs(5);

/// A token as a header's value, and when it runs out.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) header: HeaderValue,
    pub(super) until: SystemTime,
}

impl Token {
    fn outlasts(&self, now: SystemTime, time: Duration) -> bool {
        self.until > now + time
    }
}

/// Keeps one token.
#[derive(Default)]
pub(super) struct TokenCache {
    /// Held only to copy a handle, never while waiting.
    state: Lock<State>,
    /// Held by whoever fetches.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The token, and when it was given out.
    token: Option<(Token, SystemTime)>,
    failed: Option<(SystemTime, CredentialError)>,
}

impl TokenCache {
    /// The token, from `fetch` where there is none that will do.
    pub(super) async fn get<F>(
        &self,
        now: SystemTime,
        fetch: F,
    ) -> Result<HeaderValue, CredentialError>
    where
        F: Future<Output = Result<Token, CredentialError>> + Send,
    {
        if let Some(token) = self.usable(now) {
            if token.outlasts(now, EARLY) {
                return Ok(token.header);
            }
            if let Ok(_turn) = self.fetching.try_lock() {
                let renewed = self.fetch(now, fetch).await;
                return Ok(renewed.unwrap_or(token.header));
            }
            return Ok(token.header);
        }
        let _turn = self.fetching.lock().await;
        // Somebody may have fetched one, or failed to, while this attempt waited for its turn.
        if let Some(token) = self.usable(now) {
            return Ok(token.header);
        }
        if let Some(error) = self.failed(now) {
            return Err(error);
        }
        self.fetch(now, fetch).await
    }

    async fn fetch<F>(&self, now: SystemTime, fetch: F) -> Result<HeaderValue, CredentialError>
    where
        F: Future<Output = Result<Token, CredentialError>> + Send,
    {
        let fetched = tokio::time::timeout(WAIT, fetch).await;
        let fetched = fetched.unwrap_or(Err(CredentialError::TimedOut));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match fetched {
            Ok(token) => {
                let header = token.header.clone();
                state.token = Some((token, now));
                state.failed = None;
                Ok(header)
            }
            Err(error) => {
                state.failed = Some((now, error));
                Err(error)
            }
        }
    }

    fn usable(&self, now: SystemTime) -> Option<Token> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (token, since) = state.token.as_ref()?;
        (*since <= now && token.outlasts(now, MARGIN)).then(|| token.clone())
    }

    /// The provider refused `sent`: it is forgotten, unless it was given out just now. Whether the next attempt will
    /// have another one.
    pub(super) fn refused(&self, sent: &HeaderValue, now: SystemTime) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((token, since)) = &state.token else {
            return true;
        };
        if token.header != sent {
            return true;
        }
        if now.duration_since(*since).is_ok_and(|age| age < FRESH) {
            return false;
        }
        state.token = None;
        true
    }

    fn failed(&self, now: SystemTime) -> Option<CredentialError> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, error) = state.failed?;
        let recent = now.duration_since(at).is_ok_and(|ago| ago < PAUSE);
        recent.then_some(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    fn given(
        name: &'static str,
        until: u64,
    ) -> impl Future<Output = Result<Token, CredentialError>> + Send {
        std::future::ready(Ok(Token {
            header: HeaderValue::from_static(name),
            until: at(until),
        }))
    }

    #[tokio::test(start_paused = true)]
    async fn a_token_is_renewed_before_it_runs_out_and_kept_if_that_fails() {
        let cache = TokenCache::default();
        let refused = || async { Err(CredentialError::Refused(503)) };
        assert_eq!(cache.get(at(0), given("a", 3_600)).await.unwrap(), "a");
        assert_eq!(cache.get(at(3_000), given("b", 9_000)).await.unwrap(), "a");
        assert_eq!(cache.get(at(3_400), refused()).await.unwrap(), "a");
        assert_eq!(cache.get(at(3_400), given("b", 9_000)).await.unwrap(), "b");
        let lost = cache.get(at(8_995), refused()).await;
        assert_eq!(lost.unwrap_err(), CredentialError::Refused(503));
    }

    #[tokio::test(start_paused = true)]
    async fn a_calendar_that_is_set_back_is_believed() {
        let cache = TokenCache::default();
        let refused = || async { Err(CredentialError::Refused(503)) };
        let lost = cache.get(at(9_000), refused()).await;
        assert_eq!(lost.unwrap_err(), CredentialError::Refused(503));
        let fetched = cache.get(at(5_000), given("a", 8_600)).await;
        assert_eq!(fetched.unwrap(), "a", "the failure is to come only");
        // By its own calendar the provider ends it an hour after it was given out, whatever this one says.
        let fetched = cache.get(at(1_000), given("b", 4_600)).await;
        assert_eq!(fetched.unwrap(), "b");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_token_is_forgotten_unless_it_is_fresh() {
        let cache = TokenCache::default();
        let [a, b] = ["a", "b"].map(HeaderValue::from_static);
        assert_eq!(cache.get(at(0), given("a", 3_600)).await.unwrap(), a);
        assert!(!cache.refused(&a, at(10)));
        assert_eq!(cache.get(at(10), given("b", 3_600)).await.unwrap(), a);
        assert!(cache.refused(&a, at(100)));
        assert!(cache.refused(&a, at(100)), "of a call beside it");
        assert_eq!(cache.get(at(100), given("b", 3_700)).await.unwrap(), b);
        assert!(cache.refused(&a, at(100)), "of a call that began before");
        assert!(!cache.refused(&b, at(101)));
    }

    #[tokio::test(start_paused = true)]
    async fn many_wait_for_one_and_a_failure_answers_for_all() {
        let cache = TokenCache::default();
        let asked = AtomicU32::new(0);
        let slow = || async {
            asked.fetch_add(1, Ordering::Relaxed);
            std::future::pending().await
        };
        let all = futures_util::future::join_all((0..50).map(|_| cache.get(at(0), slow()))).await;
        let late = CredentialError::TimedOut;
        assert!(all.iter().all(|one| one.as_ref().unwrap_err() == &late));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(cache.get(at(2), given("a", 3_600)).await.unwrap(), "a");
    }
}
