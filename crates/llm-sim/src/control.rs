//! Steering from outside, for drivers that are not written in Rust: `/_sim/…` on the simulator's own port.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /_sim/count` | `{"count": 12}`: calls since the start or the last reset |
//! | `GET /_sim/received` | `{"count": 12, "received": [...]}`: the calls still remembered, oldest first |
//! | `POST /_sim/script` | the body is a script in TOML; 400 with `{"error": "..."}` if it makes no sense |
//! | `POST /_sim/reset` | empties the record, begins counters, clock and limits anew |
//!
//! These requests are not recorded, and no rule concerns them.

use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::json;
use crate::play::{Line, Play};
use crate::record::Received;
use crate::script::Script;
use crate::shared::Shared;

/// The beginning of every control path.
pub(crate) const PREFIX: &str = "/_sim/";

/// Serves one control request.
pub(crate) fn serve(
    shared: &Shared,
    method: &Method,
    path: &str,
    body: &[u8],
    line: Line,
) -> Response<Play> {
    let (status, value) = answer(
        shared,
        method,
        path.strip_prefix(PREFIX).unwrap_or(path),
        body,
    );
    let mut response = Response::new(Play::whole(json::bytes(&value), line));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn answer(shared: &Shared, method: &Method, verb: &str, body: &[u8]) -> (StatusCode, Value) {
    let bad = |status, error: String| (status, json!({ "error": error }));
    match (method, verb) {
        (&Method::GET, "count") => (StatusCode::OK, json!({"count": shared.recorder.count()})),
        (&Method::GET, "received") => {
            let received: Vec<Value> = shared
                .recorder
                .received()
                .iter()
                .map(Received::to_json)
                .collect();
            (
                StatusCode::OK,
                json!({"count": shared.recorder.count(), "received": received}),
            )
        }
        (&Method::POST, "reset") => {
            shared.reset();
            (StatusCode::OK, json!({"ok": true}))
        }
        (&Method::POST, "script") => match std::str::from_utf8(body).map(Script::from_toml) {
            Ok(Ok(script)) => {
                shared.set_script(script);
                (StatusCode::OK, json!({"ok": true}))
            }
            Ok(Err(error)) => bad(StatusCode::BAD_REQUEST, error.to_string()),
            Err(_) => bad(
                StatusCode::BAD_REQUEST,
                "the script is not UTF-8".to_owned(),
            ),
        },
        (_, "count" | "received" | "reset" | "script") => bad(
            StatusCode::METHOD_NOT_ALLOWED,
            format!("{method} is not understood here"),
        ),
        _ => bad(
            StatusCode::NOT_FOUND,
            format!("{PREFIX}{verb} is not one of count, received, script, reset"),
        ),
    }
}
