//! The router under test: every request is a real `Plan`, every gateway has a real `Table`.

use crate::caller::{Caller, DEADLINE, News, Send, Step};
use crate::scenario::Scenario;
use llm_router::{
    Action, AttemptId, Event, Hedging, Limits, Plan, Request, Route, Shadow, Table, Target, Tokens,
    Windows,
};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A request driven by its plan.
#[derive(Debug)]
pub(crate) struct Ours {
    plan: Plan,
    attempts: Vec<AttemptId>,
    origin: Instant,
    streamed: bool,
}

/// The table of one of so many gateways: the default configuration, with nothing but names unless the scenario says more.
pub(crate) fn table(scenario: &Scenario, gateways: usize, origin: Instant) -> Arc<Table> {
    let mut builder = Table::builder().breaker(scenario.breaker);
    let mut told = scenario.told_rpm;
    for site in &scenario.sites {
        let mut target = Target::new(site.name, site.provider).credential(site.name);
        if let Some(rpm) = told.take() {
            let mut limits = Limits::default();
            limits.rpm = Some(rpm / u64::try_from(gateways).unwrap_or(1));
            target = target.limits(limits);
        }
        builder = builder.target(target);
    }
    let mut policy = llm_router::Policy::default();
    if scenario.hedging {
        policy.hedging = Hedging::AtP90;
    }
    let mut route = Route::new("route").policy(policy);
    for tier in &scenario.tiers {
        route = route.tier(tier.iter().map(|site| scenario.sites[*site].name));
    }
    if let Some(canary) = scenario.canary {
        route = route.canary(scenario.sites[canary].name, &[]);
    }
    builder
        .route(route)
        .build(origin)
        .expect("scenarios name their sites once and use only those")
}

/// Leave to duplicate a request that begins now, as a client asks for it.
pub(crate) fn shadow(table: &Arc<Table>, streamed: bool, now: Instant) -> Option<Shadow> {
    let route = table.route("route").expect("every table has this route");
    table.shadow(route, &request(streamed), now)
}

/// The call that a shadow probe is.
pub(crate) fn duplicate(shadow: &Shadow, streamed: bool) -> Send {
    let windows = shadow.windows();
    Send {
        site: shadow.target().index(),
        connect: windows.connect,
        window: window(windows, streamed),
        probe: true,
    }
}

fn request(streamed: bool) -> Request {
    let request = Request::new().context_tokens(1_000).deadline(DEADLINE);
    if streamed {
        request.streamed()
    } else {
        request
    }
}

/// How long the silence may last.
fn window(windows: Windows, streamed: bool) -> Duration {
    if streamed {
        windows.first_token
    } else {
        windows.whole
    }
}

impl Ours {
    pub(crate) fn new(
        table: &Arc<Table>,
        streamed: bool,
        origin: Instant,
        now: Duration,
        seed: u64,
    ) -> Self {
        let request = request(streamed);
        let route = table.route("route").expect("every table has this route");
        Self {
            plan: Plan::new(Arc::clone(table), route, request, origin + now, seed),
            attempts: Vec::new(),
            origin,
            streamed,
        }
    }
}

impl Caller for Ours {
    fn hear(&mut self, attempt: usize, news: News, now: Duration) {
        let id = self.attempts[attempt];
        let event = match news {
            News::FirstToken => Event::FirstToken(id),
            News::Done => Event::Succeeded(id, Tokens::default()),
            News::Failed(verdict) => Event::Failed(id, verdict),
        };
        self.plan.on(event, self.origin + now);
    }

    fn ask(&mut self, now: Duration) -> Step {
        match self.plan.poll(self.origin + now) {
            Action::Send {
                attempt,
                target,
                windows,
                ..
            } => {
                self.attempts.push(attempt);
                let hop = self.plan.trace().hops.last();
                Step::Send(Send {
                    site: target.index(),
                    connect: windows.connect,
                    window: window(windows, self.streamed),
                    probe: hop.is_some_and(|hop| hop.probe),
                })
            }
            Action::WaitUntil(until) => Step::Wait(until.saturating_duration_since(self.origin)),
            Action::Cancel(attempt) => Step::Cancel(attempt.index()),
            Action::Accept(_) => Step::Accept,
            Action::Degrade(_) => Step::Degrade,
            // No request of a simulation is at fault itself: this is an error to its caller.
            Action::GiveUp(_) => Step::Fail,
        }
    }
}
