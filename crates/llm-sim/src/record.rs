//! What the simulator received: a bounded memory of calls, and how each ended.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::seed;
use crate::wire::Wire;

/// Headers whose value is a secret.
const SECRET: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "x-api-key",
    "api-key",
    "x-goog-api-key",
    "cookie",
    "x-amz-security-token",
];
/// The most headers kept of one call, and the most characters kept of one value.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_CHARS: usize = 512;

/// One call as it was received.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Received {
    /// Its number since the start or the last reset, from 1.
    pub number: u64,
    /// The HTTP method.
    pub method: Method,
    /// The path, without the query (which may carry a key).
    pub path: String,
    /// The headers, names in lower case. The value of a secret one is `[secret …]` with a four-digit fingerprint, by
    /// which two keys can be told apart.
    pub headers: Vec<(String, String)>,
    /// The wire, if the path led to one.
    pub wire: Option<Wire>,
    /// The model asked for.
    pub model: Option<String>,
    /// Whether a stream was asked for.
    pub stream: bool,
    /// The body's beginning; how much is kept is the builder's `keep_body`.
    pub body: Bytes,
    /// The body's full length in bytes.
    pub body_bytes: usize,
    /// When the request's head had arrived.
    pub arrived: Instant,
    /// The same, measured from the start, the last reset or the last change of script.
    pub since_start: Duration,
    /// The name of the rule that decided the call, or its place as `rule 2`; `default` if none did, and `limits` or
    /// `refused` if the call met a rate limit or was itself wrong.
    pub answered_by: String,
    /// The status that was sent, if one was.
    pub status: Option<u16>,
    /// How the call ended.
    pub ended: Ended,
}

impl Received {
    /// The value of a header, by its name in lower case; the first of several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the caller hung up before the answer was complete.
    #[must_use]
    pub const fn hung_up(&self) -> bool {
        matches!(self.ended, Ended::HungUp)
    }

    /// The body as JSON, if it is JSON and was kept whole.
    #[must_use]
    pub fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn to_json(&self) -> Value {
        let headers: serde_json::Map<String, Value> = self
            .headers
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        json!({
            "number": self.number,
            "method": self.method.as_str(),
            "path": self.path,
            "headers": headers,
            "wire": self.wire.map(Wire::as_str),
            "model": self.model,
            "stream": self.stream,
            "body": String::from_utf8_lossy(&self.body),
            "body_bytes": self.body_bytes,
            "at_ms": u64::try_from(self.since_start.as_millis()).unwrap_or(u64::MAX),
            "answered_by": self.answered_by,
            "status": self.status,
            "ended": self.ended.as_str(),
            "hung_up": self.hung_up(),
        })
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// It has not.
    Open,
    /// Everything that was to be sent was handed to the socket.
    Done,
    /// The simulator broke the connection, as scripted.
    Broken,
    /// The caller hung up early (or the simulator was shut down in the middle).
    HungUp,
}

impl Ended {
    /// The name used in the control interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Done => "done",
            Self::Broken => "broken",
            Self::HungUp => "hung_up",
        }
    }
}

/// What decided a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decider {
    Default,
    Rule(usize),
    Limits,
    Refused,
}

/// A call as it is kept: headers as they came, so that the usual path copies nothing; they are redacted on reading.
pub(crate) struct Entry {
    pub method: Method,
    pub path: String,
    pub headers: HeaderMap,
    pub wire: Option<Wire>,
    pub model: Option<String>,
    pub stream: bool,
    pub body: Bytes,
    pub body_bytes: usize,
    pub arrived: Instant,
    pub since_start: Duration,
    pub decider: Decider,
    pub rule_name: Option<String>,
}

struct Kept {
    number: u64,
    entry: Entry,
    status: Option<u16>,
    ended: Ended,
}

#[derive(Default)]
struct Ring {
    /// Raised by every reset, so that a call from before it changes nothing after it.
    epoch: u64,
    total: u64,
    kept: VecDeque<Kept>,
}

/// The memory of calls.
pub(crate) struct Recorder {
    ring: Mutex<Ring>,
    capacity: usize,
    keep_body: usize,
    changed: Notify,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder")
            .field("total", &self.ring().total)
            .field("capacity", &self.capacity)
            .finish_non_exhaustive()
    }
}

impl Recorder {
    pub(crate) fn new(capacity: usize, keep_body: usize) -> Self {
        Self {
            ring: Mutex::default(),
            capacity,
            keep_body,
            changed: Notify::new(),
        }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The part of a body that is kept, copied so that it does not hold the connection's buffer.
    pub(crate) fn cut(&self, body: &Bytes) -> Bytes {
        if self.capacity == 0 {
            return Bytes::new();
        }
        Bytes::copy_from_slice(body.get(..self.keep_body).unwrap_or(body))
    }

    /// Enters a call; the oldest is forgotten if there is no more room.
    pub(crate) fn begin(self: &Arc<Self>, entry: Entry) -> Call {
        let mut ring = self.ring();
        ring.total += 1;
        let (epoch, number) = (ring.epoch, ring.total);
        let mut forgotten = None;
        if self.capacity > 0 {
            if ring.kept.len() >= self.capacity {
                forgotten = ring.kept.pop_front();
            }
            ring.kept.push_back(Kept {
                number,
                entry,
                status: None,
                ended: Ended::Open,
            });
        }
        drop(ring);
        drop(forgotten);
        self.changed.notify_waiters();
        Call {
            recorder: Arc::clone(self),
            epoch,
            number,
            is_over: false,
        }
    }

    fn update(&self, epoch: u64, number: u64, change: impl FnOnce(&mut Kept)) {
        let mut ring = self.ring();
        if ring.epoch == epoch
            && let Some(first) = ring.kept.front().map(|kept| kept.number)
            && let Some(index) = number
                .checked_sub(first)
                .and_then(|index| usize::try_from(index).ok())
            && let Some(kept) = ring.kept.get_mut(index)
        {
            change(kept);
        }
        drop(ring);
        self.changed.notify_waiters();
    }

    pub(crate) fn count(&self) -> u64 {
        self.ring().total
    }

    pub(crate) fn clear(&self) {
        let mut ring = self.ring();
        let epoch = ring.epoch + 1;
        let old = std::mem::replace(
            &mut *ring,
            Ring {
                epoch,
                ..Ring::default()
            },
        );
        drop(ring);
        drop(old);
        self.changed.notify_waiters();
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.ring().kept.iter().map(read).collect()
    }

    /// Waits for the next change; register before looking, so that none is missed.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }
}

fn read(kept: &Kept) -> Received {
    let entry = &kept.entry;
    Received {
        number: kept.number,
        method: entry.method.clone(),
        path: entry.path.clone(),
        headers: entry
            .headers
            .iter()
            .take(MAX_HEADERS)
            .map(|(name, value)| (name.as_str().to_owned(), shown(name.as_str(), value)))
            .collect(),
        wire: entry.wire,
        model: entry.model.clone(),
        stream: entry.stream,
        body: entry.body.clone(),
        body_bytes: entry.body_bytes,
        arrived: entry.arrived,
        since_start: entry.since_start,
        answered_by: match (&entry.decider, &entry.rule_name) {
            (Decider::Rule(_), Some(name)) => name.clone(),
            (Decider::Rule(index), None) => format!("rule {}", index + 1),
            (Decider::Default, _) => "default".to_owned(),
            (Decider::Limits, _) => "limits".to_owned(),
            (Decider::Refused, _) => "refused".to_owned(),
        },
        status: kept.status,
        ended: kept.ended,
    }
}

fn shown(name: &str, value: &HeaderValue) -> String {
    if SECRET.contains(&name) {
        return format!("[secret {:04x}]", seed::hash(0, value.as_bytes()) & 0xFFFF);
    }
    String::from_utf8_lossy(value.as_bytes())
        .chars()
        .take(MAX_HEADER_CHARS)
        .collect()
}

/// A call in progress; dropped before [`end`](Self::end), the caller has hung up.
#[must_use = "dropping it enters the call as hung up"]
pub(crate) struct Call {
    recorder: Arc<Recorder>,
    epoch: u64,
    pub number: u64,
    is_over: bool,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl Call {
    pub(crate) fn status(&self, status: u16) {
        self.recorder
            .update(self.epoch, self.number, |kept| kept.status = Some(status));
    }

    pub(crate) fn decided_by(&self, decider: Decider) {
        self.recorder
            .update(self.epoch, self.number, |kept| kept.entry.decider = decider);
    }

    pub(crate) fn end(mut self, ended: Ended) {
        self.is_over = true;
        self.recorder
            .update(self.epoch, self.number, |kept| kept.ended = ended);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.is_over {
            self.recorder
                .update(self.epoch, self.number, |kept| kept.ended = Ended::HungUp);
        }
    }
}
