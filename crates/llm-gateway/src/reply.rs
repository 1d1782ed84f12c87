//! What a caller sees: the one place where an outcome becomes a status, headers and a body.
//!
//! Errors are shaped in the caller's own dialect, so that official SDKs raise their own exception classes:
//!
//! - OpenAI, both wires: `{"error": {"message", "type", "param", "code"}}`
//!   (platform.openai.com/docs/guides/error-codes, read 2026-11-23),
//! - Anthropic: `{"type": "error", "error": {"type", "message"}, "request_id"}`
//!   (docs.anthropic.com/en/api/errors, read 2026-11-23).
//!
//! A failure that is not the caller's own is never dressed up as one: a key or a quota of *ours* that a provider
//! refused is told as such. `Retry-After` is sent only where a time is known; where another try cannot help,
//! `x-should-retry: false` keeps the SDKs (both read it) from trying on their own.

mod kind;
mod sequence;
mod shape;
mod wait;

use self::kind::{about_account, phrase, row};
use crate::body::Body;
use crate::engine::{Dialect, ErrorKind, Spend};
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use llm_resilience::{Error, Mode, Served, What};
use std::time::Duration;

/// The request's id, given by the caller or made here.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The same under the name that Anthropic's SDKs read
/// (docs.anthropic.com/en/api/errors, read 2026-11-23).
const ANTHROPIC_REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
/// The target that answered.
pub(crate) const TARGET: HeaderName = HeaderName::from_static("x-llm-target");
/// Upstream calls this request took.
pub(crate) const ATTEMPTS: HeaderName = HeaderName::from_static("x-llm-attempts");
/// How the answer is less than it should be, if it is.
pub(crate) const DEGRADED: HeaderName = HeaderName::from_static("x-llm-degraded");
/// Fields of the request that the answering target's dialect cannot say, and that were left out.
pub(crate) const DROPPED: HeaderName = HeaderName::from_static("x-llm-dropped");
/// The provider's own name for the request that it answered or refused.
const PROVIDER_REQUEST_ID: HeaderName = HeaderName::from_static("x-llm-provider-request-id");
/// Every hop, when the caller asked for it by [`TRACE`].
pub(crate) const TRAIL: HeaderName = HeaderName::from_static("x-llm-trail");
/// Sent by the caller with the value 1 to see every hop.
pub(crate) const TRACE: HeaderName = HeaderName::from_static("x-llm-trace");
/// Sent by the caller with the value 1 where the call does something in the world: it is never run twice, as far as that is
/// known here.
pub(crate) const SIDE_EFFECTS: HeaderName = HeaderName::from_static("x-llm-side-effects");
/// Sent by the caller with the value `true` or 1 who wants all or nothing: a target that cannot be told everything the
/// request says is not asked.
pub(crate) const STRICT: &str = "x-llm-strict";
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
const SHOULD_RETRY: HeaderName = HeaderName::from_static("x-should-retry");

/// The longest trail that is sent: many servers and proxies refuse header blocks beyond 8 KiB.
const LONGEST_TRAIL: usize = 4096;
/// The longest message of ours in an error body.
const LONGEST_MESSAGE: usize = 4096;
/// Models named in the error for an unknown one.
pub(crate) const NAMED_MODELS: usize = 20;

/// When somebody who found no room for a large body may come again: some call is over by then.
const NO_ROOM_WAIT: Duration = Duration::from_secs(2);
/// Anthropic's status for a provider without capacity.
const OVERLOADED: u16 = 529;

/// Something wrong with a request that the gateway itself found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The body is not JSON, or not a request of its dialect.
    BadBody {
        /// What is wrong, without the body's content.
        why: String,
        /// The field at fault, if one is.
        field: Option<&'static str>,
    },
    /// A header asks for something that cannot be read.
    BadHeader {
        /// Which.
        name: &'static str,
        /// How it is written.
        mend: &'static str,
    },
    /// The body is larger than the limit, in bytes.
    TooLarge(usize),
    /// All bodies together are larger than the memory for them.
    NoRoom,
    /// The body did not arrive in time.
    SlowBody(Duration),
    /// No route serves this model.
    UnknownModel {
        /// What was asked for.
        model: String,
        /// The nearest name that is served.
        nearest: Option<String>,
        /// Some of the names that are served.
        known: Vec<String>,
    },
    /// A key is asked for, and none or nobody's was sent.
    UnknownKey,
    /// The caller asks for more requests a minute than it may; when to come again.
    CallerLimit(u32, Duration),
    /// The caller has spent what an hour of its calls may cost; when to come again.
    CallerSpent(Spend, Duration),
    /// The caller has as many calls under way as it may; when to come again.
    CallerBusy(u32, Duration),
    /// A web page that is not allowed calls, or a name that is not the gateway's was called.
    Foreign(&'static str),
    /// An answer or a conversation is asked for that only its provider could have kept.
    NothingKept,
    /// Nothing is served at this path.
    UnknownPath(String),
    /// The path is served by another method.
    WrongMethod(&'static str),
    /// The gateway is shutting down.
    Draining,
}

/// An error on its way to a caller, before it is written in a dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outline {
    status: StatusCode,
    openai_type: &'static str,
    code: Option<&'static str>,
    param: Option<&'static str>,
    anthropic_type: &'static str,
    message: String,
    retry_after: Option<Duration>,
    /// What SDKs are told about trying again; nothing leaves it to them.
    should_retry: Option<bool>,
    allow: Option<&'static str>,
}

impl Outline {
    fn new(
        status: StatusCode,
        openai_type: &'static str,
        code: Option<&'static str>,
        anthropic_type: &'static str,
    ) -> Self {
        Self {
            status,
            openai_type,
            code,
            param: None,
            anthropic_type,
            message: String::new(),
            retry_after: None,
            should_retry: None,
            allow: None,
        }
    }

    fn invalid(status: StatusCode, code: Option<&'static str>, message: String) -> Self {
        let mut outline = Self::new(
            status,
            "invalid_request_error",
            code,
            "invalid_request_error",
        );
        outline.message = message;
        outline.should_retry = Some(false);
        outline
    }

    /// The outline of a problem with the request.
    pub(crate) fn of_problem(problem: &Problem) -> Self {
        match problem {
            Problem::BadBody { why, field } => Self {
                param: *field,
                ..Self::invalid(StatusCode::BAD_REQUEST, None, why.clone())
            },
            Problem::BadHeader { name, mend } => {
                let message = format!("the header {name} cannot be read: {mend}");
                Self::invalid(StatusCode::BAD_REQUEST, Some("invalid_header"), message)
            }
            Problem::TooLarge(limit) => {
                let message = format!("the request body is larger than the limit of {limit} bytes");
                let outline = Self::invalid(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    Some("request_too_large"),
                    message,
                );
                Self {
                    anthropic_type: "request_too_large",
                    ..outline
                }
            }
            Problem::NoRoom => {
                let message = "the gateway holds as many large requests as it has memory for";
                Self {
                    should_retry: Some(true),
                    ..Self::of_kind(ErrorKind::Overloaded, message, Some(NO_ROOM_WAIT))
                }
            }
            Problem::SlowBody(limit) => {
                let message = format!(
                    "the request body did not arrive within {} seconds",
                    limit.as_secs_f64()
                );
                let outline = Self::invalid(
                    StatusCode::REQUEST_TIMEOUT,
                    Some("request_timeout"),
                    message,
                );
                Self {
                    should_retry: None,
                    ..outline
                }
            }
            Problem::UnknownModel {
                model,
                nearest,
                known,
            } => {
                let mut message = format!("the model `{}` is not served here", shorten(model, 128));
                if let Some(nearest) = nearest {
                    message.push_str(&format!("; did you mean `{nearest}`?"));
                } else {
                    let some: Vec<_> = known
                        .iter()
                        .take(NAMED_MODELS)
                        .map(String::as_str)
                        .collect();
                    let more = if known.len() > some.len() {
                        ", ..."
                    } else {
                        ""
                    };
                    message.push_str(&format!("; served: {}{more}", some.join(", ")));
                }
                let outline =
                    Self::invalid(StatusCode::NOT_FOUND, Some("model_not_found"), message);
                Self {
                    anthropic_type: "not_found_error",
                    param: Some("model"),
                    ..outline
                }
            }
            Problem::Foreign(why) => {
                let code = Some("forbidden_origin");
                let outline = Self::invalid(StatusCode::FORBIDDEN, code, (*why).to_owned());
                Self {
                    anthropic_type: "permission_error",
                    ..outline
                }
            }
            Problem::UnknownKey => {
                let message = "the gateway asks for a key that its operator gave you: send it as \
                    `authorization: Bearer KEY` or `x-api-key: KEY`";
                let code = Some("invalid_api_key");
                let outline = Self::invalid(StatusCode::UNAUTHORIZED, code, message.to_owned());
                Self {
                    anthropic_type: "authentication_error",
                    ..outline
                }
            }
            Problem::CallerLimit(rpm, wait) => {
                let message = format!("your key is good for {rpm} requests a minute here");
                Self::of_kind(ErrorKind::RateLimitRequests, &message, Some(*wait))
            }
            Problem::CallerSpent(cap, wait) => {
                let message = format!("your key is good for {cap} an hour here, which is spent");
                Self::of_kind(ErrorKind::QuotaExhausted, &message, Some(*wait))
            }
            Problem::CallerBusy(most, wait) => {
                let message = format!("your key is good for {most} calls at once here");
                Self::of_kind(ErrorKind::RateLimitConcurrency, &message, Some(*wait))
            }
            Problem::NothingKept => {
                let message = "the gateway keeps no responses and no conversations: send the conversation in `input`; \
                    what a provider has kept can be fetched from that provider, with a key of its own";
                let code = Some("unsupported_feature");
                let outline = Self::invalid(StatusCode::NOT_FOUND, code, message.to_owned());
                Self {
                    anthropic_type: "not_found_error",
                    ..outline
                }
            }
            Problem::UnknownPath(path) => {
                let message = format!(
                    "nothing is served at {}; try POST /v1/chat/completions, POST /v1/responses, POST /v1/messages, POST /v1/embeddings or GET /v1/models",
                    shorten(path, 128)
                );
                let outline = Self::invalid(StatusCode::NOT_FOUND, Some("unknown_url"), message);
                Self {
                    anthropic_type: "not_found_error",
                    ..outline
                }
            }
            Problem::WrongMethod(allow) => {
                let message = format!("this path is served by the method {allow}");
                let outline = Self::invalid(
                    StatusCode::METHOD_NOT_ALLOWED,
                    Some("method_not_allowed"),
                    message,
                );
                Self {
                    allow: Some(allow),
                    ..outline
                }
            }
            Problem::Draining => {
                let outline = Self::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "server_error",
                    Some("shutting_down"),
                    "api_error",
                );
                Self {
                    message: "the gateway is shutting down".to_owned(),
                    should_retry: Some(true),
                    ..outline
                }
            }
        }
    }

    /// The outline of a call that failed with `kind`, and why in words that hold no secret.
    pub(crate) fn of_kind(kind: ErrorKind, message: &str, retry_after: Option<Duration>) -> Self {
        let (status, openai_type, code, anthropic_type, transient) = row(kind);
        let outline = Self::new(status, openai_type, code, anthropic_type);
        Self {
            message: shorten(message, LONGEST_MESSAGE).to_owned(),
            retry_after,
            should_retry: if transient { None } else { Some(false) },
            ..outline
        }
    }

    /// The outline of a call that the engine could not answer.
    pub(crate) fn of_error(error: &Error) -> Self {
        let kind = error.kind();
        let mut message = match error.what() {
            What::Exhausted if error.verdict().is_none() => {
                "every target is set aside for now".to_owned()
            }
            What::Exhausted => format!("no target could answer: {}", phrase(kind)),
            What::Broken => format!("the answer broke off: {}", phrase(kind)),
            What::Refused => phrase(kind).to_owned(),
            _ => error.to_string(),
        };
        if let Some(words) = error
            .provider_message()
            .filter(|words| !about_account(kind) && !words.trim().is_empty())
        {
            message.push_str(": ");
            message.push_str(shorten(words, LONGEST_MESSAGE / 2));
        }
        if matches!(error.what(), What::Exhausted | What::Broken)
            && let Some(trail) = error.trail()
        {
            message.push_str(&format!(" [{trail}]"));
        }
        Self::of_kind(kind, &message, error.retry_after())
    }

    /// A short stable name of the reason, for metrics.
    pub(crate) fn reason(problem: &Problem) -> &'static str {
        match problem {
            Problem::BadBody { .. } => "bad_body",
            Problem::BadHeader { .. } => "bad_header",
            Problem::TooLarge(_) => "too_large",
            Problem::NoRoom => "no_room",
            Problem::SlowBody(_) => "slow_body",
            Problem::UnknownModel { .. } => "unknown_model",
            Problem::UnknownKey => "unknown_key",
            Problem::CallerLimit(..) | Problem::CallerBusy(..) => "caller_limit",
            Problem::CallerSpent(..) => "caller_spend",
            Problem::Foreign(_) => "foreign",
            Problem::NothingKept => "nothing_kept",
            Problem::UnknownPath(_) => "unknown_path",
            Problem::WrongMethod(_) => "wrong_method",
            Problem::Draining => "draining",
        }
    }

    /// The status a caller of `dialect` sees.
    fn status(&self, dialect: Dialect) -> StatusCode {
        if matches!(dialect, Dialect::AnthropicMessages)
            && self.anthropic_type == "overloaded_error"
        {
            return StatusCode::from_u16(OVERLOADED).unwrap_or(self.status);
        }
        self.status
    }

    /// The JSON object of the error in a dialect.
    fn object(&self, dialect: Dialect, request_id: &str) -> Vec<u8> {
        let written = match dialect {
            Dialect::AnthropicMessages => {
                shape::anthropic(self.anthropic_type, &self.message, request_id)
            }
            _ => shape::openai(self.openai_type, self.code, self.param, &self.message),
        };
        // Texts alone always serialise; an empty body is the honest remainder.
        written.unwrap_or_default()
    }

    /// The whole response, in the caller's dialect.
    pub(crate) fn response(&self, dialect: Dialect, request_id: &str) -> Response<Body> {
        let mut response = Response::new(Body::whole(self.object(dialect, request_id)));
        *response.status_mut() = self.status(dialect);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, JSON);
        put_id(headers, dialect, request_id);
        wait::put(headers, self.retry_after, self.should_retry, request_id);
        if let Some(allow) = self.allow {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        response
    }

    /// The error as an event inside a stream that has begun, whose latest piece was `last`. No end marker follows it.
    pub(crate) fn event(&self, dialect: Dialect, request_id: &str, last: &[u8]) -> Bytes {
        let object = match dialect {
            Dialect::OpenAiResponses => shape::responses(
                self.openai_type,
                self.code,
                self.param,
                &self.message,
                sequence::after(last),
            )
            .unwrap_or_default(),
            _ => self.object(dialect, request_id),
        };
        let mut event = Vec::with_capacity(object.len() + 24);
        if dialect != Dialect::OpenAiChat {
            event.extend_from_slice(b"event: error\n");
        }
        event.extend_from_slice(b"data: ");
        event.extend_from_slice(&object);
        event.extend_from_slice(b"\n\n");
        event.into()
    }
}

/// The response to a call that failed.
///
/// A refusal of the caller's own request comes from one provider in one dialect; where that is the caller's too, its
/// status and body are passed back untouched, so that nothing of the provider's explanation is lost.
///
/// Of a call that must not run twice (`once`), and may have run, SDKs are kept from trying again.
pub(crate) fn failed(
    error: &Error,
    dialect: Dialect,
    request_id: &str,
    once: bool,
) -> Response<Body> {
    let mut response = match (error.what(), error.provider_status(), error.provider_body()) {
        (What::Refused, Some(status @ 400..=499), Some((body, spoken)))
            if spoken == dialect
                && status != 401
                && status != 403
                && !about_account(error.kind())
                && body.first() == Some(&b'{') =>
        {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            let mut response = json(status, body.clone());
            put_id(response.headers_mut(), dialect, request_id);
            response
                .headers_mut()
                .insert(SHOULD_RETRY, HeaderValue::from_static("false"));
            response
        }
        _ => Outline::of_error(error).response(dialect, request_id),
    };
    let headers = response.headers_mut();
    put_provider_id(headers, error.provider_request_id());
    if let Some(trace) = error.trace() {
        headers.insert(ATTEMPTS, HeaderValue::from(trace.sends()));
        if once && trace.may_have_run() {
            headers.insert(SHOULD_RETRY, HeaderValue::from_static("false"));
        }
    }
    response
}

/// The headers and status of an answer; `body` is its body, `streamed` whether the caller asked for a stream.
pub(crate) fn answered(
    served: &Served,
    body: Body,
    dialect: Dialect,
    streamed: bool,
    request_id: &str,
) -> Response<Body> {
    let mut response = if streamed {
        events(body)
    } else {
        let mut response = Response::new(body);
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        response
    };
    let headers = response.headers_mut();
    put_id(headers, dialect, request_id);
    if let Some(target) = served.target_name() {
        put(headers, TARGET, target);
    }
    headers.insert(ATTEMPTS, HeaderValue::from(served.trace.sends()));
    match served.degraded {
        Some(Mode::Cached { age }) => {
            put(headers, DEGRADED, &format!("cached; age={}", age.as_secs()));
        }
        Some(mode) => put(headers, DEGRADED, mode.as_str()),
        None => {}
    }
    response
}

/// The content type of every JSON body.
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// A response with a JSON body.
pub(crate) fn json(status: StatusCode, bytes: Bytes) -> Response<Body> {
    let mut response = Response::new(Body::whole(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    response
}

/// A response whose body is a stream of events.
pub(crate) fn events(body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, EVENTS);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies of the nginx kind would otherwise hold the first words back.
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Sets a header, leaving out what cannot stand in one.
pub(crate) fn put(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// Sets the request's id under the names that SDKs of a dialect read.
pub(crate) fn put_id(headers: &mut HeaderMap, dialect: Dialect, request_id: &str) {
    let Ok(value) = HeaderValue::from_str(request_id) else {
        return;
    };
    if dialect == Dialect::AnthropicMessages {
        headers.insert(ANTHROPIC_REQUEST_ID, value.clone());
    }
    headers.insert(REQUEST_ID, value);
}

/// Sets the header that names the request as its provider does.
pub(crate) fn put_provider_id(headers: &mut HeaderMap, id: Option<&str>) {
    if let Some(id) = id {
        put(headers, PROVIDER_REQUEST_ID, id);
    }
}

/// Sets the header that names what was left out of the request, if anything was.
pub(crate) fn put_dropped(headers: &mut HeaderMap, fields: &[&str]) {
    if !fields.is_empty() {
        put(headers, DROPPED, shorten(&fields.join(", "), LONGEST_TRAIL));
    }
}

/// Sets the header that tells every hop.
pub(crate) fn put_trail(headers: &mut HeaderMap, trail: &str) {
    put(headers, TRAIL, shorten(trail, LONGEST_TRAIL));
}

/// The beginning of a text, at most `limit` bytes.
fn shorten(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests;
