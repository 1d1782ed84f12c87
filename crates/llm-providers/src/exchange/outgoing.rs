//! What goes out: the caller's bytes, or the request in the target's dialect, and the headers of both.

use super::Windows;
use crate::call::{Call, Features, SHORTENED};
use crate::codec::{Encoded, FOREIGN_CONTENT, Unsayable};
use crate::embedding;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::openai::{fitted, with_thoughts};
use crate::prefill;
use crate::stream::Resume;
use crate::transport::HttpRequest;
use crate::wire::Terms;
use http::header::{ACCEPT, ACCEPT_ENCODING};
use http::{HeaderMap, HeaderValue};
use llm_errors::Provider;

/// What no dialect has a place for in another's: left out, it would change the answer unseen.
const NATIVE_ONLY: [Features; 4] = [
    Features::STATE,
    Features::CHOICES,
    Features::LOGPROBS,
    Features::SERVER_TOOLS,
];

/// What a turn shows: pictures, documents and sounds, wherever a wire has no place for them, and parts of an unknown sort;
/// and that the answer is to be heard.
fn is_essential(field: &str) -> bool {
    let shown = ["messages.image.", "messages.document", "messages.audio"];
    let shows =
        shown.iter().any(|kind| field.starts_with(kind)) && field != "messages.image.detail";
    shows || [FOREIGN_CONTENT, SOUND].contains(&field)
}

/// The name of the field that asks for an answer in sound.
const SOUND: &str = "modalities";

/// Headers that hold a list, to which endpoint and caller both add.
const LIST_HEADERS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// A request ready to go.
pub(super) struct Outgoing {
    pub(super) request: HttpRequest,
    /// What of the call it does not carry: names only, sorted.
    pub(super) dropped: Vec<&'static str>,
}

impl From<Unsayable> for Failure {
    fn from(why: Unsayable) -> Self {
        match why {
            Unsayable::Missing(names) => Self::cannot_carry(&names),
            Unsayable::Unreadable(bad) => Self::from_bad_request(bad),
        }
    }
}

impl Endpoint {
    /// What of `call` the endpoint's wire cannot carry: names as in
    /// [`Facts::dropped`](crate::Facts::dropped), sorted; empty where it can be told everything. A
    /// request that cannot be read is not judged here: the attempt says what is wrong with it.
    #[must_use]
    pub fn cannot_carry(&self, call: &Call) -> Vec<&'static str> {
        match write(self, call) {
            Ok(written) => written.dropped,
            Err(Unsayable::Missing(names)) => names,
            Err(Unsayable::Unreadable(_)) => Vec::new(),
        }
    }
}

/// Writes `call` in the endpoint's dialect.
fn write(endpoint: &Endpoint, call: &Call) -> Result<Encoded, Unsayable> {
    let mut encoded = if endpoint.wire() == call.dialect() {
        let mut dropped = call.dropped().to_vec();
        dropped.extend(call.withholds());
        let mut body = endpoint.body_of(call);
        if endpoint.wants_thoughts()
            && let Some(changed) = with_thoughts(&body)
        {
            body = changed;
            dropped.push("messages.thinking");
        }
        if endpoint.is_closed()
            && let Some((changed, lost)) = fitted(&body, endpoint.quirks())
        {
            body = changed;
            dropped.extend(lost);
        }
        Encoded { body, dropped }
    } else if let Some(embedder) = endpoint.embedder() {
        embedding::encode(embedder, call.body(), endpoint.model())?
    } else {
        let native = NATIVE_ONLY.into_iter();
        let native = native.filter(|only| call.features().contains(*only));
        let native: Vec<_> = native.flat_map(Features::names).collect();
        if !native.is_empty() {
            return Err(Unsayable::Missing(native));
        }
        let request = call.chat()?;
        let terms = Terms {
            model: endpoint.model(),
            quirks: endpoint.quirks(),
            default_max_tokens: endpoint.default_max_tokens(call.is_stream()),
            quota_max_tokens: endpoint.quota_max_tokens(),
            on_vertex: endpoint.on_vertex(),
            at_home: endpoint.provider() == Provider::Anthropic,
        };
        let mut encoded = endpoint.wire().target().encode(request, &terms);
        let shown = encoded.dropped.iter().copied();
        let shown: Vec<_> = shown.filter(|field| is_essential(field)).collect();
        if !shown.is_empty() {
            return Err(Unsayable::Missing(shown));
        }
        let shortened = call.is_shortened().then_some(SHORTENED);
        encoded.dropped.extend(shortened);
        encoded
    };
    encoded.dropped.sort_unstable();
    encoded.dropped.dedup();
    Ok(encoded)
}

/// Puts `call` into the endpoint's dialect.
pub(super) fn prepare(
    endpoint: &Endpoint,
    call: &Call,
    windows: &Windows,
    resume: Option<&Resume>,
) -> Result<Outgoing, Failure> {
    if endpoint.purpose() != call.purpose() {
        return Err(Failure::cannot_carry(&[]));
    }
    let Encoded { mut body, dropped } = write(endpoint, call)?;
    if call.is_strict() && !dropped.is_empty() {
        return Err(Failure::cannot_carry(&dropped));
    }
    if let Some((text, tokens)) = resume.and_then(Resume::prefill) {
        let way = endpoint.prefill();
        let added = prefill::add(&body, way, text, tokens);
        body = added.ok_or_else(|| Failure::cannot_carry(&["prefill"]))?;
    }
    let mut headers = endpoint.headers().clone();
    if endpoint.wire() == call.dialect() {
        add_callers_headers(&mut headers, call.headers());
    }
    let accept = if call.is_stream() {
        endpoint.wire().target().framing().media_type()
    } else {
        "application/json"
    };
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    // Compressed events would come in clumps; without this header any coding may be sent.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    let uri = endpoint.uri(call.is_stream()).clone();
    Ok(Outgoing {
        request: HttpRequest::new(uri, headers, body, windows.connect),
        dropped,
    })
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
