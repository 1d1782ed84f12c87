//! The tool calls of a stream, looked at when it says that it is finished.
//!
//! The caller has nearly all of a call by then, so nobody else can be asked. One whose arguments are no JSON object,
//! though the answer says that it is finished, is a cut answer: it gets the error in place of its end. What else is
//! wrong with a call counts on the target's quality, and the answer is not kept.

use bytes::{Bytes, BytesMut};
use llm_providers::{Dialect, chat, form};

/// The longest stream that is looked at: 1 MiB. The calls of a longer one are taken as they come.
const MAX_BYTES: usize = 1 << 20;

/// The bytes of one stream, up to its end.
#[derive(Debug)]
pub(crate) struct Calls {
    dialect: Dialect,
    kept: BytesMut,
}

impl Calls {
    pub(crate) fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            kept: BytesMut::new(),
        }
    }

    /// Adds the next bytes; whether there is room for them.
    pub(crate) fn push(&mut self, bytes: &Bytes) -> bool {
        let fits = self.kept.len() + bytes.len() <= MAX_BYTES;
        if fits {
            self.kept.extend_from_slice(bytes);
        }
        fits
    }

    /// True where the stream names a call. An answer in words alone needs no second reading.
    pub(crate) fn are_there(&self) -> bool {
        let name = match self.dialect {
            Dialect::OpenAiChat => "\"tool_calls\"",
            Dialect::OpenAiResponses => "\"function_call\"",
            Dialect::AnthropicMessages => "\"tool_use\"",
            _ => return true,
        };
        std::str::from_utf8(&self.kept).is_ok_and(|text| text.contains(name))
    }

    /// The answer as a whole; `None` as long as it has no finish reason, and where it holds more than the neutral form
    /// can say.
    pub(crate) fn reply(&self) -> Option<chat::Reply> {
        form::decode_stream(self.dialect, &self.kept)
    }
}
