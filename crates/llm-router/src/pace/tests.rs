use super::*;
use crate::testing::origin;
use llm_errors::Dimension;
use proptest::prelude::*;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

fn rpm(rpm: u64) -> Limits {
    Limits {
        rpm: Some(rpm),
        ..Limits::default()
    }
}

fn tokens(input_tokens: u64, output_tokens: u64) -> Cost {
    Cost {
        input_tokens,
        output_tokens,
    }
}

fn seen(limit: u64, remaining: u64, reset_s: u64, sequence: u64) -> Seen {
    Seen {
        dimension: Dimension::Requests,
        limit: Some(limit),
        remaining: Some(remaining),
        reset_in: Some(Duration::from_secs(reset_s)),
        sequence,
    }
}

/// How many calls pass at `now`.
fn drawn(pace: &Pace, now: Instant) -> usize {
    (0..10_000)
        .take_while(|_| pace.reserve(Cost::default(), 0, now).is_ok())
        .count()
}

#[test]
fn ten_seconds_worth_passes_at_once_and_then_one_a_second() {
    let start = origin();
    let pace = Pace::new(rpm(60), start);
    assert_eq!(drawn(&pace, start), 10);
    let next = start + Duration::from_secs(1);
    assert_eq!(
        pace.readiness(Cost::default(), 0, start),
        PaceReadiness::NotBefore(next)
    );
    assert_eq!(drawn(&pace, next), 1);
}

#[test]
fn one_call_fits_a_rate_below_the_burst() {
    let start = origin();
    let pace = Pace::new(rpm(1), start);
    assert_eq!(drawn(&pace, start), 1);
    assert_eq!(drawn(&pace, start + Duration::from_secs(59)), 0);
    assert_eq!(drawn(&pace, start + Duration::from_secs(60)), 1);
}

#[test]
fn a_call_larger_than_the_burst_passes_alone_and_one_larger_than_the_window_never() {
    let start = origin();
    let limits = Limits {
        tpm: Some(6_000),
        ..Limits::default()
    };
    let pace = Pace::new(limits, start);
    let big = pace.reserve(tokens(3_000, 0), 0, start);
    assert!(big.is_ok());
    let after = start + Duration::from_secs(30);
    assert_eq!(
        pace.readiness(tokens(3_000, 0), 0, start),
        PaceReadiness::NotBefore(after)
    );
    assert_eq!(
        pace.readiness(tokens(3_000, 0), 0, after),
        PaceReadiness::Ready
    );
    assert_eq!(
        pace.readiness(tokens(6_000, 1), 0, after),
        PaceReadiness::TooLarge
    );
}

#[test]
fn a_refused_quota_gives_the_others_back() {
    let start = origin();
    let limits = Limits {
        output_tpm: Some(600),
        ..rpm(60)
    };
    let pace = Pace::new(limits, start);
    assert!(pace.reserve(tokens(0, 100), 0, start).is_ok());
    let before = pace.quotas[0].tat.load(Relaxed);
    assert!(pace.reserve(tokens(0, 100), 0, start).is_err());
    assert_eq!(pace.quotas[0].tat.load(Relaxed), before);
}

#[test]
fn the_true_cost_replaces_the_estimate() {
    let start = origin();
    let limits = Limits {
        tpm: Some(60_000),
        ..Limits::default()
    };
    let pace = Pace::new(limits, start);
    let reserved = pace.reserve(tokens(1_000, 9_000), 0, start).unwrap();
    assert!(pace.reserve(tokens(1_000, 0), 0, start).is_err());
    pace.correct(reserved, tokens(1_000, 1_000), start);
    assert!((pace.headroom(start) - 0.8).abs() < 1e-6);
    let reserved = pace.reserve(tokens(1_000, 0), 0, start).unwrap();
    pace.correct(reserved, tokens(1_000, 5_000), start);
    assert!((pace.headroom(start) - 0.2).abs() < 1e-6);
}

#[test]
fn the_cap_on_calls_in_flight_holds() {
    let start = origin();
    let limits = Limits {
        concurrency: Some(2),
        ..Limits::default()
    };
    let pace = Pace::new(limits, start);
    assert_eq!(
        pace.readiness(Cost::default(), 1, start),
        PaceReadiness::Ready
    );
    assert_eq!(
        pace.readiness(Cost::default(), 2, start),
        PaceReadiness::Full
    );
}

#[test]
fn nothing_left_blocks_until_the_reset() {
    let start = origin();
    let pace = Pace::new(Limits::default(), start);
    pace.learn(&seen(60, 0, 20, 0), start);
    assert_eq!(drawn(&pace, start + Duration::from_millis(19_999)), 0);
    assert!(pace.headroom(start) < 1e-9);
    assert!(drawn(&pace, start + Duration::from_secs(60)) >= 1);
}

#[test]
fn an_empty_bucket_waits_for_its_next_unit_only() {
    let start = origin();
    let pace = Pace::new(Limits::default(), start);
    pace.learn(&seen(60, 0, 60, 0), start);
    assert_eq!(drawn(&pace, start + Duration::from_millis(999)), 0);
    assert_eq!(drawn(&pace, start + Duration::from_secs(1)), 1);
}

#[test]
fn a_limit_is_learnt_and_a_configured_one_only_lowered() {
    let start = origin();
    let learnt = Pace::new(Limits::default(), start);
    assert_eq!(drawn(&learnt, start), 10_000);
    learnt.learn(&seen(60, 60, 0, 0), start);
    assert_eq!(drawn(&learnt, start), 10);
    let configured = Pace::new(rpm(60), start);
    configured.learn(&seen(6_000, 6_000, 0, 0), start);
    assert_eq!(drawn(&configured, start), 10);
    configured.learn(&seen(12, 12, 0, 10), start + Duration::from_secs(60));
    assert_eq!(drawn(&configured, start + Duration::from_secs(60)), 2);
}

#[test]
fn an_older_reply_raises_and_never_lowers() {
    let start = origin();
    let pace = Pace::new(rpm(60), start);
    let first = pace.reserve(Cost::default(), 0, start).unwrap();
    assert_eq!(drawn(&pace, start), 9);
    pace.learn(&seen(60, 59, 1, first.sequence()), start);
    assert_eq!(drawn(&pace, start), 0, "nine newer calls are not counted");
    pace.learn(&seen(60, 59, 1, 10), start);
    assert_eq!(drawn(&pace, start), 10, "the newest reply is believed");
    pace.learn(&seen(60, 5, 25, first.sequence()), start);
    // Five calls, one a second, end just before the reset.
    assert_eq!(drawn(&pace, start + Duration::from_millis(19_999)), 0);
    assert_eq!(drawn(&pace, start + Duration::from_secs(20)), 1);
}

#[test]
fn a_drained_pace_stays_shut_and_comes_back_without_a_burst() {
    let start = origin();
    let pace = Pace::new(rpm(60), start);
    let old = pace.reserve(Cost::default(), 0, start).unwrap();
    let until = start + Duration::from_secs(5);
    pace.drain(start, until);
    pace.learn(&seen(60, 59, 1, old.sequence()), start);
    assert_eq!(
        pace.readiness(Cost::default(), 0, start),
        PaceReadiness::NotBefore(until)
    );
    assert_eq!(drawn(&pace, until), 1);
}

#[test]
fn a_days_allowance_is_not_smoothed() {
    let start = origin();
    let limits = Limits {
        rpd: Some(200),
        ..Limits::default()
    };
    let pace = Pace::new(limits, start);
    assert_eq!(drawn(&pace, start), 200);
    let fresh = Pace::new(Limits::default(), start);
    fresh.learn(&seen(200, 150, 7 * 3_600, 0), start);
    assert_eq!(drawn(&fresh, start), 150, "a slow reset is a day's window");
}

proptest! {
    #[test]
    fn who_passes_by_what_is_kept_of_all_quotas_passes_each(
        rpm in prop::option::of(1u64..600), tpm in prop::option::of(1u64..60_000),
        output_tpm in prop::option::of(1u64..60_000), rpd in prop::option::of(1u64..600), burst_s in 0u64..90,
        steps in prop::collection::vec((0u64..8_000, 0u64..3_000, 0u64..3_000, 0u8..6), 1..60),
    ) {
        let start = origin();
        let burst = Duration::from_secs(burst_s);
        let limits = Limits { tpm, output_tpm, rpd, burst, ..rpm.map_or_else(Limits::default, self::rpm) };
        let mut pace = Pace::new(limits, start);
        let mut now = start;
        for (gap, input, output, what) in steps {
            now += Duration::from_millis(gap);
            let cost = tokens(input, output);
            let at = pace.clock(now);
            let ready = pace.readiness(cost, 0, now) == PaceReadiness::Ready;
            prop_assert_eq!(pace.is_ready(cost, 0, || at), ready);
            prop_assert!(ready || !pace.passes_easily(cost));
            if are_alike(pace.looks()) {
                let used = pace.whole_at().saturating_sub(at) as f64 / pace.burst_ns().max(1) as f64;
                let left = pace.headroom(now);
                prop_assert!((used.min(1.0) + left - 1.0).abs() < 1e-9, "{} and {}", used, left);
            }
            match what {
                0 => pace.learn(&seen(input.max(1), output, gap / 100, 0), now),
                1 => pace.drain(now, now + Duration::from_millis(input)),
                2 => pace = pace.with_limits(Limits { rpm: Some(output.max(1)), ..limits }),
                _ => if let Ok(reserved) = pace.reserve(cost, 0, now) {
                    prop_assert!(ready);
                    match what {
                        3 => pace.correct(reserved, tokens(output, input), now),
                        4 => pace.refund(reserved),
                        _ => {}
                    }
                } else {
                    prop_assert!(!ready);
                }
            }
        }
    }

    #[test]
    fn a_call_within_a_tenth_of_the_limits_need_not_ask_each_quota(calls in 1u64..50) {
        let start = origin();
        let pace = Pace::new(Limits { tpm: Some(600_000), ..rpm(600) }, start);
        for nth in 0..calls {
            let now = start + Duration::from_secs(nth);
            prop_assert!(pace.passes_easily(tokens(500, 500)));
            prop_assert!(pace.reserve(tokens(500, 500), 0, now).is_ok());
        }
    }

    #[test]
    fn no_stretch_of_time_sees_more_than_rate_and_burst(
        limit in 1u64..600,
        gaps in prop::collection::vec(0u64..3_000, 1..200),
    ) {
        let start = origin();
        let pace = Pace::new(rpm(limit), start);
        let (mut now, mut passed) = (start, 0u64);
        for gap in gaps {
            now += Duration::from_millis(gap);
            passed += u64::from(pace.reserve(Cost::default(), 0, now).is_ok());
            let elapsed = u64::try_from((now - start).as_millis()).unwrap();
            prop_assert!(passed <= 1.max(limit / 6) + limit * elapsed / 60_000 + 1);
        }
    }

    #[test]
    fn a_wait_that_is_kept_is_enough(limit in 1u64..600, calls in 1usize..40, input in 0u64..2_000) {
        let start = origin();
        let pace = Pace::new(Limits { tpm: Some(limit * 100 + 2_000), ..rpm(limit) }, start);
        let mut now = start;
        for _ in 0..calls {
            if let PaceReadiness::NotBefore(then) = pace.readiness(tokens(input, 0), 0, now) {
                prop_assert!(then > now);
                now = then;
            }
            prop_assert!(pace.reserve(tokens(input, 0), 0, now).is_ok());
        }
    }

    #[test]
    fn what_is_left_lasts_to_the_reset(remaining in 1u64..=60, reset in 1u64..=60) {
        // Else it is a bucket that fills as it goes.
        let used = 60 - remaining;
        prop_assume!(reset.abs_diff(used) > used / 4);
        let start = origin();
        let pace = Pace::new(rpm(60), start);
        pace.learn(&seen(60, remaining, reset, 0), start);
        let steps = (0..reset * 10).map(|tenth| start + Duration::from_millis(tenth * 100));
        let sent: usize = steps.map(|now| drawn(&pace, now)).sum();
        let burst_and_refill = reset + 9;
        prop_assert_eq!(u64::try_from(sent).unwrap(), remaining.min(burst_and_refill));
    }

    #[test]
    fn whatever_headers_say_a_way_out_is_left(
        limit in any::<u64>(), remaining in any::<u64>(), reset in any::<u32>(), sequence in 0u64..3,
    ) {
        let start = origin();
        let pace = Pace::new(rpm(60), start);
        pace.learn(&seen(limit, remaining, u64::from(reset), sequence), start);
        let later = start + Duration::from_secs(3 * 86_400);
        let readiness = pace.readiness(Cost::default(), 0, later);
        prop_assert_eq!(readiness, PaceReadiness::Ready);
    }
}

#[test]
fn threads_together_get_no_more_than_the_burst() {
    let start = origin();
    let pace = Pace::new(rpm(600), start);
    let won: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| drawn(&pace, start)))
            .collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(won, 100);
}

/// A provider's own counting of 60 requests a minute.
enum Provider {
    FixedWindow { window: u64, used: u64 },
    Bucket { level_ms: u64, at: u64 },
}

impl Provider {
    /// Whether it serves a call, what is left, and in how many seconds all of it is back.
    fn call(&mut self, now_ms: u64) -> (bool, u64, u64) {
        match self {
            Self::FixedWindow { window, used } => {
                if now_ms / 60_000 != *window {
                    (*window, *used) = (now_ms / 60_000, 0);
                }
                let served = *used < 60;
                *used += u64::from(served);
                (
                    served,
                    60 - *used,
                    (60_000 - now_ms % 60_000).div_ceil(1_000),
                )
            }
            Self::Bucket { level_ms, at } => {
                *level_ms = (*level_ms + now_ms - *at).min(60_000);
                *at = now_ms;
                let served = *level_ms >= 1_000;
                *level_ms -= if served { 1_000 } else { 0 };
                (
                    served,
                    *level_ms / 1_000,
                    (60_000 - *level_ms).div_ceil(1_000),
                )
            }
        }
    }
}

/// Ten minutes at three calls a second. A caller gives up after 30 s. Returns what was served and
/// what was refused. The first minute of a bucket is not counted as served: it gives its whole
/// store to whoever storms it, and pacing leaves the store alone by choice.
fn drive(mut provider: Provider, paced: bool, seed: u64) -> (u32, u32) {
    use rand::{RngExt, SeedableRng};
    let mut rng = rand::rngs::StdRng::seed_from_u64(seed);
    let counted_from = match provider {
        Provider::FixedWindow { .. } => 0,
        Provider::Bucket { .. } => 60_000,
    };
    let start = origin();
    let pace = Pace::new(Limits::default(), start);
    let mut due: BinaryHeap<Reverse<(u64, u64, u32)>> =
        (0..1_800).map(|n| Reverse((n * 333, n * 333, 0))).collect();
    // Replies take 400 ms, and with them what they teach.
    let mut replies: VecDeque<(u64, Reservation, bool, u64, u64)> = VecDeque::new();
    let (mut served, mut refused) = (0, 0);
    while let Some(Reverse((now_ms, born, tries))) = due.pop() {
        if now_ms > born + 30_000 || now_ms >= 600_000 {
            continue;
        }
        let now = start + Duration::from_millis(now_ms);
        while replies.front().is_some_and(|reply| reply.0 <= now_ms) {
            let (at, reservation, ok, left, reset) = replies.pop_front().unwrap();
            let then = start + Duration::from_millis(at);
            pace.learn(&seen(60, left, reset, reservation.sequence()), then);
            if ok {
                pace.correct(reservation, Cost::default(), then);
            } else {
                pace.drain(then, then + Duration::from_secs(1));
            }
        }
        if paced {
            match pace.reserve(Cost::default(), 0, now) {
                Ok(reservation) => {
                    let (ok, left, reset) = provider.call(now_ms);
                    replies.push_back((now_ms + 400, reservation, ok, left, reset));
                    if ok {
                        served += u32::from(now_ms >= counted_from);
                    } else {
                        refused += 1;
                        due.push(Reverse((now_ms + 400, born, 0)));
                    }
                }
                Err(PaceReadiness::NotBefore(then)) => {
                    let wait = u64::try_from((then - start).as_millis()).unwrap() + 1;
                    due.push(Reverse((wait.max(now_ms + 1), born, 0)));
                }
                Err(other) => panic!("{other:?}"),
            }
        } else if provider.call(now_ms).0 {
            served += u32::from(now_ms >= counted_from);
        } else {
            refused += 1;
            let ceiling = (500u64 << tries.min(5)).min(10_000);
            let wait = 400 + rng.random_range(0..=ceiling);
            due.push(Reverse((now_ms + wait, born, tries + 1)));
        }
    }
    (served, refused)
}

#[test]
fn pacing_spares_nearly_all_refusals_at_equal_goodput() {
    for fixed in [true, false] {
        let provider = || match fixed {
            true => Provider::FixedWindow { window: 0, used: 0 },
            false => Provider::Bucket {
                level_ms: 60_000,
                at: 0,
            },
        };
        let (plain_served, plain_refused) = drive(provider(), false, 1);
        let (served, refused) = drive(provider(), true, 1);
        println!("fixed {fixed}: plain {plain_served}/{plain_refused}, paced {served}/{refused}");
        assert!(
            refused * 100 <= plain_refused * 3,
            "{refused} of {plain_refused}"
        );
        assert!(
            served * 100 >= plain_served * 98,
            "{served} of {plain_served}"
        );
    }
}

#[test]
fn a_limit_that_was_only_learnt_refuses_no_call_for_its_size() {
    let start = origin();
    let pace = Pace::new(Limits::default(), start);
    pace.learn(
        &Seen {
            dimension: Dimension::OutputTokens,
            ..seen(8_000, 8_000, 0, 0)
        },
        start,
    );
    let large = tokens(10, 16_000);
    assert_ne!(pace.readiness(large, 0, start), PaceReadiness::TooLarge);
    assert!(pace.reserve(large, 0, start).is_ok());
    // Held to a whole window: the next one waits.
    assert!(matches!(
        pace.readiness(large, 0, start),
        PaceReadiness::NotBefore(_)
    ));
}

#[test]
fn other_limits_keep_what_was_spent_and_learnt() {
    let now = origin();
    let mut limits = Limits {
        rpm: Some(60),
        ..Limits::default()
    };
    let pace = Pace::new(limits, now);
    for _ in 0..10 {
        let _spent = pace.reserve(Cost::default(), 0, now).unwrap();
    }
    let seen = Seen {
        dimension: Dimension::Tokens,
        limit: Some(1_000),
        remaining: None,
        reset_in: None,
        sequence: 0,
    };
    pace.learn(&seen, now);
    limits.rpm = Some(120);
    limits.concurrency = Some(1);
    let next = pace.with_limits(limits);
    let ready = |in_flight, at| next.readiness(Cost::default(), in_flight, at);
    assert!(
        matches!(ready(0, now), PaceReadiness::NotBefore(_)),
        "the burst is spent"
    );
    // One call flows back in half a second now, not in a whole one.
    let soon = now + Duration::from_millis(501);
    assert_eq!(ready(0, soon), PaceReadiness::Ready);
    assert_eq!(ready(1, soon), PaceReadiness::Full);
    let large = Cost {
        input_tokens: 900,
        output_tokens: 0,
    };
    let _ = next
        .reserve(large, 0, soon + Duration::from_secs(60))
        .unwrap();
    assert!(
        matches!(
            next.readiness(large, 0, soon + Duration::from_secs(60)),
            PaceReadiness::NotBefore(_)
        ),
        "the learnt token limit holds"
    );
}
