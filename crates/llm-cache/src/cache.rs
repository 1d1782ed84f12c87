//! Which answers may be given again, and when.
//!
//! The times are those of RFC 5861: inside `fresh` an answer passes for a new one; from then until `stale` it may be given
//! only because there is nothing better, and the caller is told so. Stale answers therefore have a door of their own, which asks for the reason.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::entry::{Entry, Freshness, Hit, StaleReason};
use crate::key::PromptKey;
use crate::store::{Memory, Store};

/// Settings of a [`Cache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheConfig {
    fresh: Duration,
    stale: Duration,
    max_bytes: u64,
    max_entry_bytes: usize,
}

impl Default for CacheConfig {
    fn default() -> Self {
        Self {
            fresh: Duration::from_secs(5 * 60),
            stale: Duration::from_secs(24 * 3600),
            max_bytes: 64 << 20,
            max_entry_bytes: 1 << 20,
        }
    }
}

impl CacheConfig {
    /// How long an answer passes for a new one; zero = never. Default 5 minutes.
    #[must_use]
    pub const fn fresh(mut self, fresh: Duration) -> Self {
        self.fresh = fresh;
        self
    }

    /// How old an answer may be when nothing better is left; counted from when it was stored. Default 24 hours.
    #[must_use]
    pub const fn stale(mut self, stale: Duration) -> Self {
        self.stale = stale;
        self
    }

    /// Memory for all entries together. Default 64 MiB.
    #[must_use]
    pub const fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// The largest single entry that is kept. Default 1 MiB.
    #[must_use]
    pub const fn max_entry_bytes(mut self, bytes: usize) -> Self {
        self.max_entry_bytes = bytes;
        self
    }

    fn keep(&self) -> Duration {
        self.fresh.max(self.stale)
    }
}

/// Whether an entry was kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Insert {
    /// It was given to the store.
    Stored,
    /// It is larger than a single entry may be.
    TooLarge,
    /// The store failed; the answer is simply not remembered.
    Unavailable,
}

/// Answers kept for repeats, and for the day nothing answers. Cheap to clone.
///
/// A failing store is never an error here: it is a miss, for a cache must not be able to fail a call.
///
/// ```
/// use bytes::Bytes;
/// use llm_cache::{Cache, CacheConfig, Entry, Keyring};
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # let now = tokio::time::Instant::now().into_std();
/// let cache = Cache::in_memory(CacheConfig::default());
/// let key = Keyring::new(&[7; 32]).key("alice", &serde_json::json!({"messages": ["hi"]}));
/// let answer = Entry::of_verified(Bytes::from_static(b"hello"), "openai", "gpt-5-mini", now);
/// let _ = cache.insert(&key, answer).await;
/// assert_eq!(cache.lookup(&key, now).await.unwrap().body(), "hello");
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cache {
    store: Arc<dyn Store>,
    config: CacheConfig,
}

impl Cache {
    /// A cache in this process's memory.
    #[must_use]
    pub fn in_memory(config: CacheConfig) -> Self {
        Self::with_store(
            Arc::new(Memory::new(config.max_bytes, config.keep())),
            config,
        )
    }

    /// A cache over any store, which bounds its own size.
    #[must_use]
    pub fn with_store(store: Arc<dyn Store>, config: CacheConfig) -> Self {
        Self { store, config }
    }

    /// Keeps a verified answer, replacing an older one for the same key.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the entry may or may not have been kept.
    pub async fn insert(&self, key: &PromptKey, entry: Entry) -> Insert {
        if entry.weight_bytes() > self.config.max_entry_bytes {
            return Insert::TooLarge;
        }
        match self.store.put(key, entry, self.config.keep()).await {
            Ok(()) => Insert::Stored,
            Err(_) => Insert::Unavailable,
        }
    }

    /// Finds an answer that may pass for a new one.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn lookup(&self, key: &PromptKey, now: Instant) -> Option<Hit> {
        if self.config.fresh.is_zero() {
            return None;
        }
        let hit = self.find(key, now, None).await?;
        (hit.freshness == Freshness::Fresh).then_some(hit)
    }

    /// Finds an answer of any permitted age, because of `reason`. A hit past the fresh time is marked with it.
    ///
    /// # Cancel safety
    ///
    /// Safe.
    pub async fn lookup_stale(
        &self,
        key: &PromptKey,
        now: Instant,
        reason: StaleReason,
    ) -> Option<Hit> {
        self.find(key, now, Some(reason)).await
    }

    /// Forgets an answer; whether the store did so.
    ///
    /// # Cancel safety
    ///
    /// Cancelled, the entry may or may not be gone.
    pub async fn forget(&self, key: &PromptKey) -> bool {
        self.store.remove(key).await.is_ok()
    }

    async fn find(
        &self,
        key: &PromptKey,
        now: Instant,
        reason: Option<StaleReason>,
    ) -> Option<Hit> {
        let entry = self.store.get(key).await.ok()??;
        let age = entry.age(now);
        let freshness = if age < self.config.fresh {
            Freshness::Fresh
        } else if age < self.config.stale {
            Freshness::Stale(reason?)
        } else {
            return None;
        };
        Some(Hit {
            entry,
            age,
            freshness,
        })
    }
}
