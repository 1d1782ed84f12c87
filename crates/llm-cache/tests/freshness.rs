//! What comes back when, and what never does.

use std::future::ready;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use llm_cache::{
    Cache, CacheConfig, Entry, Freshness, Insert, Keyring, Memory, PromptKey, StaleReason, Store,
    StoreError, StoreFuture,
};

fn key(tenant: &str) -> PromptKey {
    Keyring::new(&[3; 32]).key(tenant, &serde_json::json!({"messages": ["hi"]}))
}

fn answer(text: &'static str, now: Instant) -> Entry {
    Entry::of_verified(Bytes::from_static(text.as_bytes()), "openai", "m", now)
}

fn start() -> Instant {
    tokio::time::Instant::now().into_std()
}

const REASON: StaleReason = StaleReason::TargetsExhausted;

#[tokio::test]
async fn an_answer_is_fresh_then_stale_then_gone() {
    let (cache, now) = (Cache::in_memory(CacheConfig::default()), start());
    assert_eq!(
        cache.insert(&key("a"), answer("yes", now)).await,
        Insert::Stored
    );

    let later = now + Duration::from_secs(299);
    let hit = cache.lookup(&key("a"), later).await.unwrap();
    assert_eq!(hit.freshness, Freshness::Fresh);
    assert_eq!(hit.age, Duration::from_secs(299));
    assert_eq!((hit.body().as_ref(), hit.entry.model()), (&b"yes"[..], "m"));

    let later = now + Duration::from_secs(300);
    assert!(cache.lookup(&key("a"), later).await.is_none());
    let hit = cache.lookup_stale(&key("a"), later, REASON).await.unwrap();
    assert_eq!(hit.freshness, Freshness::Stale(REASON));

    let later = now + Duration::from_secs(24 * 3600);
    assert!(cache.lookup_stale(&key("a"), later, REASON).await.is_none());
}

#[tokio::test]
async fn a_fresh_time_of_zero_never_serves_fresh() {
    let config = CacheConfig::default().fresh(Duration::ZERO);
    let (cache, now) = (Cache::in_memory(config), start());
    let _ = cache.insert(&key("a"), answer("yes", now)).await;
    assert!(cache.lookup(&key("a"), now).await.is_none());
    assert!(cache.lookup_stale(&key("a"), now, REASON).await.is_some());
}

#[tokio::test]
async fn another_tenant_finds_nothing() {
    let (cache, now) = (Cache::in_memory(CacheConfig::default()), start());
    let _ = cache.insert(&key("a"), answer("secret", now)).await;
    assert!(cache.lookup(&key("b"), now).await.is_none());
    assert!(cache.lookup_stale(&key("b"), now, REASON).await.is_none());
}

#[tokio::test]
async fn a_newer_answer_replaces_and_forgetting_forgets() {
    let (cache, now) = (Cache::in_memory(CacheConfig::default()), start());
    let _ = cache.insert(&key("a"), answer("old", now)).await;
    let _ = cache.insert(&key("a"), answer("new", now)).await;
    assert_eq!(cache.lookup(&key("a"), now).await.unwrap().body(), "new");
    assert!(cache.forget(&key("a")).await);
    assert!(cache.lookup_stale(&key("a"), now, REASON).await.is_none());
}

#[tokio::test]
async fn memory_stays_inside_its_bytes() {
    let memory = Memory::new(100_000, Duration::from_secs(60));
    let now = start();
    for n in 0..1000u64 {
        let key = Keyring::new(&[3; 32]).key("a", &serde_json::json!(n));
        let entry = Entry::of_verified(Bytes::from(vec![b'x'; 1000]), "openai", "m", now);
        memory
            .put(&key, entry, Duration::from_secs(60))
            .await
            .unwrap();
    }
    let held = memory.weight_bytes().await;
    assert!(held <= 100_000 && held > 50_000, "{held}");
}

#[tokio::test]
async fn one_giant_is_not_kept() {
    let config = CacheConfig::default().max_entry_bytes(1000);
    let (cache, now) = (Cache::in_memory(config), start());
    let giant = Entry::of_verified(Bytes::from(vec![0; 1001]), "openai", "m", now);
    assert_eq!(cache.insert(&key("a"), giant).await, Insert::TooLarge);
}

#[derive(Debug)]
struct Broken;

impl Store for Broken {
    fn get<'a>(&'a self, _: &'a PromptKey) -> StoreFuture<'a, Option<Entry>> {
        Box::pin(ready(Err(StoreError::new("connection refused"))))
    }
    fn put<'a>(&'a self, _: &'a PromptKey, _: Entry, _: Duration) -> StoreFuture<'a, ()> {
        Box::pin(ready(Err(StoreError::new("connection refused"))))
    }
    fn remove<'a>(&'a self, _: &'a PromptKey) -> StoreFuture<'a, ()> {
        Box::pin(ready(Err(StoreError::new("connection refused"))))
    }
}

#[tokio::test]
async fn a_broken_store_is_a_miss() {
    let cache = Cache::with_store(Arc::new(Broken), CacheConfig::default());
    let now = start();
    assert_eq!(
        cache.insert(&key("a"), answer("yes", now)).await,
        Insert::Unavailable
    );
    assert!(cache.lookup(&key("a"), now).await.is_none());
    assert!(cache.lookup_stale(&key("a"), now, REASON).await.is_none());
    assert!(!cache.forget(&key("a")).await);
}

#[test]
fn no_debug_output_shows_an_answer() {
    let entry = answer("the secret answer", start());
    assert!(!format!("{entry:?}").contains("secret"));
}
