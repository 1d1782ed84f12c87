//! Puts a response together: status, headers, body.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Exchange;
use crate::deliver::{self, Plan};
use crate::limit::{Slot, ceil_millis, ceil_seconds};
use crate::play::Play;
use crate::preset::Problem;
use crate::record::Call;

/// The content type of a stream.
pub(super) const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";

impl Exchange<'_> {
    /// A reply of the script's own making.
    pub(super) fn custom(&self, call: Call, status: u16, body: Option<&str>) -> Response<Play> {
        let Some(body) = body else {
            return self.refuse(call, &Problem::of_status(self.family, status));
        };
        let kind = match body.trim_start().bytes().next() {
            Some(b'{' | b'[') => "application/json",
            Some(b'<') => "text/html; charset=UTF-8",
            Some(b'd' | b'e' | b':') if self.stream && status == 200 => EVENT_STREAM,
            _ => "text/plain; charset=utf-8",
        };
        self.reply(call, status, kind, Bytes::from(body.to_owned()), &[])
    }

    /// One honest whole reply.
    pub(super) fn reply(
        &self,
        call: Call,
        status: u16,
        kind: &'static str,
        body: Bytes,
        extra: &[(&'static str, String)],
    ) -> Response<Play> {
        self.send(
            call,
            status,
            kind,
            Plan {
                steps: Vec::new(),
                content_length: None,
                whole: Some(body),
            },
            extra,
            None,
        )
    }

    /// The sign of life of this call's stream, and how often it is sent.
    fn pulse(&self) -> Option<(Duration, Bytes)> {
        let rule = self.rule?;
        let sign = deliver::sign_of_life(self.family);
        Some((
            rule.keep_alive?,
            if rule.crlf {
                deliver::crlf(&sign)
            } else {
                sign
            },
        ))
    }

    /// Puts status, headers and body together.
    pub(super) fn send(
        &self,
        call: Call,
        status: u16,
        kind: &'static str,
        plan: Plan,
        extra: &[(&'static str, String)],
        slot: Option<Slot>,
    ) -> Response<Play> {
        call.status(status);
        let crlf = kind == EVENT_STREAM && self.rule.is_some_and(|rule| rule.crlf);
        let plan = if crlf { plan.with_crlf() } else { plan };
        let play = match plan.whole {
            Some(body) => Play::whole(body, self.line.clone()),
            None => Play::new(plan.steps, self.line.clone()),
        };
        let play = play
            .drip(self.rule.and_then(|rule| rule.drip))
            .pulse(if kind == EVENT_STREAM {
                self.pulse()
            } else {
                None
            })
            .call(call, slot);
        let mut response = Response::new(play);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        if kind == EVENT_STREAM {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        if let Some(length) = plan.content_length {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        put(headers, self.family.request_id_header(), &self.request_id);
        for (name, value) in extra {
            put(headers, name, value);
        }
        if let Some(rule) = self.rule {
            if let Some(wait) = rule.retry_after {
                put(headers, "retry-after", &ceil_seconds(wait).to_string());
                if wait.subsec_nanos() > 0 {
                    put(headers, "retry-after-ms", &ceil_millis(wait).to_string());
                }
            }
            for (name, value) in &rule.response_headers {
                put(headers, name, value);
            }
        }
        response
    }
}

/// Sets a header; one that HTTP does not allow has been refused when the script was read.
fn put(headers: &mut HeaderMap, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
        headers.insert(name, value);
    }
}
