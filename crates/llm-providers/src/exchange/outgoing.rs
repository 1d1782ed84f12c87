//! What goes out: the caller's bytes, or the request in the target's dialect, and the headers of both.

use super::Windows;
use crate::call::{Call, Features, SHORTENED};
use crate::codec::note;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::prefill;
use crate::stream::Resume;
use crate::transport::HttpRequest;
use crate::wire::Terms;
use http::header::ACCEPT;
use http::{HeaderMap, HeaderValue};
use llm_errors::{ErrorKind, Phase, Verdict};

/// What no dialect has a place for in another's: left out, it would change the answer unseen.
const NATIVE_ONLY: [Features; 5] = [
    Features::STATE,
    Features::CHOICES,
    Features::LOGPROBS,
    Features::AUDIO,
    Features::SERVER_TOOLS,
];

/// What a turn shows: pictures, documents and sounds, wherever a wire has no place for them.
fn is_essential(field: &str) -> bool {
    let shown = ["messages.image.", "messages.document", "messages.audio"];
    shown.iter().any(|kind| field.starts_with(kind)) && field != "messages.image.detail"
}

/// Headers that hold a list, to which endpoint and caller both add.
const LIST_HEADERS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// A request ready to go.
pub(super) struct Outgoing {
    pub(super) request: HttpRequest,
    /// What of the call it does not carry: names only, sorted.
    pub(super) dropped: Vec<&'static str>,
}

/// Puts `call` into the endpoint's dialect.
pub(super) fn prepare(
    endpoint: &Endpoint,
    call: &Call,
    windows: &Windows,
    resume: Option<&Resume>,
) -> Result<Outgoing, Failure> {
    if endpoint.purpose() != call.purpose() {
        return Err(unsupported());
    }
    let same = endpoint.wire() == call.dialect();
    let mut headers = endpoint.headers().clone();
    let (mut body, mut dropped) = if same {
        let mut dropped = call.dropped().to_vec();
        note(
            &mut dropped,
            call.withholds_reasoning(),
            "messages.thinking",
        );
        (endpoint.body_of(call), dropped)
    } else {
        let features = call.features();
        if NATIVE_ONLY.iter().any(|only| features.contains(*only)) {
            return Err(unsupported());
        }
        let request = call.chat().map_err(Failure::from_bad_request)?;
        let terms = Terms {
            model: endpoint.model(),
            quirks: endpoint.quirks(),
            default_max_tokens: endpoint.default_max_tokens(),
            on_vertex: endpoint.on_vertex(),
        };
        let encoded = endpoint.wire().target().encode(request, &terms);
        // Without a picture or a document the answer would be about something else.
        if encoded.dropped.iter().any(|field| is_essential(field)) {
            return Err(unsupported());
        }
        let mut dropped = encoded.dropped;
        dropped.extend(call.is_shortened().then_some(SHORTENED));
        (encoded.body, dropped)
    };
    if let Some((text, tokens)) = resume.and_then(Resume::prefill) {
        let way = endpoint.prefill();
        body = prefill::add(&body, way, text, tokens).ok_or_else(unsupported)?;
    }
    dropped.sort_unstable();
    dropped.dedup();
    if same {
        add_callers_headers(&mut headers, call.headers());
    }
    let accept = if call.is_stream() {
        endpoint.wire().target().framing().media_type()
    } else {
        "application/json"
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    let uri = endpoint.uri(call.is_stream()).clone();
    Ok(Outgoing {
        request: HttpRequest::new(uri, headers, body, windows.connect),
        dropped,
    })
}

/// What the endpoint cannot do; nothing was sent.
fn unsupported() -> Failure {
    Failure::new(Verdict::new(ErrorKind::UnsupportedFeature, Phase::Connect))
}

/// Adds the caller's headers: lists are joined, the caller names its own API version, and what else
/// the endpoint has configured stays.
fn add_callers_headers(headers: &mut HeaderMap, callers: &HeaderMap) {
    for name in callers.keys() {
        let values = callers.get_all(name);
        if LIST_HEADERS.contains(&name.as_str()) {
            if let Some(joined) = join(headers.get_all(name).iter().chain(&values)) {
                headers.insert(name.clone(), joined);
            }
        } else if name.as_str() == "anthropic-version" || !headers.contains_key(name) {
            headers.remove(name);
            for value in values {
                headers.append(name.clone(), value.clone());
            }
        }
    }
}

/// The entries of all values in one, each once and in order of appearance.
fn join<'a>(values: impl Iterator<Item = &'a HeaderValue>) -> Option<HeaderValue> {
    let mut entries: Vec<&[u8]> = Vec::new();
    let mut sensitive = false;
    for value in values {
        sensitive |= value.is_sensitive();
        for entry in value.as_bytes().split(|byte| *byte == b',') {
            let entry = entry.trim_ascii();
            if !entry.is_empty() && !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
    let mut joined = HeaderValue::from_bytes(&entries.join(&b","[..])).ok()?;
    joined.set_sensitive(sensitive);
    Some(joined)
}
