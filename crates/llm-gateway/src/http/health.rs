//! `/healthz`, `/readyz` and `/metrics`: for orchestrators and operators.

use super::{App, Face};
use crate::body::Body;
use crate::engine;
use crate::reply;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde_json::json;

/// The process is alive.
pub(super) fn alive() -> Response<Body> {
    reply::json(StatusCode::OK, r#"{"status":"ok"}"#.into())
}

/// The gateway takes calls: 503 once it is shutting down. Providers that are down do not make it unready, since it
/// answers even then; their state is told to operators alone where those have a listener of their own.
pub(super) fn ready(app: &App, face: Face) -> Response<Body> {
    let (status, word) = if app.is_leaving() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else {
        (StatusCode::OK, "ready")
    };
    if app.admin_apart && face == Face::Callers {
        return reply::json(status, json!({ "status": word }).to_string().into());
    }
    let now = tokio::time::Instant::now().into_std();
    let table = app.client.table();
    let targets: serde_json::Map<_, _> = table
        .targets()
        .map(|target| {
            let seen = engine::health(&app.client, target, now);
            let until = seen.held_until.max(seen.retry_at);
            let left = until.map(|until| until.saturating_duration_since(now).as_millis());
            let state = json!({
                "breaker": seen.state.as_str(),
                "reason": engine::reason(&seen).as_str(),
                "back_in_ms": left.and_then(|left| u64::try_from(left).ok()),
            });
            (table.target_name(target).to_owned(), state)
        })
        .collect();
    reply::json(
        status,
        json!({ "status": word, "targets": targets })
            .to_string()
            .into(),
    )
}

/// Everything that is counted, for Prometheus.
pub(super) fn metrics(app: &App) -> Response<Body> {
    let now = tokio::time::Instant::now().into_std();
    let mut response = Response::new(Body::whole(app.present().metrics.render(&app.client, now)));
    let kind =
        HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
