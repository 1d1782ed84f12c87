//! `GET /explain/NAME`: why each target of a route would win or lose a call now, in words and as data. With `POST` and
//! a body, why it would win or lose that very call; nothing is sent anywhere.

use super::caller::Who;
use super::{App, ask, call, receive, refuse};
use crate::body::Body;
use crate::engine::{self, Dialect};
use crate::reply::{self, Outline, Problem};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use llm_resilience::CallOptions;
use llm_resilience::breaker::Snapshot;
use llm_resilience::providers::{BadRequest, Call, Endpoint, model};
use llm_resilience::router::{self, Considered, Explanation, RouteId, Table};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Instant;

/// Explains a route to a call with these headers, of which those that narrow the targets count, and with this body.
pub(super) async fn explain(
    app: &App,
    who: &Who,
    name: &str,
    request: Request<Incoming>,
    dialect: Dialect,
    id: &str,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let mut asked = None;
    if parts.method == Method::POST {
        let read = receive::body(body, &parts.headers, &app.room);
        let parsed = match read.await {
            Ok(body) => parse(dialect, body.bytes),
            Err(problem) => return refuse(app, &problem, dialect, id),
        };
        asked = match parsed {
            Ok(call) => Some(call),
            Err(bad) => return refuse(app, &bad_body(&bad, bad.field()), dialect, id),
        };
    }
    let present = app.present();
    let Some(named) = present.named(name, who) else {
        return refuse(app, &call::unknown_model(&present, who, name), dialect, id);
    };
    drop(present);
    let (table, route, request) = match demand(app, &named.route, &parts.headers, asked) {
        Ok(demand) => demand,
        Err(problem) => return Outline::of_problem(&problem).response(dialect, id),
    };
    let now = tokio::time::Instant::now().into_std();
    let explanation = table.explain(route, &request, now);
    let told = data(app, &explanation, table.route_name(route), now);
    reply::json(StatusCode::OK, told.to_string().into())
}

/// A body in the dialect of its path is met elsewhere; here its shape tells it.
fn parse(dialect: Dialect, body: Bytes) -> Result<Call, BadRequest> {
    Call::parse(dialect, body.clone()).or_else(|bad| {
        let others = [Dialect::OpenAiResponses, Dialect::AnthropicMessages];
        let mut others = others.into_iter().filter(|other| *other != dialect);
        let read = others.find_map(|other| Call::parse(other, body.clone()).ok());
        read.or_else(|| Call::embeddings(body).ok()).ok_or(bad)
    })
}

pub(super) fn bad_body(why: &dyn std::fmt::Display, field: Option<&'static str>) -> Problem {
    Problem::BadBody {
        why: why.to_string(),
        field,
    }
}

/// What the router would be asked.
pub(super) fn demand(
    app: &App,
    route: &str,
    headers: &HeaderMap,
    asked: Option<Call>,
) -> Result<(Arc<Table>, RouteId, router::Request), Problem> {
    let unknown = || bad_body(&"the route is gone", None);
    let table = app.client.table();
    let entered = table.route(route).ok_or_else(unknown)?;
    let mut options = CallOptions::default();
    ask::put(headers, table.policy(entered), &mut options)?;
    let Some(mut call) = asked else {
        let allowed = table.allow(entered, &options.targets);
        let allowed = allowed.map_err(|bad| bad_body(&bad, None))?;
        let mut request = router::Request::new()
            .allowed(allowed)
            .key(options.stick_to);
        request.max_cost = options.max_cost;
        return Ok((table, entered, request));
    };
    if ask::is_strict(headers)? {
        call = call.strict();
    }
    let demand = app.client.demand(route, &call, &options);
    demand.map_err(|error| bad_body(&error, None))
}

fn data(app: &App, explanation: &Explanation<'_>, route: &str, now: Instant) -> Value {
    let candidates = explanation.candidates.iter();
    json!({
        "route": route,
        "strategy": explanation.strategy.as_str(),
        "words": explanation.to_string().lines().collect::<Vec<_>>(),
        "candidates": candidates.map(|one| candidate(app, one, now)).collect::<Vec<_>>(),
    })
}

fn candidate(app: &App, one: &Considered<'_>, now: Instant) -> Value {
    let shared = one.shared.iter().map(|(scope, seen)| {
        let mut told = health(seen, now);
        if let Some(fields) = told.as_object_mut() {
            fields.insert("scope".to_owned(), scope.as_str().into());
        }
        told
    });
    json!({
        "target": one.name,
        "tier": one.tier,
        "on": one.edge.map(|edge| edge.as_str()),
        "canary": one.canary.map(|state| state.to_string()),
        "share": one.share,
        "probe": one.probe,
        "admits": one.admits,
        "refusal": one.refusal.map(|refusal| refusal.as_str()),
        "back_in_ms": u64::try_from(one.back_in.as_millis()).unwrap_or(u64::MAX),
        "in_flight": one.in_flight,
        "prompt_tokens": one.prompt_tokens,
        "latency_ms": u64::try_from(one.latency.as_millis()).unwrap_or(u64::MAX),
        "headroom": one.headroom,
        "health": health(&one.health, now),
        "shared": shared.collect::<Vec<_>>(),
        "model_data": app.client.endpoint(one.target).and_then(|it| model_data(&it)),
    })
}

/// What public pages state of the model, and how old that is; nothing where no page was read.
fn model_data(endpoint: &Endpoint) -> Option<Value> {
    let known = model::lookup(endpoint.provider(), endpoint.model())?;
    Some(json!({
        "read": model::date(),
        "context_window": known.context_window,
        "max_output": known.max_output,
        "last_day": known.until,
    }))
}

fn health(seen: &Snapshot, now: Instant) -> Value {
    let until = seen.held_until.or(seen.retry_at);
    let left = until.map(|until| until.saturating_duration_since(now).as_millis());
    json!({
        "state": seen.state.as_str(),
        "reason": engine::reason(seen).as_str(),
        "until_ms": left.and_then(|left| u64::try_from(left).ok()),
        "error_rate": seen.error_rate,
    })
}
