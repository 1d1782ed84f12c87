//! One scenario under every policy.

use crate::fleet;
use crate::log::GateSeen;
use crate::measure::{self, Figures};
use crate::options::Options;
use crate::plot::{self, Curve};
use crate::policy::Policy;
use crate::scenario::Scenario;
use std::fmt::Write as _;
use std::time::Instant;

#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) scenario: Scenario,
    pub(crate) rows: Vec<(Policy, Figures)>,
    curves: Vec<Curve>,
    gates: Vec<GateSeen>,
}

impl Outcome {
    /// Runs the scenario under each of the policies asked for, on the same seed.
    pub(crate) fn of(scenario: Scenario, options: &Options, origin: Instant) -> Self {
        let (size, seed) = (&options.size, options.seed);
        let mut rows = Vec::new();
        let mut curves = Vec::new();
        let mut gates = Vec::new();
        for &policy in options.policies {
            let log = fleet::run(&scenario, size, policy, seed, origin);
            rows.push((policy, measure::measure(&scenario, &log)));
            let (answers, calls) = measure::curves(&scenario, &log);
            curves.push(Curve {
                policy,
                answers,
                calls,
            });
            gates.extend(log.gates.changes);
        }
        Self {
            scenario,
            rows,
            curves,
            gates,
        }
    }

    /// How the router's gates moved, a line each.
    pub(crate) fn states(&self) -> String {
        let mut text = String::new();
        for seen in &self.gates {
            let _ = writeln!(
                text,
                "{:>7.2} s  gateway {}  {}: {} ({}), credential {} ({})",
                seen.at.as_secs_f64(),
                seen.gateway,
                self.scenario.sites[seen.site].name,
                seen.gate.0,
                seen.gate.1.as_str(),
                seen.account.0,
                seen.account.1.as_str(),
            );
        }
        text
    }

    pub(crate) fn svg(&self) -> String {
        plot::svg(&self.scenario, &self.curves)
    }

    /// The picture's file name.
    pub(crate) fn file(&self) -> String {
        let letter = |letter: char| {
            if letter.is_ascii_alphanumeric() {
                Some(letter)
            } else {
                (letter != ',').then_some('-')
            }
        };
        let name: String = self.scenario.name.chars().filter_map(letter).collect();
        format!("{name}.svg")
    }

    /// In words: what some rival did better. Speed and economy are compared only with rivals that
    /// answered as much.
    pub(crate) fn losses(&self) -> Vec<String> {
        let Some((_, ours)) = self
            .rows
            .iter()
            .find(|(policy, _)| *policy == Policy::Router)
        else {
            return Vec::new();
        };
        let mut losses = Vec::new();
        for (policy, theirs) in &self.rows {
            let name = policy.name();
            if theirs.answered > ours.answered + 0.05 {
                losses.push(format!(
                    "{name} answered {:.2} %, the router {:.2} % and degraded {:.2} %",
                    theirs.answered, ours.answered, ours.degraded
                ));
                continue;
            }
            if theirs.answered < ours.answered - 0.05 {
                continue;
            }
            if theirs.p99.mul_f64(1.05) < ours.p99 {
                losses.push(format!(
                    "{name} had a p99 of {:.2} s, the router {:.2} s",
                    theirs.p99.as_secs_f64(),
                    ours.p99.as_secs_f64()
                ));
            }
            if theirs.amplification * 1.02 < ours.amplification {
                losses.push(format!(
                    "{name} made {:.2} calls a request, the router {:.2}",
                    theirs.amplification, ours.amplification
                ));
            }
            let healed = |figures: &Figures| figures.sick.and_then(|sick| sick.healed);
            if let (Some(theirs), Some(ours)) = (healed(theirs), healed(ours))
                && theirs.peak.max(1.2) * 1.05 < ours.peak
            {
                losses.push(format!(
                    "{name} brought the healed target {:.2} times its share, the router {:.2}",
                    theirs.peak, ours.peak
                ));
            }
        }
        losses
    }
}
