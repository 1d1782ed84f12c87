//! Prompt keys and answers kept for the day nothing answers: fresh and stale-if-error entries.
//!
//! Two uses, one store. A **fresh** answer saves a call. A **stale** one saves the day: when every target is down, the
//! answer of this morning with its age written on it is better than an error, for the callers who allow it.
//!
//! ```text
//!  stored            fresh (5 min)                         stale (24 h)
//!    |------ Fresh -------|---- Stale(reason), if asked for ----|  gone
//!    lookup ------------->|
//!    lookup_stale ---------------------------------------------->|
//! ```
//!
//! | setting | default | why |
//! |---|---|---|
//! | `fresh` | 5 min | repeats come in bursts: a reloaded page, a retried job |
//! | `stale` | 24 h | outlasts nearly every outage; RFC 5861's stale-if-error |
//! | `max_bytes` | 64 MiB | some ten thousand answers; least useful ones leave first |
//! | `max_entry_bytes` | 1 MiB | one giant answer must not push out a thousand others |
//!
//! What is promised:
//!
//! - a key covers tenant and request ([`Keyring`]), so no tenant ever sees another's answer;
//! - only answers that passed the quality look are kept ([`Entry::of_verified`]);
//! - equal requests in flight can share one call ([`Coalescer`]), and a leader's cancellation never fails its followers;
//! - a store that fails is a miss, never an error of the call;
//! - no prompt or answer appears in any `Debug` or error text.
//!
//! What it does not do: compare prompts by meaning, share entries between processes (implement [`Store`] for that), or decide
//! whether an answer is good.

mod cache;
mod coalesce;
mod entry;
mod key;
mod store;

pub use self::cache::{Cache, CacheConfig, Insert};
pub use self::coalesce::{Coalescer, Leader, Turn};
pub use self::entry::{Entry, Freshness, Hit, StaleReason};
pub use self::key::{DELIVERY_FIELDS, Keyring, PromptKey, strip_delivery};
pub use self::store::{Memory, Store, StoreError, StoreFuture};
