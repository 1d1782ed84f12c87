//! `POST /v1/messages/count_tokens` and `POST /v1/responses/input_tokens`: how many tokens the prompt of a call has, as the
//! target that it would go to is expected to count them. Nothing is sent anywhere.

use super::caller::Who;
use super::explain::{bad_body, demand};
use super::{App, call, receive, refuse};
use crate::body::Body;
use crate::engine::Dialect;
use crate::reply;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use llm_resilience::providers::Call;
use llm_resilience::router::Considered;
use serde_json::json;

/// Estimates the prompt's tokens by the factor that the target's answers have taught.
pub(super) async fn count(
    app: &App,
    who: &Who,
    request: Request<Incoming>,
    dialect: Dialect,
    id: &str,
) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let read = receive::body(body, &parts.headers, &app.room);
    let call = match read.await.map(|body| Call::parse(dialect, body.bytes)) {
        Ok(Ok(call)) => call,
        Ok(Err(bad)) => return refuse(app, &bad_body(&bad, bad.field()), dialect, id),
        Err(problem) => return refuse(app, &problem, dialect, id),
    };
    let present = app.present();
    let Some(named) = present.named(call.model(), who) else {
        return refuse(
            app,
            &call::unknown_model(&present, who, call.model()),
            dialect,
            id,
        );
    };
    let demand = demand(app, &named.route, &parts.headers, Some(call));
    let (table, route, request) = match demand {
        Ok(demand) => demand,
        Err(problem) => return refuse(app, &problem, dialect, id),
    };
    let now = tokio::time::Instant::now().into_std();
    let explanation = table.explain(route, &request, now);
    let of = |one: &Considered<'_>| one.prompt_tokens;
    let ready = explanation
        .candidates
        .iter()
        .filter(|one| one.refusal.is_none());
    let tokens = ready
        .max_by(|a, b| a.share.total_cmp(&b.share))
        .or(explanation.candidates.first())
        .map_or(request.expected.input_tokens, of);
    let told = match dialect {
        // The page says of its own count that it is an estimate: docs.anthropic.com/en/docs/build-with-claude/token-counting,
        // read 2026-11-26.
        Dialect::AnthropicMessages => json!({ "input_tokens": tokens }),
        // developers.openai.com/api/reference/resources/responses/subresources/input_tokens, read 2026-11-26.
        _ => json!({ "object": "response.input_tokens", "input_tokens": tokens }),
    };
    let mut response = reply::json(StatusCode::OK, told.to_string().into());
    reply::put_id(response.headers_mut(), dialect, id);
    response
}
