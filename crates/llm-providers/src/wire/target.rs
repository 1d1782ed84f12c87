//! What a wire must offer so that targets who speak it can be called.

use crate::chat::{Reply, Request, StreamEvent};
use crate::codec::{Encoded, Untranslatable};
use crate::embedding::Embedder;
use crate::framing::Framing;
use crate::openai::Quirks;
use crate::stream::{Facts, Glance};
use http::HeaderMap;
use std::fmt;

/// What an encoder must know of the target beside the wire.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Terms<'a> {
    /// The model's name there.
    pub(crate) model: &'a str,
    /// How the provider differs from OpenAI, where it speaks that wire.
    pub(crate) quirks: Quirks,
    /// Output tokens to ask for where the wire demands a number and the caller gave none.
    pub(crate) default_max_tokens: u32,
    /// The same where the provider counts what could be written against a quota; `None` where it does not, or nothing is
    /// known of the model.
    pub(crate) quota_max_tokens: Option<u32>,
    /// The model is hosted on Vertex, where a wire may differ a little from its provider's own.
    pub(crate) on_vertex: bool,
    /// The model is hosted by the maker of the wire, Anthropic.
    pub(crate) at_home: bool,
}

/// A wire as targets speak it.
pub(crate) trait Target: Sync {
    /// Where `model` is called: `base` has no slash at its end; `stream` tells which of the two,
    /// where whole and streamed answers have addresses of their own.
    fn address(&self, base: &str, model: &str, stream: bool) -> String;

    /// Adds what every request of this wire must carry.
    fn add_headers(&self, _headers: &mut HeaderMap) {}

    /// Writes a request.
    fn encode(&self, request: &Request, terms: &Terms<'_>) -> Encoded;

    /// Reads a whole answer. `None` where its shape is not the wire's, or where it holds more than the
    /// neutral form can say.
    fn decode(&self, body: &[u8]) -> Option<Reply>;

    /// Looks at a whole answer and notes what it tells. `Glance::Life` is one without content.
    fn glance(&self, body: &[u8], facts: &mut Facts) -> Glance;

    /// How `model`'s vectors are asked for, where this wire has a way of its own for them.
    fn embedder(&self, _model: &str, _on_vertex: bool) -> Option<&'static dyn Embedder> {
        None
    }

    /// How a streamed answer is cut into events.
    fn framing(&self) -> Framing {
        Framing::Sse
    }

    /// Whether an event of this name can hold a part of the answer; `None` where its name does not tell.
    fn carries(&self, _name: &[u8]) -> Option<bool> {
        None
    }

    /// Starts reading a streamed answer.
    fn reader(&self) -> Box<dyn Reader>;
}

/// False of an event that has no name, and of the standard's word for one
/// (<https://html.spec.whatwg.org/multipage/server-sent-events.html>).
pub(crate) const fn is_named(name: &[u8]) -> bool {
    !matches!(name, b"" | b"message")
}

/// Reads a target's stream so that it can be said in another dialect. Each event is met once, in
/// order.
pub(crate) trait Reader: fmt::Debug + Send {
    /// Reads one event, by name and data: notes what it tells in `facts`, and appends what it says to `out`. The end
    /// marker says nothing. What the neutral form does not know and a caller can do without, such as sources without an
    /// address, is named in the facts.
    ///
    /// What cannot be said in any other dialect is an error: left out, it would shorten the answer
    /// unseen.
    fn read(
        &mut self,
        name: &[u8],
        data: &[u8],
        facts: &mut Facts,
        out: &mut Vec<StreamEvent>,
    ) -> Result<Glance, Untranslatable>;

    /// The field, in quotes, that comes with each text and holds an object which can be read by itself; none
    /// usually.
    fn aside(&self) -> Option<&'static [u8]> {
        None
    }

    /// Reads that object and appends what it says; false where it is not of its shape.
    fn read_aside(
        &mut self,
        _json: &[u8],
        _facts: &mut Facts,
        _out: &mut Vec<StreamEvent>,
    ) -> bool {
        false
    }

    /// Takes a text whose event was told by its bytes and not read; false where it must be read.
    fn take_text(&mut self, text: &str) -> bool;

    /// True once the answer's finish reason has come.
    fn is_complete(&self) -> bool;
}
