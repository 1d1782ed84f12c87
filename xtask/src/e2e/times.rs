//! How long an SDK's calls took, and since when the first provider was asked no more.

use serde_json::Value;

use super::scenario::Ask;
use super::stack::NAMES;

/// What one call says of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Took {
    /// As the SDK's program measures it: its own start and what this process does are not in it.
    pub(super) ms: u64,
    /// Whether the gateway asked the second provider, once, and nobody else.
    pub(super) is_second_alone: bool,
}

impl Took {
    pub(super) fn of(answer: &Value) -> Self {
        let header = |name: &str| answer.pointer(name).and_then(Value::as_str);
        let [_, second] = NAMES;
        Self {
            ms: answer
                .get("took_ms")
                .and_then(Value::as_u64)
                .unwrap_or(u64::MAX),
            is_second_alone: header("/headers/x-llm-target") == Some(second)
                && header("/headers/x-llm-attempts") == Some("1"),
        }
    }
}

/// What of the times of an ask's calls is not as it must be.
pub(super) fn judge(ask: &Ask, calls: &[Took]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut sorted: Vec<u64> = calls.iter().map(|call| call.ms).collect();
    sorted.sort_unstable();
    let shortest = sorted.first().copied().unwrap_or_default();
    let longest = sorted.last().copied().unwrap_or_default();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
    if longest > ask.within_ms {
        wrong.push(format!(
            "it took {longest} ms, at most {} are allowed",
            ask.within_ms
        ));
    }
    if shortest < ask.at_least_ms {
        wrong.push(format!(
            "it took {shortest} ms, and it cannot be right in less than {}",
            ask.at_least_ms
        ));
    }
    if median > ask.median_ms {
        wrong.push(format!(
            "half of the calls took {median} ms and more, at most {} are allowed",
            ask.median_ms
        ));
    }
    let last = calls.iter().rposition(|call| !call.is_second_alone);
    let asked_first = last.map_or(0, |last| last + 1);
    if asked_first > ask.leaves_first_after {
        wrong.push(format!(
            "the first provider was asked until call {asked_first}, not only until call {}",
            ask.leaves_first_after
        ));
    }
    if !wrong.is_empty() {
        let all: Vec<String> = calls.iter().map(|call| call.ms.to_string()).collect();
        wrong.push(format!("the calls took, in ms: {}", all.join(" ")));
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::super::scenario;
    use super::*;

    /// Calls that took so long, the first few of which the first provider was asked for.
    fn calls(ms: &[u64], asked_first: usize) -> Vec<Took> {
        let took = |(number, ms): (usize, &u64)| Took {
            ms: *ms,
            is_second_alone: number >= asked_first,
        };
        ms.iter().enumerate().map(took).collect()
    }

    fn faults(change: impl FnOnce(&mut Ask), calls: &[Took]) -> usize {
        let mut ask = scenario::any_ask();
        change(&mut ask);
        // The last line lists the times.
        judge(&ask, calls).len().saturating_sub(1)
    }

    #[test]
    fn one_call_that_is_too_long_or_too_short_is_seen() {
        let taken = calls(&[1_000, 1_200], 2);
        assert_eq!(faults(|ask| ask.within_ms = 1_200, &taken), 0);
        assert_eq!(faults(|ask| ask.within_ms = 1_199, &taken), 1);
        assert_eq!(faults(|ask| ask.at_least_ms = 1_000, &taken), 0);
        assert_eq!(faults(|ask| ask.at_least_ms = 1_001, &taken), 1);
    }

    #[test]
    fn the_median_forgives_an_outlier_and_no_more() {
        let limit = |ask: &mut Ask| ask.median_ms = 100;
        assert_eq!(faults(limit, &calls(&[90, 100, 900], 3)), 0);
        assert_eq!(faults(limit, &calls(&[90, 101, 900], 3)), 1);
    }

    #[test]
    fn a_provider_is_left_when_it_is_asked_no_more() {
        let limit = |ask: &mut Ask| ask.leaves_first_after = 2;
        assert_eq!(faults(limit, &calls(&[10; 7], 0)), 0);
        assert_eq!(faults(limit, &calls(&[10; 7], 2)), 0);
        assert_eq!(faults(limit, &calls(&[10; 7], 3)), 1, "later");
        assert_eq!(faults(limit, &calls(&[10; 7], 7)), 1, "never");
    }

    #[test]
    fn a_call_without_a_time_is_too_long() {
        let took = Took::of(&Value::Null);
        assert!(took.ms == u64::MAX && !took.is_second_alone);
    }
}
