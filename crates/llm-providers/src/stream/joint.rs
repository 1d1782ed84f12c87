//! Where the rest of an answer meets the part that the caller already has.
//!
//! Nothing is said twice and nothing is left out: what the caller has is compared with what comes,
//! byte for byte, and swallowed. An answer that says something else has [`Diverged`].

use super::translate::Stuck;
use crate::chat::{StreamEvent, Usage, chars};
use crate::prefill::Echo;
use std::sync::Arc;

/// The shortest text, in bytes, that tells an echo from a continuation that begins alike.
pub(crate) const MIN_ECHO_BYTES: usize = 16;

/// What of the text that the caller has is to come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Again {
    /// The part from this byte on: whatever else comes has diverged.
    From(usize),
    /// All of it or nothing: this much of it has come and is held back.
    Perhaps(usize),
    /// Nothing more.
    Nothing,
}

/// Lets pass what the caller does not have yet.
#[derive(Debug)]
pub(crate) struct Joint {
    text: Arc<str>,
    again: Again,
    /// Characters that the target does not count because it was given them.
    before: usize,
    /// Something has passed.
    passed: bool,
    /// Where the text went with the request, the tokens that the broken stream had reported.
    prefilled: Option<Usage>,
    /// The usage of the joined answer.
    usage: Usage,
}

impl Joint {
    /// The answer begins anew.
    pub(crate) fn replay(text: Arc<str>) -> Self {
        Self::new(text, Again::From(0), None)
    }

    /// The target was given the first `given` bytes of `text`; `before` is what the broken stream had
    /// reported of its tokens.
    pub(crate) fn prefilled(text: Arc<str>, given: usize, echo: Echo, before: Usage) -> Self {
        let again = match echo {
            Echo::No => Again::From(given),
            Echo::Perhaps => Again::Perhaps(0),
        };
        let counted = match echo {
            Echo::No => chars(text.get(..given).unwrap_or_default()),
            Echo::Perhaps => 0,
        };
        Self {
            before: counted,
            ..Self::new(text, again, Some(before))
        }
    }

    fn new(text: Arc<str>, again: Again, prefilled: Option<Usage>) -> Self {
        let mut joint = Self {
            text,
            again,
            before: 0,
            passed: false,
            prefilled,
            usage: Usage::default(),
        };
        joint.settle();
        joint
    }

    /// What the caller had.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of it that the target did not have to write.
    pub(crate) fn given_bytes(&self) -> usize {
        self.prefilled.map_or(0, |_| self.text.len())
    }

    /// Something has passed that the caller does not have.
    pub(crate) const fn has_passed(&self) -> bool {
        self.passed
    }

    /// The tokens of the joined answer.
    pub(crate) const fn usage(&self) -> Usage {
        self.usage
    }

    /// Takes out of `events` what the caller has.
    pub(crate) fn admit(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), Stuck> {
        let mut at = 0;
        while let Some(event) = events.get_mut(at) {
            let keep = match event {
                // The caller has a beginning, and the reasoning that led to it.
                StreamEvent::Start { .. }
                | StreamEvent::Thinking(_)
                | StreamEvent::ThinkingSignature(_)
                | StreamEvent::RedactedThinking(_) => false,
                StreamEvent::Text(text) => {
                    self.take(text)?;
                    !text.is_empty()
                }
                StreamEvent::Usage(usage) => {
                    self.count(usage);
                    true
                }
                StreamEvent::Citation(citation) => {
                    let counted = std::mem::take(citation);
                    *citation = counted.behind(self.before);
                    true
                }
                StreamEvent::End => true,
                StreamEvent::Refusal(_)
                | StreamEvent::ToolCall { .. }
                | StreamEvent::ToolArguments { .. }
                | StreamEvent::Finish { .. } => {
                    if let Again::From(_) = self.again {
                        return Err(Stuck::Diverged);
                    }
                    let held = self.release();
                    if !held.is_empty() {
                        events.insert(at, StreamEvent::Text(held));
                        at += 1;
                    }
                    true
                }
            };
            if keep {
                self.passed |= !matches!(
                    events.get(at),
                    Some(StreamEvent::Usage(_) | StreamEvent::Citation(_) | StreamEvent::End)
                        | None
                );
                at += 1;
            } else {
                events.remove(at);
            }
        }
        Ok(())
    }

    /// Takes from `text` what is said again.
    fn take(&mut self, text: &mut String) -> Result<(), Stuck> {
        let (Again::From(from) | Again::Perhaps(from)) = self.again else {
            return Ok(());
        };
        let known = self.text.as_bytes().get(from..).unwrap_or_default();
        let alike = known.len().min(text.len());
        if known.get(..alike) != text.as_bytes().get(..alike) {
            if let Again::Perhaps(_) = self.again {
                text.insert_str(0, &self.release());
                return Ok(());
            }
            return Err(Stuck::Diverged);
        }
        // The known text ends between two characters, and so does what equals it.
        text.drain(..alike);
        self.again = match self.again {
            Again::Perhaps(_) => Again::Perhaps(from + alike),
            _ => Again::From(from + alike),
        };
        self.settle();
        Ok(())
    }

    /// Nothing is left to come again.
    fn settle(&mut self) {
        if let Again::From(from) | Again::Perhaps(from) = self.again
            && from >= self.text.len()
        {
            self.again = Again::Nothing;
        }
    }

    /// What was held back turns out to be new.
    fn release(&mut self) -> String {
        let held = match self.again {
            Again::Perhaps(held) => self.text.get(..held).unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        self.again = Again::Nothing;
        held
    }

    /// Turns the tokens of the call into those of the joined answer: text that went with the request
    /// was counted as a part of the prompt, and is a part of the answer.
    fn count(&mut self, usage: &mut Usage) {
        if let Some(before) = self.prefilled {
            let estimate = estimate_tokens(&self.text);
            let given = match before.input_tokens {
                0 => estimate,
                prompt => usage.input_tokens.saturating_sub(prompt),
            };
            usage.input_tokens = usage.input_tokens.saturating_sub(given);
            usage.output_tokens = usage
                .output_tokens
                .saturating_add(given.max(before.output_tokens));
        }
        self.usage = *usage;
    }
}

/// Some four bytes a token.
pub(crate) fn estimate_tokens(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::FinishReason;
    use proptest::prelude::*;

    const TEXT: &str = "Grüße aus Paris — 你好 👩‍👩‍👧‍👦! Paris is the capital of France.";

    /// `text` in deltas that end at these characters.
    fn deltas(text: &str, cuts: &[usize]) -> Vec<StreamEvent> {
        let mut ends: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        ends.retain(|at| cuts.contains(at));
        ends.push(text.len());
        let mut from = 0;
        let mut events = Vec::new();
        for end in ends {
            if end > from {
                events.push(StreamEvent::Text(text[from..end].to_owned()));
                from = end;
            }
        }
        events.push(StreamEvent::Finish {
            reason: FinishReason::Stop,
            stop_sequence: None,
        });
        events
    }

    /// What passes, one event at a time; `None` where it diverged.
    fn pass(joint: &mut Joint, events: Vec<StreamEvent>) -> Option<String> {
        let mut out = String::new();
        for event in events {
            let mut events = vec![event];
            joint.admit(&mut events).ok()?;
            for event in events {
                if let StreamEvent::Text(text) = event {
                    assert!(!text.is_empty());
                    out.push_str(&text);
                }
            }
        }
        Some(out)
    }

    fn boundaries() -> Vec<usize> {
        let mut all: Vec<usize> = TEXT.char_indices().map(|(at, _)| at).collect();
        all.push(TEXT.len());
        all
    }

    proptest! {
        /// For every place of the break and any deltas, the caller has the exact whole text.
        #[test]
        fn a_replay_is_joined_without_a_seam(cuts in prop::collection::vec(0..TEXT.len(), 0..20)) {
            for cut in boundaries() {
                let mut joint = Joint::replay(TEXT[..cut].into());
                let rest = pass(&mut joint, deltas(TEXT, &cuts)).unwrap();
                prop_assert_eq!(format!("{}{rest}", &TEXT[..cut]), TEXT);
                prop_assert!(joint.has_passed());
            }
        }

        /// A target that was given the text goes on from it, whether or not it echoes what it was given.
        #[test]
        fn a_prefill_is_joined_without_a_seam(cuts in prop::collection::vec(0..TEXT.len(), 0..20)) {
            for cut in boundaries() {
                let had: Arc<str> = TEXT[..cut].into();
                let given = had.trim_end().len();
                let mut joint = Joint::prefilled(Arc::clone(&had), given, Echo::No, Usage::default());
                let shifted: Vec<usize> = cuts.iter().map(|at| at.saturating_sub(given)).collect();
                let rest = pass(&mut joint, deltas(&TEXT[given..], &shifted)).unwrap();
                prop_assert_eq!(format!("{}{rest}", had), TEXT);
                if cut < MIN_ECHO_BYTES {
                    continue;
                }
                for text in [TEXT, &TEXT[cut..]] {
                    let mut joint = Joint::prefilled(Arc::clone(&had), cut, Echo::Perhaps, Usage::default());
                    let rest = pass(&mut joint, deltas(text, &cuts)).unwrap();
                    prop_assert_eq!(format!("{}{rest}", had), TEXT);
                }
            }
        }

        /// An answer that differs anywhere in what the caller has is found out before a word passes.
        #[test]
        fn another_answer_diverges(cuts in prop::collection::vec(0..TEXT.len(), 0..20), at in 0usize..40) {
            let other: String = TEXT.chars().enumerate().map(|(nth, c)| if nth == at { 'X' } else { c }).collect();
            for cut in boundaries() {
                let mut joint = Joint::replay(TEXT[..cut].into());
                let rest = pass(&mut joint, deltas(&other, &cuts));
                let known = TEXT[..cut].chars().count();
                prop_assert_eq!(rest.is_none(), at < known, "cut {} at {}", cut, at);
            }
        }
    }

    #[test]
    fn an_answer_that_ends_too_soon_or_calls_a_tool_instead_diverges() {
        let mut joint = Joint::replay("Hello there".into());
        assert_eq!(pass(&mut joint, deltas("Hello", &[])), None);
        let mut joint = Joint::replay("Hello there".into());
        let call = StreamEvent::ToolCall {
            index: 0,
            id: String::new(),
            name: String::new(),
        };
        assert_eq!(pass(&mut joint, vec![call]), None);
        assert!(!joint.has_passed());
    }

    #[test]
    fn tokens_of_a_prefill_are_the_answers() {
        let usage = |input_tokens, output_tokens| Usage {
            input_tokens,
            output_tokens,
            ..Usage::default()
        };
        let joined = |before, told| {
            let mut joint = Joint::prefilled("a".repeat(40).into(), 40, Echo::No, before);
            let mut events = vec![StreamEvent::Usage(told)];
            joint.admit(&mut events).unwrap();
            assert_eq!(events, [StreamEvent::Usage(joint.usage())]);
            (joint.usage().input_tokens, joint.usage().output_tokens)
        };
        // The broken stream had told of its prompt, or not: then it is estimated.
        assert_eq!(joined(usage(100, 1), usage(112, 5)), (100, 17));
        assert_eq!(joined(usage(0, 0), usage(112, 5)), (102, 15));
        let mut joint = Joint::replay("a".repeat(40).into());
        joint.count(&mut usage(100, 30));
        assert_eq!(joint.usage().output_tokens, 30);
    }
}
