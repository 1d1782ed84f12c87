//! The numbers of a living breaker: they can change without its losing what it has learnt.
//!
//! One relaxed atomic each, read where something is decided and never on the way of a good call. Two that are read while
//! they change may be of different sets for a moment; each by itself is valid.

use crate::config::{BreakerConfig, millis};
// The standard ones also under the model checker: nothing is decided by their order.
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Stands for `None`.
const NONE: u64 = u64::MAX;

macro_rules! settings {
    ($($name:ident,)+) => {
        /// Durations in milliseconds, ratios as the bits of a `f64`.
        #[derive(Debug)]
        pub(crate) struct Settings {
            $($name: AtomicU64,)+
        }

        impl Settings {
            pub(crate) fn new(config: &BreakerConfig) -> Self {
                let settings = Self { $($name: AtomicU64::new(0),)+ };
                settings.set(config);
                settings
            }
        }
    };
}

settings! {
    failures, failure_window, cooldown, cooldown_max, lease, heal, ratio, samples, window, ramp_step, ramp_good, shadow,
    alert, escalate,
}

impl Settings {
    pub(crate) fn set(&self, config: &BreakerConfig) {
        let all = [
            (&self.failures, u64::from(config.failures)),
            (&self.failure_window, millis(config.failure_window)),
            (&self.cooldown, millis(config.cooldown)),
            (&self.cooldown_max, millis(config.cooldown_max)),
            (&self.lease, millis(config.lease)),
            (&self.heal, millis(config.heal).max(1)),
            (&self.ratio, config.ratio.map_or(NONE, f64::to_bits)),
            (&self.samples, u64::from(config.samples)),
            (&self.window, millis(config.window)),
            (&self.ramp_step, millis(config.ramp_step)),
            (&self.ramp_good, u64::from(config.ramp_good)),
            (&self.shadow, config.shadow_every.map_or(NONE, millis)),
            (&self.alert, config.alert.to_bits()),
            (&self.escalate, config.escalate.to_bits()),
        ];
        for (place, value) in all {
            place.store(value, Relaxed);
        }
    }

    /// The settings as they were given, to the millisecond.
    pub(crate) fn config(&self) -> BreakerConfig {
        let span = |place: &AtomicU64| Duration::from_millis(place.load(Relaxed));
        BreakerConfig {
            failures: self.failures(),
            failure_window: span(&self.failure_window),
            cooldown: span(&self.cooldown),
            cooldown_max: span(&self.cooldown_max),
            lease: span(&self.lease),
            heal: span(&self.heal),
            ratio: self.ratio(),
            samples: self.samples(),
            window: span(&self.window),
            ramp_step: span(&self.ramp_step),
            ramp_good: small(&self.ramp_good),
            shadow_every: self.shadow().map(Duration::from_millis),
            alert: self.alert(),
            escalate: self.escalate(),
        }
    }

    pub(crate) fn failures(&self) -> u32 {
        small(&self.failures)
    }

    pub(crate) fn failure_window(&self) -> u64 {
        self.failure_window.load(Relaxed)
    }

    pub(crate) fn cooldown(&self) -> u64 {
        self.cooldown.load(Relaxed)
    }

    pub(crate) fn cooldown_max(&self) -> u64 {
        self.cooldown_max.load(Relaxed)
    }

    pub(crate) fn lease(&self) -> u64 {
        self.lease.load(Relaxed)
    }

    /// At least 1.
    pub(crate) fn heal(&self) -> u64 {
        self.heal.load(Relaxed).max(1)
    }

    pub(crate) fn ratio(&self) -> Option<f64> {
        let bits = self.ratio.load(Relaxed);
        (bits != NONE).then(|| f64::from_bits(bits))
    }

    pub(crate) fn samples(&self) -> u32 {
        small(&self.samples)
    }

    pub(crate) fn window(&self) -> u64 {
        self.window.load(Relaxed)
    }

    pub(crate) fn ramp_step(&self) -> u64 {
        self.ramp_step.load(Relaxed)
    }

    /// At least 1.
    pub(crate) fn ramp_good(&self) -> u64 {
        self.ramp_good.load(Relaxed).max(1)
    }

    pub(crate) fn shadow(&self) -> Option<u64> {
        let every = self.shadow.load(Relaxed);
        (every != NONE).then_some(every)
    }

    pub(crate) fn alert(&self) -> f64 {
        f64::from_bits(self.alert.load(Relaxed))
    }

    pub(crate) fn escalate(&self) -> f64 {
        f64::from_bits(self.escalate.load(Relaxed))
    }
}

fn small(place: &AtomicU64) -> u32 {
    u32::try_from(place.load(Relaxed)).unwrap_or(u32::MAX)
}
