//! One call for equal requests, and nobody fails because of somebody else.
#![expect(clippy::panic, reason = "a helper of tests")]

use std::time::Duration;

use bytes::Bytes;
use llm_cache::{Coalescer, Entry, Keyring, Leader, PromptKey, Turn};

fn key(n: u32) -> PromptKey {
    Keyring::new(&[3; 32]).key("t", &serde_json::json!(n))
}

fn answer() -> Entry {
    let now = tokio::time::Instant::now().into_std();
    Entry::of_verified(Bytes::from_static(b"yes"), "openai", "m", now)
}

async fn lead(shared: &Coalescer, n: u32) -> Leader {
    match shared.turn(key(n)).await {
        Turn::Lead(leader) => leader,
        other => panic!("expected to lead, got {other:?}"),
    }
}

/// Lets all spawned tasks run until they wait.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn followers_get_the_leaders_answer() {
    let shared = Coalescer::default();
    let leader = lead(&shared, 1).await;
    let followers: Vec<_> = (0..20)
        .map(|_| {
            let shared = shared.clone();
            tokio::spawn(async move { shared.turn(key(1)).await })
        })
        .collect();
    settle().await;
    assert_eq!(shared.in_flight(), 1);
    leader.answer(answer());
    for follower in followers {
        let turn = follower.await.unwrap();
        assert!(matches!(turn, Turn::Answer(entry) if entry.body() == "yes"));
    }
    assert_eq!(shared.in_flight(), 0);
    // The next request is a new one.
    drop(lead(&shared, 1).await);
}

#[tokio::test]
async fn a_cancelled_leader_hands_the_lead_on_and_fails_nobody() {
    let shared = Coalescer::default();
    let leader = lead(&shared, 1).await;
    let follow = |shared: Coalescer| tokio::spawn(async move { shared.turn(key(1)).await });
    let (second, third) = (follow(shared.clone()), follow(shared.clone()));
    settle().await;
    drop(leader);
    let Turn::Lead(leader) = second.await.unwrap() else {
        panic!("the longest waiting one leads");
    };
    settle().await;
    assert!(!third.is_finished());
    leader.answer(answer());
    assert!(matches!(third.await.unwrap(), Turn::Answer(_)));
    assert_eq!(shared.in_flight(), 0);
}

#[tokio::test]
async fn when_the_leader_gives_up_all_go_on_at_once() {
    let shared = Coalescer::default();
    let leader = lead(&shared, 1).await;
    let followers: Vec<_> = (0..5)
        .map(|_| {
            let shared = shared.clone();
            tokio::spawn(async move { shared.turn(key(1)).await })
        })
        .collect();
    settle().await;
    leader.give_up();
    for follower in followers {
        assert!(matches!(follower.await.unwrap(), Turn::Alone));
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_leaves_is_forgotten() {
    let shared = Coalescer::default();
    let leader = lead(&shared, 1).await;
    let patience = Duration::from_millis(5);
    assert!(
        tokio::time::timeout(patience, shared.turn(key(1)))
            .await
            .is_err()
    );
    assert_eq!(shared.in_flight(), 1);
    drop(leader);
    assert_eq!(shared.in_flight(), 0);
}

#[tokio::test]
async fn different_requests_do_not_wait_and_the_map_is_bounded() {
    let shared = Coalescer::new(2);
    let (one, two) = (lead(&shared, 1).await, lead(&shared, 2).await);
    assert!(matches!(shared.turn(key(3)).await, Turn::Alone));
    drop((one, two));
    assert_eq!(shared.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn under_contention_every_request_ends_and_nothing_is_left_behind() {
    let shared = Coalescer::default();
    let tasks: Vec<_> = (0..400u32)
        .map(|n| {
            let shared = shared.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    match shared.turn(key(round % 3)).await {
                        Turn::Lead(leader) => {
                            tokio::task::yield_now().await;
                            match (n + round) % 3 {
                                0 => leader.answer(answer()),
                                1 => leader.give_up(),
                                _ => drop(leader),
                            }
                        }
                        Turn::Answer(_) | Turn::Alone => {}
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(shared.in_flight(), 0);
}
