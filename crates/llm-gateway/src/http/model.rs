//! `GET /v1/models`: what callers may ask for, in the shape their SDK expects.

use super::caller::Who;
use super::{App, call, refuse};
use crate::body::Body;
use crate::engine::Dialect;
use crate::reply;
use http::{Response, StatusCode};
use serde_json::{Value, json};

/// All names that are served.
pub(super) fn list(app: &App, who: &Who, dialect: Dialect, id: &str) -> Response<Body> {
    let present = app.present();
    let served: Vec<_> = who.served(&present).collect();
    let data: Vec<Value> = served.iter().map(|name| object(name, dialect)).collect();
    let body = match dialect {
        // docs.anthropic.com/en/api/models-list, read 2026-11-23
        Dialect::AnthropicMessages => json!({
            "data": data,
            "has_more": false,
            "first_id": served.first(),
            "last_id": served.last(),
        }),
        // platform.openai.com/docs/api-reference/models/list, read 2026-11-23
        _ => json!({ "object": "list", "data": data }),
    };
    answer(&body, dialect, id)
}

/// One name.
pub(super) fn one(app: &App, who: &Who, dialect: Dialect, name: &str, id: &str) -> Response<Body> {
    let name = decoded(name);
    let present = app.present();
    if present.named(&name, who).is_some() {
        answer(&object(&name, dialect), dialect, id)
    } else {
        refuse(app, &call::unknown_model(&present, who, &name), dialect, id)
    }
}

fn object(name: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::AnthropicMessages => json!({
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "1970-01-01T00:00:00Z",
        }),
        _ => json!({ "id": name, "object": "model", "created": 0, "owned_by": "llm-gateway" }),
    }
}

fn answer(body: &Value, dialect: Dialect, id: &str) -> Response<Body> {
    let mut response = reply::json(StatusCode::OK, body.to_string().into());
    reply::put_id(response.headers_mut(), dialect, id);
    response
}

/// A path segment with its percent escapes undone; what is no valid escape stays as it is.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        let escaped = (first == b'%')
            .then(|| tail.first_chunk::<2>())
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => bytes.push(first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone() {
        assert_eq!(decoded("openai%2Fgpt-5"), "openai/gpt-5");
        assert_eq!(decoded("100%"), "100%");
        assert_eq!(decoded("%zz%2"), "%zz%2");
    }
}
