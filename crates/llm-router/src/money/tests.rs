use super::*;
use crate::testing::origin;
use proptest::prelude::*;
use std::time::Duration;

#[test]
fn sums_print_as_dollars() {
    assert_eq!(Spend(12_300).to_string(), "$0.0123");
    assert_eq!(Spend(45).to_string(), "$0.000045");
    assert_eq!(Spend(3_000_000).to_string(), "$3.0000");
}

#[test]
fn a_call_costs_its_tokens_rounded_up_and_its_own_price() {
    let price = Price {
        input: 250_000,
        output: 2_000_000,
        cache_read: 25_000,
        cache_write: 312_500,
        per_request: 7,
    };
    let tokens = Billed {
        input: 1_000,
        output: 500,
        cache_read: 1,
        cache_write: 0,
    };
    assert_eq!(cost(&price, &tokens), Spend(7 + 250 + 1_000 + 1));
    let all = Billed {
        input: u64::MAX,
        output: u64::MAX,
        cache_read: u64::MAX,
        cache_write: u64::MAX,
    };
    let dear = Price {
        input: u64::MAX,
        output: u64::MAX,
        cache_read: u64::MAX,
        cache_write: u64::MAX,
        per_request: 1,
    };
    assert_eq!(cost(&dear, &all), Spend(u64::MAX));
}

#[test]
fn calls_beside_each_other_cannot_pass_the_cap_together() {
    let start = origin();
    let ledger = Ledger::new(Some(Spend(1_000)), &[], start);
    let won: usize = std::thread::scope(|scope| {
        let reserve = || {
            (0..100)
                .filter(|_| ledger.reserve(Spend(9), start).is_ok())
                .count()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(reserve)).collect();
        threads.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(won, 111);
}

#[test]
fn an_hour_later_the_money_is_there_again() {
    let start = origin();
    let ledger = Ledger::new(Some(Spend(100)), &[], start);
    let earmark = ledger.reserve(Spend(80), start).unwrap();
    ledger.settle(earmark, Spend(100), start);
    let late = start + Duration::from_secs(3_599);
    assert!(ledger.reserve(Spend(1), late).is_err());
    assert_eq!(ledger.spent(late), Spend(100));
    let later = start + Duration::from_secs(3_600);
    assert_eq!(ledger.spent(later), Spend(0));
    assert!(ledger.reserve(Spend(100), later).is_ok());
}

#[test]
fn each_crossing_is_told_once() {
    let start = origin();
    let ledger = Ledger::new(None, &[Spend(80), Spend(50)], start);
    let spend = |sum| {
        ledger.settle(
            ledger.reserve(Spend(sum), start).unwrap(),
            Spend(sum),
            start,
        )
    };
    assert_eq!(spend(49), None);
    assert_eq!(spend(1), Some(Spend(50)));
    assert_eq!(spend(1), None);
    assert_eq!(spend(100), Some(Spend(80)));
}

proptest! {
    #[test]
    fn the_hour_is_what_a_list_of_all_calls_says(
        calls in prop::collection::vec((0u64..900, 0u64..1_000, 0u64..1_000), 1..120),
    ) {
        let start = origin();
        let ledger = Ledger::new(None, &[], start);
        let (mut at, mut list) = (0, Vec::new());
        for (gap, estimate, actual) in calls {
            at += gap;
            let now = start + Duration::from_secs(at);
            let earmark = ledger.reserve(Spend(estimate), now).unwrap();
            ledger.settle(earmark, Spend(actual), now);
            list.push((at / 60, actual));
            let sum = list.iter().filter(|(minute, _)| minute + 60 > at / 60).map(|one| one.1).sum();
            prop_assert_eq!(ledger.spent(now), Spend(sum));
            prop_assert_eq!(ledger.committed.load(Relaxed), sum);
        }
    }
}
