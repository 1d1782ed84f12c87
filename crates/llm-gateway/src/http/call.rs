//! `POST /v1/chat/completions` and `POST /v1/messages`: one call through the engine.

use super::{App, receive, refuse};
use crate::body::Body;
use crate::engine::Dialect;
use crate::nearest::nearest;
use crate::reply::{self, Outline, Problem};
use bytes::Bytes;
use futures_util::Stream;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use llm_resilience::providers::Call;
use llm_resilience::{AnswerStream, CallOptions};
use std::sync::Arc;

/// Headers of the caller that choose features of the provider's API and go on to targets of the same dialect.
const FORWARDED: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// Answers one call.
pub(super) async fn complete(
    app: &App,
    dialect: Dialect,
    request: Request<Incoming>,
    id: &str,
) -> Response<Body> {
    if app.is_draining() {
        return refuse(app, &Problem::Draining, dialect, id);
    }
    let (parts, body) = request.into_parts();
    let body = match receive::body(body, &parts.headers, app.max_body_bytes, app.body_timeout).await
    {
        Ok(body) => body,
        Err(problem) => return refuse(app, &problem, dialect, id),
    };
    let mut call = match Call::parse(dialect, body) {
        Ok(call) => call,
        Err(bad) => {
            let problem = Problem::BadBody {
                why: bad.to_string(),
                field: bad.field(),
            };
            return refuse(app, &problem, dialect, id);
        }
    };
    let Some(route) = app.names.get(call.model()).map(Arc::clone) else {
        return refuse(app, &unknown_model(app, call.model()), dialect, id);
    };
    for name in FORWARDED {
        for value in parts.headers.get_all(&name) {
            call.forward_header(name.clone(), value.clone());
        }
    }
    let streamed = call.is_stream();
    let traced = parts
        .headers
        .get(reply::TRACE)
        .is_some_and(|value| value == "1");
    let options = CallOptions::default().tenant(tenant(&parts.headers));
    tracing::debug!(request_id = id, route = &*route, streamed, "request");
    // The future of a call is large; on the heap it does not weigh down the connection's own.
    let outcome = Box::pin(app.client.send(&route, call, options)).await;
    match outcome {
        Ok(answer) => {
            let trail = traced.then(|| answer.served.trail().to_string());
            let body = match answer.body {
                llm_resilience::Body::Whole(bytes) => Body::whole(bytes),
                llm_resilience::Body::Stream(stream) => {
                    Body::stream(pieces(stream, dialect, id.to_owned()))
                }
            };
            let mut response = reply::answered(&answer.served, body, dialect, streamed, id);
            if let Some(trail) = trail {
                reply::put_trail(response.headers_mut(), &trail);
            }
            response
        }
        Err(error) => {
            let mut response = reply::failed(&error, dialect, id);
            if traced && let Some(trail) = error.trail() {
                reply::put_trail(response.headers_mut(), &trail.to_string());
            }
            response
        }
    }
}

/// The pieces of a stream as they come. A break becomes an error event in the caller's dialect, and the end.
fn pieces(
    stream: Box<AnswerStream>,
    dialect: Dialect,
    id: String,
) -> impl Stream<Item = Bytes> + Send {
    futures_util::stream::unfold(Some((stream, id)), move |state| async move {
        let (mut stream, id) = state?;
        match stream.next().await? {
            Ok(piece) => Some((piece, Some((stream, id)))),
            Err(error) => Some((Outline::of_error(&error).event(dialect, &id), None)),
        }
    })
}

/// Whose call it is: whoever holds the key it came with. Answers are never shared between tenants.
fn tenant(headers: &HeaderMap) -> &str {
    let key = headers
        .get(AUTHORIZATION)
        .or_else(|| headers.get("x-api-key"));
    key.and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

pub(super) fn unknown_model(app: &App, model: &str) -> Problem {
    let nearest = nearest(model, app.listed.iter().map(String::as_str)).map(str::to_owned);
    Problem::UnknownModel {
        model: model.to_owned(),
        nearest,
        known: app.listed.clone(),
    }
}
