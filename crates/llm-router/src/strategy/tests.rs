use super::*;
use crate::strategy::Strategy;
use crate::testing::origin;
use proptest::prelude::*;

fn fact(id: u64, weight: u32) -> Fact {
    Fact {
        id,
        weight,
        in_flight: 0,
        ewma: Duration::ZERO,
        headroom: 1.0,
        price: 0,
    }
}

fn facts(weights: &[u32]) -> Vec<Fact> {
    (0..)
        .zip(weights)
        .map(|(id, weight)| fact(id, *weight))
        .collect()
}

#[test]
fn every_name_is_read_back() {
    for strategy in Strategy::ALL {
        assert_eq!(strategy.to_string().parse(), Ok(strategy));
    }
    assert_eq!("round".parse::<Strategy>(), Err(UnknownStrategy));
}

#[test]
fn none_of_nothing_and_the_only_one_of_one() {
    for strategy in Strategy::ALL {
        assert_eq!(choose(strategy, &[], 9, 9), None);
        assert_eq!(choose(strategy, &facts(&[0]), 9, 9), Some(0));
    }
}

#[test]
fn weights_are_interleaved_and_not_sent_in_runs() {
    let facts = facts(&[50, 50]);
    let picks: Vec<_> = (0..1_000)
        .map(|n| choose(Strategy::Weighted, &facts, n, 0))
        .collect();
    let longest = picks.chunk_by(|a, b| a == b).map(<[_]>::len).max();
    assert!(longest <= Some(2), "{longest:?}");
}

#[test]
fn each_strategy_takes_the_best_of_its_kind() {
    let mut three = facts(&[1, 1, 1]);
    three[0].in_flight = 3;
    three[1].in_flight = 1;
    three[2].in_flight = 2;
    (three[0].headroom, three[1].headroom) = (0.2, 0.5);
    (three[0].price, three[1].price, three[2].price) = (1, 5, 5);
    for draw in 0..100 {
        let draw = mix(draw);
        assert_eq!(choose(Strategy::LeastInFlight, &three, draw, 0), Some(1));
        assert_eq!(choose(Strategy::HeadRoom, &three, draw, 0), Some(2));
        assert_eq!(choose(Strategy::Cheapest, &three, draw, 0), Some(0));
    }
    three[0].weight = 9;
    assert_eq!(choose(Strategy::LeastInFlight, &three, 0, 0), Some(0));
}

#[test]
fn ties_are_shared() {
    let facts = facts(&[1; 4]);
    for strategy in [
        Strategy::LeastInFlight,
        Strategy::HeadRoom,
        Strategy::Cheapest,
        Strategy::PowerOfTwo,
    ] {
        let mut picks = [0u32; 4];
        for draw in 0..4_000 {
            picks[choose(strategy, &facts, mix(draw), 0).unwrap()] += 1;
        }
        assert!(
            picks.iter().all(|n| (850..1_150).contains(n)),
            "{strategy}: {picks:?}"
        );
    }
}

#[test]
fn power_of_two_never_takes_the_slowest() {
    let mut facts = facts(&[1; 64]);
    for (n, fact) in facts.iter_mut().enumerate() {
        fact.ewma = Duration::from_millis(100 + u64::try_from(n).unwrap());
    }
    for draw in 0..20_000 {
        assert_ne!(choose(Strategy::PowerOfTwo, &facts, mix(draw), 0), Some(63));
    }
}

#[test]
fn only_the_lost_ones_keys_move() {
    let all = facts(&[1, 2, 3, 4]);
    let (mut picks, mut moved) = ([0u32; 4], 0);
    for key in 0..20_000 {
        let before = choose(Strategy::Sticky, &all, 0, key).unwrap();
        picks[before] += 1;
        let rest: Vec<_> = all.iter().copied().filter(|fact| fact.id != 2).collect();
        let after = rest[choose(Strategy::Sticky, &rest, 0, key).unwrap()].id;
        if before == 2 {
            moved += 1;
        } else {
            assert_eq!(after, all[before].id);
        }
    }
    assert_eq!(moved, picks[2]);
    for (picks, weight) in picks.into_iter().zip(1u32..) {
        assert!(picks.abs_diff(weight * 2_000) < 200, "{picks} for {weight}");
    }
}

proptest! {
    #[test]
    fn a_cycle_gives_each_exactly_its_weight(
        weights in prop::collection::vec(0u32..40, 2..12), start in 0u64..1_000_000,
    ) {
        let facts = facts(&weights);
        let total: u64 = weights.iter().copied().map(u64::from).sum();
        prop_assume!(total > 0);
        let mut picks = vec![0u32; weights.len()];
        for n in start..start + total {
            picks[choose(Strategy::Weighted, &facts, n, 0).unwrap()] += 1;
        }
        prop_assert_eq!(picks, weights);
    }

    #[test]
    fn the_choice_is_always_one_of_them_and_has_a_weight(
        weights in prop::collection::vec(prop_oneof![Just(0), any::<u32>()], 2..20),
        draw in any::<u64>(), key in any::<u64>(),
    ) {
        let facts = facts(&weights);
        for strategy in Strategy::ALL {
            let chosen = choose(strategy, &facts, draw, key);
            prop_assert!(chosen.is_some_and(|at| at < facts.len()), "{}", strategy);
            let two = strategy == Strategy::PowerOfTwo; // both drawn ones may be without weight
            if !two && weights.iter().any(|weight| *weight != 0) {
                prop_assert!(weights[chosen.unwrap()] != 0, "{}", strategy);
            }
        }
    }

    #[test]
    fn latency_stays_between_the_extremes_of_its_samples(
        samples in prop::collection::vec((1u64..60_000, 0u64..5_000), 1..60),
    ) {
        let start = origin();
        let ewma = PeakEwma::new(start);
        let mut now = start;
        for (ms, gap) in &samples {
            now += Duration::from_millis(*gap);
            ewma.record(Duration::from_millis(*ms), now);
            prop_assert!(ewma.read(now) >= Duration::from_millis(*ms));
        }
        let longest = samples.iter().map(|sample| sample.0).max().unwrap();
        prop_assert!(ewma.read(now) <= Duration::from_millis(longest + 1));
    }
}

#[test]
fn latency_jumps_up_and_decays_down() {
    let start = origin();
    let ewma = PeakEwma::new(start);
    assert_eq!(ewma.read(start), Duration::ZERO);
    ewma.record(Duration::from_secs(1), start);
    ewma.record(Duration::from_secs(8), start);
    assert_eq!(ewma.read(start), Duration::from_secs(8));
    let later = start + PeakEwma::DECAY;
    let faded = ewma.read(later).as_secs_f64();
    assert!((faded - 8.0 / 1f64.exp()).abs() < 0.01, "{faded}");
    ewma.record(Duration::from_secs(1), later);
    let mixed = ewma.read(later).as_secs_f64();
    assert!((mixed - (1.0 + 7.0 / 1f64.exp())).abs() < 0.01, "{mixed}");
}

#[test]
fn a_fast_failure_looks_slow() {
    let start = origin();
    let ewma = PeakEwma::new(start);
    ewma.record_failure(None, start);
    assert_eq!(ewma.read(start), Duration::from_secs(5));
    ewma.record_failure(Some(Duration::from_secs(20)), start);
    assert_eq!(ewma.read(start), Duration::from_secs(20));
    ewma.record_failure(None, start);
    assert_eq!(ewma.read(start), Duration::from_secs(20));
}

proptest! {
    #[test]
    fn what_choices_make_of_two_latencies_is_close_to_what_they_are(
        times in prop::array::uniform2((1u64..4_000_000, 0u64..200_000)),
        in_flight in prop::array::uniform2(0u32..50),
    ) {
        let start = origin();
        let at = |ms| start + Duration::from_millis(ms);
        let now = at(times[0].1.max(times[1].1));
        let seen = [0, 1].map(|one| {
            let ewma = PeakEwma::new(start);
            ewma.record(Duration::from_millis(times[one].0), at(times[one].1));
            let exact = ewma.read(now).as_secs_f64() * f64::from(in_flight[one] + 1);
            (exact, load_of(&ewma, in_flight[one]))
        });
        let ratio = seen[0].0 / seen[1].0;
        if ratio < 0.93 {
            prop_assert!(is_cheaper(seen[0].1, seen[1].1));
        }
        if ratio > 1.0 / 0.93 {
            prop_assert!(is_cheaper(seen[1].1, seen[0].1));
        }
    }
}

fn load_of(ewma: &PeakEwma, in_flight: u32) -> Load {
    let (micros, tick) = ewma.last();
    Load {
        per_weight: 1.0,
        in_flight,
        micros: micros.into(),
        tick,
    }
}

#[test]
fn a_latency_that_has_faded_beside_another_is_not_known() {
    let start = origin();
    let (old, new) = (PeakEwma::new(start), PeakEwma::new(start));
    old.record(Duration::from_millis(1), start);
    new.record(Duration::from_secs(60), start + Duration::from_secs(200));
    let old_is_cheaper = || is_cheaper(load_of(&old, 1), load_of(&new, 0));
    assert!(old_is_cheaper());
    new.record(Duration::from_secs(60), start + Duration::from_secs(211));
    assert!(!old_is_cheaper());
    assert!(is_cheaper(load_of(&old, 0), load_of(&new, 1)));
    let unknown = PeakEwma::new(start);
    assert!(is_cheaper(load_of(&unknown, 0), load_of(&new, 1)));
    assert!(is_cheaper(load_of(&new, 0), load_of(&unknown, 1)));
}

#[test]
fn a_weight_of_zero_is_never_the_cheaper_one() {
    let start = origin();
    let (old, new) = (PeakEwma::new(start), PeakEwma::new(start));
    old.record(Duration::from_millis(1), start);
    new.record(Duration::from_secs(60), start + Duration::from_secs(100));
    for ewma in [&old, &new] {
        let weightless = Load {
            per_weight: f64::INFINITY,
            ..load_of(ewma, 0)
        };
        for other in [&old, &new] {
            assert!(!is_cheaper(weightless, load_of(other, 9)));
        }
    }
}
