//! All rules, compiled once: codes by hash, phrases by the word they begin with.

use crate::evidence::RuleId;
use crate::kind::ErrorKind;
use crate::lexicon::Lexicon;
use crate::pattern::{MAX_CAPTURES, Pattern, Present};
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
    (
        "github_models",
        include_str!("../dialects/github_models.txt"),
    ),
    ("moonshot", include_str!("../dialects/moonshot.txt")),
    (
        "qwen_dashscope",
        include_str!("../dialects/qwen_dashscope.txt"),
    ),
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
    pub(crate) until: u16,
    pub(crate) per: u16,
}

/// Blocks of 64 text rules that can be asked at once.
const MAX_BLOCKS: usize = 16;

/// At most 128 patterns of one purpose, found by a word that they cannot do without.
#[derive(Clone, Debug)]
struct Patterns {
    patterns: Vec<Pattern>,
    by_word: Vec<u128>,
    /// The words that some pattern cannot do without.
    triggers: Present,
}

impl Patterns {
    const fn new() -> Self {
        Self {
            patterns: Vec::new(),
            by_word: Vec::new(),
            triggers: Present::NONE,
        }
    }

    fn index(&mut self, words: usize) {
        let mut uses = vec![0; words];
        for pattern in &self.patterns {
            pattern.count(&mut uses);
        }
        self.by_word = vec![0; words];
        for (number, pattern) in self.patterns.iter().enumerate().take(128) {
            for word in pattern.anchors(&uses) {
                if let Some(bits) = self.by_word.get_mut(usize::from(word)) {
                    *bits |= 1 << number;
                    self.triggers.add(word);
                }
            }
        }
    }

    /// The first result of `ask` among the patterns that may hold.
    fn find<T>(&self, present: &Present, ask: impl Fn(&Pattern) -> Option<T>) -> Option<T> {
        if present.is_empty() {
            return None;
        }
        let mut candidates = 0;
        self.triggers.common(present, |word| {
            candidates |= self.by_word.get(word).copied().unwrap_or_default();
        });
        while candidates != 0 {
            let number = candidates.trailing_zeros() as usize;
            candidates &= candidates - 1;
            let pattern = self
                .patterns
                .get(number)
                .filter(|pattern| pattern.may_occur(present));
            if let Some(found) = pattern.and_then(&ask) {
                return Some(found);
            }
        }
        None
    }
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
    /// For each word the text rules that cannot hold without it: a range of `rules_by_word`, which
    /// holds the numbers of blocks and the rules of each as bits.
    by_word: Vec<(u32, u32)>,
    rules_by_word: Vec<(u16, u64)>,
    /// The words that some text rule cannot do without.
    triggers: Present,
    /// For each kind the text rules that may refine a code of that kind, as bits.
    by_kind: Vec<u64>,
    limits: Patterns,
    asked: Patterns,
    allowances: Patterns,
    spans: Patterns,
    refusals: Patterns,
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
            rules_by_word: Vec::new(),
            triggers: Present::NONE,
            by_kind: Vec::new(),
            limits: Patterns::new(),
            asked: Patterns::new(),
            allowances: Patterns::new(),
            spans: Patterns::new(),
            refusals: Patterns::new(),
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
            let Some(rule) = parse(line, number, &mut dialect, &mut self.lexicon).map_err(fail)?
            else {
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
                Rule::Limit(pattern) => self.limits.patterns.push(pattern),
                Rule::Asked(pattern) => self.asked.patterns.push(pattern),
                Rule::Allowance(pattern) => self.allowances.patterns.push(pattern),
                Rule::Span(pattern) => self.spans.patterns.push(pattern),
                Rule::Refusal(pattern) => self.refusals.patterns.push(pattern),
            }
        }
        Ok(())
    }

    const fn bucket(key: u64) -> usize {
        (key >> 54) as usize
    }

    /// Numbers of 64 text rules.
    fn blocks(&self) -> usize {
        self.texts.len().div_ceil(64)
    }

    fn index(&mut self) {
        let blocks = self.blocks();
        let words = self.lexicon.len();
        let mut uses = vec![0; words];
        for rule in &self.texts {
            rule.pattern.count(&mut uses);
        }
        let mut rules: Vec<Vec<(u16, u64)>> = vec![Vec::new(); words];
        let mut by_kind = vec![0; ErrorKind::ALL.len() * blocks];
        for (number, rule) in self.texts.iter().enumerate() {
            for word in rule.pattern.anchors(&uses) {
                let Some(list) = rules.get_mut(usize::from(word)) else {
                    continue;
                };
                let block = u16::try_from(number / 64).unwrap_or(u16::MAX);
                let bit = 1_u64 << (number % 64);
                match list.last_mut() {
                    Some((last, bits)) if *last == block => *bits |= bit,
                    _ => list.push((block, bit)),
                }
                self.triggers.add(word);
            }
            for kind in ErrorKind::ALL {
                if crate::rule::family(*kind).contains(rule.outcome.kind)
                    && let Some(bits) = by_kind.get_mut(*kind as usize * blocks + number / 64)
                {
                    *bits |= 1_u64 << (number % 64);
                }
            }
        }
        for list in rules {
            let start = u32::try_from(self.rules_by_word.len()).unwrap_or(u32::MAX);
            self.rules_by_word.extend(list);
            let end = u32::try_from(self.rules_by_word.len()).unwrap_or(u32::MAX);
            self.by_word.push((start, end));
        }
        self.by_kind = by_kind;
        for list in [
            &mut self.limits,
            &mut self.asked,
            &mut self.allowances,
            &mut self.spans,
            &mut self.refusals,
        ] {
            list.index(words);
        }
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
        self.candidates(words, &Present::of(words), None, |rule| {
            kinds.contains(rule.outcome.kind)
                && rule.provider.is_none_or(|of| of == provider)
                && rule.statuses.allow(status)
        })
    }

    /// The first text rule that `words` fulfil and that may refine `signal`.
    pub(crate) fn refine(
        &self,
        provider: Provider,
        status: u16,
        words: &[u16],
        present: &Present,
        signal: Signal,
    ) -> Option<(Outcome, u16)> {
        let family = match signal.rank {
            Rank::Final => return None,
            Rank::Family | Rank::FirmStatus => Some(signal.outcome.kind),
            Rank::Vague | Rank::Status | Rank::Weak => None,
        };
        self.candidates(words, present, family, |rule| {
            rule.provider.is_none_or(|of| of == provider) && rule.statuses.allow(status)
        })
    }

    fn candidates(
        &self,
        words: &[u16],
        present: &Present,
        family: Option<ErrorKind>,
        admits: impl Fn(&TextRule) -> bool,
    ) -> Option<(Outcome, u16)> {
        if words.is_empty() {
            return None;
        }
        let blocks = self.blocks();
        let mut candidates = [0_u64; MAX_BLOCKS];
        let candidates = candidates.get_mut(..blocks.min(MAX_BLOCKS))?;
        self.triggers.common(present, |word| {
            let Some(&(start, end)) = self.by_word.get(word) else {
                return;
            };
            let rules = self.rules_by_word.get(start as usize..end as usize);
            for (block, rules) in rules.unwrap_or_default() {
                if let Some(bits) = candidates.get_mut(usize::from(*block)) {
                    *bits |= rules;
                }
            }
        });
        if let Some(kind) = family {
            let from = kind as usize * blocks;
            if let Some(mask) = self.by_kind.get(from..from + blocks) {
                for (all, mask) in candidates.iter_mut().zip(mask) {
                    *all &= mask;
                }
            }
        }
        for (block, bits) in candidates.iter().enumerate() {
            let mut bits = *bits;
            while bits != 0 {
                let number = block * 64 + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if let Some(rule) = self.texts.get(number)
                    && rule.pattern.may_occur(present)
                    && admits(rule)
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
    pub(crate) fn limit(&self, text: &Text, present: &Present) -> Option<u64> {
        self.limits
            .find(present, |pattern| pattern.capture(text))
            .map(|(values, _)| values[0])
    }

    /// The size asked for that the text states: the sum of what the first pattern captures.
    pub(crate) fn asked(&self, text: &Text, present: &Present) -> Option<u64> {
        self.asked
            .find(present, |pattern| pattern.capture(text))
            .map(|(values, len): ([u64; MAX_CAPTURES], usize)| values.iter().take(len).sum())
    }

    /// An allowance and the size of one request, where the text states both, in thousandths.
    pub(crate) fn allowance(&self, text: &Text, present: &Present) -> Option<(u64, u64)> {
        self.allowances
            .find(present, |pattern| {
                pattern.capture(text).filter(|(_, len)| *len >= 2)
            })
            .map(|(values, _)| (values[0], values[1]))
    }

    /// Does the text speak of a day, a month or a plan's window?
    pub(crate) fn long_span(&self, words: &[u16], present: &Present) -> bool {
        let holds = |pattern: &Pattern| pattern.occurs_in(words).then_some(());
        self.spans.find(present, holds).is_some()
    }

    /// Is this how a model declines?
    pub(crate) fn refusal(&self, words: &[u16], present: &Present) -> bool {
        let holds = |pattern: &Pattern| pattern.occurs_in(words).then_some(());
        self.refusals.find(present, holds).is_some()
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
            cause: ["retry", "again", "wait", "reset", "available", "try"]
                .map(|word| lexicon.add(word)),
            last: lexicon.add("last"),
            until: lexicon.add("until"),
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
            empty
                .add(file, text)
                .unwrap_or_else(|error| panic!("{file} {error}"));
        }
        let dictionary = Dictionary::new(&[]).unwrap();
        for list in [&dictionary.limits, &dictionary.asked, &dictionary.refusals] {
            assert!(list.patterns.len() <= 128);
        }
        assert!(
            dictionary.blocks() <= MAX_BLOCKS,
            "{}",
            dictionary.texts.len()
        );
        assert!(dictionary.lexicon.len() < 2048);
    }
}
