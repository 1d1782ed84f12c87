//! How many tokens a prompt has, before anybody who counts them has seen it.

use super::Call;

/// How the tokens of a prompt are estimated: for rate limits, windows and prices, before it is sent. The answer's own
/// count corrects it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Estimate {
    /// From the length of its text, as the scan of the body found it: [`Call::estimated_input_tokens`]. Costs nothing.
    #[default]
    Bytes,
    /// Counted with `o200k_base`, the vocabulary of OpenAI's models since GPT-4o: exact for their text, near for their
    /// tools, and for other models no more than a better estimate. Decodes the request in full and takes some
    /// milliseconds for each 100 KiB; of text beyond 256 KiB the share of the first 256 KiB is taken.
    #[cfg(feature = "tokenizer")]
    O200k,
}

impl Estimate {
    /// Every way, in this build.
    pub const ALL: &'static [Self] = &[
        Self::Bytes,
        #[cfg(feature = "tokenizer")]
        Self::O200k,
    ];

    /// The stable name, as used in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            #[cfg(feature = "tokenizer")]
            Self::O200k => "o200k",
        }
    }

    /// Whether a prompt of a model that counts in this way has as many tokens, and not only about as many.
    #[must_use]
    pub const fn is_counted(self) -> bool {
        !matches!(self, Self::Bytes)
    }

    /// The input tokens of a call.
    #[must_use]
    pub fn input_tokens(self, call: &Call) -> u32 {
        match self {
            Self::Bytes => call.estimated_input_tokens(),
            #[cfg(feature = "tokenizer")]
            Self::O200k => {
                count::input_tokens(call).unwrap_or_else(|| call.estimated_input_tokens())
            }
        }
    }
}

#[cfg(feature = "tokenizer")]
mod count {
    use super::super::scan::IMAGE_TOKENS;
    use crate::call::{Call, Purpose};
    use crate::chat::{Message, Part, Request, Source};
    use bpe_openai::Tokenizer;

    /// The role, and what marks its beginning and end: OpenAI's cookbook, "How to count tokens with tiktoken", read 2026-11-26.
    const MESSAGE_TOKENS: u64 = 4;
    /// The beginning of the answer, by the same page.
    const ANSWER_TOKENS: u64 = 3;
    /// What stands around a tool's description; not published, and near enough.
    const TOOL_TOKENS: u64 = 8;
    /// The most text that is counted.
    const MAX_BYTES: usize = 256 * 1024;

    /// `None` where the request cannot be decoded, or is no conversation.
    pub(super) fn input_tokens(call: &Call) -> Option<u32> {
        if call.purpose() != Purpose::Chat {
            return None;
        }
        let mut count = Count::default();
        count.request(call.chat().ok()?);
        Some(u32::try_from(count.total()).unwrap_or(u32::MAX))
    }

    #[derive(Default)]
    struct Count {
        /// Of text that was counted, and of what stands around it.
        tokens: u64,
        around: u64,
        counted_bytes: usize,
        /// Of text beyond what is counted.
        more_bytes: usize,
    }

    impl Count {
        fn request(&mut self, request: &Request) {
            self.around += ANSWER_TOKENS;
            for message in &request.messages {
                self.message(message);
            }
            for tool in &request.tools {
                self.around += TOOL_TOKENS;
                self.text(&tool.name);
                self.text(tool.description.as_deref().unwrap_or_default());
                self.text(&tool.parameters.to_string());
            }
        }

        fn message(&mut self, message: &Message) {
            self.around += MESSAGE_TOKENS;
            if let Some(name) = &message.name {
                self.around += 1;
                self.text(name);
            }
            for part in &message.parts {
                self.part(part);
            }
        }

        fn part(&mut self, part: &Part) {
            match part {
                Part::Text(text) => self.text(&text.text),
                Part::Image(_) => self.around += IMAGE_TOKENS,
                Part::Audio(audio) => self.binary(audio.data.len()),
                Part::Document(document) => match &document.source {
                    Source::Base64 { data, .. } => self.binary(data.len()),
                    Source::Url(_) | Source::FileId(_) => self.around += IMAGE_TOKENS,
                },
                Part::ToolCall(call) => {
                    self.around += TOOL_TOKENS;
                    self.text(&call.name);
                    self.text(&call.arguments);
                }
                Part::ToolResult(result) => {
                    self.around += TOOL_TOKENS;
                    for part in &result.parts {
                        self.part(part);
                    }
                }
                Part::Thinking(thinking) => self.text(&thinking.text),
                Part::Refusal(text) => self.text(text),
                Part::RedactedThinking(data) => self.binary(data.len()),
            }
        }

        /// As the estimate by bytes takes it.
        fn binary(&mut self, bytes: usize) {
            self.around += (bytes / 64) as u64;
        }

        fn text(&mut self, text: &str) {
            let room = MAX_BYTES.saturating_sub(self.counted_bytes);
            let (first, rest) = text.split_at(text.floor_char_boundary(room));
            self.more_bytes += rest.len();
            if !first.is_empty() {
                let vocabulary: &Tokenizer = bpe_openai::o200k_base();
                self.tokens += vocabulary.count(first) as u64;
                self.counted_bytes += first.len();
            }
        }

        fn total(&self) -> u64 {
            let more = (self.more_bytes as u64).saturating_mul(self.tokens)
                / (self.counted_bytes as u64).max(1);
            self.tokens.saturating_add(more).saturating_add(self.around)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Dialect;

    fn call(content: &str) -> Call {
        let body =
            serde_json::json!({"model": "m", "messages": [{"role": "user", "content": content}]});
        Call::parse(Dialect::OpenAiChat, body.to_string().into()).unwrap()
    }

    #[test]
    fn bytes_are_the_scan() {
        let call = call("Where is the Eiffel tower?");
        let estimate = Estimate::default();
        assert_eq!(estimate.input_tokens(&call), call.estimated_input_tokens());
        assert!(!estimate.is_counted());
    }

    #[cfg(feature = "tokenizer")]
    mod counted {
        use super::*;

        /// Of the text alone.
        fn tokens(text: &str) -> u32 {
            Estimate::O200k.input_tokens(&call(text)) - Estimate::O200k.input_tokens(&call(""))
        }

        #[test]
        fn text_is_counted_as_the_vocabulary_cuts_it() {
            for (text, expected) in [
                ("hello world", 2),
                // Three digits at a time.
                ("123456789", 3),
                // A run of blanks is one.
                ("a        b", 3),
            ] {
                assert_eq!(tokens(text), expected, "{text}");
            }
            assert_eq!(
                Estimate::O200k.input_tokens(&call("")),
                7,
                "one message and the beginning of the answer"
            );
        }

        #[test]
        fn it_is_nearer_than_a_quarter_of_the_bytes() {
            // One token for each Chinese word of two characters or six bytes, about, and none for most blanks of code.
            let chinese = "服务器为每个主机保留一个连接池。".repeat(20);
            let (counted, by_bytes) = (tokens(&chinese), call(&chinese).estimated_input_tokens());
            assert!(counted < by_bytes, "{counted} {by_bytes}");
        }

        #[test]
        fn of_a_long_text_the_rest_is_taken_for_the_like_of_its_beginning() {
            let word = "wave ";
            let (short, long) = (tokens(&word.repeat(50_000)), tokens(&word.repeat(400_000)));
            let ratio = f64::from(long) / f64::from(short);
            assert!((7.9..8.1).contains(&ratio), "{ratio}");
        }
    }
}
