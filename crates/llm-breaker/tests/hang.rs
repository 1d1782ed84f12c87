//! How soon a hang is seen in the calls in flight, and how seldom without cause. Seeded; the shares of slower calls are taken from a
//! thousand earlier ones, as a caller would have learnt them.
#![expect(clippy::panic, reason = "helpers of tests")]

#[path = "support/clock.rs"]
mod clock;
#[path = "support/world.rs"]
mod world;

use clock::Clock;
use llm_breaker::{HangDetector, LatencyDetector, Waiting};
use rand::RngExt;
use std::time::{Duration, Instant};
use world::{HELD_OUT, Shape, World};

const STREAMED: Shape = Shape::Lognormal {
    sigma: 0.6,
    stragglers: 0.03,
};
/// Median time to the end of a whole answer, whose p90 is then 3.1 s.
const WHOLE: Shape = Shape::Lognormal {
    sigma: 0.45,
    stragglers: 0.01,
};

/// One target with calls in flight.
struct Target {
    clock: Clock,
    detector: HangDetector,
    world: World,
    /// Earlier times in seconds, sorted.
    learnt: Vec<f64>,
    /// What is learnt of waves, where there are any.
    waves: Option<LatencyDetector>,
    out: Vec<(Waiting, Instant, Instant)>,
}

impl Target {
    fn new(mut world: World) -> Self {
        let clock = Clock::new();
        let mut learnt: Vec<f64> = (0..1000).map(|_| world.time(1.0).as_secs_f64()).collect();
        learnt.sort_unstable_by(f64::total_cmp);
        Self {
            detector: HangDetector::new(1, clock.origin),
            clock,
            world,
            learnt,
            waves: None,
            out: Vec::new(),
        }
    }

    /// A call every `gap` seconds; whether the target seems to hang.
    fn call(&mut self, gap: f64, takes: Option<Duration>) -> bool {
        self.clock.pass(gap);
        let now = self.clock.now;
        let waves = self.waves.as_ref();
        self.out.retain(|(call, begun, end)| {
            let done = *end <= now;
            if done {
                self.detector.answered(*call);
                waves.map(|waves| waves.observe(*end - *begun));
            }
            !done
        });
        let learnt = &self.learnt;
        let alike = waves.map_or(1.0, LatencyDetector::waves);
        let level = waves.map_or(1.0, LatencyDetector::level);
        let hangs = self.detector.is_hanging(now, alike, level, |_| {
            Some(|age: Duration| {
                let slower = learnt.len() - learnt.partition_point(|t| *t <= age.as_secs_f64());
                #[expect(clippy::cast_precision_loss, reason = "a share")]
                let share = (slower as f32 + 1.0) / (learnt.len() as f32 + 1.0);
                share
            })
        });
        let never = Duration::from_secs(100_000);
        let end = now + takes.unwrap_or(never);
        self.out.push((self.detector.begin(0, now), now, end));
        hangs
    }
}

/// So many calls a second; answers as usual until it hangs: for all calls, or for this share of them. Seconds to the alarm.
fn time_to_leave(world: World, per_second: f64, hanging: f64) -> f64 {
    let mut target = Target::new(world);
    let gap = 1.0 / per_second;
    for n in 0..2000 {
        let took = target.world.time(1.0);
        let hangs = n >= 1000 && target.world.rng.random::<f64>() < hanging;
        if target.call(gap, (!hangs).then_some(took)) {
            assert!(n > 1000, "alarm without cause at {n}");
            return f64::from(n - 1000) * gap;
        }
    }
    panic!("the hang was not seen");
}

fn shapes() -> Vec<(&'static str, Shape, f64)> {
    let mut shapes = vec![("streamed", STREAMED, 0.6), ("whole", WHOLE, 1.75)];
    shapes.extend(HELD_OUT);
    shapes
}

#[test]
fn at_twenty_calls_a_second_a_hang_is_seen_in_under_three_seconds_whatever_the_shape() {
    for (name, shape, typical) in shapes() {
        for seed in 0..15 {
            let seconds = time_to_leave(World::of(shape, typical, seed), 20.0, 1.0);
            assert!((2.25..=2.75).contains(&seconds), "{name}: {seconds}");
        }
    }
}

#[test]
fn a_target_that_hangs_for_most_calls_or_has_few_of_them_is_seen_as_well() {
    for (name, shape, typical) in shapes() {
        for seed in 0..10 {
            let most = time_to_leave(World::of(shape, typical, seed), 20.0, 0.7);
            assert!(most <= 7.0, "{name}, seven calls in ten: {most}");
            let few = time_to_leave(World::of(shape, typical, seed), 2.0, 1.0);
            assert!(few <= 5.5, "{name}, two calls a second: {few}");
        }
    }
}

/// Alarms of a healthy target, each forgotten as it comes.
fn alarms(
    target: &mut Target,
    calls: u32,
    mut next: impl FnMut(&mut World, u32) -> Duration,
) -> u32 {
    let mut alarms = 0;
    for n in 0..calls {
        let took = next(&mut target.world, n);
        if target.call(0.05, Some(took)) {
            alarms += 1;
            target.detector.reset(target.clock.now);
        }
    }
    alarms
}

#[test]
fn a_healthy_target_alarms_less_than_once_in_ten_thousand_calls_whatever_the_shape() {
    for (name, shape, typical) in shapes() {
        let mut target = Target::new(World::of(shape, typical, 77));
        let alarms = alarms(&mut target, 10_000, |world, _| world.time(1.0));
        assert!(alarms < 1, "{name}: {alarms} in 10 000");
    }
}

#[test]
fn waves_teach_what_a_silence_is_worth() {
    for (wave, calls) in [(0.5, 30_000), (0.9, 100_000)] {
        let shape = Shape::Lognormal {
            sigma: 0.6,
            stragglers: 0.0,
        };
        let mut world = World::of(shape, 0.6, 5);
        world.wave = wave;
        let alarms = alarms(&mut Target::new(world), calls, |world, _| world.time(1.0));
        assert!(
            alarms * 10_000 < calls,
            "successive calls at {wave}: {alarms} in {calls}"
        );
    }
}

/// Load that slows all calls of a second together: a factor whose logarithm is an AR(1) with standard deviation 0.5.
struct Tide {
    memory: f64,
    per_second: u32,
    level: f64,
    calls: u32,
}

impl Tide {
    fn next(&mut self, world: &mut World) -> Duration {
        if self.calls.is_multiple_of(self.per_second) {
            let news = (1.0 - self.memory * self.memory).sqrt() * world.normal();
            self.level = self.memory * self.level + news;
        }
        self.calls += 1;
        world.time((0.5 * self.level).exp())
    }
}

/// A target with such waves, of which 4 000 calls are known.
fn in_waves(memory: f64, per_second: u32, seed: u64) -> (Target, Tide) {
    let mut target = Target::new(World::of(STREAMED, 0.6, seed));
    let mut tide = Tide {
        memory,
        per_second,
        level: 0.0,
        calls: 0,
    };
    let latency = LatencyDetector::default();
    target.learnt.clear();
    for _ in 0..4_000 {
        let took = tide.next(&mut target.world);
        latency.observe(took);
        target.learnt.push(took.as_secs_f64());
    }
    target.learnt.sort_unstable_by(f64::total_cmp);
    target.waves = Some(latency);
    (target, tide)
}

#[test]
fn no_wave_of_load_is_taken_for_a_hang_and_a_hang_in_waves_is_left_within_three_seconds() {
    let cases = [
        (0.5, 20, 20_000),
        (0.9, 20, 20_000),
        (0.5, 150, 100_000),
        (0.9, 150, 100_000),
    ];
    for (memory, per_second, calls) in cases {
        let gap = 1.0 / f64::from(per_second);
        let (mut target, mut tide) = in_waves(memory, per_second, 6);
        for n in 0..calls {
            let took = tide.next(&mut target.world);
            assert!(
                !target.call(gap, Some(took)),
                "{memory}, {per_second} a second: alarm at call {n}"
            );
        }
        let calls = (1..).find(|_| target.call(gap, None)).unwrap_or(u32::MAX);
        let seconds = f64::from(calls) * gap;
        assert!(seconds <= 3.0, "{memory}, {per_second} a second: {seconds}");
    }
}

#[test]
fn what_is_withdrawn_and_what_was_before_a_reset_says_nothing() {
    let mut target = Target::new(World::of(STREAMED, 0.6, 1));
    for n in 0..200 {
        target.clock.pass(0.05);
        let call = target.detector.begin(0, target.clock.now);
        if n % 2 == 0 {
            target.detector.withdrawn(call);
        }
    }
    assert!(target.call(0.05, None), "a hundred silent calls are a hang");
    target.detector.reset(target.clock.now);
    target.clock.pass(5.0);
    let few = (0..3).any(|_| target.call(0.05, None));
    assert!(!few);
}
