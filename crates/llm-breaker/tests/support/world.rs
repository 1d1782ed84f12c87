//! Models of how long a healthy target takes, seeded.

use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::Duration;

/// The shape of the times of one kind of call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Lognormal with this sigma; a share of calls takes eight times as long.
    Lognormal { sigma: f64, stragglers: f64 },
    /// Three calls in four near the median, one in four near four times that: a cache that is hit or missed.
    Bimodal,
    /// A tail without end: `P(x > t) = t^-alpha` from the least time on.
    Pareto { alpha: f64 },
}

/// Shapes that no number of any detector was chosen on, with their medians in seconds.
pub(crate) const HELD_OUT: [(&str, Shape, f64); 6] = [
    (
        "narrow",
        Shape::Lognormal {
            sigma: 0.2,
            stragglers: 0.0,
        },
        0.4,
    ),
    (
        "wide",
        Shape::Lognormal {
            sigma: 1.1,
            stragglers: 0.0,
        },
        0.5,
    ),
    (
        "many stragglers",
        Shape::Lognormal {
            sigma: 0.35,
            stragglers: 0.1,
        },
        0.5,
    ),
    ("bimodal", Shape::Bimodal, 0.8),
    ("pareto 2", Shape::Pareto { alpha: 2.0 }, 0.5),
    ("pareto 1.2", Shape::Pareto { alpha: 1.2 }, 0.5),
];

/// Draws times around a median.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rng: SmallRng,
    pub(crate) shape: Shape,
    pub(crate) median: f64,
    /// Correlation of successive calls.
    pub(crate) wave: f64,
    pub(crate) state: f64,
}

impl World {
    pub(crate) fn of(shape: Shape, median: f64, seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            shape,
            median,
            wave: 0.0,
            state: 0.0,
        }
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (a, b): (f64, f64) = (self.rng.random(), self.rng.random());
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    /// The next call's time where everything is so many times slower.
    pub(crate) fn time(&mut self, slower: f64) -> Duration {
        let fresh = self.normal();
        self.state = self.wave * self.state + (1.0 - self.wave * self.wave).sqrt() * fresh;
        let luck = self.rng.random::<f64>();
        let factor = match self.shape {
            Shape::Lognormal { sigma, stragglers } => {
                let straggle = if luck < stragglers { 8.0 } else { 1.0 };
                (sigma * self.state).exp() * straggle
            }
            Shape::Bimodal => {
                let mode = if luck < 0.25 { 4.0 } else { 1.0 };
                (0.25 * self.state).exp() * mode
            }
            // The median is 2^(1/alpha) times the least time.
            Shape::Pareto { alpha } => ((1.0 - luck) * 2.0).powf(-1.0 / alpha),
        };
        Duration::from_secs_f64(self.median * factor * slower)
    }
}
