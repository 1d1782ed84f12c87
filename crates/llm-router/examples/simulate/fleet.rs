//! One run: callers, gateways and sites in virtual time, under one policy.

mod shadow;

use crate::agenda::Agenda;
use crate::caller::{Caller, DEADLINE, News, Send, Step};
use crate::chance;
use crate::log::{CallSeen, End, GateSeen, Log, RequestSeen};
use crate::ours::{self, Ours};
use crate::policy::Policy;
use crate::rival::{self, Blind, Cooldowns, Resting};
use crate::scenario::{Scenario, Size};
use crate::site::{REFUSAL, Reception, Running, Service};
use llm_errors::{ErrorKind, Phase, Verdict};
use llm_router::{Shadow, Table};
use rand::RngExt;
use rand::rngs::SmallRng;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What can happen.
#[derive(Debug, Clone, Copy)]
enum Event {
    Arrival,
    /// Time to look at the gates.
    Look,
    /// A request wanted to be asked again.
    Wake(usize),
    /// A request has waited as long as anybody waits.
    Deadline(usize),
    /// A call's connection or first token has taken too long.
    Window(usize, Phase),
    Refused(usize, Verdict),
    FirstToken(usize),
    Done(usize),
}

/// One upstream call.
#[derive(Debug)]
struct Call {
    request: usize,
    attempt: usize,
    site: usize,
    service: Service,
    streamed: bool,
    /// Nobody listens any more.
    over: bool,
    spoke: bool,
    /// A duplicate whose answer is thrown away: who is told how it went.
    shadow: Option<Shadow>,
}

/// One request that is not over.
struct Active {
    caller: Box<dyn Caller>,
    /// Its calls, by attempt.
    calls: Vec<usize>,
    streamed: bool,
    answered: bool,
    /// When it wants to be asked again.
    wake: Duration,
}

/// How often the gates are looked at.
const LOOK: Duration = Duration::from_millis(250);

struct Fleet<'a> {
    scenario: &'a Scenario,
    size: &'a Size,
    policy: Policy,
    seed: u64,
    origin: Instant,
    tables: Vec<Arc<Table>>,
    cooldowns: Vec<Cooldowns>,
    tiers: Rc<Vec<Vec<usize>>>,
    /// The tiers as a caller sees them who is given to the target on trial, under a policy that holds no trials.
    given: Option<Rc<Vec<Vec<usize>>>>,
    sites: Vec<Running>,
    agenda: Agenda<Event>,
    arrivals: SmallRng,
    requests: Vec<Option<Active>>,
    calls: Vec<Call>,
    log: Log,
}

/// Runs `scenario` from start to end. Equal arguments give an equal log; `origin` does not matter.
pub(crate) fn run(
    scenario: &Scenario,
    size: &Size,
    policy: Policy,
    seed: u64,
    origin: Instant,
) -> Log {
    let gateways = 0..size.gateways;
    let mut fleet = Fleet {
        scenario,
        size,
        policy,
        seed,
        origin,
        tables: gateways
            .clone()
            .map(|_| ours::table(scenario, size.gateways, origin))
            .collect(),
        cooldowns: gateways.map(|_| rival::cooldowns(scenario)).collect(),
        tiers: Rc::new(scenario.tiers.clone()),
        given: scenario.canary.map(|canary| {
            let first = std::iter::once(vec![canary]);
            Rc::new(first.chain(scenario.tiers.iter().cloned()).collect())
        }),
        sites: (scenario.sites.iter().cloned().zip(0..))
            .map(|(site, number)| {
                let shared = site.waves.is_some_and(|waves| waves.shared);
                let tide = if shared { u64::MAX } else { number };
                Running::new(site, chance::generator(seed, [3, tide]))
            })
            .collect(),
        agenda: Agenda::new(),
        arrivals: chance::generator(seed, [1, 0]),
        requests: Vec::new(),
        calls: Vec::new(),
        log: Log::default(),
    };
    fleet.agenda.plan(Duration::ZERO, Event::Arrival);
    if policy == Policy::Router {
        fleet.agenda.plan(Duration::ZERO, Event::Look);
    }
    while let Some((now, event)) = fleet.agenda.next() {
        fleet.happen(event, now);
    }
    fleet.log
}

impl Fleet<'_> {
    fn happen(&mut self, event: Event, now: Duration) {
        match event {
            Event::Arrival => self.arrive(now),
            Event::Look => self.look(now),
            Event::Wake(request) => {
                let due = |active: &Active| !active.answered && active.wake == now;
                if self.requests[request].as_ref().is_some_and(due) {
                    self.drive(request, now);
                }
            }
            Event::Deadline(request) => {
                let waits = |active: &Active| !active.answered;
                if self.requests[request].as_ref().is_some_and(waits) {
                    self.end(request, End::Failed, now);
                }
            }
            Event::Window(call, phase) => {
                if !self.calls[call].spoke {
                    self.tell_end(call, News::Failed(timeout(phase)), now);
                }
            }
            Event::Refused(call, verdict) => self.tell_end(call, News::Failed(verdict), now),
            Event::FirstToken(call) => self.first_token(call, now),
            Event::Done(call) => {
                if let Some(next) = self.sites[self.calls[call].site].release() {
                    self.serve(next, now);
                }
                self.tell_end(call, News::Done, now);
            }
        }
    }

    fn arrive(&mut self, now: Duration) {
        if now >= self.scenario.length {
            return;
        }
        let per_second = self.size.per_second * self.scenario.load;
        let next = now + chance::gap(&mut self.arrivals, per_second);
        self.agenda.plan(next, Event::Arrival);

        let request = self.requests.len();
        let caller = self.arrivals.random_range(0..self.size.callers);
        let gateway = caller % self.size.gateways;
        let streamed = self.arrivals.random::<f64>() < self.scenario.streamed;
        let seed = chance::mix(self.seed, [2, request as u64]);
        let given = self.given.as_ref().filter(|_| caller % 20 == 0);
        let tiers = given.unwrap_or(&self.tiers);
        let first = tiers[0][request % tiers[0].len()];
        let caller: Box<dyn Caller> = match self.policy {
            Policy::Unprotected => Box::new(Blind::unprotected(first, now)),
            Policy::BlindRetries => Box::new(Blind::retrying(first, streamed, now)),
            Policy::FixedCooldown => Box::new(Resting::new(
                tiers,
                &self.cooldowns[gateway],
                streamed,
                now,
                seed,
            )),
            Policy::Router => Box::new(Ours::new(
                &self.tables[gateway],
                streamed,
                self.origin,
                now,
                seed,
            )),
        };
        self.requests.push(Some(Active {
            caller,
            calls: Vec::new(),
            streamed,
            answered: false,
            wake: now,
        }));
        self.log.requests.push(RequestSeen::new(now));
        if self.policy == Policy::Router {
            self.look_for_recovery(request, gateway, streamed, now);
        }
        // A moment later than the policy's own deadline: it is to keep that by itself.
        let deadline = now + DEADLINE + Duration::from_millis(1);
        self.agenda.plan(deadline, Event::Deadline(request));
        self.drive(request, now);
    }

    /// Notes where the gates are, if one has moved.
    fn look(&mut self, now: Duration) {
        if now < self.scenario.length {
            self.agenda.plan(now + LOOK, Event::Look);
        }
        for (gateway, table) in self.tables.iter().enumerate() {
            for target in table.targets() {
                let gate = table.gate(target).snapshot(self.origin + now);
                let account = table.credential_gate(target).snapshot(self.origin + now);
                self.log.gates.note(GateSeen {
                    at: now,
                    gateway,
                    site: target.index(),
                    gate: (gate.state, gate.reason),
                    account: (account.state, account.reason),
                });
            }
        }
    }

    /// Asks a request what to do until it waits or ends.
    fn drive(&mut self, request: usize, now: Duration) {
        loop {
            let Some(active) = &mut self.requests[request] else {
                return;
            };
            match active.caller.ask(now) {
                Step::Send(send) => self.send(request, send, now),
                Step::Wait(until) => {
                    if !active.answered && until > now && until < self.scenario.length + DEADLINE {
                        active.wake = until;
                        self.agenda.plan(until, Event::Wake(request));
                    }
                    return;
                }
                Step::Cancel(attempt) => {
                    let call = active.calls[attempt];
                    self.calls[call].over = true;
                }
                Step::Accept => {
                    self.accept(request, now);
                    return;
                }
                Step::Degrade => return self.end(request, End::Degraded, now),
                Step::Fail => return self.end(request, End::Failed, now),
            }
        }
    }

    fn send(&mut self, request: usize, send: Send, now: Duration) {
        let Some(active) = &mut self.requests[request] else {
            return;
        };
        let attempt = active.calls.len();
        active.calls.push(self.calls.len());
        if attempt == 0 {
            self.log.requests[request].first = Some((now, send.site, send.probe));
        }
        let luck = 1_000 + attempt * 100 + send.site;
        let streamed = active.streamed;
        self.call((request, attempt), streamed, send, luck, now);
    }

    /// Makes one upstream call; `luck` tells those of a request apart.
    fn call(
        &mut self,
        (request, attempt): (usize, usize),
        streamed: bool,
        send: Send,
        luck: usize,
        now: Duration,
    ) {
        let call = self.calls.len();
        self.log.requests[request].calls += 1;
        self.log.calls.push(CallSeen {
            at: now,
            site: send.site,
            used: false,
        });
        self.calls.push(Call {
            request,
            attempt,
            site: send.site,
            service: Service {
                first: Duration::ZERO,
                rest: Duration::ZERO,
            },
            streamed,
            over: false,
            spoke: false,
            shadow: None,
        });
        let luck = chance::generator(self.seed, [request as u64, luck as u64]);
        let asked = chance::generator(self.seed, [request as u64, 5]).random::<f64>();
        let window = self.agenda_window(send, now);
        match self.sites[send.site].receive(call, now, luck, asked) {
            Reception::Fails(verdict) => self
                .agenda
                .plan(now + REFUSAL, Event::Refused(call, verdict)),
            Reception::Unreachable => self.agenda.plan(
                now + send.connect.min(send.window),
                Event::Refused(call, Verdict::new(ErrorKind::Network, Phase::Connect)),
            ),
            Reception::Silence => self.agenda.plan(window, Event::Window(call, Phase::Sent)),
            Reception::Queued(service) => {
                self.calls[call].service = service;
                self.agenda.plan(window, Event::Window(call, Phase::Sent));
            }
            Reception::Served(service) => {
                self.calls[call].service = service;
                self.serve(call, now);
                self.agenda.plan(window, Event::Window(call, Phase::Sent));
            }
        }
    }

    /// When the silence of a call ends it.
    fn agenda_window(&self, send: Send, now: Duration) -> Duration {
        now + send.window.min(DEADLINE * 2)
    }

    fn serve(&mut self, call: usize, now: Duration) {
        let Call { service, site, .. } = self.calls[call];
        let slow = self.sites[site].slowness(now);
        let first = now + service.first.mul_f64(slow);
        self.agenda.plan(first, Event::FirstToken(call));
        let done = first + service.rest.mul_f64(slow);
        self.agenda.plan(done, Event::Done(call));
    }

    fn first_token(&mut self, call: usize, now: Duration) {
        let Call { streamed, over, .. } = self.calls[call];
        if streamed && !over && !self.shadow_heard(call, News::FirstToken, now) {
            self.calls[call].spoke = true;
            self.tell(call, News::FirstToken, now);
        }
    }

    fn tell(&mut self, call: usize, news: News, now: Duration) {
        let Call {
            request, attempt, ..
        } = self.calls[call];
        if let Some(active) = &mut self.requests[request] {
            active.caller.hear(attempt, news, now);
            if !active.answered {
                self.drive(request, now);
            }
        }
    }

    /// Tells the end of a call, if anybody still listens.
    fn tell_end(&mut self, call: usize, news: News, now: Duration) {
        if self.shadow_heard(call, news, now) || std::mem::replace(&mut self.calls[call].over, true)
        {
            return;
        }
        let request = self.calls[call].request;
        let was_answered = self.requests[request]
            .as_ref()
            .is_some_and(|active| active.answered);
        let good = matches!(news, News::Done);
        self.log.calls[call].used = good;
        self.tell(call, news, now);
        if was_answered {
            let end = if good { End::Answered } else { End::Failed };
            self.log.requests[request].end = end;
            self.requests[request] = None;
        }
    }

    fn accept(&mut self, request: usize, now: Duration) {
        let Some(active) = &mut self.requests[request] else {
            return;
        };
        active.answered = true;
        // The accepted call speaks, or has just ended; any other was cancelled before.
        let calls = &self.calls;
        let by = active
            .calls
            .iter()
            .rev()
            .find(|call| calls[**call].spoke && !calls[**call].over)
            .or_else(|| {
                let done = &self.log.calls;
                active.calls.iter().rev().find(|call| done[**call].used)
            })
            .copied();
        let seen = &mut self.log.requests[request];
        seen.end = End::Answered;
        seen.took = now - seen.arrived;
        seen.served_by = by.map(|call| self.calls[call].site);
        seen.switched = by.map_or(seen.took, |call| self.log.calls[call].at - seen.arrived);
        if by.is_none_or(|call| self.calls[call].over) {
            self.requests[request] = None;
        }
    }

    fn end(&mut self, request: usize, end: End, now: Duration) {
        let seen = &mut self.log.requests[request];
        seen.end = end;
        seen.took = now - seen.arrived;
        if let Some(active) = self.requests[request].take() {
            for call in active.calls {
                self.calls[call].over = true;
            }
        }
    }
}

fn timeout(phase: Phase) -> Verdict {
    Verdict::new(ErrorKind::Timeout, phase)
}
