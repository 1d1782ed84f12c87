//! The load: a fixed number of requests over a fixed number of keep-alive connections, one thread each, closed loop.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::http::Connection;
use crate::shell;

/// What is sent, how often, and over how many connections.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) address: SocketAddr,
    /// The bytes of one request.
    pub(super) request: Vec<u8>,
    pub(super) connections: usize,
    pub(super) requests: usize,
    /// What a good answer contains, so that a fast error is not taken for a fast answer.
    pub(super) sign: &'static [u8],
}

/// What came of it.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) requests: usize,
    pub(super) took: Duration,
    /// Every latency, sorted, in microseconds.
    latencies_us: Vec<u64>,
}

impl Outcome {
    pub(super) fn per_second(&self) -> f64 {
        count(self.requests) / self.took.as_secs_f64()
    }

    /// The latency that the given share (`0.0..=1.0`) of the requests did not exceed, in milliseconds.
    pub(super) fn quantile_ms(&self, share: f64) -> f64 {
        quantile(&self.latencies_us, share) / 1_000.0
    }
}

/// Any count as a float; all of ours are far below 2^52.
#[expect(clippy::cast_precision_loss, reason = "counts of requests are small")]
fn count(number: usize) -> f64 {
    number as f64
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "an index below the length"
)]
fn quantile(sorted: &[u64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    let index = (share * last as f64).round() as usize;
    sorted.get(index.min(last)).copied().unwrap_or(0) as f64
}

/// Sends everything and waits for every answer. Any answer but a good one is an error.
pub(super) fn run(load: &Load) -> Result<Outcome> {
    let share = load.requests / load.connections.max(1);
    // Connected before the clock starts.
    let mut connections = Vec::new();
    for _ in 0..load.connections {
        connections.push(Connection::open(load.address)?);
    }
    let start = shell::now();
    let threads: Vec<_> = connections
        .into_iter()
        .map(|connection| {
            let load = load.clone();
            std::thread::spawn(move || one(connection, &load, share))
        })
        .collect();
    let mut latencies_us = Vec::with_capacity(load.requests);
    for thread in threads {
        match thread.join() {
            Ok(latencies) => latencies_us.extend(latencies?),
            Err(_) => bail!("a load thread panicked"),
        }
    }
    let took = start.elapsed();
    latencies_us.sort_unstable();
    Ok(Outcome {
        requests: latencies_us.len(),
        took,
        latencies_us,
    })
}

fn one(mut connection: Connection, load: &Load, share: usize) -> Result<Vec<u64>> {
    let mut latencies = Vec::with_capacity(share);
    for _ in 0..share {
        let start = shell::now();
        let answer = connection.exchange(&load.request)?;
        latencies
            .push(u64::try_from(start.elapsed().as_micros()).context("an answer took for ever")?);
        let good = answer.status == 200
            && answer
                .body
                .windows(load.sign.len())
                .any(|part| part == load.sign);
        if !good {
            bail!(
                "{} answered {}: {}",
                load.address,
                answer.status,
                String::from_utf8_lossy(&answer.body)
            );
        }
    }
    Ok(latencies)
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_are_the_nearest_rank() {
        let sorted: Vec<u64> = (1..=101).collect();
        assert_eq!(quantile(&sorted, 0.0), 1.0);
        assert_eq!(quantile(&sorted, 0.5), 51.0);
        assert_eq!(quantile(&sorted, 0.99), 100.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
