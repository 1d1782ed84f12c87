//! One rule of a script: whom it concerns, and what becomes of them.

use std::ops::RangeInclusive;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::fault::{Fault, Reply};
use super::{MAX_TEXT_BYTES, MAX_WAIT, MAX_WORDS};
use crate::preset::Preset;
use crate::wire::Wire;

/// Signs of life come no faster than this.
const MIN_KEEP_ALIVE: Duration = Duration::from_millis(10);

/// How fast an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Pace {
    /// Wait before the response headers.
    pub latency: Duration,
    /// Further wait before the first content chunk.
    pub first_token: Duration,
    /// Wait before every further content chunk. A whole reply takes as long as its stream would.
    pub per_chunk: Duration,
}

impl Pace {
    /// No waits at all.
    pub const NONE: Self = Self {
        latency: Duration::ZERO,
        first_token: Duration::ZERO,
        per_chunk: Duration::ZERO,
    };

    /// Sets the wait before the response headers.
    #[must_use]
    pub const fn latency(mut self, wait: Duration) -> Self {
        self.latency = wait;
        self
    }

    /// Sets the wait before the first content chunk.
    #[must_use]
    pub const fn first_token(mut self, wait: Duration) -> Self {
        self.first_token = wait;
        self
    }

    /// Sets the wait before every further content chunk.
    #[must_use]
    pub const fn per_chunk(mut self, wait: Duration) -> Self {
        self.per_chunk = wait;
        self
    }

    pub(super) fn check(&self) -> Result<(), String> {
        [self.latency, self.first_token, self.per_chunk]
            .into_iter()
            .try_for_each(check_wait)
    }
}

/// The reason given for an answer's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Finish {
    /// The model was done: `stop`, `end_turn`.
    Stop,
    /// The token limit was hit: `length`, `max_tokens`.
    Length,
    /// A filter stepped in: `content_filter`, `refusal`.
    ContentFilter,
}

/// Whom a rule concerns and what becomes of them. All conditions must hold; a rule without any concerns every call that
/// generates something (not the list of models, unless [`wire`](Self::wire) says so).
///
/// Calls are counted per rule: the first call that reaches the rule and meets its fixed conditions (wire, path, model,
/// stream, header, time) is its call 1, whether or not `calls`, `every` and `rate` then let it through. What earlier rules
/// took is not counted, so rules can follow one another: `calls(1..=2)` of the first, then `calls(1..=3)` of the second.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a rule does nothing until it is part of a script"]
pub struct Rule {
    pub(crate) name: Option<String>,
    pub(crate) wires: Vec<Wire>,
    pub(crate) path: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
    pub(crate) calls: RangeInclusive<u64>,
    pub(crate) every: u64,
    pub(crate) rate: f64,
    pub(crate) from: Duration,
    pub(crate) until: Option<Duration>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: Option<String>,
    pub(crate) words: Option<usize>,
    pub(crate) thinking: Option<String>,
    pub(crate) refusal: Option<String>,
    pub(crate) tool: Option<String>,
    pub(crate) finish: Option<Finish>,
    pub(crate) pace: Option<Pace>,
    pub(crate) drip: Option<Duration>,
    pub(crate) split: Option<usize>,
    pub(crate) keep_alive: Option<Duration>,
    pub(crate) crlf: bool,
    pub(crate) fault: Option<Fault>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) response_headers: Vec<(String, String)>,
}

impl Default for Rule {
    fn default() -> Self {
        Self::new()
    }
}

impl Rule {
    /// A rule that concerns every generating call and changes nothing.
    pub const fn new() -> Self {
        Self {
            name: None,
            wires: Vec::new(),
            path: None,
            model: None,
            stream: None,
            calls: 1..=u64::MAX,
            every: 1,
            rate: 1.0,
            from: Duration::ZERO,
            until: None,
            headers: Vec::new(),
            text: None,
            words: None,
            thinking: None,
            refusal: None,
            tool: None,
            finish: None,
            pace: None,
            drip: None,
            split: None,
            keep_alive: None,
            crlf: false,
            fault: None,
            retry_after: None,
            response_headers: Vec::new(),
        }
    }

    /// Names the rule; the record shows the name of the rule that answered a call. Default: its place, as `rule 2`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Concerns calls on this wire; said more than once, on any of these wires.
    pub fn wire(mut self, wire: Wire) -> Self {
        self.wires.push(wire);
        self
    }

    /// Concerns calls whose path begins with this prefix: several virtual providers on one port.
    pub fn path(mut self, prefix: impl Into<String>) -> Self {
        self.path = Some(prefix.into());
        self
    }

    /// Concerns calls for this model.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// Concerns streamed calls only.
    pub const fn streamed(mut self) -> Self {
        self.stream = Some(true);
        self
    }

    /// Concerns calls that ask for a whole reply only.
    pub const fn whole(mut self) -> Self {
        self.stream = Some(false);
        self
    }

    /// Concerns the n-th to m-th call, counted from 1, both included.
    pub const fn calls(mut self, calls: RangeInclusive<u64>) -> Self {
        self.calls = calls;
        self
    }

    /// Concerns every n-th call: of 3, the calls 3, 6, 9…
    pub const fn every(mut self, n: u64) -> Self {
        self.every = n;
        self
    }

    /// Concerns this share of calls, `0.0..=1.0`, chosen by the seed and the call's number: the same calls in every run.
    pub const fn rate(mut self, share: f64) -> Self {
        self.rate = share;
        self
    }

    /// Concerns calls that arrive from then on, measured from the simulator's start (or last reset, or last change of script).
    pub const fn from(mut self, from: Duration) -> Self {
        self.from = from;
        self
    }

    /// Concerns calls that arrive before then, measured as in [`from`](Self::from).
    pub const fn until(mut self, until: Duration) -> Self {
        self.until = Some(until);
        self
    }

    /// Concerns calls that carry this header with exactly this value.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers
            .push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Sets the text of the answer.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets the length of the made-up answer.
    pub const fn words(mut self, words: usize) -> Self {
        self.words = Some(words);
        self
    }

    /// Makes the model think aloud before it answers, on wires that show it. In a stream the events of the thinking count
    /// as content chunks.
    pub fn thinking(mut self, text: impl Into<String>) -> Self {
        self.thinking = Some(text.into());
        self
    }

    /// Makes the model refuse with this text, as the wire expresses it.
    pub fn refusal(mut self, text: impl Into<String>) -> Self {
        self.refusal = Some(text.into());
        self
    }

    /// Makes the model call this tool, if the request offers it.
    pub fn tool(mut self, name: impl Into<String>) -> Self {
        self.tool = Some(name.into());
        self
    }

    /// Sets the reason given for the answer's end.
    pub const fn finish(mut self, finish: Finish) -> Self {
        self.finish = Some(finish);
        self
    }

    /// Sets how fast the answer comes, whatever the script says.
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.pace = Some(pace);
        self
    }

    /// Sends the body one byte at a time, with this wait between two (zero is allowed): characters of more than one byte
    /// are split.
    pub const fn drip(mut self, wait: Duration) -> Self {
        self.drip = Some(wait);
        self
    }

    /// Sends the body in pieces of so many bytes (at least one), whatever events or characters they cut through; with
    /// [`drip`](Self::drip) these are what it waits between. An event's last piece may be shorter.
    pub const fn split(mut self, bytes: usize) -> Self {
        self.split = Some(bytes);
        self
    }

    /// Sends a sign of life into a stream during every wait, so often (at least 10 ms): a comment line where
    /// streams are server-sent events, a `ping` on Anthropic's wire, white space in a JSON array, nothing elsewhere. A
    /// caller that takes these for progress never times out.
    pub const fn keep_alive(mut self, every: Duration) -> Self {
        self.keep_alive = Some(every);
        self
    }

    /// Ends the lines of a stream with carriage return and line feed, which the format allows.
    pub const fn crlf(mut self) -> Self {
        self.crlf = true;
        self
    }

    /// Lets the call go wrong.
    pub fn fault(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Answers with a provider's typical error. Short for [`fault`](Self::fault) with [`Fault::Preset`].
    pub fn preset(self, preset: Preset) -> Self {
        self.fault(Fault::Preset(preset))
    }

    /// Answers with a bare status. Short for [`fault`](Self::fault) with [`Fault::Reply`].
    pub fn status(self, status: u16) -> Self {
        self.fault(Fault::Reply(Reply::new(status)))
    }

    /// States a wait: in the header `retry-after` in seconds (rounded up; with `retry-after-ms` if it is not whole), or,
    /// where the provider has none, in the body of its error.
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Adds a response header, replacing the simulator's own of that name.
    pub fn response_header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.response_headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.0..=1.0).contains(&self.rate) {
            return Err(format!("rate = {}; it must lie in 0.0..=1.0", self.rate));
        }
        if self.every == 0 {
            return Err("every = 0; it must be at least 1".to_owned());
        }
        if *self.calls.start() == 0 || self.calls.is_empty() {
            return Err(format!(
                "calls = \"{}..{}\"; calls count from 1 upwards",
                self.calls.start(),
                self.calls.end()
            ));
        }
        if self.until.is_some_and(|until| until <= self.from) {
            return Err("`until` must be later than `from`".to_owned());
        }
        if self.words.is_some_and(|words| words > MAX_WORDS) {
            return Err(format!("words; at most {MAX_WORDS} are allowed"));
        }
        let texts = [&self.text, &self.thinking, &self.refusal]
            .into_iter()
            .flatten();
        if texts
            .chain(self.fault.iter().filter_map(body_of))
            .any(|text| text.len() > MAX_TEXT_BYTES)
        {
            return Err(format!("a text is longer than {MAX_TEXT_BYTES} bytes"));
        }
        if self.split == Some(0) {
            return Err("split = 0; a piece has at least one byte".to_owned());
        }
        if self.keep_alive.is_some_and(|every| every < MIN_KEEP_ALIVE) {
            return Err("keep_alive must be at least 10ms".to_owned());
        }
        if let Some(pace) = &self.pace {
            pace.check()?;
        }
        for wait in [self.drip, self.retry_after, self.until, Some(self.from)]
            .into_iter()
            .flatten()
        {
            check_wait(wait)?;
        }
        if let Some(Fault::Reply(reply)) = &self.fault
            && !(200..=599).contains(&reply.status)
        {
            return Err(format!(
                "status = {}; it must lie in 200..=599",
                reply.status
            ));
        }
        if let Some(
            Fault::Hang(Some(wait))
            | Fault::Silence(Some(wait))
            | Fault::Stall {
                lasting: Some(wait),
                ..
            },
        ) = &self.fault
        {
            check_wait(*wait)?;
        }
        for (name, value) in &self.response_headers {
            let fine = HeaderName::try_from(name.as_str()).is_ok()
                && HeaderValue::try_from(value.as_str()).is_ok();
            if !fine {
                return Err(format!("`{name}` is not a header that HTTP allows"));
            }
        }
        Ok(())
    }

    /// Whether the fixed conditions hold; `calls`, `every` and `rate` are judged by the caller, who counts.
    pub(crate) fn concerns(&self, moment: &Moment<'_>) -> bool {
        let wire = if self.wires.is_empty() {
            moment.wire != Wire::Models
        } else {
            self.wires.contains(&moment.wire)
        };
        wire && self
            .path
            .as_ref()
            .is_none_or(|prefix| moment.path.starts_with(prefix.as_str()))
            && self
                .model
                .as_deref()
                .is_none_or(|model| moment.model == Some(model))
            && self.stream.is_none_or(|stream| stream == moment.stream)
            && moment.since_start >= self.from
            && self.until.is_none_or(|until| moment.since_start < until)
            && self.headers.iter().all(|(name, value)| {
                moment
                    .headers
                    .get_all(name.as_str())
                    .iter()
                    .any(|found| found.as_bytes() == value.as_bytes())
            })
    }
}

/// What the fixed conditions of a rule look at.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub wire: Wire,
    pub path: &'a str,
    pub model: Option<&'a str>,
    pub stream: bool,
    pub since_start: Duration,
    pub headers: &'a HeaderMap,
}

fn body_of(fault: &Fault) -> Option<&String> {
    match fault {
        Fault::Reply(reply) => reply.body.as_ref(),
        _ => None,
    }
}

fn check_wait(wait: Duration) -> Result<(), String> {
    if wait > MAX_WAIT {
        return Err("a duration above one hour; a wait without end is \"forever\"".to_owned());
    }
    Ok(())
}
