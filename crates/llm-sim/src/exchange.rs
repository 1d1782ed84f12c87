//! One call from request to response: read it, let the script decide, enter it in the record, answer.

mod good;
mod reply;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Collected, LengthLimitError, Limited};
use hyper::body::Incoming;
use serde_json::Value;

use crate::control;
use crate::deliver;
use crate::framing::Framing;
use crate::limit::{Allowance, Refusal, Slot, ceil_millis, ceil_seconds};
use crate::play::{Exit, GivenUp, Line, Play};
use crate::preset::Preset;
use crate::record::{Call, Decider, Ended, Entry};
use crate::script::{Fault, Garbling, Moment, Pace, Rule};
use crate::seed;
use crate::shared::{Shared, now};
use crate::sigv4::{self, Signature};
use crate::stage::Stage;
use crate::voice::{Headers, Problem};
use crate::wire::{Family, Target, Wire, model};
use good::Good;

/// The longest request body, in bytes: 32 MiB, as the providers have it.
pub const MAX_BODY_BYTES: usize = 32 << 20;

/// Serves one request.
pub(crate) async fn serve(
    shared: Arc<Shared>,
    line: Line,
    request: Request<Incoming>,
) -> Result<Response<Play>, GivenUp> {
    let arrived = now();
    let (parts, incoming) = request.into_parts();
    let body = Limited::new(incoming, MAX_BODY_BYTES).collect().await;
    if parts.uri.path().starts_with(control::PREFIX) {
        let body = body.map(Collected::to_bytes).unwrap_or_default();
        return Ok(control::serve(
            &shared,
            &parts.method,
            parts.uri.path(),
            &body,
            line,
        ));
    }
    let (body, whole) = match body {
        Ok(collected) => (collected.to_bytes(), Ok(())),
        Err(error) if error.is::<LengthLimitError>() => (Bytes::new(), Err(too_large())),
        // The caller went away in the middle of its own request.
        Err(_) => (
            Bytes::new(),
            Err(Problem::invalid("The request body ended early.".to_owned())),
        ),
    };
    let wire = Wire::of_path(parts.uri.path()).filter(|wire| wire.method() == parts.method);
    let family = Family::of(wire, &parts.headers);
    let json: Option<Value> = if body.is_empty() {
        None
    } else {
        serde_json::from_slice(&body).ok()
    };
    let target = Target::of(wire, parts.uri.path(), json.as_ref());

    let stage = shared.stage();
    let since_start = arrived.saturating_duration_since(stage.started);
    let picked = wire.and_then(|wire| {
        stage.pick(&Moment {
            wire,
            path: parts.uri.path(),
            model: target.model.as_deref(),
            stream: target.stream,
            since_start,
            headers: &parts.headers,
        })
    });
    let call = shared.recorder.begin(Entry {
        method: parts.method.clone(),
        path: parts.uri.path().to_owned(),
        headers: parts.headers.clone(),
        wire,
        model: target.model.clone(),
        stream: target.stream,
        body: shared.recorder.cut(&body),
        body_bytes: body.len(),
        arrived,
        since_start,
        decider: picked.map_or(Decider::Default, |(index, _)| Decider::Rule(index)),
        rule_name: picked.and_then(|(_, rule)| rule.name.clone()),
    });
    let rule = picked.map(|(_, rule)| rule);
    let exchange = Exchange {
        request_id: format!("req_{:016x}", seed::join(shared.seed ^ 0x5EED, call.number)),
        shared: &shared,
        stage: &stage,
        rule,
        fault: rule.and_then(|rule| rule.fault.as_ref()),
        pace: rule.and_then(|rule| rule.pace).unwrap_or(stage.script.pace),
        family,
        line,
        target: &target,
        model: target.model.as_deref().unwrap_or(model::DEFAULT),
        parts: &parts,
        body: &body,
    };
    exchange.answer(call, wire, whole, json.as_ref()).await
}

fn too_large() -> Problem {
    Problem::new(
        413,
        "request_too_large",
        format!("Request exceeds the maximum size of {MAX_BODY_BYTES} bytes."),
    )
}

/// What one call is answered with and by.
struct Exchange<'a> {
    shared: &'a Shared,
    stage: &'a Stage,
    rule: Option<&'a Rule>,
    fault: Option<&'a Fault>,
    pace: Pace,
    family: Family,
    line: Line,
    target: &'a Target,
    model: &'a str,
    request_id: String,
    parts: &'a Parts,
    body: &'a [u8],
}

impl Exchange<'_> {
    async fn answer(
        self,
        call: Call,
        wire: Option<Wire>,
        whole: Result<(), Problem>,
        json: Option<&Value>,
    ) -> Result<Response<Play>, GivenUp> {
        if !self.pace.latency.is_zero() {
            tokio::time::sleep(self.pace.latency).await;
        }
        if let Some(fault) = self.fault.filter(|fault| fault.is_blind()) {
            match fault {
                Fault::Reply(reply) => {
                    return Ok(self.custom(call, reply.status, reply.body.as_deref()));
                }
                Fault::Preset(preset) => {
                    return Ok(self.refuse(call, &self.problem(*preset)));
                }
                Fault::Hang(None) => std::future::pending::<()>().await,
                Fault::Hang(Some(lasting)) => tokio::time::sleep(*lasting).await,
                Fault::Reset(_) => return self.give_up(call, Exit::Reset),
                _ => return self.give_up(call, Exit::Close),
            }
        }
        if let Err(problem) = whole.and_then(|()| self.check_key()) {
            return Ok(self.wrong(call, &problem));
        }
        let Some(wire) = wire else {
            return Ok(self.wrong(call, &self.no_such_place()));
        };
        // Limits come before the answer is made, and a call holds its place until the last byte is sent.
        let (slot, mut extra) = match self.admit(wire) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                call.decided_by(Decider::Limits);
                let problem = refusal.problem(self.family, self.model);
                let voice = self.family.voice();
                let mut extra = voice.error_headers(&problem);
                if voice.limits_a_refusal() {
                    extra.extend(self.limit_headers(refusal.allowance));
                }
                if voice.has_retry_after() {
                    let wait = refusal.retry_after;
                    extra.push(("retry-after", ceil_seconds(wait).max(1).to_string()));
                    extra.push(("retry-after-ms", ceil_millis(wait).to_string()));
                }
                return Ok(self.error(call, &problem, &extra));
            }
        };
        match self.good(wire, call.number, json) {
            Err(problem) => Ok(self.wrong(call, &problem)),
            Ok(Good::Whole {
                body,
                chunks,
                headers,
            }) => {
                extra.extend(headers);
                let gaps = u32::try_from(chunks.saturating_sub(1)).unwrap_or(u32::MAX);
                let generation = self
                    .pace
                    .first_token
                    .saturating_add(self.pace.per_chunk.saturating_mul(gaps));
                if !generation.is_zero() {
                    tokio::time::sleep(generation).await;
                }
                let html = matches!(self.fault, Some(Fault::Garbled(Garbling::Html)));
                let kind = if html {
                    "text/html; charset=UTF-8"
                } else {
                    "application/json"
                };
                let plan = deliver::whole(body, self.fault);
                Ok(self.whole_body(call, kind, plan, &extra, slot))
            }
            Ok(Good::Stream {
                frames,
                framing,
                error,
            }) => {
                let plan = deliver::stream(frames, &self.pace, self.fault, framing, error);
                Ok(self.stream(call, framing, plan, &extra, slot))
            }
        }
    }

    /// Asks the limiter, if there is one and the call counts.
    fn admit(&self, wire: Wire) -> Result<(Option<Slot>, Headers), Refusal> {
        let Some(limiter) = self.stage.limiter.as_ref().filter(|_| wire != Wire::Models) else {
            return Ok((None, Vec::new()));
        };
        let key = key(self.parts).unwrap_or_default();
        let (slot, allowance) = limiter.admit(key, self.model, now())?;
        Ok((Some(slot), self.limit_headers(allowance)))
    }

    fn limit_headers(&self, allowance: Option<Allowance>) -> Headers {
        allowance
            .into_iter()
            .flat_map(|allowance| self.family.voice().limit_headers(allowance, unix()))
            .collect()
    }

    fn check_key(&self) -> Result<(), Problem> {
        let script = &self.stage.script;
        if !script.require_key {
            return Ok(());
        }
        if self.family == Family::Aws
            && let Some(signature) = Signature::read(&self.parts.headers)?
        {
            return self.check_signature(&signature);
        }
        let Some(key) = key(self.parts) else {
            return Err(self.family.voice().missing_key());
        };
        if script.keys.is_empty() || script.keys.iter().any(|known| known.as_bytes() == key) {
            return Ok(());
        }
        Err(self.problem(Preset::InvalidKey))
    }

    /// A known key of AWS is an id alone, or an id with its secret (`id:secret`); with that the signature is calculated.
    fn check_signature(&self, signature: &Signature<'_>) -> Result<(), Problem> {
        let keys = &self.stage.script.keys;
        let mut known = keys.iter().filter_map(|key| {
            let (id, secret) = key
                .split_once(':')
                .map_or((key.as_str(), None), |(id, secret)| (id, Some(secret)));
            (id == signature.id).then_some(secret)
        });
        match known.next() {
            None if !keys.is_empty() => Err(self.problem(Preset::InvalidKey)),
            Some(Some(secret)) if !signature.is_by(secret, self.parts, self.body) => {
                Err(sigv4::mismatch())
            }
            _ => Ok(()),
        }
    }

    fn no_such_place(&self) -> Problem {
        let (method, path) = (&self.parts.method, self.parts.uri.path());
        if Wire::of_path(path).is_some() {
            return Problem::new(
                405,
                "invalid_request_error",
                format!("Not allowed to {method} on {path}."),
            );
        }
        let kind = self.family.voice().kind(404);
        Problem::new(404, kind, format!("Invalid URL ({method} {path})"))
    }

    fn give_up(&self, call: Call, exit: Exit) -> Result<Response<Play>, GivenUp> {
        self.line.set(exit);
        call.end(Ended::Broken);
        Err(GivenUp)
    }

    /// The request itself is wrong.
    fn wrong(&self, call: Call, problem: &Problem) -> Response<Play> {
        call.decided_by(Decider::Refused);
        self.refuse(call, problem)
    }

    fn refuse(&self, call: Call, problem: &Problem) -> Response<Play> {
        let extra = self.family.voice().error_headers(problem);
        self.error(call, problem, &extra)
    }

    fn error(
        &self,
        call: Call,
        problem: &Problem,
        extra: &[(&'static str, String)],
    ) -> Response<Play> {
        let mut body = problem.body(self.family, &self.request_id);
        // What was asked for as an array is refused in an array.
        let is_array = self.target.stream
            && Wire::of_path(self.parts.uri.path()).is_some_and(|wire| {
                Framing::of(wire, self.parts.uri.query()) == Framing::GeminiArray
            });
        if is_array && problem.is_json() {
            body = Bytes::from([b"[", &body[..], b"]"].concat());
        }
        self.reply(call, problem.status, problem.content_type(), body, extra)
    }
}

/// The caller's key, wherever the providers look for it.
fn key(parts: &Parts) -> Option<&[u8]> {
    let headers = &parts.headers;
    let authorization = headers
        .get(http::header::AUTHORIZATION)
        .map(HeaderValue::as_bytes);
    let bearer = authorization.and_then(|value| {
        value
            .strip_prefix(b"Bearer ")
            .or_else(|| sigv4::access_key(value))
    });
    let own = || {
        ["x-api-key", "api-key", "x-goog-api-key"]
            .into_iter()
            .find_map(|name| headers.get(name))
            .map(HeaderValue::as_bytes)
    };
    let query = || {
        let mut fields = parts.uri.query()?.split('&');
        fields
            .find_map(|field| field.strip_prefix("key="))
            .map(str::as_bytes)
    };
    bearer
        .or_else(own)
        .or_else(query)
        .filter(|key| !key.is_empty())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a provider dates its limits by the calendar; nothing is decided by it"
)]
fn unix() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
        .as_secs()
}
