//! Puts a response together: status, headers, body.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName};
use http::{HeaderMap, HeaderValue, Response, StatusCode};

use super::Exchange;
use crate::deliver::Plan;
use crate::framing::{Framing, crlf};
use crate::limit::{Slot, ceil_millis, ceil_seconds};
use crate::play::Play;
use crate::record::Call;
use crate::voice::Problem;

impl Exchange<'_> {
    /// A reply of the script's own making.
    pub(super) fn custom(&self, call: Call, status: u16, body: Option<&str>) -> Response<Play> {
        let Some(body) = body else {
            return self.refuse(call, &Problem::of_status(self.family, status));
        };
        let kind = match body.trim_start().bytes().next() {
            Some(b'{' | b'[') => "application/json",
            Some(b'<') => "text/html; charset=UTF-8",
            Some(b'd' | b'e' | b':') if self.target.stream && status == 200 => {
                Framing::Chat.content_type()
            }
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
        let play = Play::whole(body, self.line.clone());
        self.send(call, status, kind, play, extra, None)
    }

    /// A whole answer, perhaps spoilt on the way.
    pub(super) fn whole_body(
        &self,
        call: Call,
        kind: &'static str,
        plan: Plan,
        extra: &[(&'static str, String)],
        slot: Option<Slot>,
    ) -> Response<Play> {
        let length = plan.content_length;
        let mut response = self.send(call, 200, kind, self.play(plan), extra, slot);
        if let Some(length) = length {
            response
                .headers_mut()
                .insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        response
    }

    /// A streamed answer, perhaps spoilt on the way.
    pub(super) fn stream(
        &self,
        call: Call,
        framing: Framing,
        plan: Plan,
        extra: &[(&'static str, String)],
        slot: Option<Slot>,
    ) -> Response<Play> {
        let crlf = framing.has_lines() && self.rule.is_some_and(|rule| rule.crlf);
        let plan = if crlf { plan.with_crlf() } else { plan };
        let play = self.play(plan).pulse(self.pulse(framing, crlf));
        let kind = framing.content_type();
        let mut response = self.send(call, 200, kind, play, extra, slot);
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }

    fn play(&self, plan: Plan) -> Play {
        match plan.whole {
            Some(body) => Play::whole(body, self.line.clone()),
            None => Play::new(plan.steps, self.line.clone()),
        }
    }

    /// The sign of life of this call's stream, and how often it is sent.
    fn pulse(&self, framing: Framing, is_crlf: bool) -> Option<(Duration, Bytes)> {
        let every = self.rule?.keep_alive?;
        let sign = framing.sign_of_life()?;
        Some((every, if is_crlf { crlf(&sign) } else { sign }))
    }

    /// Puts status, headers and body together.
    pub(super) fn send(
        &self,
        call: Call,
        status: u16,
        kind: &'static str,
        play: Play,
        extra: &[(&'static str, String)],
        slot: Option<Slot>,
    ) -> Response<Play> {
        call.status(status);
        let play = play
            .drip(
                self.rule.and_then(|rule| rule.drip),
                self.rule.and_then(|rule| rule.split),
            )
            .call(call, slot);
        let mut response = Response::new(play);
        *response.status_mut() =
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        let voice = self.family.voice();
        if let Some(name) = voice.request_id_header() {
            put(headers, name, &self.request_id);
        }
        for (name, value) in extra {
            put(headers, name, value);
        }
        if let Some(rule) = self.rule {
            if let Some(wait) = rule.retry_after.filter(|_| voice.has_retry_after()) {
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
