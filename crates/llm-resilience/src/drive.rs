//! The thin shell round a plan: it sends, sleeps and reports, and decides nothing.

use crate::answer::{Answer, AnswerStream, Body, Served, is_worth_keeping};
use crate::attempt::{How, attempt_on, calendar};
use crate::calls::Calls;
use crate::client::{Inner, now};
use crate::degrade;
use crate::error::{Error, What};
use crate::keep::Keep;
use crate::loops::Loops;
use crate::mend;
use crate::observe::{Observer, Outcome, Report, Told};
use crate::options::CallOptions;
use futures_util::future::BoxFuture;
use llm_errors::{ErrorKind, Phase, RateLimits, Verdict};
use llm_providers::{
    Call, Exchange, Facts, Failure, Features, Hold, Purpose, Reading, ReplyStream, Resume, Seam,
    Wire, chat,
};
use llm_router::{
    Abilities, Action, AttemptId, BadAnswer, Cause, Cost, Event, Form, OnCut, Plan, Request,
    RouteId, Shadow, TargetId, Tokens, Trace, Why,
};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use tokio::time::timeout_at;

/// One request on its way. Dropped before its end, it cancels the attempt and says so.
#[derive(Debug)]
pub(crate) struct Drive {
    client: Arc<Inner>,
    pub(crate) plan: Plan,
    started: Instant,
    streamed: bool,
    /// An answer that is no good is better than a second run.
    at_most_once: bool,
    reported: bool,
    request_id: Box<str>,
    /// Told beside the client's own.
    observer: Option<Arc<dyn Observer>>,
    /// At most two an upstream call: its own failure, and that of its stream.
    told: Vec<Told>,
}

type Running<'a> = (AttemptId, BoxFuture<'a, Result<Exchange, Failure>>);

/// Sends `call` along `route` until there is an answer, a degraded answer or an error.
pub(crate) async fn send(
    client: Arc<Inner>,
    route: RouteId,
    call: Call,
    options: CallOptions,
) -> Result<Answer, Error> {
    let request = demand(&client, route, &call, &options)?;
    if request.carried.is_nobody() {
        return Err(Error::lossy(least_lost(&client, route, &call)));
    }
    if let Some(shadow) = client.table.shadow(route, &request, now()) {
        look_for_recovery(&client, &call, shadow);
    }
    let mut drive = Drive::new(&client, route, request, &options);
    let end = drive.run(&call, None, Vec::new()).await;
    let dialect = call.dialect();
    let keep = Keep::of(&client, route, &call, &options);
    match end {
        End::Whole(whole, target) => {
            if let Some(keep) = keep.filter(|_| is_worth_keeping(&whole.facts)) {
                let model = whole.facts.model.as_deref();
                keep.store(whole.body.clone(), model, now()).await;
            }
            let trace = drive.finish(Outcome::Answered, Some(&whole.facts));
            Ok(Answer {
                body: Body::Whole(whole.body),
                dialect,
                served: Served::by_target(&client.table, target, trace),
                facts: Some(whole.facts),
            })
        }
        End::Stream(stream, attempt, target) => {
            let trace = drive.plan.trace().clone();
            let mendable = client.table.policy(route).on_cut != OnCut::Error;
            // The rest of an answer to a changed call could not be told from that to the caller's own.
            let hop = drive.plan.trace().hops.get(attempt.index());
            let unchanged = hop.is_some_and(|hop| hop.form == Form::AsAsked);
            let mendable = mendable && unchanged && call.is_continuable();
            let quality = client.quality(route);
            let loops = quality.filter(|quality| quality.ends_loops());
            let loops = loops.and_then(|_| Loops::new());
            let calls = quality.filter(|quality| quality.reads_calls(&call));
            let calls = calls.map(|_| Calls::new(dialect));
            let call = (call, mendable);
            let stream = AnswerStream::new(*stream, drive, attempt, call, keep, dialect);
            let stream = stream.following(loops, calls);
            Ok(Answer {
                body: Body::Stream(Box::new(stream)),
                dialect,
                served: Served::by_target(&client.table, target, trace),
                facts: None,
            })
        }
        End::Degraded(cause, failure) => {
            let steps = client.degraded(route);
            if let Some((mode, body)) = degrade::answer(steps, &call, keep.as_ref(), now()).await {
                let trace = drive.finish(Outcome::Degraded(mode), None);
                return Ok(Answer {
                    body: Body::Whole(body),
                    dialect,
                    served: Served::degraded(&client.table, mode, trace),
                    facts: None,
                });
            }
            let wait = cause.retry_at.map(|at| at.saturating_duration_since(now()));
            let error = Error::of_call(What::Exhausted, cause.kind, cause.verdict, failure, wait);
            Err(drive.fail(error))
        }
        End::GaveUp(verdict, failure) => {
            let wait = verdict.retry_after();
            let error = Error::of_call(What::Refused, verdict.kind, Some(verdict), failure, wait);
            Err(drive.fail(error))
        }
    }
}

/// How the search ended.
pub(crate) enum End {
    Whole(llm_providers::Whole, TargetId),
    Stream(Box<ReplyStream>, AttemptId, TargetId),
    Degraded(Cause, Option<(Failure, Wire)>),
    GaveUp(Verdict, Option<(Failure, Wire)>),
}

impl Drive {
    fn new(client: &Arc<Inner>, route: RouteId, request: Request, options: &CallOptions) -> Self {
        let started = now();
        let table = Arc::clone(&client.table);
        Self {
            client: Arc::clone(client),
            plan: Plan::new(table, route, request, started, client.next_seed()),
            started,
            streamed: request.streamed,
            at_most_once: request.at_most_once,
            reported: false,
            request_id: options.request_id.clone(),
            observer: options.observer.clone(),
            told: Vec::new(),
        }
    }

    /// Tells every observer, once, and hands over the record.
    pub(crate) fn finish(mut self, outcome: Outcome, facts: Option<&Facts>) -> Trace {
        self.report(outcome, facts);
        self.plan.take_trace()
    }

    /// The end without an answer.
    pub(crate) fn fail(self, error: Error) -> Error {
        let table = Arc::clone(&self.client.table);
        let kind = error.kind();
        error.with_trail(table, self.finish(Outcome::Failed(kind), None))
    }

    fn report(&mut self, outcome: Outcome, facts: Option<&Facts>) {
        self.reported = true;
        let report = Report {
            table: &self.client.table,
            request_id: &self.request_id,
            trace: self.plan.trace(),
            told: &self.told,
            outcome,
            facts,
            streamed: self.streamed,
            took: now().saturating_duration_since(self.started),
        };
        for observer in &self.client.observers {
            observer.finished(&report);
        }
        if let Some(observer) = &self.observer {
            observer.finished(&report);
        }
    }

    /// Carries out what the plan says until the search is over: the search for an answer or, where
    /// `seam` tells what the caller has already, for the rest of one. `failures` are those whose words
    /// may go to the caller: one a hop, at most `max_sends`.
    pub(crate) async fn run(
        &mut self,
        call: &Call,
        seam: Option<&Seam>,
        mut failures: Vec<(Failure, Wire)>,
    ) -> End {
        let client = Arc::clone(&self.client);
        // At most three attempts are under way at once.
        let mut running: Vec<Running<'_>> = Vec::new();
        let mut arrived: Option<(AttemptId, Exchange)> = None;
        loop {
            match self.plan.poll(now()) {
                Action::Send {
                    attempt,
                    target,
                    windows,
                    form,
                } => {
                    let Some(changed) = self.changed(call, form) else {
                        // It cannot be changed so: the plan is told, as if a target had said so.
                        let verdict = unchanged(form);
                        failures.push((Failure::new(verdict), call.dialect().wire()));
                        self.plan.on(Event::Failed(attempt, verdict), now());
                        continue;
                    };
                    let mut reading = self.reading(&changed, form, seam);
                    // Between the end of its thoughts and the end of the answer stands what is told by the text.
                    let thinks = !windows.thinking.is_zero();
                    reading.keep_text |= thinks && changed.is_stream() && changed.is_continuable();
                    let how = How {
                        windows,
                        reading,
                        fresh: self.repeats(attempt),
                    };
                    let future = attempt_on(&client, changed, target, how);
                    running.push((attempt, future));
                }
                Action::WaitUntil(until) => {
                    let Ok((attempt, result)) = timeout_at(until.into(), first(&mut running)).await
                    else {
                        continue;
                    };
                    self.read_limits(attempt, &result);
                    self.note_lost(attempt, &result);
                    let event = match result {
                        Ok(answer) => match self.look(call, &answer, seam) {
                            Some(bad) => {
                                let own = call.dialect().wire();
                                let wire = self.wire_of(attempt).unwrap_or(own);
                                failures.push((Failure::new(bad.verdict), wire));
                                Event::Bad(attempt, bad)
                            }
                            None => {
                                let event = match &answer {
                                    Exchange::Whole(whole) => {
                                        Event::Succeeded(attempt, tokens(&whole.facts))
                                    }
                                    Exchange::Stream(_) => Event::FirstToken(attempt),
                                };
                                arrived = Some((attempt, answer));
                                event
                            }
                        },
                        Err(failure) if failure.is_diverged() => {
                            let tokens = Tokens {
                                input: call.estimated_input_tokens(),
                                output: 0,
                            };
                            Event::Diverged(attempt, tokens)
                        }
                        Err(failure) => {
                            self.hear(attempt, &failure);
                            let verdict = failure.verdict;
                            let own = call.dialect().wire();
                            let wire = self.wire_of(attempt).unwrap_or(own);
                            failures.push((failure, wire));
                            Event::Failed(attempt, verdict)
                        }
                    };
                    self.plan.on(event, now());
                }
                // Dropping the future ends the call.
                Action::Cancel(attempt) => running.retain(|(id, _)| *id != attempt),
                Action::Accept(attempt) => match (arrived.take(), self.target_of(attempt)) {
                    (Some((id, Exchange::Whole(whole))), Some(target)) if id == attempt => {
                        return End::Whole(whole, target);
                    }
                    (Some((id, Exchange::Stream(stream))), Some(target)) if id == attempt => {
                        return End::Stream(stream, attempt, target);
                    }
                    _ => {}
                },
                Action::Degrade(cause) => {
                    let failure = cause.verdict.and_then(|verdict| {
                        let index = failures.iter().position(|(f, _)| f.verdict == verdict)?;
                        Some(failures.swap_remove(index))
                    });
                    return End::Degraded(cause, failure);
                }
                Action::GiveUp(verdict) => {
                    let index = failures.iter().rposition(|(f, _)| f.verdict == verdict);
                    let failure = index.map(|index| failures.swap_remove(index));
                    return End::GaveUp(verdict, failure);
                }
            }
        }
    }

    /// The call in the form that the plan wants; `None` where it cannot be had.
    fn changed(&self, call: &Call, form: Form) -> Option<Call> {
        match form {
            Form::Shortened {
                window_tokens,
                counted_tokens,
            } => call.shortened(window_tokens, counted_tokens),
            Form::Rewritten => {
                let hook = self.client.rewrite(self.plan.trace().route)?;
                let request = hook.rewrite(call.chat().ok()?)?;
                call.with_chat(request).ok()
            }
            _ => Some(call.clone()),
        }
    }

    /// How the answer to `call` is read where it is a stream.
    fn reading(&self, call: &Call, form: Form, seam: Option<&Seam>) -> Reading {
        let route = self.plan.trace().route;
        let mut reading = Reading::default();
        if !call.is_stream() {
            return reading;
        }
        let mendable = self.client.table.policy(route).on_cut != OnCut::Error;
        let quality = self.client.quality(route);
        let looked_at = quality.is_some_and(|quality| quality.reads_streams(call));
        reading.keep_text = call.is_continuable() && (mendable || looked_at);
        reading.hold = self.client.hold(route);
        let seam = seam.map(Seam::fork);
        reading.resume = match form {
            Form::Prefill { .. } => seam.map(Resume::Prefill),
            Form::Replay { .. } => seam.map(Resume::Replay),
            _ => None,
        };
        if reading.resume.is_some() {
            reading.hold = Hold::default();
        }
        reading
    }

    /// Whether an answer, or the beginning of one that was held back, is no good. The rest of a broken
    /// stream is taken as it is, and so is what cannot be asked for again.
    fn look(&self, call: &Call, answer: &Exchange, seam: Option<&Seam>) -> Option<BadAnswer> {
        if seam.is_some() || self.at_most_once {
            return None;
        }
        let quality = self.client.quality(self.plan.trace().route)?;
        let schemas = &self.client.schemas;
        let (bad, facts) = match answer {
            Exchange::Whole(whole) => (quality.at_whole(call, whole, schemas)?, &whole.facts),
            Exchange::Stream(stream) => (quality.at_stream(call, stream, schemas)?, stream.facts()),
        };
        Some(BadAnswer {
            verdict: bad.verdict,
            finding: bad.finding,
            tokens: tokens(facts),
        })
    }

    /// The same for a stream that has come to its end, and which the caller has.
    pub(crate) fn look_back(&self, call: Option<&Call>, stream: &ReplyStream) -> Option<BadAnswer> {
        let call = call?;
        let quality = self.client.quality(self.plan.trace().route)?;
        let bad = quality.at_stream(call, stream, &self.client.schemas)?;
        Some(BadAnswer {
            verdict: bad.verdict,
            finding: bad.finding,
            tokens: tokens(stream.facts()),
        })
    }

    /// The same for its tool calls.
    pub(crate) fn look_at_calls(&self, call: &Call, reply: &chat::Reply) -> Option<BadAnswer> {
        let quality = self.client.quality(self.plan.trace().route)?;
        let bad = quality.at_calls(call, reply, &self.client.schemas)?;
        Some(BadAnswer {
            verdict: bad.verdict,
            finding: bad.finding,
            tokens: Tokens::default(),
        })
    }

    /// Notes what the provider told with a failure.
    pub(crate) fn hear(&mut self, attempt: AttemptId, failure: &Failure) {
        self.told.push(Told {
            hop: attempt.index(),
            status: failure.status,
            provider_request_id: failure.request_id().map(Into::into),
        });
    }

    /// Rate limits are read from good replies: the pace is slowed before the provider says 429.
    fn read_limits(&self, attempt: AttemptId, result: &Result<Exchange, Failure>) {
        let headers = match result {
            Ok(Exchange::Whole(whole)) => &whole.facts.headers,
            Ok(Exchange::Stream(stream)) => &stream.facts().headers,
            // What a failure says of limits is in its verdict.
            Err(_) => return,
        };
        for window in RateLimits::read(headers, calendar()).windows() {
            self.plan.saw_limit(attempt, window, now());
        }
    }

    /// What was lost in translation stands in the trace.
    fn note_lost(&mut self, attempt: AttemptId, result: &Result<Exchange, Failure>) {
        let facts = match result {
            Ok(Exchange::Whole(whole)) => &whole.facts,
            Ok(Exchange::Stream(stream)) => stream.facts(),
            // Nothing was said in vain.
            Err(_) => return,
        };
        self.plan.lost(attempt, &facts.dropped, facts.broken_events);
    }

    /// Whether an attempt repeats an earlier one of the same target.
    fn repeats(&self, attempt: AttemptId) -> bool {
        let hop = self.plan.trace().hops.get(attempt.index());
        hop.is_some_and(|hop| hop.why == Why::Retry)
    }

    /// The wire of the target that an attempt went to.
    pub(crate) fn wire_of(&self, attempt: AttemptId) -> Option<Wire> {
        let target = self.target_of(attempt)?;
        let upstream = self.client.upstreams.get(target.index())?;
        Some(upstream.endpoint.wire())
    }

    fn target_of(&self, attempt: AttemptId) -> Option<TargetId> {
        let hop = self.plan.trace().hops.get(attempt.index())?;
        Some(hop.target)
    }
}

/// The first attempt to come to its end, taken out of `running`; never, where there is none.
///
/// Cancel safe: an attempt leaves the list only with its result.
async fn first(running: &mut Vec<Running<'_>>) -> (AttemptId, Result<Exchange, Failure>) {
    poll_fn(|context| {
        let mut ended = running
            .iter_mut()
            .enumerate()
            .filter_map(|(index, (_, future))| match future.as_mut().poll(context) {
                Poll::Ready(result) => Some((index, result)),
                Poll::Pending => None,
            });
        match ended.next() {
            Some((index, result)) => {
                drop(ended);
                Poll::Ready((running.swap_remove(index).0, result))
            }
            None => Poll::Pending,
        }
    })
    .await
}

impl Drop for Drive {
    fn drop(&mut self) {
        if !self.reported {
            self.plan.cancel(now());
            self.report(Outcome::Cancelled, None);
        }
    }
}

/// Output tokens that are reserved of a rate limit for a call that may use more.
const TYPICAL_OUTPUT: u32 = 1_000;

/// What a call asks of the targets of a route.
pub(crate) fn demand(
    client: &Inner,
    route: RouteId,
    call: &Call,
    options: &CallOptions,
) -> Result<Request, Error> {
    let allowed = client.table.allow(route, &options.targets);
    let estimate = client.token_estimate;
    let tokens = estimate.input_tokens(call);
    let mut request = Request::new()
        .allowed(allowed.map_err(Error::bad_options)?)
        .abilities(Abilities::from_bits(call.features().bits()))
        // Half of what was not counted: it is off by up to a factor of two.
        .context_tokens(if estimate.is_counted() {
            tokens
        } else {
            tokens / 2
        })
        .expected(Cost {
            input_tokens: u64::from(tokens),
            // Answers are mostly far shorter than they may be; the true length corrects it.
            output_tokens: call
                .max_tokens()
                .map_or(0, |most| u64::from(most.min(TYPICAL_OUTPUT))),
        })
        .key(options.stick_to);
    if call.is_stream() {
        request = request.streamed();
    }
    request.thinking = call.thinking();
    // What the provider runs or keeps happens once more with every copy of the call.
    let lasting = [Features::SERVER_TOOLS, Features::STATE];
    if options.side_effects {
        request = request.at_most_once();
    } else if lasting.iter().any(|one| call.features().contains(*one)) {
        request = request.side_effects();
    }
    request.deadline = options.deadline;
    request.thinking_deadline = options.thinking_deadline;
    request.patience = options.patience;
    request.attempts = options.attempts;
    request.max_sends = options.max_calls;
    request.max_cost = options.max_cost;
    if client.rewrite(route).is_some() && call.purpose() == Purpose::Chat {
        request = request.rewritable();
    }
    if call.is_strict() {
        let carries = |target| {
            let lost = client.lost(target, call);
            lost.is_some_and(|lost| lost.is_empty())
        };
        request = request.carried(client.table.targets_where(route, carries));
    }
    Ok(request)
}

/// What the target that can be told the most of a call cannot be told.
fn least_lost(client: &Inner, route: RouteId, call: &Call) -> Vec<&'static str> {
    let mut least: Option<Vec<&'static str>> = None;
    let _ = client.table.targets_where(route, |target| {
        let lost = client.lost(target, call);
        if let Some(lost) = lost
            && least.as_ref().is_none_or(|known| lost.len() < known.len())
        {
            least = Some(lost);
        }
        false
    });
    least.unwrap_or_default()
}

/// Sends the duplicate of a call to a target that may have healed, and throws the answer away.
///
/// The one task this crate spawns: it must outlive the call it is a copy of. It ends with the
/// target's own window, and a breaker grants at most one every few seconds.
fn look_for_recovery(client: &Arc<Inner>, call: &Call, shadow: Shadow) {
    let (client, call) = (Arc::clone(client), call.clone());
    tokio::spawn(async move {
        let how = How {
            windows: shadow.windows(),
            reading: Reading::default(),
            // A connection from before the outage says nothing of the recovery.
            fresh: true,
        };
        let result = attempt_on(&client, call, shadow.target(), how).await;
        let target = client.table.target_name(shadow.target());
        match result {
            Ok(answer) => {
                tracing::info!(target, "a shadow probe was answered");
                let used = match &answer {
                    Exchange::Whole(whole) => tokens(&whole.facts),
                    Exchange::Stream(stream) => mend::used(stream, None),
                };
                shadow.finish(Ok(used), now());
            }
            Err(failure) => {
                shadow.finish(Err(&failure.verdict), now());
            }
        }
    });
}

/// What is left to say where a call cannot be changed: it is too long, or was refused, as it is.
fn unchanged(form: Form) -> Verdict {
    let kind = match form {
        Form::Shortened { .. } => ErrorKind::ContextLength,
        _ => ErrorKind::ContentFilter,
    };
    Verdict::new(kind, Phase::Connect)
}

/// The tokens a provider reported.
pub(crate) fn tokens(facts: &Facts) -> Tokens {
    let small = |tokens: u64| u32::try_from(tokens).unwrap_or(u32::MAX);
    Tokens {
        input: small(facts.usage.input_tokens),
        output: small(facts.usage.output_tokens),
    }
}
