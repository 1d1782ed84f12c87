//! `POST` to `/v1/chat/completions`, `/v1/responses`, `/v1/messages` and `/v1/embeddings`: one call through the engine.

use super::caller::{Slot, Who};
use super::receive::Held;
use super::{App, Present, ask, receive, refuse};
use crate::body::Body;
use crate::config::StickTo;
use crate::engine::Dialect;
use crate::nearest::nearest;
use crate::peer::Presence;
use crate::reply::{self, Outline, Problem};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, Request, Response};
use hyper::body::Incoming;
use llm_resilience::providers::{BadRequest, Call};
use llm_resilience::{AnswerStream, CallOptions, What};
use tokio::sync::watch;
use tracing::Instrument as _;

/// Headers of the caller that choose features of the provider's API and go on to targets of the same dialect.
const FORWARDED: [HeaderName; 2] = [
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("openai-beta"),
];

/// Whom a call is from.
pub(super) struct Caller<'a> {
    pub(super) who: &'a Who,
    pub(super) presence: &'a Presence,
    pub(super) dialect: Dialect,
    /// What the request is called.
    pub(super) id: &'a str,
}

/// Answers one call, whose body `parse` reads.
pub(super) async fn complete(
    app: &App,
    from: Caller<'_>,
    parse: impl FnOnce(Bytes) -> Result<Call, BadRequest>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Caller {
        who,
        presence,
        dialect,
        id,
    } = from;
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
    let Some(named) = present.named(call.model(), who) else {
        return refuse(
            app,
            &unknown_model(&present, who, call.model()),
            dialect,
            id,
        );
    };
    present.metrics.called(who.name(), &named.route);
    let bill = who.bill(&present.metrics);
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
    let mut options = options(&parts.headers, who, named.stick_to.as_ref(), id);
    let table = app.client.table();
    if let Some(entered) = table.route(route)
        && let Err(problem) = ask::put(&parts.headers, table.policy(entered), &mut options)
    {
        return refuse(app, &problem, dialect, id);
    }
    drop(table);
    let slot = match who.enter() {
        Ok(slot) => slot,
        Err(problem) => return refuse(app, &problem, dialect, id),
    };
    options.observer = bill;
    let once = options.side_effects;
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
            let facts = match (&answer.body, &answer.facts) {
                (llm_resilience::Body::Stream(stream), _) => Some(stream.facts()),
                (_, facts) => facts.as_ref(),
            };
            let dropped = facts.map_or_else(Vec::new, |facts| facts.dropped.clone());
            let provider_id = facts.and_then(|facts| facts.request_id.clone());
            let body = match answer.body {
                llm_resilience::Body::Whole(bytes) => Body::whole(bytes),
                llm_resilience::Body::Stream(stream) => {
                    let until = until(app.cut.subscribe(), presence.clone());
                    let held = (held, slot);
                    Body::stream(pieces(stream, dialect, id.to_owned(), held, until))
                }
            };
            let mut response = reply::answered(&answer.served, body, dialect, streamed, id);
            reply::put_dropped(response.headers_mut(), &dropped);
            reply::put_provider_id(response.headers_mut(), provider_id.as_deref());
            if let Some(trail) = trail {
                reply::put_trail(response.headers_mut(), &trail);
            }
            response
        }
        Err(error) => {
            if error.what() == What::UnknownRoute {
                // A reload has removed it since its name was looked up.
                return refuse(app, &unknown_model(&app.present(), who, route), dialect, id);
            }
            let kind = error.kind().as_str();
            // A caller's own fault is no operator's concern.
            if matches!(error.what(), What::Refused | What::Lossy | What::BadOptions) {
                tracing::debug!(request_id = id, route, error.type = kind, "refused");
            } else {
                tracing::warn!(request_id = id, route, error.type = kind, "not answered");
            }
            let mut response = reply::failed(&error, dialect, id, once);
            if traced && let Some(trail) = error.trail() {
                reply::put_trail(response.headers_mut(), &trail.to_string());
            }
            response
        }
    }
}

/// Why a stream is ended before its own end.
enum Ended {
    /// The gateway cannot wait any longer.
    Cut,
    /// The caller has left.
    Left,
}

async fn until(mut cut: watch::Receiver<bool>, presence: Presence) -> Ended {
    tokio::select! {
        // The sender is gone only if the gateway is.
        _ = cut.wait_for(|cut| *cut) => Ended::Cut,
        () = presence.ended() => Ended::Left,
    }
}

/// The pieces of a stream as they come. A break becomes an error event in the caller's dialect, and the end; so does a cut by
/// `until`, when the gateway cannot wait any longer.
fn pieces(
    stream: Box<AnswerStream>,
    dialect: Dialect,
    id: String,
    held: (Held, Slot),
    until: impl Future<Output = Ended> + Send,
) -> impl Stream<Item = Bytes> + Send {
    // One future for the whole stream: each piece polls it, and none makes it anew.
    let begun = Some((stream, Box::pin(until), id, held, Bytes::new()));
    futures_util::stream::unfold(begun, move |state| async move {
        let (mut stream, mut until, id, held, last) = state?;
        let next = tokio::select! {
            biased;
            next = stream.next() => next?,
            ended = &mut until => match ended {
                Ended::Cut => {
                    let problem = Outline::of_problem(&Problem::Draining);
                    return Some((problem.event(dialect, &id, &last), None));
                }
                Ended::Left => return None,
            }
        };
        match next {
            Ok(piece) => Some((piece.clone(), Some((stream, until, id, held, piece)))),
            Err(error) => {
                tracing::warn!(request_id = id, error.type = error.kind().as_str(), "a stream broke off");
                Some((Outline::of_error(&error).event(dialect, &id, &last), None))
            }
        }
    })
}

/// What the caller's headers ask for beyond the body.
fn options(headers: &HeaderMap, who: &Who, stick_to: Option<&StickTo>, id: &str) -> CallOptions {
    let mut options = CallOptions::default()
        .tenant(who.tenant(headers))
        .request_id(id);
    options.side_effects = says(headers, &reply::SIDE_EFFECTS);
    options.stick_to = stick_to.map_or(0, |stick_to| stick_to.number(headers, id));
    options
}

/// Whether a header is there with the value 1.
fn says(headers: &HeaderMap, name: &HeaderName) -> bool {
    headers.get(name).is_some_and(|value| value == "1")
}

pub(super) fn unknown_model(present: &Present, who: &Who, model: &str) -> Problem {
    let nearest = nearest(model, who.served(present)).map(str::to_owned);
    Problem::UnknownModel {
        model: model.to_owned(),
        nearest,
        known: who
            .served(present)
            .take(reply::NAMED_MODELS + 1)
            .map(str::to_owned)
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
            options(&headers, &Who::default(), None, "id").side_effects
        };
        assert!(with("1"));
        assert!(!with("0"));
        assert!(!with("true"));
        assert!(!options(&HeaderMap::new(), &Who::default(), None, "id").side_effects);
    }

    #[test]
    fn calls_stick_where_their_route_says_so() {
        let headers = headers(&[("authorization", "Bearer a")]);
        assert_eq!(options(&headers, &Who::default(), None, "id").stick_to, 0);
        let sticking = options(&headers, &Who::default(), Some(&StickTo::Key), "id");
        assert_ne!(sticking.stick_to, 0);
        assert!(!sticking.tenant.is_empty());
    }
}
