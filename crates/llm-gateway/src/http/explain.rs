//! `GET /explain/NAME`: why each target of a route would win or lose a call now, in words and as data.

use super::{App, ask, call, refuse};
use crate::body::Body;
use crate::engine::{Dialect, Policy};
use crate::reply::{self, Outline, Problem};
use http::{HeaderMap, Response, StatusCode};
use llm_resilience::CallOptions;
use llm_resilience::breaker::Snapshot;
use llm_resilience::router::{Considered, Explanation, Request, RouteId, Table};
use serde_json::{Value, json};
use std::time::Instant;

/// Explains a route to a call with these headers, of which those that narrow the targets count.
pub(super) fn explain(
    app: &App,
    name: &str,
    headers: &HeaderMap,
    dialect: Dialect,
    id: &str,
) -> Response<Body> {
    let present = app.present();
    let table = app.client.table();
    let entered = present
        .names
        .get(name)
        .and_then(|named| table.route(&named.route));
    let Some(route) = entered else {
        return refuse(app, &call::unknown_model(&present, name), dialect, id);
    };
    let request = match narrowed(&table, route, headers) {
        Ok(request) => request,
        Err(problem) => return Outline::of_problem(&problem).response(dialect, id),
    };
    let now = tokio::time::Instant::now().into_std();
    let explanation = table.explain(route, &request, now);
    let told = data(&explanation, table.route_name(route), now);
    reply::json(StatusCode::OK, told.to_string().into())
}

fn narrowed(table: &Table, route: RouteId, headers: &HeaderMap) -> Result<Request, Problem> {
    let policy: &Policy = table.policy(route);
    let mut options = CallOptions::default();
    ask::put(headers, policy, &mut options)?;
    let allowed = table.allow(route, &options.targets);
    let allowed = allowed.map_err(|bad| Problem::BadBody {
        why: bad.to_string(),
        field: None,
    })?;
    let mut request = Request::new().allowed(allowed).key(options.stick_to);
    request.max_cost = options.max_cost;
    Ok(request)
}

fn data(explanation: &Explanation<'_>, route: &str, now: Instant) -> Value {
    let candidates = explanation.candidates.iter();
    json!({
        "route": route,
        "strategy": explanation.strategy.as_str(),
        "words": explanation.to_string().lines().collect::<Vec<_>>(),
        "candidates": candidates.map(|one| candidate(one, now)).collect::<Vec<_>>(),
    })
}

fn candidate(one: &Considered<'_>, now: Instant) -> Value {
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
        "refusal": one.refusal.map(|refusal| refusal.as_str()),
        "back_in_ms": u64::try_from(one.back_in.as_millis()).unwrap_or(u64::MAX),
        "in_flight": one.in_flight,
        "latency_ms": u64::try_from(one.latency.as_millis()).unwrap_or(u64::MAX),
        "headroom": one.headroom,
        "health": health(&one.health, now),
        "shared": shared.collect::<Vec<_>>(),
    })
}

fn health(seen: &Snapshot, now: Instant) -> Value {
    let until = seen.held_until.or(seen.retry_at);
    let left = until.map(|until| until.saturating_duration_since(now).as_millis());
    json!({
        "state": seen.state.as_str(),
        "reason": seen.reason.as_str(),
        "until_ms": left.and_then(|left| u64::try_from(left).ok()),
        "error_rate": seen.error_rate,
    })
}
