//! All rules, compiled once: codes by hash, phrases by the word they begin with.

use crate::evidence::RuleId;
use crate::kind::ErrorKind;
use crate::lexicon::Lexicon;
use crate::pattern::{MAX_CAPTURES, Pattern};
use crate::provider::Provider;
use crate::rule::{Kinds, Outcome, Rank, Rule, RuleError, Signal, TextRule, code_key, parse};
use crate::text::Text;

/// The built-in rules files: name and content. Dialects first: their text rules win over the
/// general ones.
pub(crate) const FILES: &[(&str, &str)] = &[
    ("openai", include_str!("../dialects/openai.txt")),
    ("azure_openai", include_str!("../dialects/azure_openai.txt")),
    ("anthropic", include_str!("../dialects/anthropic.txt")),
    ("gemini", include_str!("../dialects/gemini.txt")),
    ("vertex", include_str!("../dialects/vertex.txt")),
    ("bedrock", include_str!("../dialects/bedrock.txt")),
    ("mistral", include_str!("../dialects/mistral.txt")),
    ("cohere", include_str!("../dialects/cohere.txt")),
    ("groq", include_str!("../dialects/groq.txt")),
    ("together", include_str!("../dialects/together.txt")),
    ("fireworks", include_str!("../dialects/fireworks.txt")),
    ("deepseek", include_str!("../dialects/deepseek.txt")),
    ("xai", include_str!("../dialects/xai.txt")),
    ("openrouter", include_str!("../dialects/openrouter.txt")),
    ("perplexity", include_str!("../dialects/perplexity.txt")),
    ("ollama", include_str!("../dialects/ollama.txt")),
    ("vllm", include_str!("../dialects/vllm.txt")),
    ("llamacpp", include_str!("../dialects/llamacpp.txt")),
    ("huggingface", include_str!("../dialects/huggingface.txt")),
    ("github_models", include_str!("../dialects/github_models.txt")),
    ("moonshot", include_str!("../dialects/moonshot.txt")),
    ("qwen_dashscope", include_str!("../dialects/qwen_dashscope.txt")),
    ("zhipu", include_str!("../dialects/zhipu.txt")),
    ("siliconflow", include_str!("../dialects/siliconflow.txt")),
    ("nvidia_nim", include_str!("../dialects/nvidia_nim.txt")),
    ("cerebras", include_str!("../dialects/cerebras.txt")),
    ("sambanova", include_str!("../dialects/sambanova.txt")),
    ("replicate", include_str!("../dialects/replicate.txt")),
    ("general", include_str!("../dialects/general.txt")),
];

/// Words that code asks for by itself.
#[derive(Clone, Copy)]
pub(crate) struct Marks {
    pub(crate) limit: u16,
    pub(crate) millisecond: u16,
    pub(crate) second: u16,
    pub(crate) minute: u16,
    pub(crate) hour: u16,
    pub(crate) day: u16,
    /// Words that lead to a wait: in, after, for, within.
    pub(crate) lead: [u16; 6],
    /// Words that make it one: retry, again, wait, reset, available.
    pub(crate) cause: [u16; 6],
    pub(crate) last: u16,
    pub(crate) per: u16,
}

/// Every rule, ready to be asked.
#[derive(Clone)]
pub(crate) struct Dictionary {
    pub(crate) lexicon: Lexicon,
    pub(crate) marks: Marks,
    /// Buckets of codes, a power of two.
    codes: Vec<Vec<(u64, Option<Provider>, Signal)>>,
    finishes: Vec<(u64, ErrorKind)>,
    texts: Vec<TextRule>,
    /// For each word the text rules that begin with it, as bits.
    by_word: Vec<u64>,
    limits: Vec<Pattern>,
    asked: Vec<Pattern>,
    allowances: Vec<Pattern>,
    spans: Vec<Pattern>,
    refusals: Vec<Pattern>,
    /// Where each rule stands; rule 0 is none.
    sources: Vec<RuleId>,
}

impl Dictionary {
    const BUCKETS: usize = 1024;

    /// The built-in rules, with `user` rules before them.
    pub(crate) fn new(user: &[&str]) -> Result<Self, RuleError> {
        let mut dictionary = Self::empty();
        dictionary.codes = vec![Vec::new(); Self::BUCKETS];
        for text in user {
            dictionary.add("user", text)?;
        }
        for (file, text) in FILES {
            // A test reads every built-in line, so nothing is lost here.
            let _ = dictionary.add(file, text);
        }
        dictionary.index();
        Ok(dictionary)
    }

    /// No rules at all: status and structure of answers alone.
    pub(crate) fn empty() -> Self {
        let mut lexicon = Lexicon::new();
        let marks = Marks::new(&mut lexicon);
        Self {
            lexicon,
            marks,
            codes: Vec::new(),
            finishes: Vec::new(),
            texts: Vec::new(),
            by_word: Vec::new(),
            limits: Vec::new(),
            asked: Vec::new(),
            allowances: Vec::new(),
            spans: Vec::new(),
            refusals: Vec::new(),
            sources: vec![RuleId { file: "", line: 0 }],
        }
    }

    fn add(&mut self, file: &'static str, text: &str) -> Result<(), RuleError> {
        let mut dialect = None;
        for (index, line) in text.lines().enumerate() {
            let number = u16::try_from(self.sources.len()).unwrap_or(0);
            let fail = |reason| RuleError {
                line: index + 1,
                reason,
            };
            let Some(rule) = parse(line, number, &mut dialect, &mut self.lexicon).map_err(fail)? else {
                continue;
            };
            self.sources.push(RuleId {
                file,
                line: u16::try_from(index + 1).unwrap_or(u16::MAX),
            });
            match rule {
                Rule::Code(key, provider, signal) => {
                    if let Some(bucket) = self.codes.get_mut(Self::bucket(key)) {
                        bucket.push((key, provider, signal));
                    }
                }
                Rule::Finish(key, kind) => self.finishes.push((key, kind)),
                Rule::Text(rule) => self.texts.push(rule),
                Rule::Limit(pattern) => self.limits.push(pattern),
                Rule::Asked(pattern) => self.asked.push(pattern),
                Rule::Allowance(pattern) => self.allowances.push(pattern),
                Rule::Span(pattern) => self.spans.push(pattern),
                Rule::Refusal(pattern) => self.refusals.push(pattern),
            }
        }
        Ok(())
    }

    #[expect(clippy::cast_possible_truncation, reason = "the top 10 bits always fit")]
    const fn bucket(key: u64) -> usize {
        (key >> 54) as usize
    }

    /// Numbers of 64 text rules.
    fn blocks(&self) -> usize {
        self.texts.len().div_ceil(64)
    }

    fn index(&mut self) {
        let blocks = self.blocks();
        let mut by_word = vec![0; self.lexicon.len() * blocks];
        for (number, rule) in self.texts.iter().enumerate() {
            for word in rule.pattern.anchors() {
                if let Some(bits) = by_word.get_mut(usize::from(word) * blocks + number / 64) {
                    *bits |= 1_u64 << (number % 64);
                }
            }
        }
        self.by_word = by_word;
    }

    /// What a code says: to this provider first, then to all. A dotted code is looked up whole,
    /// then by its last and its first part.
    pub(crate) fn code(&self, provider: Provider, raw: &[u8]) -> Option<Signal> {
        let raw = raw.split(|byte| *byte == b':').next().unwrap_or(raw);
        if let Some(signal) = self.whole_code(provider, raw) {
            return Some(signal);
        }
        if raw.contains(&b'.') {
            let last = raw.rsplit(|byte| *byte == b'.').next();
            let first = raw.split(|byte| *byte == b'.').next();
            return last
                .and_then(|part| self.whole_code(provider, part))
                .or_else(|| first.and_then(|part| self.whole_code(provider, part)));
        }
        None
    }

    fn whole_code(&self, provider: Provider, raw: &[u8]) -> Option<Signal> {
        let key = code_key(raw)?;
        let bucket = self.codes.get(Self::bucket(key))?;
        let find = |wanted: Option<Provider>| {
            bucket
                .iter()
                .find(|(known, of, _)| *known == key && *of == wanted)
                .map(|(_, _, signal)| *signal)
        };
        find(Some(provider)).or_else(|| find(None))
    }

    /// What the words of a code that nobody listed say.
    pub(crate) fn unknown_code(&self, provider: Provider, raw: &[u8]) -> Option<Signal> {
        let mut text = Text::new();
        text.read_parts(&self.lexicon, raw);
        let (outcome, rule) = self.text(provider, 0, text.words(), Kinds::ALL)?;
        Some(Signal {
            outcome,
            rank: Rank::Family,
            rule,
        })
    }

    /// The first text rule that `words` fulfil, among those for this provider, status and kinds.
    pub(crate) fn text(
        &self,
        provider: Provider,
        status: u16,
        words: &[u16],
        kinds: Kinds,
    ) -> Option<(Outcome, u16)> {
        let blocks = self.blocks();
        let mut candidates = [0_u64; 16];
        let candidates = candidates.get_mut(..blocks.min(16))?;
        for word in words {
            let from = usize::from(*word) * blocks;
            if let Some(bits) = self.by_word.get(from..from + blocks) {
                for (all, more) in candidates.iter_mut().zip(bits) {
                    *all |= more;
                }
            }
        }
        for (block, bits) in candidates.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let number = block * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if let Some(rule) = self.texts.get(number)
                    && kinds.contains(rule.outcome.kind)
                    && rule.provider.is_none_or(|of| of == provider)
                    && rule.statuses.allow(status)
                    && rule.pattern.occurs_in(words)
                {
                    return Some((rule.outcome, rule.line));
                }
            }
        }
        None
    }

    /// What a finish reason means, if it is a bad one.
    pub(crate) fn finish(&self, raw: &[u8]) -> Option<ErrorKind> {
        let key = code_key(raw)?;
        self.finishes
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, kind)| *kind)
    }

    /// The context window that the text states, in thousandths of tokens.
    pub(crate) fn limit(&self, text: &Text) -> Option<u64> {
        self.limits
            .iter()
            .find_map(|pattern| pattern.capture(text))
            .map(|(values, _)| values[0])
    }

    /// The size asked for that the text states: the sum of what the first pattern captures.
    pub(crate) fn asked(&self, text: &Text) -> Option<u64> {
        self.asked
            .iter()
            .find_map(|pattern| pattern.capture(text))
            .map(|(values, len): ([u64; MAX_CAPTURES], usize)| values.iter().take(len).sum())
    }

    /// An allowance and the size of one request, where the text states both, in thousandths.
    pub(crate) fn allowance(&self, text: &Text) -> Option<(u64, u64)> {
        self.allowances
            .iter()
            .find_map(|pattern| pattern.capture(text))
            .filter(|(_, len)| *len >= 2)
            .map(|(values, _)| (values[0], values[1]))
    }

    /// Does the text speak of a day, a month or a plan's window?
    pub(crate) fn long_span(&self, words: &[u16]) -> bool {
        self.spans.iter().any(|pattern| pattern.occurs_in(words))
    }

    /// Is this how a model declines?
    pub(crate) fn refusal(&self, words: &[u16]) -> bool {
        self.refusals.iter().any(|pattern| pattern.occurs_in(words))
    }

    /// Where rule `number` stands.
    pub(crate) fn source(&self, number: u16) -> Option<RuleId> {
        (number != 0)
            .then(|| self.sources.get(usize::from(number)).copied())
            .flatten()
    }
}

impl Marks {
    fn new(lexicon: &mut Lexicon) -> Self {
        Self {
            limit: lexicon.add("limit"),
            millisecond: lexicon.add("ms"),
            second: lexicon.add("second"),
            minute: lexicon.add("minute"),
            hour: lexicon.add("hour"),
            day: lexicon.add("day"),
            lead: ["in", "after", "for", "within", "wait", "about"].map(|word| lexicon.add(word)),
            cause: ["retry", "again", "wait", "reset", "available", "try"].map(|word| lexicon.add(word)),
            last: lexicon.add("last"),
            per: lexicon.add("per"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_rule_can_be_read_and_there_is_room_for_all() {
        for (file, text) in FILES {
            let mut empty = Dictionary::empty();
            empty.codes = vec![Vec::new(); Dictionary::BUCKETS];
            empty.add(file, text).unwrap_or_else(|error| panic!("{file} {error}"));
        }
        let dictionary = Dictionary::new(&[]).unwrap();
        assert!(dictionary.blocks() <= 16, "{}", dictionary.texts.len());
        assert!(dictionary.lexicon.len() < 2048);
    }
}
