//! `POST` to `/v1/chat/completions`, `/v1/responses`, `/v1/messages` and `/v1/embeddings`: one call through the engine.

use super::receive::Held;
use super::{App, Present, ask, receive, refuse};
use crate::body::Body;
use crate::config::{StickTo, key_of};
use crate::engine::Dialect;
use crate::nearest::nearest;
use crate::reply::{self, Outline, Problem};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use llm_resilience::providers::{BadRequest, Call};
use llm_resilience::{AnswerStream, CallOptions, What};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};
use tokio::sync::watch;
use tracing::Instrument as _;

/// Headers of the caller that choose features of the provider's API and go on to targets of the same dialect.
const FORWARDED: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// Answers one call, whose body `parse` reads.
pub(super) async fn complete(
    app: &App,
    dialect: Dialect,
    parse: impl FnOnce(Bytes) -> Result<Call, BadRequest>,
    request: Request<Incoming>,
    id: &str,
) -> Response<Body> {
    if app.is_draining() {
        return refuse(app, &Problem::Draining, dialect, id);
    }
    let (parts, body) = request.into_parts();
    let received = match receive::body(body, &parts.headers, &app.room).await {
        Ok(received) => received,
        Err(problem) => return refuse(app, &problem, dialect, id),
    };
    // Held as long as the body is: to the end of this, or of the stream.
    let held = received.held;
    let mut call = match parse(received.bytes) {
        Ok(call) => call,
        Err(bad) => {
            let problem = Problem::BadBody {
                why: bad.to_string(),
                field: bad.field(),
            };
            return refuse(app, &problem, dialect, id);
        }
    };
    let present = app.present();
    let Some(named) = present.names.get(call.model()).map(Arc::clone) else {
        return refuse(app, &unknown_model(&present, call.model()), dialect, id);
    };
    drop(present);
    let route: &str = &named.route;
    for name in FORWARDED {
        for value in parts.headers.get_all(&name) {
            call.forward_header(name.clone(), value.clone());
        }
    }
    match ask::is_strict(&parts.headers) {
        Ok(true) => call = call.strict(),
        Ok(false) => {}
        Err(problem) => return refuse(app, &problem, dialect, id),
    }
    let streamed = call.is_stream();
    let traced = says(&parts.headers, &reply::TRACE);
    let mut options = options(&parts.headers, named.stick_to.as_ref(), id);
    let table = app.client.table();
    if let Some(entered) = table.route(route)
        && let Err(problem) = ask::put(&parts.headers, table.policy(entered), &mut options)
    {
        return refuse(app, &problem, dialect, id);
    }
    drop(table);
    tracing::debug!(request_id = id, route, streamed, "request");
    // Below the level that is on by default: a span a request would cost more than the gateway's own work on it.
    let span = tracing::debug_span!("call", request_id = id, route);
    // The future of a call is large; on the heap it does not weigh down the connection's own.
    let outcome = Box::pin(app.client.send(route, call, options))
        .instrument(span)
        .await;
    match outcome {
        Ok(answer) => {
            if let Some(mode) = answer.served.degraded {
                tracing::warn!(
                    request_id = id,
                    route,
                    mode = mode.as_str(),
                    "answered by less than a model"
                );
            }
            let trail = traced.then(|| answer.served.trail().to_string());
            let dropped = match (&answer.body, &answer.facts) {
                (llm_resilience::Body::Stream(stream), _) => stream.facts().dropped.clone(),
                (_, Some(facts)) => facts.dropped.clone(),
                (_, None) => Vec::new(),
            };
            let body = match answer.body {
                llm_resilience::Body::Whole(bytes) => Body::whole(bytes),
                llm_resilience::Body::Stream(stream) => {
                    let cut = app.cut.subscribe();
                    Body::stream(pieces(stream, dialect, id.to_owned(), held, cut))
                }
            };
            let mut response = reply::answered(&answer.served, body, dialect, streamed, id);
            reply::put_dropped(response.headers_mut(), &dropped);
            if let Some(trail) = trail {
                reply::put_trail(response.headers_mut(), &trail);
            }
            response
        }
        Err(error) => {
            if error.what() == What::UnknownRoute {
                // A reload has removed it since its name was looked up.
                return refuse(app, &unknown_model(&app.present(), route), dialect, id);
            }
            let kind = error.kind().as_str();
            if matches!(error.what(), What::Refused | What::Lossy) {
                tracing::debug!(request_id = id, route, error.type = kind, "refused");
            } else {
                tracing::warn!(request_id = id, route, error.type = kind, "not answered");
            }
            let mut response = reply::failed(&error, dialect, id);
            if traced && let Some(trail) = error.trail() {
                reply::put_trail(response.headers_mut(), &trail.to_string());
            }
            response
        }
    }
}

/// The pieces of a stream as they come. A break becomes an error event in the caller's dialect, and the end; so does
/// `cut`, when the gateway cannot wait any longer.
fn pieces(
    stream: Box<AnswerStream>,
    dialect: Dialect,
    id: String,
    held: Held,
    mut cut: watch::Receiver<bool>,
) -> impl Stream<Item = Bytes> + Send {
    // One future for the whole stream: each piece polls it, and none makes it anew.
    let cut = Box::pin(async move {
        // The sender is gone only if the gateway is.
        let _ = cut.wait_for(|cut| *cut).await;
    });
    let begun = Some((stream, cut, id, held, Bytes::new()));
    futures_util::stream::unfold(begun, move |state| async move {
        let (mut stream, mut cut, id, held, last) = state?;
        let next = tokio::select! {
            biased;
            next = stream.next() => next?,
            () = &mut cut => {
                let problem = Outline::of_problem(&Problem::Draining);
                return Some((problem.event(dialect, &id, &last), None));
            }
        };
        match next {
            Ok(piece) => Some((piece.clone(), Some((stream, cut, id, held, piece)))),
            Err(error) => {
                tracing::warn!(request_id = id, error.type = error.kind().as_str(), "a stream broke off");
                Some((Outline::of_error(&error).event(dialect, &id, &last), None))
            }
        }
    })
}

/// What the caller's headers ask for beyond the body.
fn options(headers: &HeaderMap, stick_to: Option<&StickTo>, id: &str) -> CallOptions {
    let mut options = CallOptions::default()
        .tenant(tenant(headers))
        .request_id(id);
    options.side_effects = says(headers, &reply::SIDE_EFFECTS);
    options.stick_to = stick_to.map_or(0, |stick_to| stick_to.number(headers, id));
    options
}

/// Whether a header is there with the value 1.
fn says(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_some_and(|value| value == "1")
}

/// Whose call it is: whoever holds the key it came with. Answers are never shared between tenants.
///
/// The key's bytes, text or not, go no further than here: what stands for them is 128 bits under secrets of this process.
fn tenant(headers: &HeaderMap) -> Box<str> {
    static SECRETS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    key_of(headers).map_or_else(Box::default, |key| {
        let hashes = SECRETS.each_ref().map(|secret| secret.hash_one(key));
        hashes.map(|hash| format!("{hash:016x}")).concat().into()
    })
}

pub(super) fn unknown_model(present: &Present, model: &str) -> Problem {
    let nearest = nearest(model, present.listed.iter().map(String::as_str)).map(str::to_owned);
    Problem::UnknownModel {
        model: model.to_owned(),
        nearest,
        known: present
            .listed
            .iter()
            .take(reply::NAMED_MODELS + 1)
            .cloned()
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let all = all.iter();
        all.map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn side_effects_are_said_by_a_one() {
        let with = |value: &str| {
            let headers = headers(&[("x-llm-side-effects", value)]);
            options(&headers, None, "id").side_effects
        };
        assert!(with("1"));
        assert!(!with("0"));
        assert!(!with("true"));
        assert!(!options(&HeaderMap::new(), None, "id").side_effects);
    }

    #[test]
    fn a_tenant_is_known_by_its_key_but_not_the_key() {
        let of = |key: &[u8]| {
            let value = http::HeaderValue::from_bytes(key).unwrap();
            tenant(&HeaderMap::from_iter([(
                http::header::AUTHORIZATION,
                value,
            )]))
        };
        assert_eq!(of(b"Bearer a"), of(b"Bearer a"));
        assert_ne!(of(b"Bearer a"), of(b"Bearer b"));
        assert_ne!(
            of(b"Bearer \xff"),
            of(b"Bearer \xfe"),
            "no text, and two keys"
        );
        assert!(!of(b"Bearer secret").contains("secret"));
        assert_eq!(&*tenant(&HeaderMap::new()), "");
    }

    #[test]
    fn calls_stick_where_their_route_says_so() {
        let headers = headers(&[("authorization", "Bearer a")]);
        assert_eq!(options(&headers, None, "id").stick_to, 0);
        let sticking = options(&headers, Some(&StickTo::Key), "id");
        assert_ne!(sticking.stick_to, 0);
        assert!(!sticking.tenant.is_empty());
    }
}
