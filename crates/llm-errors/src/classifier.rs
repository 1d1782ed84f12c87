//! The decision: structure first, then status, then words.

use crate::dictionary::Dictionary;
use crate::evidence::{Evidence, Explained, Field};
use crate::fact::Facts;
use crate::header::Headers;
use crate::hint::{self, more_precise, takes_hint};
use crate::kind::{ErrorKind, Phase};
use crate::known::Known;
use crate::limit::{SHORT_WAIT, is_limit, sharper_limit};
use crate::page;
use crate::provider::Provider;
use crate::reply::Reply;
use crate::row::Row;
use crate::rule::{Kinds, Rank, RuleError, Signal};
use crate::scan::MAX_BODY_BYTES;
use crate::seen::Seen;
use crate::status::{effective_status, status_signal, worded_status};
use crate::text::Text;
use crate::transport::stream_cut;
use crate::verdict::{Hint, Retry, Verdict};
use crate::wait;
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// A dialect in code, for what rules cannot say: it has the last word on every verdict.
pub trait Dialect: Send + Sync + fmt::Debug {
    /// A better verdict on this reply, or `None` to leave `verdict` as it stands. Called for
    /// every reply that is a failure; must not block.
    fn refine(&self, provider: Provider, reply: &Reply<'_>, verdict: Verdict) -> Option<Verdict>;
}

/// The built-in rules with those that the user added.
///
/// The free functions of this crate use one built-in classifier; build one of your own only to
/// add rules or dialects. Cheap to clone.
///
/// ```
/// use llm_errors::{Classifier, ErrorKind, Provider, Reply};
/// use std::time::SystemTime;
///
/// let rules = "
/// code burst_cap_hit ~ rate_limit_requests
/// text tea break * until = overloaded
/// ";
/// let classifier = Classifier::with_rules(&[rules])?;
/// let body = br#"{"error":{"code":"burst_cap_hit","message":"slow down"}}"#;
/// let reply = Reply::new(418, &(), body, SystemTime::UNIX_EPOCH);
/// assert_eq!(classifier.reply(Provider::Other, &reply).kind, ErrorKind::RateLimitRequests);
/// # Ok::<(), llm_errors::RuleError>(())
/// ```
#[derive(Clone)]
pub struct Classifier {
    dictionary: Arc<Dictionary>,
    dialects: Vec<Arc<dyn Dialect>>,
}

impl fmt::Debug for Classifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Classifier")
            .field("dialects", &self.dialects)
            .finish_non_exhaustive()
    }
}

/// The words of a reply without a body.
static SILENCE: Text = Text::new();

/// The classifier behind the free functions, built on first use.
static BUILT_IN: LazyLock<Classifier> = LazyLock::new(|| Classifier {
    // A test reads every built-in rule, so the empty dictionary is never met.
    dictionary: Arc::new(Dictionary::new(&[]).unwrap_or_else(|_| Dictionary::empty())),
    dialects: Vec::new(),
});

impl Classifier {
    /// The classifier with the built-in rules alone. Built once in the life of the process.
    #[must_use]
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    /// A classifier with `rules` before the built-in ones; the first rule that fits wins. The
    /// format is that of the built-in files, described in the crate's README.
    ///
    /// # Errors
    ///
    /// The first line that cannot be read.
    pub fn with_rules(rules: &[&str]) -> Result<Self, RuleError> {
        Ok(Self {
            dictionary: Arc::new(Dictionary::new(rules)?),
            dialects: Vec::new(),
        })
    }

    /// The same classifier with a dialect in code, asked after those already there.
    #[must_use]
    pub fn with_dialect(mut self, dialect: impl Dialect + 'static) -> Self {
        self.dialects.push(Arc::new(dialect));
        self
    }

    /// Classifies a reply with any status that is not a success.
    #[must_use]
    #[inline]
    pub fn reply(&self, provider: Provider, reply: &Reply<'_>) -> Verdict {
        self.explain_reply(provider, reply).verdict
    }

    /// Classifies a reply, and tells which field and rule decided.
    #[must_use]
    pub fn explain_reply(&self, provider: Provider, reply: &Reply<'_>) -> Explained {
        let explained = self.read_reply(provider, reply);
        self.refined(provider, reply, explained)
    }

    /// Looks at a reply with a success status: `None` where nothing is wrong with it.
    #[must_use]
    pub fn answer(&self, provider: Provider, reply: &Reply<'_>) -> Option<Verdict> {
        self.explain_answer(provider, reply)
            .map(|explained| explained.verdict)
    }

    /// Looks at a success, and tells what decided.
    #[must_use]
    pub fn explain_answer(&self, provider: Provider, reply: &Reply<'_>) -> Option<Explained> {
        let explained = self.read_answer(provider, reply)?;
        Some(self.refined(provider, reply, explained))
    }

    /// Classifies an error object inside a stream that was opened with a success.
    #[must_use]
    pub fn stream_error(&self, provider: Provider, frame: &[u8], phase: Phase) -> Verdict {
        self.explain_stream_error(provider, frame, phase).verdict
    }

    /// Classifies an error object inside a stream, and tells what decided.
    #[must_use]
    pub fn explain_stream_error(
        &self,
        provider: Provider,
        frame: &[u8],
        phase: Phase,
    ) -> Explained {
        let frame = prefix(frame);
        if frame.trim_ascii().is_empty() {
            return explained(stream_cut(phase), Field::Nothing);
        }
        let mut facts = Facts::new(&self.dictionary, provider, UNIX_EPOCH, true);
        facts.read(frame);
        if let Some(kind) = facts.answer.ending {
            return explained(Verdict::new(kind, phase), Field::Answer);
        }
        self.decide(provider, 0, &mut facts, &(), UNIX_EPOCH, phase)
    }

    /// Classifies the text with which some HTTP client reported a failed transport, where only
    /// that text is at hand. With a typed error use
    /// [`classify_transport`](crate::classify_transport).
    #[must_use]
    pub fn transport_message(&self, provider: Provider, message: &[u8], phase: Phase) -> Verdict {
        const KINDS: Kinds = Kinds::of(&[
            ErrorKind::Network,
            ErrorKind::Timeout,
            ErrorKind::Truncated,
            ErrorKind::Other,
        ]);
        // What a client says of a key it did not find, so that nothing was ever sent.
        const KEY: Kinds = Kinds::of(&[ErrorKind::AuthInvalidKey]);
        let mut facts = Facts::new(&self.dictionary, provider, UNIX_EPOCH, false);
        facts.read(prefix(message));
        facts.read_messages();
        let found = |kinds| self.dictionary.text(provider, 0, &facts.text, kinds);
        match found(KINDS).or_else(|| found(KEY)) {
            Some((outcome, _)) => {
                let verdict = Verdict::new(outcome.kind, phase);
                outcome
                    .resend
                    .map_or(verdict, |resend| verdict.with_resend(resend))
            }
            None => Verdict::new(ErrorKind::Network, phase),
        }
    }

    fn refined(
        &self,
        provider: Provider,
        reply: &Reply<'_>,
        mut explained: Explained,
    ) -> Explained {
        for dialect in &self.dialects {
            if let Some(verdict) = dialect.refine(provider, reply, explained.verdict) {
                explained.verdict = verdict;
                explained.evidence = Evidence {
                    field: Field::Custom,
                    rule: None,
                };
            }
        }
        explained
    }

    fn read_reply(&self, provider: Provider, reply: &Reply<'_>) -> Explained {
        let body = prefix(reply.body);
        if page::is_page(body) {
            let shown = page::with_document(body, |shown| self.shown(provider, reply, shown));
            return shown
                .flatten()
                .unwrap_or_else(|| self.page(provider, reply));
        }
        let (status, headers, now) = (reply.status, reply.headers, reply.now);
        let phase = Phase::FirstByte;
        if body.is_empty() {
            let row = &mut self.dictionary.memo.row(&SILENCE);
            let known = &Known::NOTHING;
            return self.conclude(provider, status, known, row, headers, now, phase);
        }
        let mut facts = Facts::new(&self.dictionary, provider, now, false);
        facts.read(body);
        self.decide(provider, status, &mut facts, headers, now, phase)
    }

    /// What an object says that a page shows, if it is an error.
    fn shown(&self, provider: Provider, reply: &Reply<'_>, shown: &[u8]) -> Option<Explained> {
        let (status, headers, now) = (reply.status, reply.headers, reply.now);
        let mut facts = Facts::new(&self.dictionary, provider, now, false);
        facts.read(shown);
        let told = facts.error || facts.known.signal.is_some();
        (told || !facts.row().0.is_empty())
            .then(|| self.decide(provider, status, &mut facts, headers, now, Phase::FirstByte))
    }

    fn page(&self, provider: Provider, reply: &Reply<'_>) -> Explained {
        let found = self.dictionary.page(provider, reply.status, reply.body);
        let (kind, resend) = found.map_or_else(
            || page::meaning(reply.status),
            |(outcome, _)| (outcome.kind, outcome.resend),
        );
        let mut verdict = Verdict::new(kind, Phase::FirstByte);
        if let Some(hint) = Seen::stated_wait(reply.headers, reply.now)
            && takes_hint(kind)
        {
            verdict = verdict.with_hint(hint);
        }
        if let Some(resend) = resend {
            verdict = verdict.with_resend(resend);
        }
        Explained {
            verdict,
            evidence: Evidence {
                field: Field::Page,
                rule: found.and_then(|(_, rule)| self.dictionary.source(rule)),
            },
        }
    }

    fn read_answer(&self, provider: Provider, reply: &Reply<'_>) -> Option<Explained> {
        const PLAIN_KINDS: Kinds = Kinds::of(&[
            ErrorKind::StructuredOutputInvalid,
            ErrorKind::ToolCallInvalid,
            ErrorKind::EmptyOutput,
            ErrorKind::Truncated,
        ]);
        let body = prefix(reply.body);
        let phase = Phase::FirstByte;
        if page::is_page(body) {
            let shown = page::with_document(body, |shown| self.shown(provider, reply, shown));
            let page = || self.page(provider, reply);
            return Some(shown.flatten().unwrap_or_else(page));
        }
        if body.trim_ascii().is_empty() {
            return Some(explained(
                Verdict::new(ErrorKind::EmptyOutput, phase),
                Field::Answer,
            ));
        }
        let mut facts = Facts::new(&self.dictionary, provider, reply.now, true);
        facts.read(body);
        let whole = reply.body.len() <= MAX_BODY_BYTES;
        let answer = facts.answer;
        let with_hint = |verdict: Verdict| {
            Seen::stated_wait(reply.headers, reply.now)
                .map_or(verdict, |hint| verdict.with_hint(hint))
        };
        if let Some(kind) = answer.ending {
            return Some(explained(
                with_hint(Verdict::new(kind, phase)),
                Field::Answer,
            ));
        }
        let failed = facts.error
            || (facts.json
                && facts.speaks()
                && (facts.coded
                    || facts
                        .known
                        .signal
                        .is_some_and(|(signal, _)| signal.rank >= Rank::Weak)
                    || self
                        .dictionary
                        .text(provider, 0, &facts.text, Kinds::ALL)
                        .is_some()));
        if failed {
            return Some(self.decide(provider, 0, &mut facts, reply.headers, reply.now, phase));
        }
        if answer.refusal {
            return Some(explained(
                Verdict::new(ErrorKind::Refusal, phase),
                Field::Answer,
            ));
        }
        if !facts.json {
            let (outcome, rule) =
                self.dictionary
                    .text(provider, reply.status, &facts.text, PLAIN_KINDS)?;
            return Some(Explained {
                verdict: Verdict::new(outcome.kind, phase),
                evidence: Evidence {
                    field: Field::Text,
                    rule: self.dictionary.source(rule),
                },
            });
        }
        let empty = answer.present
            && (answer.finished || answer.listed && !answer.chosen)
            && !answer.chunk
            && !answer.content
            && !answer.tool_call
            && whole;
        if empty {
            return Some(explained(
                Verdict::new(ErrorKind::EmptyOutput, phase),
                Field::Answer,
            ));
        }
        /// Longer answers that begin like a refusal go on to help.
        const LONGEST_REFUSAL_BYTES: usize = 1200;
        let declined = answer.content_bytes <= LONGEST_REFUSAL_BYTES
            && !answer.tool_call
            && facts
                .opening
                .as_ref()
                .is_some_and(|opening| self.dictionary.refusal(opening));
        declined.then(|| explained(Verdict::new(ErrorKind::Refusal, phase), Field::Text))
    }

    /// From what was gathered to the verdict.
    fn decide(
        &self,
        provider: Provider,
        status: u16,
        facts: &mut Facts<'_>,
        headers: &dyn Headers,
        now: SystemTime,
        phase: Phase,
    ) -> Explained {
        // what a code settles needs no words, unless they may state a wait or a size
        let settled = facts.known.signal.is_some_and(|(signal, _)| {
            let kind = signal.outcome.kind;
            signal.rank == Rank::Final && !takes_hint(kind) && kind != ErrorKind::ContextLength
        });
        let (mut row, known) = if settled {
            (self.dictionary.memo.row(&facts.text), facts.known)
        } else {
            facts.row()
        };
        self.conclude(provider, status, &known, &mut row, headers, now, phase)
    }

    /// From what is known to the verdict.
    #[expect(
        clippy::too_many_arguments,
        reason = "all that a decision is made of, which nothing else has in common"
    )]
    fn conclude(
        &self,
        provider: Provider,
        http_status: u16,
        known: &Known,
        row: &mut Row<'_>,
        headers: &dyn Headers,
        now: SystemTime,
        phase: Phase,
    ) -> Explained {
        let dictionary = &*self.dictionary;
        let mut seen = Seen::new();
        seen.read(headers, now, |name| dictionary.code(provider, name));
        let mut told = known.signal;
        if let Some(signal) = seen.error_type
            && told.is_none_or(|(code, _)| code.rank < signal.rank)
        {
            told = Some((signal, Field::Type));
        }
        let mut stated = known.status;
        // a code needs no status, and the edge's own ones are its own
        if stated == 0
            && matches!(http_status, 0 | 200..=299 | 400 | 500 | 502 | 503)
            && told.is_none_or(|(code, _)| code.rank < Rank::Family)
        {
            stated = worded_status(&dictionary.marks, row, http_status >= 400);
        }
        let status = effective_status(http_status, stated);
        let mut signal = status_signal(status);
        let mut field = if status == 0 {
            Field::Nothing
        } else {
            Field::HttpStatus
        };
        // without a status, even a vague word that the request is at fault is all there is
        let blamed = |code: Signal| status == 0 && code.outcome.kind == ErrorKind::InvalidRequest;
        if let Some((code, place)) = told
            && (code.rank > signal.rank || blamed(code))
        {
            signal = code;
            field = place;
        }
        let mut outcome = signal.outcome;
        let mut rule = signal.rule;
        if let Some((found, line)) = dictionary.refine(provider, status, row, signal)
            && !(signal.rank == Rank::Family
                && found.kind == ErrorKind::RateLimitOther
                && is_limit(signal.outcome.kind))
        {
            outcome = found;
            rule = line;
            field = Field::Text;
        }
        let mut evidence = Evidence {
            field,
            rule: dictionary.source(rule),
        };
        let before = outcome.kind;

        let worded = if takes_hint(outcome.kind) {
            wait::worded(&dictionary.marks, row, now)
        } else {
            None
        };
        let mut hint = more_precise(seen.hint.or(known.hint), worded);
        if is_limit(outcome.kind) {
            let wait = hint.map(Hint::wait);
            let told = worded
                .filter(|_| signal.rank != Rank::Final)
                .map(Hint::wait);
            if let Some(better) = sharper_limit(dictionary, outcome, known, row, &seen, wait, told)
            {
                if better.kind != before {
                    evidence = Evidence {
                        field: if known.quota.per_day || known.quota.per_minute || known.quota.zero
                        {
                            Field::Quota
                        } else if wait.is_some_and(|wait| wait >= SHORT_WAIT) {
                            Field::Wait
                        } else {
                            Field::Header
                        },
                        rule: None,
                    };
                }
                outcome = better;
            }
            hint = hint.or_else(|| hint::window(&seen.limits, outcome.kind));
        }

        let mut verdict = Verdict::new(outcome.kind, phase);
        if let Some(scope) = outcome.scope {
            verdict.scope = scope;
        }
        if let Some(hint) = hint
            && takes_hint(outcome.kind)
        {
            verdict = verdict.with_hint(hint);
        }
        if let Some(resend) = outcome.resend {
            verdict = verdict.with_resend(resend);
        }
        if outcome.kind == ErrorKind::ContextLength {
            let (limit, asked) = sizes(dictionary, known, row);
            verdict = verdict.with_context(limit, asked);
        }
        // the provider's own word on repeating, against ours only towards caution
        if seen.should_retry == Some(false) && verdict.is_retryable() && verdict.hint.is_none() {
            verdict.advice.retry = Retry::Never;
        }
        Explained { verdict, evidence }
    }
}

/// The bytes that are looked at.
fn prefix(body: &[u8]) -> &[u8] {
    body.get(..body.len().min(MAX_BODY_BYTES))
        .unwrap_or_default()
}

const fn explained(verdict: Verdict, field: Field) -> Explained {
    Explained {
        verdict,
        evidence: Evidence { field, rule: None },
    }
}

/// The context window and the size asked for, in tokens.
fn sizes(dictionary: &Dictionary, known: &Known, row: &mut Row<'_>) -> (u32, u32) {
    let tokens = |milli: u64| u32::try_from(milli / 1000).unwrap_or(u32::MAX);
    let mut limit = known.limit;
    let mut asked = known.asked;
    if limit == 0 {
        limit = dictionary.limit(row).map_or(0, tokens);
    }
    if asked == 0 {
        // what fits is not refused: it is the number of the limit, read twice
        asked = dictionary
            .asked(row, |size| tokens(size) != limit)
            .map_or(0, tokens);
    }
    (limit, asked)
}
