//! How soon detectors speak, and how seldom without cause. Seeded; times to first token are lognormal (median 0.6 s, sigma
//! 0.6) with 3 % of calls eight times as slow, unless a test says otherwise.
#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests"
)]

#[path = "support/clock.rs"]
mod clock;

use clock::Clock;
use llm_breaker::{EjectionCap, HangDetector, LatencyDetector, Promotion, SLOW, slow_beside};
use rand::{RngExt, SeedableRng, rngs::SmallRng};
use std::time::Duration;

struct World {
    rng: SmallRng,
    sigma: f64,
    stragglers: f64,
    /// Correlation of successive calls.
    wave: f64,
    state: f64,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            sigma: 0.6,
            stragglers: 0.03,
            wave: 0.0,
            state: 0.0,
        }
    }

    fn normal(&mut self) -> f64 {
        let (a, b): (f64, f64) = (self.rng.random(), self.rng.random());
        (-2.0 * (1.0 - a).ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }

    fn time(&mut self, slower: f64) -> Duration {
        let fresh = self.normal();
        self.state = self.wave * self.state + (1.0 - self.wave * self.wave).sqrt() * fresh;
        let straggle = if self.rng.random::<f64>() < self.stragglers {
            8.0
        } else {
            1.0
        };
        Duration::from_secs_f64(0.6 * (self.sigma * self.state).exp() * straggle * slower)
    }
}

fn warmed(world: &mut World) -> LatencyDetector {
    let detector = LatencyDetector::default();
    for _ in 0..2000 {
        detector.observe(world.time(1.0));
    }
    detector.reset();
    detector
}

/// The median number of calls until a slowdown is seen.
fn delay(slower: f64) -> usize {
    let mut delays: Vec<usize> = (0..301)
        .map(|seed| {
            let mut world = World::new(seed);
            let detector = warmed(&mut world);
            (1..)
                .find(|_| detector.observe(world.time(slower)) >= SLOW)
                .unwrap()
        })
        .collect();
    delays.sort_unstable();
    delays[150]
}

fn false_alarms(world: &mut World, calls: usize) -> usize {
    let detector = warmed(world);
    (0..calls)
        .filter(|_| {
            let alarm = detector.observe(world.time(1.0)) >= SLOW;
            if alarm {
                detector.reset();
            }
            alarm
        })
        .count()
}

#[test]
fn three_times_slower_is_seen_within_twelve_calls() {
    let (three, four) = (delay(3.0), delay(4.0));
    assert!(three <= 12, "x3: {three}");
    assert!(four <= three, "x4: {four}");
}

#[test]
fn a_healthy_heavy_tail_alarms_less_than_once_in_ten_thousand() {
    for (sigma, stragglers) in [(0.6, 0.03), (0.9, 0.03), (0.6, 0.0), (0.35, 0.05)] {
        let mut world = World {
            sigma,
            stragglers,
            ..World::new(11)
        };
        let alarms = false_alarms(&mut world, 300_000);
        assert!(alarms < 30, "{alarms} in 300 000 at {sigma}, {stragglers}");
    }
}

#[test]
fn waves_that_slow_everyone_open_nobody() {
    for wave in [0.5, 0.9] {
        let mut worlds: Vec<World> = (0..4).map(|seed| World::new(90 + seed)).collect();
        let detectors: Vec<_> = worlds.iter_mut().map(warmed).collect();
        let mut common = World {
            wave,
            ..World::new(7)
        };
        let mut wrong = 0;
        for _ in 0..100_000 {
            common.time(1.0);
            // The wave is shared by all four; a quarter of the variance is each one's own.
            for (world, detector) in worlds.iter_mut().zip(&detectors) {
                let own = world.normal();
                let ln = 0.6 * (0.866 * common.state + 0.5 * own);
                detector.observe(Duration::from_secs_f64(0.6 * ln.exp()));
            }
            let mut peers: Vec<_> = detectors[1..]
                .iter()
                .map(LatencyDetector::standing)
                .collect();
            wrong += usize::from(slow_beside(detectors[0].standing(), &mut peers));
        }
        assert_eq!(wrong, 0, "at correlation {wave}");
    }
}

#[test]
fn one_slow_target_among_healthy_peers_is_told_apart() {
    let mut world = World::new(3);
    let slow = warmed(&mut world);
    let peers: Vec<_> = (0..3).map(|_| warmed(&mut world)).collect();
    let calls = (1..100)
        .find(|_| {
            slow.observe(world.time(4.0));
            let mut standings: Vec<_> = peers
                .iter()
                .map(|peer| {
                    peer.observe(world.time(1.0));
                    peer.standing()
                })
                .collect();
            slow_beside(slow.standing(), &mut standings)
        })
        .unwrap();
    assert!(calls <= 15, "{calls}");
    assert!(
        !slow_beside(slow.standing(), &mut []),
        "without peers nothing is told"
    );
}

#[test]
fn the_baseline_does_not_learn_from_a_slow_hour_but_accepts_a_new_normal() {
    let mut world = World::new(4);
    let detector = warmed(&mut world);
    let typical = detector.typical().unwrap();
    assert!((0.5..0.75).contains(&typical.as_secs_f64()), "{typical:?}");
    for _ in 0..500 {
        detector.observe(world.time(6.0));
    }
    assert!(detector.typical().unwrap() < typical.mul_f64(1.3));
    assert!(detector.is_slow());
    for _ in 0..6000 {
        detector.observe(world.time(6.0));
    }
    assert!(!detector.is_slow());
}

#[test]
fn nothing_is_said_before_fifty_times() {
    let detector = LatencyDetector::default();
    for n in 0..50 {
        assert_eq!(detector.typical(), None);
        let time = if n < 10 { 0.1 } else { 20.0 };
        assert_eq!(detector.observe(Duration::from_secs_f64(time)), 0.0);
    }
}

/// Twenty calls a second; the target answers as usual until it hangs. Seconds from the hang to the alarm.
fn time_to_leave(seed: u64) -> f64 {
    let mut clock = Clock::new();
    let detector = HangDetector::new(Duration::from_secs(30), clock.origin);
    let mut world = World::new(seed);
    let due = Duration::from_secs_f64(2.0 * 1.29);
    let mut out = vec![];
    for n in 0..2000 {
        clock.pass(0.05);
        let hanging = n >= 1000;
        out.retain(|(call, end)| {
            let done = *end <= clock.now;
            if done {
                detector.answered(*call);
            }
            !done
        });
        if detector.is_hanging(due, clock.now) {
            assert!(hanging, "alarm without cause at {n}, seed {seed}");
            return f64::from(n - 1000) * 0.05;
        }
        let took = if hanging {
            Duration::from_secs(1000)
        } else {
            world.time(1.0)
        };
        out.push((detector.begin(clock.now), clock.now + took));
    }
    panic!("the hang was not seen");
}

#[test]
fn a_hanging_target_is_left_in_under_four_seconds_without_a_timeout() {
    for seed in 0..20 {
        let seconds = time_to_leave(seed);
        // 2.6 s until the first call is due, a slot of half a second, and four calls.
        assert!((2.6..3.6).contains(&seconds), "{seconds}");
    }
}

#[test]
fn calls_in_flight_raise_no_alarm_on_a_healthy_target() {
    let mut clock = Clock::new();
    let detector = HangDetector::new(Duration::from_secs(30), clock.origin);
    let mut world = World::new(8);
    let mut out = vec![];
    let mut alarms = 0;
    for _ in 0..100_000 {
        clock.pass(0.05);
        out.retain(|(call, end)| {
            let done = *end <= clock.now;
            if done {
                detector.answered(*call);
            }
            !done
        });
        if detector.is_hanging(Duration::from_secs_f64(2.6), clock.now) {
            alarms += 1;
            detector.reset();
        }
        out.push((detector.begin(clock.now), clock.now + world.time(1.0)));
    }
    assert!(alarms <= 10, "{alarms} in 100 000 calls");
}

#[test]
fn detectors_eject_at_most_half_and_never_the_last() {
    let pool = EjectionCap::new(5, 0.5);
    assert!(pool.eject() && pool.eject());
    assert!(!pool.eject());
    pool.restore();
    assert!(pool.eject());
    let lone = EjectionCap::new(1, 1.0);
    assert!(!lone.eject());
    lone.restore();
    assert_eq!(lone.ejected(), 0);
}

#[test]
fn three_children_in_a_minute_are_their_parents_trouble() {
    let mut clock = Clock::new();
    let promotion = Promotion::new(clock.origin);
    for _ in 0..10 {
        assert!(!promotion.child_opened(clock.pass(31.0)));
    }
    assert!(!promotion.child_opened(clock.pass(31.0)));
    assert!(promotion.child_opened(clock.pass(20.0)));
    promotion.succeeded();
    assert!(!promotion.child_opened(clock.pass(1.0)));
    assert!(!promotion.child_opened(clock.pass(1.0)));
    assert!(promotion.child_opened(clock.pass(1.0)));
}
