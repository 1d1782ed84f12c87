//! The numbers of one breaker, each with its recommended value.

use std::time::Duration;

/// The longest streak that can be asked for: the times of that many failures are kept.
pub const FAILURES_MAX: u32 = 16;

/// Settings of a [`Breaker`](crate::Breaker). The default is the recommended set; see the table in the crate's manual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BreakerConfig {
    pub(crate) failures: u32,
    pub(crate) failure_window: Duration,
    pub(crate) cooldown: Duration,
    pub(crate) cooldown_max: Duration,
    pub(crate) lease: Duration,
    pub(crate) heal: Duration,
    pub(crate) ratio: Option<f64>,
    pub(crate) samples: u32,
    pub(crate) window: Duration,
    pub(crate) ramp_step: Duration,
    pub(crate) ramp_good: u32,
    pub(crate) shadow_every: Option<Duration>,
    pub(crate) alert: f64,
    pub(crate) escalate: f64,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failures: 5,
            failure_window: Duration::from_secs(60),
            cooldown: Duration::from_secs(60),
            cooldown_max: Duration::from_secs(300),
            lease: Duration::from_secs(150),
            heal: Duration::from_secs(60),
            ratio: Some(0.5),
            samples: 20,
            window: Duration::from_secs(30),
            ramp_step: Duration::from_secs(10),
            ramp_good: 5,
            shadow_every: Some(Duration::from_secs(5)),
            alert: 0.05,
            escalate: 0.15,
        }
    }
}

impl BreakerConfig {
    /// Starts from the defaults.
    #[must_use]
    pub fn builder() -> BreakerConfigBuilder {
        BreakerConfigBuilder {
            config: Self::default(),
        }
    }
}

/// What each setting is, as the builder's method of the same name describes it.
macro_rules! getters {
    ($($name:ident: $type:ty,)+) => {
        impl BreakerConfig {
            $(
                #[doc = concat!("See [`", stringify!($name), "`](BreakerConfigBuilder::", stringify!($name), ").")]
                #[must_use]
                pub const fn $name(&self) -> $type {
                    self.$name
                }
            )+

            /// See [`ratio_window`](BreakerConfigBuilder::ratio_window).
            #[must_use]
            pub const fn ratio_window(&self) -> Duration {
                self.window
            }

            /// See [`alerts`](BreakerConfigBuilder::alerts).
            #[must_use]
            pub const fn alerts(&self) -> (f64, f64) {
                (self.alert, self.escalate)
            }
        }
    };
}

getters! {
    failures: u32,
    failure_window: Duration,
    cooldown: Duration,
    cooldown_max: Duration,
    lease: Duration,
    heal: Duration,
    ratio: Option<f64>,
    samples: u32,
    ramp_step: Duration,
    ramp_good: u32,
    shadow_every: Option<Duration>,
}

/// Builds a [`BreakerConfig`].
///
/// ```
/// use std::time::Duration;
/// use llm_breaker::BreakerConfig;
///
/// let config = BreakerConfig::builder()
///     .failures(3)
///     .cooldown(Duration::from_secs(20))
///     .build()?;
/// # Ok::<(), llm_breaker::ConfigError>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct BreakerConfigBuilder {
    config: BreakerConfig,
}

impl BreakerConfigBuilder {
    /// Failures in a row that open the breaker, 1 to 16. Default 5.
    #[must_use]
    pub const fn failures(mut self, failures: u32) -> Self {
        self.config.failures = failures;
        self
    }

    /// The time inside which those failures must lie. Default 60 s.
    #[must_use]
    pub const fn failure_window(mut self, window: Duration) -> Self {
        self.config.failure_window = window;
        self
    }

    /// How long the first opening lasts before a probe. Default 60 s. Each repeated one lasts twice as long.
    #[must_use]
    pub const fn cooldown(mut self, cooldown: Duration) -> Self {
        self.config.cooldown = cooldown;
        self
    }

    /// The longest opening by repetition; a stated reset time may be longer. Default 300 s.
    #[must_use]
    pub const fn cooldown_max(mut self, longest: Duration) -> Self {
        self.config.cooldown_max = longest;
        self
    }

    /// How long a probe may stay out before it counts as lost and another may be sent. Default 150 s, longer than nearly any answer.
    /// The answer of one that takes longer counts all the same, unless the other was first: each lease is one more caller sent to find out, no more.
    #[must_use]
    pub const fn lease(mut self, lease: Duration) -> Self {
        self.config.lease = lease;
        self
    }

    /// Each time this long of health forgives one repetition. Default 60 s.
    #[must_use]
    pub const fn heal(mut self, heal: Duration) -> Self {
        self.config.heal = heal;
        self
    }

    /// The share of failures in the window that opens the breaker, above 0 and up to 1; `None` = never by share.
    /// Default 0.5.
    #[must_use]
    pub const fn ratio(mut self, ratio: Option<f64>) -> Self {
        self.config.ratio = ratio;
        self
    }

    /// Results the window must hold before its share means anything, at least 1. Default 20.
    #[must_use]
    pub const fn samples(mut self, samples: u32) -> Self {
        self.config.samples = samples;
        self
    }

    /// The time over which that share, and the error rate, are taken; ten buckets share it. Default 30 s.
    #[must_use]
    pub const fn ratio_window(mut self, window: Duration) -> Self {
        self.config.window = window;
        self
    }

    /// The longest a step of the ramp lasts. Zero: no ramp, a good probe closes at once. Default 10 s.
    #[must_use]
    pub const fn ramp_step(mut self, step: Duration) -> Self {
        self.config.ramp_step = step;
        self
    }

    /// Good results that end a step of the ramp early, but not before a tenth of its time; each failure in the step takes as many more. Default 5.
    #[must_use]
    pub const fn ramp_good(mut self, good: u32) -> Self {
        self.config.ramp_good = good;
        self
    }

    /// The shortest time between two shadow probes; `None` = none are granted. Default 5 s.
    #[must_use]
    pub const fn shadow_every(mut self, every: Option<Duration>) -> Self {
        self.config.shadow_every = every;
        self
    }

    /// The error rates above which a snapshot says *alert* and *escalate*, `0.0..=1.0`. Default 0.05 and 0.15.
    #[must_use]
    pub const fn alerts(mut self, alert: f64, escalate: f64) -> Self {
        self.config.alert = alert;
        self.config.escalate = escalate;
        self
    }

    /// Checks the numbers.
    ///
    /// # Errors
    ///
    /// Names every field that cannot be used, with what it may be.
    pub fn build(self) -> Result<BreakerConfig, ConfigError> {
        let c = &self.config;
        let day = Duration::from_secs(86_400);
        let ms = Duration::from_millis(1);
        let timely = |d: Duration| d >= ms && d <= day;
        let mut faults = Vec::new();
        let mut check = |good: bool, field: &'static str, mend: &'static str| {
            if !good {
                faults.push((field, mend));
            }
        };
        check(
            (1..=FAILURES_MAX).contains(&c.failures),
            "failures",
            "1 to 16",
        );
        check(timely(c.failure_window), "failure_window", TIMELY);
        check(timely(c.cooldown), "cooldown", TIMELY);
        check(
            timely(c.cooldown_max) && c.cooldown_max >= c.cooldown,
            "cooldown_max",
            "at least cooldown, at most 24 h",
        );
        check(timely(c.lease), "lease", TIMELY);
        check(timely(c.heal), "heal", TIMELY);
        check(
            c.ratio.is_none_or(|r| r > 0.0 && r <= 1.0),
            "ratio",
            "above 0.0 and up to 1.0, or None",
        );
        check(c.samples >= 1, "samples", "1 or more");
        check(
            timely(c.window) && c.window >= ms * 10,
            "ratio_window",
            "10 ms to 24 h",
        );
        check(
            c.ramp_step <= day,
            "ramp_step",
            "at most 24 h; zero for no ramp",
        );
        check(
            c.shadow_every.is_none_or(timely),
            "shadow_every",
            "1 ms to 24 h, or None",
        );
        check(
            (0.0..=1.0).contains(&c.alert) && (c.alert..=1.0).contains(&c.escalate),
            "alerts",
            "0.0 to 1.0, the second at least the first",
        );
        if faults.is_empty() {
            Ok(self.config)
        } else {
            Err(ConfigError { faults })
        }
    }
}

/// What most durations may be.
const TIMELY: &str = "1 ms to 24 h";

/// Settings that cannot be used, all of them named, each with what it may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    faults: Vec<(&'static str, &'static str)>,
}

impl ConfigError {
    /// The builder's methods whose values are out of range, and what each may be given.
    #[must_use]
    pub fn faults(&self) -> &[(&'static str, &'static str)] {
        &self.faults
    }
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("breaker settings out of range: ")?;
        for (index, (field, mend)) in self.faults.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{field} may be {mend}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// A duration in whole milliseconds, rounded up.
pub(crate) fn millis(span: Duration) -> u64 {
    span.as_secs()
        .saturating_mul(1000)
        .saturating_add(u64::from(span.subsec_nanos().div_ceil(1_000_000)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_pass_their_own_check() {
        assert_eq!(
            BreakerConfig::builder().build(),
            Ok(BreakerConfig::default())
        );
    }

    /// What the manual's table and each setter say is what the code does.
    #[test]
    fn every_default_is_as_it_is_told() {
        let c = BreakerConfig::default();
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        let s = |span: Duration| format!("{} s", span.as_secs());
        let (ratio, shadow) = (c.ratio.unwrap(), c.shadow_every.unwrap());
        let manual = include_str!("lib.rs");
        let told = |setting: &str| {
            let mut cells = manual
                .lines()
                .filter_map(|line| line.strip_prefix("//! | "));
            let row = cells.find(|row| row.starts_with(&format!("`{setting}`")));
            row.and_then(|row| row.split(" | ").nth(1))
                .unwrap()
                .to_owned()
        };
        for (setting, default) in [
            (
                "failures",
                format!("{} in {}", c.failures, s(c.failure_window)),
            ),
            (
                "ratio",
                format!("{} of ≥ {} in {}", percent(ratio), c.samples, s(c.window)),
            ),
            (
                "cooldown",
                format!("{}, doubling to {}", s(c.cooldown), s(c.cooldown_max)),
            ),
            ("heal", s(c.heal)),
            ("lease", s(c.lease)),
            (
                "ramp_step",
                format!("{} or {} good", s(c.ramp_step), c.ramp_good),
            ),
            ("shadow_every", s(shadow)),
            (
                "alerts",
                format!("{}, {}", percent(c.alert), percent(c.escalate)),
            ),
        ] {
            assert_eq!(told(setting), default, "{setting}");
        }
        for line in [
            format!(
                "{0} hard failures or {0} bad answers in a row inside {1}",
                c.failures,
                s(c.failure_window)
            ),
            format!("half of >= {} results in {} failed", c.samples, s(c.window)),
        ] {
            assert!(manual.contains(&line), "the diagram lacks: {line}");
        }
        let source = include_str!("config.rs");
        for (setter, default) in [
            ("failures", c.failures.to_string()),
            ("failure_window", s(c.failure_window)),
            ("cooldown", s(c.cooldown)),
            ("cooldown_max", s(c.cooldown_max)),
            ("lease", s(c.lease)),
            ("heal", s(c.heal)),
            ("ratio", ratio.to_string()),
            ("samples", c.samples.to_string()),
            ("ratio_window", s(c.window)),
            ("ramp_step", s(c.ramp_step)),
            ("ramp_good", c.ramp_good.to_string()),
            ("shadow_every", s(shadow)),
            ("alerts", format!("{} and {}", c.alert, c.escalate)),
        ] {
            let (before, _) = source
                .split_once(&format!("pub const fn {setter}(mut self"))
                .unwrap();
            let told = before
                .rsplit("\n\n")
                .next()
                .unwrap()
                .replace("\n    /// ", " ");
            assert!(
                told.contains(&format!("Default {default}")),
                "{setter}: {told}"
            );
        }
    }

    #[test]
    fn every_bad_field_is_named() {
        let error = BreakerConfig::builder()
            .failures(0)
            .ratio(Some(f64::NAN))
            .cooldown(Duration::ZERO)
            .alerts(0.2, 0.1)
            .build()
            .unwrap_err();
        let fields: Vec<_> = error.faults().iter().map(|(field, _)| *field).collect();
        assert_eq!(fields, ["failures", "cooldown", "ratio", "alerts"]);
        let told = error.to_string();
        assert!(
            told.contains("failures may be 1 to 16; cooldown may be 1 ms to 24 h"),
            "{told}"
        );
    }
}
