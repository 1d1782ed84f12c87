//! The ways in which a call can go wrong.

use std::time::Duration;

use crate::preset::Preset;

/// What happens to a call instead of a good answer.
///
/// Where a fault takes an optional duration, `None` is for ever (until the caller hangs up), and a given duration is a
/// delay after which the answer goes on as if nothing had been.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// A reply of one's own making.
    Reply(Reply),
    /// A provider's typical error, in the shape of the wire that was asked.
    Preset(Preset),
    /// The request is taken in and nothing is sent, not even headers.
    Hang(Option<Duration>),
    /// Headers are sent (200), then nothing: no first token.
    Silence(Option<Duration>),
    /// The answer begins and stands still after so many content chunks (0: after the opening events).
    Stall {
        /// Content chunks sent before the silence; a whole reply stands still in its middle.
        after_chunks: usize,
        /// How long; `None` is for ever.
        lasting: Option<Duration>,
    },
    /// The connection is torn down with a TCP reset (`SO_LINGER` 0).
    Reset(At),
    /// The connection is closed in order (FIN) without a reply.
    Close,
    /// The answer ends too early.
    Cut {
        /// Where it ends.
        at: At,
        /// Whether the HTTP message itself is left broken.
        end: CutEnd,
    },
    /// A stream in which all is said and only the end marker is missing (the last event of its proper end); the HTTP message
    /// ends in order. A whole reply is left alone.
    NoEnd,
    /// A 200 with nothing in it.
    Empty(Blank),
    /// A 200 that cannot be read as it should.
    Garbled(Garbling),
    /// An error object inside a stream opened with 200; in a whole reply, the error object with status 200.
    ErrorEvent {
        /// Content chunks sent before it.
        after_chunks: usize,
        /// Which error.
        preset: Preset,
    },
}

impl Fault {
    /// Whether the fault strikes before the request is looked at, so that even a bad request meets it.
    pub(crate) const fn is_blind(&self) -> bool {
        matches!(
            self,
            Self::Reply(_) | Self::Preset(_) | Self::Hang(_) | Self::Close | Self::Reset(At::Start)
        )
    }
}

/// A place in an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum At {
    /// Before anything is sent.
    Start,
    /// After so many content chunks (words) of a stream; opening events do not count. A whole reply is struck in its middle.
    Chunks(usize),
    /// After so many bytes of the body.
    Bytes(usize),
}

/// How an answer that is cut off ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutEnd {
    /// The connection closes in the middle of the HTTP message: the promised length or the last chunk never comes.
    Abort,
    /// The HTTP message ends in order, but the answer has no finish reason and no end marker.
    Clean,
}

/// In which sense a 200 is empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Blank {
    /// A proper answer without content.
    Content,
    /// A body of zero bytes.
    Body,
}

/// In which sense a 200 is garbled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Garbling {
    /// Whole: JSON broken off in the middle, with an honest length. Streamed: one content event is broken JSON, its text lost.
    Json,
    /// Bytes that are not UTF-8 inside the text.
    Utf8,
    /// Streamed: one extra malformed event among good ones, no text lost. Whole: as [`Garbling::Json`].
    Event,
    /// Streamed: extra events among good ones that are no events of the wire, as proxies write them to keep a connection awake; no
    /// text lost. Whole: as [`Garbling::Json`].
    Stray,
    /// As [`Garbling::Event`], with good JSON but a false checksum where events have one (Bedrock).
    Checksum,
    /// A page of HTML with status 200.
    Html,
}

/// A reply of one's own making.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Option<String>,
}

impl Reply {
    /// A status, with a plain error body in the shape of the wire that was asked. Add headers with [`Rule::response_header`](crate::Rule::response_header).
    #[must_use]
    pub const fn new(status: u16) -> Self {
        Self { status, body: None }
    }

    /// Sets the body, sent as it stands; its `content-type` is guessed from its first character unless a header says it.
    #[must_use]
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = Some(body.into());
        self
    }
}
