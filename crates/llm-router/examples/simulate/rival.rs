//! The policies beside which the router is measured, each as simple as it is common.

use crate::caller::{Caller, DEADLINE, News, Send, Step};
use crate::chance;
use crate::scenario::Scenario;
use llm_errors::{ErrorKind, Verdict};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// All rivals give a connection and a first token as long as the router's own defaults do.
const CONNECT: Duration = Duration::from_secs(2);
const FIRST_TOKEN: Duration = Duration::from_secs(10);

/// One attempt after the other on the first target, with fixed waits between them.
#[derive(Debug)]
pub(crate) struct Blind {
    site: usize,
    waits: &'static [Duration],
    window: Duration,
    tries: usize,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Due(Duration),
    Running,
    Answered,
    Failed,
}

const BLIND_WAITS: &[Duration] = &[
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
];

impl Blind {
    /// One call, and what it gives is what the caller gets.
    pub(crate) fn unprotected(site: usize, now: Duration) -> Self {
        Self {
            site,
            waits: &[],
            window: DEADLINE,
            tries: 0,
            state: State::Due(now),
        }
    }

    /// Three retries after 0.5, 1 and 2 seconds, whatever went wrong.
    pub(crate) fn retrying(site: usize, streamed: bool, now: Duration) -> Self {
        Self {
            site,
            waits: BLIND_WAITS,
            window: window(streamed),
            tries: 0,
            state: State::Due(now),
        }
    }
}

fn window(streamed: bool) -> Duration {
    if streamed { FIRST_TOKEN } else { DEADLINE }
}

impl Caller for Blind {
    fn hear(&mut self, _: usize, news: News, now: Duration) {
        self.state = match news {
            News::FirstToken | News::Done => State::Answered,
            News::Failed(_) => match self.waits.get(self.tries - 1) {
                Some(wait) => State::Due(now + *wait),
                None => State::Failed,
            },
        };
    }

    fn ask(&mut self, now: Duration) -> Step {
        match self.state {
            State::Due(at) if now < at => Step::Wait(at),
            State::Due(_) => {
                self.tries += 1;
                self.state = State::Running;
                Step::Send(Send {
                    site: self.site,
                    connect: CONNECT,
                    window: self.window,
                    probe: false,
                })
            }
            State::Running => Step::Wait(Duration::MAX),
            State::Answered => Step::Accept,
            State::Failed => Step::Fail,
        }
    }
}

/// What one gateway's fixed-cooldown policy remembers of each site.
pub(crate) type Cooldowns = Rc<RefCell<Vec<Cooldown>>>;

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cooldown {
    until: Duration,
    window: u64,
    good: u32,
    bad: u32,
}

/// Two retries inside a tier, then the next tier; a failing site of several rests for five seconds
/// or as long as it states, then takes its whole share again.
#[derive(Debug)]
pub(crate) struct Resting {
    tiers: Rc<Vec<Vec<usize>>>,
    cooldowns: Cooldowns,
    rng: SmallRng,
    window: Duration,
    tier: usize,
    tries: u32,
    site: usize,
    state: State,
}

const REST: Duration = Duration::from_secs(5);
const RETRIES: u32 = 2;

pub(crate) fn cooldowns(scenario: &Scenario) -> Cooldowns {
    Rc::new(RefCell::new(vec![
        Cooldown::default();
        scenario.sites.len()
    ]))
}

impl Resting {
    pub(crate) fn new(
        tiers: &Rc<Vec<Vec<usize>>>,
        cooldowns: &Cooldowns,
        streamed: bool,
        now: Duration,
        seed: u64,
    ) -> Self {
        Self {
            tiers: Rc::clone(tiers),
            cooldowns: Rc::clone(cooldowns),
            rng: chance::generator(seed, [0, 0]),
            window: window(streamed),
            tier: 0,
            tries: 0,
            site: 0,
            state: State::Due(now),
        }
    }

    fn rested(&self, now: Duration) -> Vec<usize> {
        let cooldowns = self.cooldowns.borrow();
        let tier = self.tiers.get(self.tier).into_iter().flatten().copied();
        tier.filter(|site| cooldowns[*site].until <= now).collect()
    }

    /// Counts the end of a call, and lets the site rest where the rules say so.
    fn count(&self, failed: Option<&Verdict>, now: Duration) {
        let mut cooldowns = self.cooldowns.borrow_mut();
        let known = &mut cooldowns[self.site];
        let minute = now.as_secs() / 60;
        if known.window != minute {
            (known.window, known.good, known.bad) = (minute, 0, 0);
        }
        let Some(verdict) = failed else {
            known.good += 1;
            return;
        };
        known.bad += 1;
        let alone = self.tiers[self.tier].len() == 1;
        let limited = is_limit(verdict) && !alone;
        let all_bad = known.good == 0 && known.bad >= 1_000;
        let mostly_bad = !alone && known.good + known.bad >= 5 && known.bad > known.good;
        if (limited || all_bad || mostly_bad) && known.until <= now {
            known.until = now + verdict.retry_after().unwrap_or(REST).max(REST);
        }
    }

    fn next_tier(&mut self, now: Duration) -> State {
        self.tier += 1;
        self.tries = 0;
        if self.tier < self.tiers.len() {
            State::Due(now)
        } else {
            State::Failed
        }
    }
}

fn is_limit(verdict: &Verdict) -> bool {
    matches!(
        verdict.kind,
        ErrorKind::RateLimitRequests | ErrorKind::QuotaExhausted
    )
}

impl Caller for Resting {
    fn hear(&mut self, _: usize, news: News, now: Duration) {
        let verdict = match news {
            News::FirstToken | News::Done => {
                if matches!(self.state, State::Running) {
                    self.count(None, now);
                }
                self.state = State::Answered;
                return;
            }
            News::Failed(verdict) => verdict,
        };
        self.count(Some(&verdict), now);
        let others_ready = !self.rested(now).is_empty() && self.tiers[self.tier].len() > 1;
        let last = self.tier + 1 == self.tiers.len();
        self.state = if self.tries > RETRIES || (is_limit(&verdict) && !others_ready && !last) {
            self.next_tier(now)
        } else if others_ready {
            State::Due(now)
        } else {
            let jitter = Duration::from_millis(750).mul_f64(self.rng.random());
            let stated = verdict.retry_after().filter(|wait| wait.as_secs() <= 60);
            let backoff = Duration::from_millis(500) * 2u32.pow(self.tries - 1);
            State::Due(now + stated.unwrap_or(backoff) + jitter)
        };
    }

    fn ask(&mut self, now: Duration) -> Step {
        loop {
            match self.state {
                State::Due(at) if now < at => return Step::Wait(at),
                State::Due(_) => {
                    let ready = self.rested(now);
                    if ready.is_empty() {
                        self.state = self.next_tier(now);
                        continue;
                    }
                    self.site = ready[self.rng.random_range(0..ready.len())];
                    self.tries += 1;
                    self.state = State::Running;
                    return Step::Send(Send {
                        site: self.site,
                        connect: CONNECT,
                        window: self.window,
                        probe: false,
                    });
                }
                State::Running => return Step::Wait(Duration::MAX),
                State::Answered => return Step::Accept,
                State::Failed => return Step::Fail,
            }
        }
    }
}
