//! How the events of a stream follow one another on the wire, and what a sign of life and a broken event look like
//! there.

use bytes::{Bytes, BytesMut};

use crate::script::Garbling;
use crate::wire::{Wire, bedrock, eventstream};

/// The grammar of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events without names, a comment as sign of life: OpenAI's chat completions.
    Chat,
    /// Named server-sent events: OpenAI's responses.
    Responses,
    /// Named server-sent events with `ping`: Anthropic's messages.
    Messages,
    /// Server-sent events without names: Gemini with `alt=sse`.
    Gemini,
    /// One JSON array, an element a chunk: Gemini without `alt=sse`.
    GeminiArray,
    /// Binary frames: Bedrock's Converse.
    Converse,
    /// Named server-sent events: Cohere's chat.
    Cohere,
    /// A line of JSON each: Ollama.
    Lines,
}

impl Framing {
    /// The grammar of a wire's streams, as the request's query chooses it.
    pub(crate) fn of(wire: Wire, query: Option<&str>) -> Self {
        let is_sse = || query.is_some_and(|query| query.split('&').any(|part| part == "alt=sse"));
        match wire {
            Wire::AnthropicMessages | Wire::VertexAnthropic => Self::Messages,
            Wire::GeminiGenerate | Wire::VertexGemini if is_sse() => Self::Gemini,
            Wire::GeminiGenerate | Wire::VertexGemini => Self::GeminiArray,
            Wire::OpenAiResponses => Self::Responses,
            Wire::BedrockConverse => Self::Converse,
            Wire::CohereChat => Self::Cohere,
            Wire::OllamaChat => Self::Lines,
            Wire::OpenAiChat
            | Wire::OpenAiEmbeddings
            | Wire::GeminiEmbeddings
            | Wire::VertexEmbeddings
            | Wire::BedrockEmbeddings
            | Wire::CohereEmbeddings
            | Wire::OllamaEmbeddings
            | Wire::Models => Self::Chat,
        }
    }

    pub(crate) const fn content_type(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses | Self::Messages => "text/event-stream; charset=utf-8",
            Self::Gemini | Self::Cohere => "text/event-stream",
            Self::GeminiArray => "application/json; charset=UTF-8",
            Self::Converse => "application/vnd.amazon.eventstream",
            Self::Lines => "application/x-ndjson",
        }
    }

    /// Whether its lines may end with carriage return and line feed.
    pub(crate) const fn has_lines(self) -> bool {
        !matches!(self, Self::Converse)
    }

    /// What a provider sends when its stream has nothing to say yet.
    pub(crate) const fn sign_of_life(self) -> Option<Bytes> {
        match self {
            Self::Converse | Self::Lines => None,
            Self::Chat | Self::Responses | Self::Gemini | Self::Cohere => {
                Some(Bytes::from_static(b": keep-alive\n\n"))
            }
            // White space between two elements means nothing.
            Self::GeminiArray => Some(Bytes::from_static(b"\n")),
            Self::Messages => Some(Bytes::from_static(
                b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
            )),
        }
    }

    /// An event that cannot be read, well framed; or, where events have checksums, one with a false one.
    pub(crate) fn broken_event(self, garbling: Garbling) -> Bytes {
        if garbling == Garbling::Stray {
            return self.stray_events();
        }
        Bytes::from_static(match self {
            Self::Converse if garbling == Garbling::Checksum => {
                return eventstream::with_false_checksum(&bedrock::lost_event());
            }
            Self::Converse => return self.shortened(&bedrock::lost_event()),
            Self::Chat => b"data: {\"id\":\"chatcmpl-broken\",\"choices\":[{\"ind\n\n",
            Self::Responses => {
                b"event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"seq\n\n"
            }
            Self::Gemini => b"data: {\"candidates\":[{\"cont\n\n",
            Self::GeminiArray => b"\n,\n{\"candidates\":[{\"cont",
            Self::Messages => {
                b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"ind\n\n"
            }
            Self::Cohere => {
                b"event: content-delta\ndata: {\"type\":\"content-delta\",\"ind\n\n"
            }
            Self::Lines => b"{\"model\":\"broken\",\"mess\n",
        })
    }

    /// Events that hold no part of an answer and are none of the wire's.
    fn stray_events(self) -> Bytes {
        Bytes::from_static(match self {
            Self::Converse => return eventstream::encode(&[], b""),
            // White space between two elements means nothing.
            Self::GeminiArray => b"\n",
            Self::Lines => b"OK\nnull\nundefined\nping\n",
            Self::Chat | Self::Gemini | Self::Responses | Self::Messages | Self::Cohere => {
                b"data: OK\n\ndata: null\n\ndata: undefined\n\ndata:\n\nevent: heartbeat\ndata: {\"up\n\n"
            }
        })
    }

    /// An error body as an event, where that is all there is to it.
    pub(crate) fn error_event(self, body: &Bytes) -> Bytes {
        let (head, tail): (&[u8], &[u8]) = match self {
            Self::Messages => (b"event: error\ndata: ", b"\n\n"),
            Self::Lines => (b"", b"\n"),
            _ => (b"data: ", b"\n\n"),
        };
        Bytes::from([head, body, tail].concat())
    }

    /// The same event with broken JSON in it.
    pub(crate) fn shortened(self, event: &Bytes) -> Bytes {
        let short = |event: &Bytes| event.slice(..event.len() * 2 / 3);
        match self {
            Self::GeminiArray => short(event),
            Self::Converse => eventstream::with_payload(event, short),
            Self::Lines => Bytes::from([&short(event), &b"\n"[..]].concat()),
            _ => Bytes::from([&short(event), &b"\n\n"[..]].concat()),
        }
    }

    /// The same event with bytes in its text that are no UTF-8.
    pub(crate) fn spoilt(self, event: &Bytes) -> Bytes {
        match self {
            Self::Converse => eventstream::with_payload(event, spoil),
            _ => spoil(event),
        }
    }
}

/// Puts two bytes that UTF-8 does not know into the last text of a JSON document: behind the quote that begins the value
/// of a content key, or at the middle if there is none.
pub(crate) fn spoil(body: &Bytes) -> Bytes {
    let key = [
        &b"\"content\":\""[..],
        b"\"text\":\"",
        b"\"delta\":\"",
        b"\"arguments\":\"",
        b"\"partial_json\":\"",
        b"\"refusal\":\"",
    ]
    .into_iter()
    .find_map(|key| {
        body.windows(key.len())
            .rposition(|window| window == key)
            .map(|at| at + key.len())
    });
    let at = key.unwrap_or(body.len() / 2);
    let mut spoilt = BytesMut::with_capacity(body.len() + 2);
    spoilt.extend_from_slice(&body.slice(..at));
    spoilt.extend_from_slice(&[0xFF, 0xFE]);
    spoilt.extend_from_slice(&body.slice(at..));
    spoilt.freeze()
}

/// Replaces line feeds by carriage return and line feed.
pub(crate) fn crlf(bytes: &Bytes) -> Bytes {
    let mut longer = BytesMut::with_capacity(bytes.len() + 4);
    for &byte in bytes {
        if byte == b'\n' {
            longer.extend_from_slice(b"\r");
        }
        longer.extend_from_slice(&[byte]);
    }
    longer.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spoilt_text_is_not_utf8() {
        let spoilt = spoil(&Bytes::from_static(b"{\"content\":\"hello\"}"));
        assert!(std::str::from_utf8(&spoilt).is_err());
        assert_eq!(spoilt.len(), 21);
    }
}
