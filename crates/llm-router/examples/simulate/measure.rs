//! What a log says about a policy.

use crate::log::{End, Log, RequestSeen};
use crate::scenario::Scenario;
use std::time::Duration;

/// How finely time is cut.
const BIN: Duration = Duration::from_millis(250);
/// Shares are taken over this many bins: 3 s.
const WINDOW: usize = 12;
/// Routers are warm, and the healthy share is taken, from here to the trouble's start.
const WARM: Duration = Duration::from_secs(20);
/// Requests count from the trouble's start until this long after its end.
const AFTERMATH: Duration = Duration::from_secs(60);

/// The figures of one policy in one scenario.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    /// Percent of requests that got a real answer.
    pub(crate) answered: f64,
    pub(crate) degraded: f64,
    /// Upstream calls a request.
    pub(crate) amplification: f64,
    /// Until the caller had an answer's beginning, a degraded answer or an error.
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Until the call that answered was sent: the p99 of those who came during the trouble.
    pub(crate) switch: Duration,
    /// What became of the site that was sick, or on trial; `None` where none was.
    pub(crate) sick: Option<Sick>,
    /// Upstream calls whose answer nobody got, per 100 requests.
    pub(crate) wasted: f64,
}

/// How a policy left a site in trouble, and came back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sick {
    /// From the trouble's start until less than 1 % of first calls went there; `None` where that
    /// never was.
    pub(crate) leave: Option<Duration>,
    /// What came after the trouble; `None` where it does not end.
    pub(crate) healed: Option<Healed>,
}

/// How a policy came back to a site that is well again.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Healed {
    /// From the trouble's end until it served 90 % of its healthy share again.
    pub(crate) back: Option<Duration>,
    /// The most calls it got in one stretch after the trouble, as a multiple of its healthy share.
    pub(crate) peak: f64,
}

/// The shortest stretch of a peak, in bins: 2 s.
const SHORTEST_STRETCH: usize = 8;
/// A stretch holds so many calls of a healthy target. Their number then varies by 5 %, so that chance makes 1.2 of 1 in fewer than one of 10 000.
const STRETCH_CALLS: f64 = 400.0;

/// Counts in bins of equal length.
struct Bins(Vec<u32>);

impl Bins {
    fn of(times: impl Iterator<Item = Duration>, length: Duration) -> Self {
        let mut bins = vec![0; bin(length) + WINDOW + 1];
        for time in times {
            if let Some(count) = bins.get_mut(bin(time)) {
                *count += 1;
            }
        }
        Self(bins)
    }

    fn sum(&self, from: usize, bins: usize) -> f64 {
        let counts = self.0.iter().skip(from).take(bins);
        f64::from(counts.sum::<u32>())
    }

    fn between(&self, from: Duration, to: Duration) -> f64 {
        self.sum(bin(from), bin(to) - bin(from))
    }
}

fn bin(time: Duration) -> usize {
    usize::try_from(time.as_millis() / BIN.as_millis()).unwrap_or(usize::MAX)
}

fn time(bins: usize) -> Duration {
    BIN * u32::try_from(bins).unwrap_or(u32::MAX)
}

/// Measures one run.
pub(crate) fn measure(scenario: &Scenario, log: &Log) -> Figures {
    let watched = scenario.from..(scenario.to + AFTERMATH).min(scenario.length);
    let requests: Vec<&RequestSeen> = log
        .requests
        .iter()
        .filter(|request| watched.contains(&request.arrived))
        .collect();
    let count = requests.len().max(1) as f64;
    let calls: u32 = requests.iter().map(|request| request.calls).sum();
    let share = |end: End| requests.iter().filter(|seen| seen.end == end).count() as f64 / count;
    let used = requests.iter().filter(|seen| seen.end == End::Answered);
    let mut times: Vec<Duration> = requests.iter().map(|seen| seen.took).collect();
    let troubled = requests
        .iter()
        .filter(|seen| seen.end == End::Answered && seen.arrived < scenario.to);
    let mut waits: Vec<Duration> = troubled.map(|seen| seen.switched).collect();
    Figures {
        answered: 100.0 * share(End::Answered),
        degraded: 100.0 * share(End::Degraded),
        amplification: f64::from(calls) / count,
        p50: quantile(&mut times, 50),
        p99: quantile(&mut times, 99),
        switch: quantile(&mut waits, 99),
        sick: scenario.is_sick().then(|| Sick {
            leave: leave(scenario, log),
            healed: scenario.heals().then(|| Healed {
                back: back(scenario, log),
                peak: peak(scenario, log),
            }),
        }),
        wasted: 100.0 * (f64::from(calls) - used.count() as f64) / count,
    }
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let index = (times.len() * percent / 100).min(times.len().saturating_sub(1));
    times.get(index).copied().unwrap_or_default()
}

fn leave(scenario: &Scenario, log: &Log) -> Option<Duration> {
    let first_calls = |sick_only: bool| {
        let first = log.requests.iter().filter_map(|request| request.first);
        let counted =
            first.filter(move |(_, site, probe)| !probe && (!sick_only || *site == scenario.sick));
        Bins::of(counted.map(|(at, ..)| at), scenario.length)
    };
    let (all, sick) = (first_calls(false), first_calls(true));
    (bin(scenario.from)..bin(scenario.to).saturating_sub(WINDOW))
        .find(|start| sick.sum(*start, WINDOW) < 0.01 * all.sum(*start, WINDOW).max(1.0))
        .map(|start| time(start) - scenario.from)
}

fn back(scenario: &Scenario, log: &Log) -> Option<Duration> {
    let all = Bins::of(
        log.requests.iter().map(|seen| seen.arrived),
        scenario.length,
    );
    let served = log
        .requests
        .iter()
        .filter(|seen| seen.end == End::Answered && seen.served_by == Some(scenario.sick));
    let served = Bins::of(served.map(|seen| seen.arrived), scenario.length);
    let healthy = served.between(WARM, scenario.from) / all.between(WARM, scenario.from).max(1.0);
    (bin(scenario.to)..bin(scenario.length) - WINDOW)
        .find(|start| served.sum(*start, WINDOW) >= 0.9 * healthy * all.sum(*start, WINDOW))
        .map(|start| time(start) - scenario.to)
}

fn peak(scenario: &Scenario, log: &Log) -> f64 {
    let all = Bins::of(
        log.requests.iter().map(|seen| seen.arrived),
        scenario.length,
    );
    let calls = log.calls.iter().filter(|call| call.site == scenario.sick);
    let calls = Bins::of(calls.map(|call| call.at), scenario.length);
    let before = calls.between(WARM, scenario.from);
    let healthy = before / all.between(WARM, scenario.from).max(1.0);
    let a_bin = before / (bin(scenario.from) - bin(WARM)).max(1) as f64;
    let stretch = stretch(a_bin);
    (bin(scenario.to)..bin(scenario.length).saturating_sub(stretch))
        .map(|start| calls.sum(start, stretch) / all.sum(start, stretch).max(1.0))
        .fold(0.0, f64::max)
        / healthy.max(f64::MIN_POSITIVE)
}

/// How many bins it takes a healthy target to get [`STRETCH_CALLS`] calls, where it gets so many a bin.
fn stretch(a_bin: f64) -> usize {
    let most = bin(WARM);
    (SHORTEST_STRETCH..most)
        .find(|bins| *bins as f64 * a_bin >= STRETCH_CALLS)
        .unwrap_or(most)
}

/// Real answers and upstream calls of each second, for the plots.
pub(crate) fn curves(scenario: &Scenario, log: &Log) -> (Vec<f64>, Vec<f64>) {
    let per_second = |times: Vec<Duration>| {
        let bins = Bins::of(times.into_iter(), scenario.length);
        (0..bin(scenario.length) / 4)
            .map(|second| bins.sum(second * 4, 4))
            .collect()
    };
    let answered = log.requests.iter().filter(|seen| seen.end == End::Answered);
    (
        per_second(answered.map(|seen| seen.arrived + seen.took).collect()),
        per_second(log.calls.iter().map(|call| call.at).collect()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peak_is_taken_over_enough_calls_to_be_none_by_chance() {
        // 200 calls a second; 40; 20.
        assert_eq!(stretch(50.0), 8);
        assert_eq!(stretch(10.0), 40);
        assert_eq!(stretch(5.0), 80);
        assert_eq!(stretch(0.0), 80);
    }
}
