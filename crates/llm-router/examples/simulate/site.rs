//! One simulated deployment of a provider: how fast it is, how much it can take, and when it fails.

use crate::chance;
use llm_errors::{ErrorKind, Hint, HintSource, Phase, Verdict};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::collections::VecDeque;
use std::time::Duration;

/// A deployment as a scenario describes it.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    pub(crate) name: &'static str,
    pub(crate) provider: &'static str,
    pub(crate) pace: Pace,
    pub(crate) waves: Option<Waves>,
    pub(crate) capacity: Option<Capacity>,
    pub(crate) limit: Option<Limit>,
    pub(crate) faults: Vec<Fault>,
}

/// How long answers take: lognormal, with a share of stragglers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// Median time to the first token.
    pub(crate) first: Duration,
    pub(crate) first_sigma: f64,
    /// Median time from the first token to the end.
    pub(crate) rest: Duration,
    pub(crate) rest_sigma: f64,
    /// The share of calls whose first token takes `factor` times as long.
    pub(crate) stragglers: f64,
    pub(crate) factor: f64,
    /// The part of the stragglers that are slow because of what is asked: wherever the request is sent.
    pub(crate) from_request: f64,
}

/// Load that slows all calls of a while together: a factor whose logarithm is an AR(1), second by second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waves {
    /// How much of one second's level is left in the next, 0 to 1.
    pub(crate) memory: f64,
    /// The standard deviation of the level.
    pub(crate) sigma: f64,
    /// Whether all sites that say so have the same waves.
    pub(crate) shared: bool,
}

/// How many calls are served at once, and how many may wait. Waiting calls are served even when
/// their callers are gone: a provider's queue does not hear of that.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Capacity {
    pub(crate) at_once: usize,
    pub(crate) waiting: usize,
}

/// How many calls are let in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Limit {
    /// So many a second, and at once as many as fall into `burst`; refusals state the wait.
    Bucket { per_second: f64, burst: Duration },
    /// So many a fixed window; refusals state its end.
    Window { length: Duration, calls: u32 },
}

/// Something wrong between two instants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) from: Duration,
    pub(crate) to: Duration,
    pub(crate) what: Trouble,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Trouble {
    /// This share of calls fails, soon.
    Errors(f64, ErrorKind),
    /// No more than so many calls a second; the rest is refused with this stated wait.
    Throttled { per_second: f64, wait: Duration },
    /// The quota is spent; each refusal states the time that is left.
    Spent,
    /// Everything takes so many times as long.
    Slow(f64),
    /// Calls are accepted and never answered.
    Hang,
    /// No connection comes about.
    Unreachable,
}

/// How long one call will take once it is being served by a site that is well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    pub(crate) first: Duration,
    pub(crate) rest: Duration,
}

/// What becomes of a call that arrives.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reception {
    Fails(Verdict),
    Unreachable,
    Silence,
    Served(Service),
    Queued(Service),
}

/// How long a refusal takes to arrive.
pub(crate) const REFUSAL: Duration = Duration::from_millis(60);

/// A deployment at work.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) site: Site,
    at_once: usize,
    queue: VecDeque<usize>,
    tokens: f64,
    refilled: Duration,
    window: u128,
    used: u32,
    /// The luck of the waves: theirs alone, so that every policy meets the same ones.
    tide: SmallRng,
    level: f64,
    levels_drawn: u64,
}

impl Pace {
    pub(crate) fn new(first_ms: u64) -> Self {
        Self {
            first: Duration::from_millis(first_ms),
            first_sigma: 0.4,
            rest: Duration::from_millis(1_200),
            rest_sigma: 0.5,
            stragglers: 0.02,
            factor: 6.0,
            from_request: 0.0,
        }
    }

    /// `asked` is the luck of the request, 0 to 1, whichever site it is sent to.
    fn draw(&self, rng: &mut SmallRng, asked: f64) -> Service {
        let mut first = chance::lognormal(rng, self.first, self.first_sigma);
        let rest = chance::lognormal(rng, self.rest, self.rest_sigma);
        let own = self.stragglers * (1.0 - self.from_request);
        if rng.random::<f64>() < own || asked < self.stragglers * self.from_request {
            first = first.mul_f64(self.factor);
        }
        Service { first, rest }
    }
}

impl Running {
    pub(crate) fn new(site: Site, tide: SmallRng) -> Self {
        Self {
            site,
            at_once: 0,
            queue: VecDeque::new(),
            tokens: 0.0,
            refilled: Duration::ZERO,
            window: 0,
            used: 0,
            tide,
            level: 0.0,
            levels_drawn: 0,
        }
    }

    /// A call arrives; `rng` holds its luck, `asked` that of its request.
    pub(crate) fn receive(
        &mut self,
        call: usize,
        now: Duration,
        mut rng: SmallRng,
        asked: f64,
    ) -> Reception {
        let luck = rng.random::<f64>();
        for index in 0..self.site.faults.len() {
            let fault = self.site.faults[index];
            if now < fault.from || now >= fault.to {
                continue;
            }
            match fault.what {
                Trouble::Errors(share, kind) if luck < share => {
                    return Reception::Fails(Verdict::new(kind, Phase::FirstByte));
                }
                Trouble::Errors(..) => {}
                Trouble::Throttled { per_second, wait } => {
                    if self.take_token(per_second, 1.0, now).is_some() {
                        return refused(ErrorKind::RateLimitRequests, wait);
                    }
                }
                Trouble::Spent => {
                    return refused(ErrorKind::QuotaExhausted, fault.to - now);
                }
                Trouble::Slow(_) => {}
                Trouble::Hang => return Reception::Silence,
                Trouble::Unreachable => return Reception::Unreachable,
            }
        }
        let wait = match self.site.limit {
            None => None,
            Some(Limit::Bucket { per_second, burst }) => {
                self.take_token(per_second, burst.as_secs_f64(), now)
            }
            Some(Limit::Window { length, calls }) => self.take_from_window(length, calls, now),
        };
        if let Some(wait) = wait {
            return refused(ErrorKind::RateLimitRequests, wait);
        }
        let service = self.site.pace.draw(&mut rng, asked);
        match self.site.capacity {
            None => Reception::Served(service),
            Some(capacity) if self.at_once < capacity.at_once => {
                self.at_once += 1;
                Reception::Served(service)
            }
            Some(capacity) if self.queue.len() < capacity.waiting => {
                self.queue.push_back(call);
                Reception::Queued(service)
            }
            Some(_) => Reception::Fails(Verdict::new(ErrorKind::Overloaded, Phase::FirstByte)),
        }
    }

    /// How many times as long as usual a call takes whose turn comes now.
    pub(crate) fn slowness(&mut self, now: Duration) -> f64 {
        let wave = self.wave(now);
        let faults = self.site.faults.iter();
        faults
            .filter(|fault| (fault.from..fault.to).contains(&now))
            .fold(wave, |slow, fault| match fault.what {
                Trouble::Slow(factor) => slow * factor,
                _ => slow,
            })
    }

    /// What the waves make of the times of this second.
    fn wave(&mut self, now: Duration) -> f64 {
        let Some(waves) = self.site.waves else {
            return 1.0;
        };
        while self.levels_drawn <= now.as_secs() {
            let news = (1.0 - waves.memory.powi(2)).sqrt() * chance::normal(&mut self.tide);
            self.level = waves.memory * self.level + news;
            self.levels_drawn += 1;
        }
        (waves.sigma * self.level).exp()
    }

    /// A call has been served to its end; the one that is served next, if any waits.
    pub(crate) fn release(&mut self) -> Option<usize> {
        self.site.capacity?;
        let next = self.queue.pop_front();
        if next.is_none() {
            self.at_once = self.at_once.saturating_sub(1);
        }
        next
    }

    /// Takes a token, or says how long until there is one.
    fn take_token(&mut self, per_second: f64, burst: f64, now: Duration) -> Option<Duration> {
        let since = now.saturating_sub(self.refilled).as_secs_f64();
        self.tokens = (self.tokens + since * per_second).min((per_second * burst).max(1.0));
        self.refilled = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return None;
        }
        Some(Duration::from_secs_f64((1.0 - self.tokens) / per_second))
    }

    fn take_from_window(
        &mut self,
        length: Duration,
        calls: u32,
        now: Duration,
    ) -> Option<Duration> {
        let window = now.as_nanos() / length.as_nanos();
        if window != self.window {
            self.window = window;
            self.used = 0;
        }
        if self.used < calls {
            self.used += 1;
            return None;
        }
        let into = now.as_nanos() % length.as_nanos();
        Some(length - Duration::from_nanos(u64::try_from(into).unwrap_or(u64::MAX)))
    }
}

/// A refusal that states its wait in whole seconds, rounded up, as the header does.
fn refused(kind: ErrorKind, wait: Duration) -> Reception {
    let stated = Duration::from_secs(wait.as_secs() + u64::from(wait.subsec_nanos() > 0));
    let hint = Hint::new(stated, HintSource::RetryAfterHeader);
    Reception::Fails(Verdict::new(kind, Phase::FirstByte).with_hint(hint))
}
