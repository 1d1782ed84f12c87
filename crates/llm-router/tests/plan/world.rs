//! Drives plans in virtual time against targets that answer by script.

use llm_errors::{ErrorKind, Hint, HintSource, Phase, Verdict};
use llm_router::{Action, AttemptId, Cause, Event, Plan, Request, Shadow, Table, Tokens, Trace};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a target does with one call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Reply {
    /// Answers after this long.
    Good(Duration),
    /// Begins a stream after this long, whose caller leaves at its beginning.
    Left(Duration),
    /// Fails after 10 ms.
    Bad(Verdict),
    /// Never answers: the attempt's window ends it.
    Hang,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum End {
    Answered,
    Degraded(Cause),
    GaveUp(Verdict),
    /// Its caller had no patience left.
    Left,
}

/// One request that is over.
pub(crate) struct Done {
    n: u64,
    pub(crate) sent_at: Instant,
    pub(crate) took: Duration,
    pub(crate) end: End,
    pub(crate) trace: Trace,
}

/// One request on its way.
struct Active {
    n: u64,
    at: Instant,
    request: Request,
    plan: Plan,
    events: Vec<(AttemptId, Event, Instant)>,
    wake: Instant,
    leaves: Option<Instant>,
    polls: u32,
}

impl Active {
    /// When something happens next.
    fn due(&self) -> Instant {
        let event = self.events.iter().map(|(_, _, at)| *at).min();
        let due = event.map_or(self.wake, |at| at.min(self.wake));
        self.leaves.map_or(due, |at| at.min(due))
    }
}

/// A table in place of this one.
pub(crate) type Reload = fn(&Arc<Table>, Instant) -> Arc<Table>;

pub(crate) struct World {
    pub(crate) table: Arc<Table>,
    /// The route that is asked.
    pub(crate) route: &'static str,
    pub(crate) start: Instant,
    pub(crate) now: Instant,
    replies: HashMap<String, Vec<Reply>>,
    pub(crate) calls: Vec<String>,
    /// What every good answer says it took.
    pub(crate) tokens: Tokens,
    /// How long callers wait for an answer; as long as the plan does where nothing is said.
    pub(crate) callers_wait: Option<Duration>,
    /// What becomes of the table before each request.
    pub(crate) reload: Option<Reload>,
    /// Each request looks for recovery as it begins, as those of a client do.
    pub(crate) looks_for_recovery: bool,
    /// Duplicates on their way: when they are over, and how.
    shadows: Vec<(Instant, Shadow, Result<Tokens, Verdict>)>,
}

/// A failure of this kind, received as a whole reply.
pub(crate) fn bad(kind: ErrorKind) -> Reply {
    Reply::Bad(Verdict::new(kind, Phase::FirstByte))
}

/// The same with a `retry-after`.
pub(crate) fn bad_for(kind: ErrorKind, wait: Duration) -> Reply {
    let hint = Hint::new(wait, HintSource::RetryAfterHeader);
    Reply::Bad(Verdict::new(kind, Phase::FirstByte).with_hint(hint))
}

pub(crate) fn good() -> Reply {
    Reply::Good(Duration::from_millis(100))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

#[expect(
    clippy::disallowed_methods,
    reason = "any instant will do, and none can be made up"
)]
pub(crate) fn origin() -> Instant {
    Instant::now()
}

impl World {
    pub(crate) fn new(build: impl FnOnce(Instant) -> Arc<Table>) -> Self {
        let start = origin();
        Self {
            table: build(start),
            route: "r",
            start,
            // Off the whole milliseconds that gates keep.
            now: start + Duration::from_nanos(333_777),
            replies: HashMap::new(),
            calls: Vec::new(),
            tokens: Tokens::default(),
            callers_wait: None,
            reload: None,
            looks_for_recovery: false,
            shadows: Vec::new(),
        }
    }

    /// Sets what `target` does: the list in order, then its last entry for ever.
    pub(crate) fn script(&mut self, target: &str, replies: impl IntoIterator<Item = Reply>) {
        let mut replies: Vec<_> = replies.into_iter().collect();
        replies.reverse();
        self.replies.insert(target.to_owned(), replies);
    }

    fn reply(&mut self, target: &str) -> Reply {
        let Some(replies) = self.replies.get_mut(target) else {
            return good();
        };
        match replies.len() {
            0 => good(),
            1 => replies[0],
            _ => replies.pop().unwrap(),
        }
    }

    /// Sends a duplicate of a request that begins now, where one is granted.
    fn look_for_recovery(&mut self, request: &Request) {
        if !self.looks_for_recovery {
            return;
        }
        let route = self.table.route(self.route).unwrap();
        let Some(shadow) = self.table.shadow(route, request, self.now) else {
            return;
        };
        let name = self.table.target_name(shadow.target()).to_owned();
        let windows = shadow.windows();
        let window = if request.streamed {
            windows.first_token
        } else {
            windows.whole
        };
        let (after, result) = match self.reply(&name) {
            Reply::Good(after) | Reply::Left(after) if after < window => (after, Ok(self.tokens)),
            Reply::Bad(verdict) => (ms(10), Err(verdict)),
            Reply::Good(_) | Reply::Left(_) | Reply::Hang => {
                (window, Err(Verdict::new(ErrorKind::Timeout, Phase::Sent)))
            }
        };
        self.shadows.push((self.now + after, shadow, result));
    }

    /// Ends the duplicates that are over by then.
    fn end_shadows(&mut self, by: Instant) {
        while let Some(place) = self.shadows.iter().position(|(at, ..)| *at <= by) {
            let (at, shadow, result) = self.shadows.remove(place);
            shadow.finish(result.as_ref().copied(), at);
        }
    }

    pub(crate) fn call(&mut self) -> (End, Trace) {
        self.call_with(Request::new(), 1)
    }

    /// One request from start to end, alone in the world.
    pub(crate) fn call_with(&mut self, request: Request, seed: u64) -> (End, Trace) {
        let done = self.traffic(1, Duration::ZERO, |_| (request, seed));
        let Done {
            end, trace, took, ..
        } = done.into_iter().next().unwrap();
        assert_eq!(Some(took), trace.ended_after);
        (end, trace)
    }

    /// `count` requests, one every `every`, whether or not those before have ended. In the order
    /// of their starts; time stands at the end of the last one.
    pub(crate) fn traffic(
        &mut self,
        count: u64,
        every: Duration,
        each: impl Fn(u64) -> (Request, u64),
    ) -> Vec<Done> {
        let route = self.table.route(self.route).unwrap();
        let mut active: Vec<Active> = Vec::new();
        let mut done: Vec<Done> = Vec::new();
        let mut arrivals = (0..count).map(|n| (n, self.now + every * u32::try_from(n).unwrap()));
        let mut arrivals = arrivals.by_ref().collect::<Vec<_>>().into_iter().peekable();
        loop {
            let due = active.iter().map(Active::due).min();
            match (arrivals.peek().copied(), due) {
                (Some((n, at)), due) if due.is_none_or(|due| at <= due) => {
                    arrivals.next();
                    self.now = at;
                    self.end_shadows(at);
                    if let Some(reload) = self.reload {
                        self.table = reload(&self.table, at);
                    }
                    let (request, seed) = each(n);
                    self.look_for_recovery(&request);
                    let plan = Plan::new(Arc::clone(&self.table), route, request, at, seed);
                    active.push(Active {
                        n,
                        at,
                        request,
                        plan,
                        events: Vec::new(),
                        wake: at,
                        leaves: self.callers_wait.map(|wait| at + wait),
                        polls: 0,
                    });
                }
                (_, Some(due)) => {
                    self.now = due;
                    self.end_shadows(due);
                    let index = active.iter().position(|call| call.due() == due).unwrap();
                    if let Some(end) = self.step(&mut active[index]) {
                        let mut call = active.remove(index);
                        done.push(Done {
                            n: call.n,
                            sent_at: call.at,
                            took: self.now - call.at,
                            end,
                            trace: call.plan.take_trace(),
                        });
                    }
                }
                (_, None) => break,
            }
        }
        done.sort_by_key(|done| done.n);
        done
    }

    /// So many requests, 20 a second, of which all are answered and none that is sent later than `within` goes to the first target.
    pub(crate) fn leaves_the_first(
        &mut self,
        within: Duration,
        count: u64,
        request: Request,
    ) -> Vec<Done> {
        let began = self.now;
        let first = self.table.targets().next().unwrap();
        let done = self.traffic(count, ms(50), |n| (request, 1_000_000 + n));
        for done in &done {
            assert_eq!(done.end, End::Answered);
            let to_first = done.trace.hops.iter().any(|hop| hop.target == first);
            let after = done.sent_at - began;
            assert!(!to_first || after <= within, "still called after {after:?}");
        }
        done
    }

    /// Gives one plan its next event, or the time, and does what it says until it waits.
    fn step(&mut self, call: &mut Active) -> Option<End> {
        let next = call.events.iter().map(|(_, _, at)| *at).min();
        if call.leaves.is_some_and(|at| at <= self.now) && next.is_none_or(|at| at > self.now) {
            call.plan.cancel(self.now);
            return Some(End::Left);
        }
        let next = call.events.iter().position(|(_, _, at)| *at <= self.now);
        if let Some(index) = next {
            let (_, event, _) = call.events.remove(index);
            call.plan.on(event, self.now);
        }
        loop {
            call.polls += 1;
            assert!(
                call.polls < 200,
                "the plan does not end: {:?}",
                call.plan.trace()
            );
            match call.plan.poll(self.now) {
                Action::Send {
                    attempt,
                    target,
                    windows,
                    ..
                } => {
                    let name = self.table.target_name(target).to_owned();
                    let timeout = Verdict::new(ErrorKind::Timeout, Phase::Sent);
                    let window = if call.request.streamed {
                        windows.first_token
                    } else {
                        windows.whole
                    };
                    let (event, after) = match self.reply(&name) {
                        Reply::Good(after) if after < window => {
                            (Event::Succeeded(attempt, self.tokens), after)
                        }
                        Reply::Left(after) if after < window => (Event::FirstToken(attempt), after),
                        Reply::Bad(verdict) => (Event::Failed(attempt, verdict), ms(10)),
                        Reply::Good(_) | Reply::Left(_) | Reply::Hang => {
                            (Event::Failed(attempt, timeout), window)
                        }
                    };
                    call.events.push((attempt, event, self.now + after));
                    self.calls.push(name);
                }
                Action::WaitUntil(until) => {
                    let deadline = call.plan.deadline().instant();
                    assert!(
                        until > self.now || !call.events.is_empty(),
                        "a wait must move time"
                    );
                    assert!(until <= deadline, "sleeps past the deadline");
                    call.wake = until;
                    return None;
                }
                Action::Cancel(attempt) => call.events.retain(|(id, _, _)| *id != attempt),
                Action::Accept(_) => {
                    call.plan.cancel(self.now);
                    return Some(End::Answered);
                }
                Action::Degrade(cause) => return Some(End::Degraded(cause)),
                Action::GiveUp(verdict) => return Some(End::GaveUp(verdict)),
            }
        }
    }

    pub(crate) fn since_start(&self) -> Duration {
        self.now - self.start - Duration::from_nanos(333_777)
    }

    pub(crate) fn calls_to(&self, target: &str) -> usize {
        self.calls.iter().filter(|call| *call == target).count()
    }
}
