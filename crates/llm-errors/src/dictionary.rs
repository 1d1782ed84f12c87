//! All rules, compiled once: codes by hash, phrases by the word they begin with.

use crate::evidence::RuleId;
use crate::index::Index;
use crate::kind::ErrorKind;
use crate::lexicon::{Lexicon, hash};
use crate::mark::Marks;
use crate::memo::Memo;
use crate::page;
use crate::pattern::Pattern;
use crate::provider::Provider;
use crate::row::{Question, Row};
use crate::rule::{
    Kinds, Outcome, Rank, Rule, RuleError, Signal, TextRule, code_key, family, parse,
};
use crate::stated::Stated;
use crate::text::Text;
use crate::window::find_either;

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
    ("cloudflare", include_str!("../dialects/cloudflare.txt")),
    ("nginx", include_str!("../dialects/nginx.txt")),
    ("aws", include_str!("../dialects/aws.txt")),
    (
        "azure_front_door",
        include_str!("../dialects/azure_front_door.txt"),
    ),
    ("general", include_str!("../dialects/general.txt")),
];

/// What the words of an unknown code can say: that it calls itself an error says nothing.
const TELLING_KINDS: Kinds = Kinds::ALL.without(&[ErrorKind::ServerError, ErrorKind::Other]);

/// What a page may say in so many words, although only edges serve most pages.
const PAGE_KINDS: Kinds = Kinds::of(&[
    ErrorKind::RateLimitRequests,
    ErrorKind::RateLimitTokens,
    ErrorKind::RateLimitConcurrency,
    ErrorKind::RateLimitOther,
    ErrorKind::QuotaExhausted,
    ErrorKind::OrgLimit,
    ErrorKind::Billing,
    ErrorKind::AuthInvalidKey,
    ErrorKind::ModelDeprecated,
    ErrorKind::ContextLength,
]);

/// The first result of `ask` among the patterns that may occur in the text.
fn first<T>(patterns: &[Pattern], text: &Text, ask: impl Fn(&Pattern) -> Option<T>) -> Option<T> {
    if text.is_empty() {
        return None;
    }
    patterns
        .iter()
        .filter(|pattern| pattern.may_occur(text))
        .find_map(ask)
}

/// Does one of the patterns occur in the text?
fn holds(patterns: &[Pattern], text: &Text) -> bool {
    let ask = |pattern: &Pattern| pattern.occurs_in(text).then_some(());
    first(patterns, text, ask).is_some()
}

/// Every rule, ready to be asked.
pub(crate) struct Dictionary {
    pub(crate) lexicon: Lexicon,
    pub(crate) memo: Memo,
    pub(crate) marks: Marks,
    /// Buckets of codes, a power of two.
    codes: Vec<Vec<(u64, Option<Provider>, Signal)>>,
    /// The codes as they are spelt in the rules, which is how most come: the hash of each and its
    /// key; a power of two of them.
    spelt: Box<[(u64, u64)]>,
    finishes: Vec<(u64, ErrorKind)>,
    texts: Phrases,
    pages: Phrases,
    limits: Index,
    asked: Index,
    allowances: Vec<Pattern>,
    spans: Vec<Pattern>,
    refusals: Vec<Pattern>,
    /// Where each rule stands; rule 0 is none.
    sources: Vec<RuleId>,
}

/// Phrases and what each says.
#[derive(Clone)]
struct Phrases {
    index: Index,
    rules: Vec<TextRule>,
}

impl Phrases {
    fn new(phrases: Vec<(Pattern, TextRule)>, words: usize) -> Self {
        let kind = |rule: &TextRule| rule.outcome.kind;
        let (patterns, rules) = phrases
            .into_iter()
            .map(|(pattern, rule)| ((pattern, kind(&rule)), rule))
            .unzip();
        Self {
            index: Index::new(patterns, words),
            rules,
        }
    }

    /// The number of the first that `text` fulfils, among those for this provider, status and
    /// kinds.
    #[inline]
    fn first(&self, provider: Provider, status: u16, text: &Text, kinds: Kinds) -> Option<usize> {
        let counts = |rule: usize| {
            let rule = self.rules.get(rule);
            rule.is_some_and(|rule| rule.counts(provider, status))
        };
        let (found, _) = self.index.first(text, kinds, counts)?;
        Some(found)
    }

    /// What rule `number` concludes, and its line.
    fn get(&self, number: usize) -> Option<(Outcome, u16)> {
        let rule = self.rules.get(number)?;
        Some((rule.outcome, rule.line))
    }
}

/// Phrases that are still being gathered.
#[derive(Default)]
struct Gathered {
    texts: Vec<(Pattern, TextRule)>,
    pages: Vec<(Pattern, TextRule)>,
    limits: Vec<(Pattern, ErrorKind)>,
    asked: Vec<(Pattern, ErrorKind)>,
}

impl Dictionary {
    const BUCKETS: usize = 1024;
    const SPELT: usize = 4096;

    /// The built-in rules, with `user` rules before them.
    pub(crate) fn new(user: &[&str]) -> Result<Self, RuleError> {
        let mut dictionary = Self::empty();
        let mut gathered = Gathered::default();
        for text in user {
            dictionary.add("user", text, &mut gathered)?;
        }
        for (file, text) in FILES {
            // A test reads every built-in line, so nothing is lost here.
            let _ = dictionary.add(file, text, &mut gathered);
        }
        dictionary.lexicon.settle();
        let words = dictionary.lexicon.len();
        dictionary.texts = Phrases::new(gathered.texts, words);
        dictionary.pages = Phrases::new(gathered.pages, words);
        dictionary.limits = Index::new(gathered.limits, words);
        dictionary.asked = Index::new(gathered.asked, words);
        Ok(dictionary)
    }

    /// No rules at all: status and structure of answers alone.
    pub(crate) fn empty() -> Self {
        let mut lexicon = Lexicon::new();
        let marks = Marks::new(&mut lexicon);
        Self {
            lexicon,
            memo: Memo::new(),
            marks,
            codes: vec![Vec::new(); Self::BUCKETS],
            spelt: vec![(0, 0); Self::SPELT].into(),
            finishes: Vec::new(),
            texts: Phrases::new(Vec::new(), 0),
            pages: Phrases::new(Vec::new(), 0),
            limits: Index::new(Vec::new(), 0),
            asked: Index::new(Vec::new(), 0),
            allowances: Vec::new(),
            spans: Vec::new(),
            refusals: Vec::new(),
            sources: vec![RuleId { file: "", line: 0 }],
        }
    }

    fn add(
        &mut self,
        file: &'static str,
        text: &str,
        gathered: &mut Gathered,
    ) -> Result<(), RuleError> {
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
                    self.spell(line, key);
                    if let Some(bucket) = self.codes.get_mut(Self::bucket(key)) {
                        bucket.push((key, provider, signal));
                    }
                }
                Rule::Finish(key, kind) => self.finishes.push((key, kind)),
                Rule::Text(pattern, rule) => gathered.texts.push((pattern, rule)),
                Rule::Page(pattern, rule) => gathered.pages.push((pattern, rule)),
                Rule::Limit(pattern) => gathered.limits.push((pattern, ErrorKind::ContextLength)),
                Rule::Asked(pattern) => gathered.asked.push((pattern, ErrorKind::ContextLength)),
                Rule::Allowance(pattern) => self.allowances.push(pattern),
                Rule::Span(pattern) => self.spans.push(pattern),
                Rule::Refusal(pattern) => self.refusals.push(pattern),
            }
        }
        Ok(())
    }

    const fn bucket(key: u64) -> usize {
        (key >> 54) as usize
    }

    /// Remembers how the line of a code spells it.
    fn spell(&mut self, line: &str, key: u64) {
        let code = line
            .trim()
            .trim_start_matches("own ")
            .split_whitespace()
            .nth(1);
        // of a code only what stands before a colon is looked up
        let Some(code) = code.filter(|code| !code.contains(':')) else {
            return;
        };
        let hash = hash(code.as_bytes());
        // the rest of a crowded place is found by its key
        for step in 0..4 {
            let at = Self::spelt_slot(hash, step);
            if let Some(free) = self.spelt.get_mut(at)
                && (free.0 == 0 || free.0 == hash)
            {
                *free = (hash, key);
                return;
            }
        }
    }

    const fn spelt_slot(hash: u64, step: usize) -> usize {
        ((hash >> 52) as usize + step) % Self::SPELT
    }

    /// The key of a code that is spelt as in the rules.
    #[inline]
    fn spelt(&self, raw: &[u8]) -> Option<u64> {
        let hash = hash(raw);
        for step in 0..4 {
            let (known, key) = *self.spelt.get(Self::spelt_slot(hash, step))?;
            if known == hash {
                return Some(key);
            }
            if known == 0 {
                break;
            }
        }
        None
    }

    /// What a code says: to this provider first, then to all. A dotted code is looked up whole,
    /// then by its last and its first part.
    pub(crate) fn code(&self, provider: Provider, raw: &[u8]) -> Option<Signal> {
        if let Some(signal) = self.spelt(raw).and_then(|key| self.signal(provider, key)) {
            return Some(signal);
        }
        let whole = |raw| self.signal(provider, code_key(raw)?);
        if find_either(raw, b':', b'.') == raw.len() {
            return whole(raw);
        }
        let raw = raw.split(|byte| *byte == b':').next().unwrap_or(raw);
        if let Some(signal) = whole(raw) {
            return Some(signal);
        }
        if raw.contains(&b'.') {
            let last = raw.rsplit(|byte| *byte == b'.').next();
            let first = raw.split(|byte| *byte == b'.').next();
            return last.and_then(whole).or_else(|| first.and_then(whole));
        }
        None
    }

    /// What the code with this key says.
    fn signal(&self, provider: Provider, key: u64) -> Option<Signal> {
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
        let find = || {
            let mut text = Text::new();
            text.read_parts(&self.lexicon, raw);
            let found = self.texts.first(provider, 0, &text, TELLING_KINDS);
            found.map_or(0, |number| number as u64 + 1)
        };
        // its parts have no digits
        let found = match self.memo.message(provider, raw) {
            Some(key) => self.memo.ask(key, Question::Code, find),
            None => find(),
        };
        let (outcome, rule) = self
            .texts
            .get(usize::try_from(found).ok()?.checked_sub(1)?)?;
        Some(Signal {
            outcome,
            rank: Rank::Family,
            rule,
        })
    }

    /// The first text rule that `text` fulfils, among those for this provider, status and kinds.
    pub(crate) fn text(
        &self,
        provider: Provider,
        status: u16,
        text: &Text,
        kinds: Kinds,
    ) -> Option<(Outcome, u16)> {
        self.texts
            .get(self.texts.first(provider, status, text, kinds)?)
    }

    /// The first text rule that a row fulfils and that may refine `signal`.
    pub(crate) fn refine(
        &self,
        provider: Provider,
        status: u16,
        row: &mut Row<'_>,
        signal: Signal,
    ) -> Option<(Outcome, u16)> {
        if row.is_empty() {
            return None;
        }
        let kinds = match signal.rank {
            Rank::Final => return None,
            Rank::Family | Rank::FirmStatus => family(signal.outcome.kind),
            Rank::Vague | Rank::Status | Rank::Weak => Kinds::ALL,
        };
        let found = row.ask(Question::Rule(provider, status, kinds), |text| {
            let found = self.texts.first(provider, status, text, kinds);
            found.map_or(0, |number| number as u64 + 1)
        });
        self.texts.get(usize::try_from(found).ok()?.checked_sub(1)?)
    }

    /// The first page rule that the words of a page fulfil, among those for this status; else the
    /// first rule for messages of a kind that no page of an edge speaks of.
    pub(crate) fn page(
        &self,
        provider: Provider,
        status: u16,
        page: &[u8],
    ) -> Option<(Outcome, u16)> {
        let find = || {
            let mut text = Text::new();
            page::words(page, &self.lexicon, &mut text);
            let found = self.pages.first(provider, status, &text, Kinds::ALL);
            let worded = || {
                // that something was not found says nothing, unless it is a model
                let model = text.present().has(self.lexicon.number(b"model"));
                let kinds = if model {
                    PAGE_KINDS.with(ErrorKind::ModelNotFound)
                } else {
                    PAGE_KINDS
                };
                self.texts.first(provider, status, &text, kinds)
            };
            let found = match found {
                Some(number) => number as u64 + 1,
                None => worded().map_or(0, |number| (number as u64 + 1) << 32),
            };
            (found, !text.varies() && !self.lexicon.numbered)
        };
        let found = match self.memo.message(provider, page) {
            Some(key) => self.memo.ask_for(key, Question::Page(status), find),
            None => find().0,
        };
        let number = |found: u64| usize::try_from(found).ok()?.checked_sub(1);
        match number(found >> 32) {
            Some(number) => self.texts.get(number),
            None => self.pages.get(number(found)?),
        }
    }

    /// What a finish reason means, if it is a bad one.
    pub(crate) fn finish(&self, raw: &[u8]) -> Option<ErrorKind> {
        let key = code_key(raw)?;
        self.finishes
            .iter()
            .find(|(known, _)| *known == key)
            .map(|(_, kind)| *kind)
    }

    /// The context window that a row states, in thousandths of tokens.
    pub(crate) fn limit(&self, row: &mut Row<'_>) -> Option<u64> {
        let found = row.ask(Question::Limit, |text| Stated::find(&self.limits, text, 0));
        let (values, _) = Stated::of(found)?.values(row);
        values.first().copied()
    }

    /// The size asked for that a row states: the sum of what a pattern captures, of the first
    /// few that occur the first whose sum is `likely`.
    pub(crate) fn asked(&self, row: &mut Row<'_>, likely: impl Fn(u64) -> bool) -> Option<u64> {
        const TRIED: usize = 4;
        let mut from = 0;
        for _ in 0..TRIED {
            let found = row.ask(Question::Asked(from), |text| {
                Stated::find(&self.asked, text, from)
            });
            let stated = Stated::of(found)?;
            from = usize::from(stated.pattern) + 1;
            let (values, len) = stated.values(row);
            let size = values.iter().take(len).sum();
            if likely(size) {
                return Some(size);
            }
        }
        None
    }

    /// An allowance and the size of one request, where a row states both, in thousandths.
    pub(crate) fn allowance(&self, row: &mut Row<'_>) -> Option<(u64, u64)> {
        let found = row.ask(Question::Allowance, |text| {
            if text.numerals().nth(1).is_none() {
                return 0;
            }
            let found = first(&self.allowances, text, |pattern| {
                let places = pattern.capture(text, 0);
                places.filter(|places| places.places().len() >= 2)
            });
            found.map_or(0, |places| Stated { pattern: 0, places }.pack())
        });
        let ([limit, asked, ..], _) = Stated::of(found)?.values(row);
        Some((limit, asked))
    }

    /// Does a row speak of a day, a month or a plan's window?
    pub(crate) fn long_span(&self, row: &mut Row<'_>) -> bool {
        row.ask(Question::Span, |text| holds(&self.spans, text).into()) != 0
    }

    /// Is this how a model declines?
    pub(crate) fn refusal(&self, text: &Text) -> bool {
        holds(&self.refusals, text)
    }

    /// Where rule `number` stands.
    pub(crate) fn source(&self, number: u16) -> Option<RuleId> {
        (number != 0)
            .then(|| self.sources.get(usize::from(number)).copied())
            .flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_rule_can_be_read_and_there_is_room_for_all() {
        for (file, text) in FILES {
            Dictionary::empty()
                .add(file, text, &mut Gathered::default())
                .unwrap_or_else(|error| panic!("{file} {error}"));
        }
        let dictionary = Dictionary::new(&[]).unwrap();
        let entries = dictionary.texts.index.len();
        assert!(entries < usize::from(u16::MAX), "{entries}");
        assert!(dictionary.lexicon.len() < 2048);
    }

    #[test]
    fn a_code_says_the_same_however_it_is_spelt() {
        let dictionary = Dictionary::new(&[]).unwrap();
        let code = |raw: &str| dictionary.code(Provider::Other, raw.as_bytes());
        let expected = code("rate_limit_exceeded");
        assert!(expected.is_some());
        for spelling in [
            "RATE_LIMIT_EXCEEDED",
            "RateLimitExceeded",
            "rate-limit-exceeded:x",
        ] {
            assert_eq!(code(spelling), expected, "{spelling}");
        }
        assert_eq!(code("rate_limit_exceede"), None);
    }
}
