//! Where entries live.

use std::future::{Future, ready};
use std::pin::Pin;
use std::time::Duration;

use crate::entry::Entry;
use crate::key::PromptKey;

/// The boxed future at the one dynamic seam of this crate.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A place to keep entries: memory here, disk or a shared server by other implementations.
///
/// Stores keep and forget; what is fresh or stale is decided by [`Cache`](crate::Cache). An implementation bounds its own
/// size and may forget anything at any time.
pub trait Store: std::fmt::Debug + Send + Sync {
    /// Finds an entry.
    ///
    /// # Errors
    ///
    /// The store cannot be reached or read.
    fn get<'a>(&'a self, key: &'a PromptKey) -> StoreFuture<'a, Option<Entry>>;

    /// Keeps an entry for at most this long, replacing an older one.
    ///
    /// # Errors
    ///
    /// The store cannot be reached or written.
    fn put<'a>(&'a self, key: &'a PromptKey, entry: Entry, keep: Duration) -> StoreFuture<'a, ()>;

    /// Forgets an entry.
    ///
    /// # Errors
    ///
    /// The store cannot be reached or written.
    fn remove<'a>(&'a self, key: &'a PromptKey) -> StoreFuture<'a, ()>;
}

/// A store that could not do its work. The cache treats it as a miss.
#[derive(Debug, thiserror::Error)]
#[error("cache store is unavailable")]
pub struct StoreError(#[source] Option<Box<dyn std::error::Error + Send + Sync>>);

impl StoreError {
    /// Wraps what went wrong below.
    #[must_use]
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Some(source.into()))
    }
}

/// The store in this process's memory, bounded in bytes.
#[derive(Debug, Clone)]
pub struct Memory {
    entries: moka::future::Cache<PromptKey, Entry>,
}

impl Memory {
    /// A store of at most this many bytes, forgetting what is least likely to be asked again, and everything after `keep`.
    #[must_use]
    pub fn new(max_bytes: u64, keep: Duration) -> Self {
        // moka refuses times of more than a thousand years by a panic.
        let keep = keep.min(Duration::from_secs(365 * 86_400));
        Self {
            entries: moka::future::Cache::builder()
                .max_capacity(max_bytes)
                .weigher(|_, entry: &Entry| u32::try_from(entry.weight_bytes()).unwrap_or(u32::MAX))
                .time_to_live(keep)
                .build(),
        }
    }

    /// Bytes held now, by the entries' own account; brought up to date first.
    ///
    /// # Cancel safety
    ///
    /// Safe: upkeep that was not finished is done by a later call.
    pub async fn weight_bytes(&self) -> u64 {
        self.entries.run_pending_tasks().await;
        self.entries.weighted_size()
    }
}

impl Store for Memory {
    fn get<'a>(&'a self, key: &'a PromptKey) -> StoreFuture<'a, Option<Entry>> {
        Box::pin(async { Ok(self.entries.get(key).await) })
    }

    fn put<'a>(&'a self, key: &'a PromptKey, entry: Entry, keep: Duration) -> StoreFuture<'a, ()> {
        if keep.is_zero() {
            return Box::pin(ready(Ok(())));
        }
        Box::pin(async {
            self.entries.insert(*key, entry).await;
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a PromptKey) -> StoreFuture<'a, ()> {
        Box::pin(async {
            self.entries.invalidate(key).await;
            Ok(())
        })
    }
}
