//! Virtual time: events in the order they are due, and among equals in the order they were planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What is still to happen. Times are offsets from the start of the run.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Entry<E>>,
    planned: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Duration,
    number: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::new(),
            planned: 0,
        }
    }

    pub(crate) fn plan(&mut self, at: Duration, event: E) {
        self.heap.push(Entry {
            at,
            number: self.planned,
            event,
        });
        self.planned += 1;
    }

    pub(crate) fn next(&mut self) -> Option<(Duration, E)> {
        self.heap.pop().map(|entry| (entry.at, entry.event))
    }
}

impl<E> Ord for Entry<E> {
    /// The heap gives its greatest first, so the earliest is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Entry<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_among_equals_in_the_order_of_planning() {
        let mut agenda = Agenda::new();
        for (second, name) in [(2, "c"), (1, "a"), (2, "d"), (1, "b")] {
            agenda.plan(Duration::from_secs(second), name);
        }
        let order: Vec<_> = std::iter::from_fn(|| agenda.next()).collect();
        let names: Vec<_> = order.iter().map(|(_, name)| *name).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
    }
}
