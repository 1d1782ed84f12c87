//! The decision: structure first, then status, then words.

use crate::dictionary::Dictionary;
use crate::evidence::{Evidence, Explained, Field};
use crate::fact::Facts;
use crate::header::Headers;
use crate::hint;
use crate::kind::{ErrorKind, Phase, Scope};
use crate::page;
use crate::provider::Provider;
use crate::reply::Reply;
use crate::rule::{Kinds, Outcome, Rank, RuleError, Signal};
use crate::scan::MAX_BODY_BYTES;
use crate::snapshot::{Dimension, RateLimits};
use crate::transport::stream_cut;
use crate::verdict::{Hint, HintSource, Resend, Retry, Verdict};
use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A per-day limit that asks for no more than this refills as one goes: it is worth waiting for.
const SHORT_WAIT: Duration = Duration::from_secs(120);
/// No short window asks for a wait as long as this.
const LONG_WAIT: Duration = Duration::from_secs(3600);

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
        let mut facts = Facts::new(&self.dictionary, provider, UNIX_EPOCH);
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
        let mut facts = Facts::new(&self.dictionary, provider, UNIX_EPOCH);
        facts.read(prefix(message));
        match self
            .dictionary
            .text(provider, 0, facts.text.words(), KINDS)
        {
            Some((outcome, _)) => {
                let verdict = Verdict::new(outcome.kind, phase);
                outcome
                    .resend
                    .map_or(verdict, |resend| verdict.with_resend(resend))
            }
            None => Verdict::new(ErrorKind::Network, phase),
        }
    }

    fn refined(&self, provider: Provider, reply: &Reply<'_>, mut explained: Explained) -> Explained {
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
            return Self::page(reply);
        }
        let mut facts = Facts::new(&self.dictionary, provider, reply.now);
        if !body.is_empty() {
            facts.read(body);
        }
        self.decide(
            provider,
            reply.status,
            &mut facts,
            reply.headers,
            reply.now,
            Phase::FirstByte,
        )
    }

    fn page(reply: &Reply<'_>) -> Explained {
        let (kind, resend) = page::meaning(reply.status);
        let mut verdict = Verdict::new(kind, Phase::FirstByte);
        if let Some(hint) = hint::stated(reply.headers, reply.now) {
            verdict = verdict.with_hint(hint);
        }
        if let Some(resend) = resend {
            verdict = verdict.with_resend(resend);
        }
        explained(verdict, Field::Page)
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
            return Some(Self::page(reply));
        }
        if body.trim_ascii().is_empty() {
            return Some(explained(
                Verdict::new(ErrorKind::EmptyOutput, phase),
                Field::Answer,
            ));
        }
        let mut facts = Facts::new(&self.dictionary, provider, reply.now);
        facts.read(body);
        let whole = reply.body.len() <= MAX_BODY_BYTES;
        let answer = facts.answer;
        let with_hint = |verdict: Verdict| {
            hint::stated(reply.headers, reply.now)
                .map_or(verdict, |hint| verdict.with_hint(hint))
        };
        if let Some(kind) = answer.ending {
            return Some(explained(with_hint(Verdict::new(kind, phase)), Field::Answer));
        }
        let failed = facts.error
            || (facts.json
                && facts.speaks()
                && (facts
                    .signal
                    .is_some_and(|(signal, _)| signal.rank >= Rank::Weak)
                    || self
                        .dictionary
                        .text(provider, 0, facts.text.words(), Kinds::ALL)
                        .is_some()));
        if failed {
            return Some(self.decide(provider, 0, &mut facts, reply.headers, reply.now, phase));
        }
        if answer.refusal {
            return Some(explained(Verdict::new(ErrorKind::Refusal, phase), Field::Answer));
        }
        if !facts.json {
            let (outcome, rule) =
                self.dictionary
                    .text(provider, reply.status, facts.text.words(), PLAIN_KINDS)?;
            return Some(Explained {
                verdict: Verdict::new(outcome.kind, phase),
                evidence: Evidence {
                    field: Field::Text,
                    rule: self.dictionary.source(rule),
                },
            });
        }
        let empty = answer.present
            && answer.finished
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
                .is_some_and(|opening| self.dictionary.refusal(opening.words()));
        declined.then(|| explained(Verdict::new(ErrorKind::Refusal, phase), Field::Text))
    }

    /// From what was gathered to the verdict.
    fn decide(
        &self,
        provider: Provider,
        http_status: u16,
        facts: &mut Facts<'_>,
        headers: &dyn Headers,
        now: SystemTime,
        phase: Phase,
    ) -> Explained {
        let dictionary = &*self.dictionary;
        if let Some(kind) = headers.get("x-amzn-errortype")
            && let Some(signal) = dictionary.code(provider, kind)
        {
            let stronger = facts
                .signal
                .is_none_or(|(known, _)| known.rank < signal.rank);
            if stronger {
                facts.signal = Some((signal, Field::Type));
            }
        }
        let status = effective_status(http_status, facts.status);
        let mut signal = status_signal(status);
        let mut field = if status == 0 { Field::Nothing } else { Field::HttpStatus };
        if let Some((code, place)) = facts.signal
            && code.rank > signal.rank
        {
            signal = code;
            field = place;
        }
        let mut outcome = signal.outcome;
        let mut rule = signal.rule;
        if signal.rank != Rank::Final
            && let Some((found, line)) = dictionary.text(
                provider,
                status,
                facts.text.words(),
                signal.refinements(),
            )
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

        let stated = hint::stated(headers, now);
        let worded = hint::in_text(dictionary, &facts.text)
            .map(|wait| Hint::new(wait, HintSource::Text));
        let mut hint = more_precise(stated.or(facts.hint), worded);
        if is_limit(outcome.kind) {
            let limits = RateLimits::read(headers, now);
            let wait = hint.map(Hint::wait);
            if let Some(better) = self.sharper_limit(outcome, facts, headers, &limits, wait) {
                if better.kind != before {
                    evidence = Evidence {
                        field: if facts.quota.per_day || facts.quota.per_minute || facts.quota.zero {
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
            hint = hint.or_else(|| hint::window(&limits, outcome.kind));
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
            let (limit, asked) = sizes(dictionary, facts);
            verdict = verdict.with_context(limit, asked);
        }
        // the provider's own word on repeating, against ours only towards caution
        if headers.get("x-should-retry") == Some(b"false")
            && verdict.is_retryable()
            && verdict.hint.is_none()
        {
            verdict.advice.retry = Retry::Never;
        }
        Explained { verdict, evidence }
    }

    /// What kind of limit it really is: by quota names, spans, headers and sizes.
    fn sharper_limit(
        &self,
        outcome: Outcome,
        facts: &Facts<'_>,
        headers: &dyn Headers,
        limits: &RateLimits,
        wait: Option<Duration>,
    ) -> Option<Outcome> {
        let words = facts.text.words();
        let spent = Outcome {
            kind: ErrorKind::QuotaExhausted,
            resend: None,
            scope: None,
        };
        let quota = facts.quota;
        if matches!(outcome.kind, ErrorKind::OrgLimit | ErrorKind::Billing | ErrorKind::Overloaded) {
            return None;
        }
        if quota.zero || quota.per_day || zero_limit(&self.dictionary, facts) {
            return Some(spent);
        }
        let mut better = outcome;
        if quota.per_minute {
            better.kind = if quota.tokens {
                ErrorKind::RateLimitTokens
            } else if quota.requests {
                ErrorKind::RateLimitRequests
            } else {
                ErrorKind::RateLimitOther
            };
            return Some(better);
        }
        if outcome.kind == ErrorKind::QuotaExhausted {
            return None;
        }
        let long_span = self.dictionary.long_span(words);
        match wait {
            Some(wait) if wait >= LONG_WAIT || (long_span && wait > SHORT_WAIT) => return Some(spent),
            None if long_span => return Some(spent),
            _ => {}
        }
        if limits
            .get(Dimension::Plan)
            .is_some_and(|plan| plan.remaining == Some(0))
            || headers.get("anthropic-ratelimit-unified-status") == Some(b"rejected")
        {
            return Some(spent);
        }
        if better.kind == ErrorKind::RateLimitOther {
            better.kind = limit_by_header(headers, limits).unwrap_or(better.kind);
        }
        if let Some((limit, asked)) = limit_and_asked(&self.dictionary, facts)
            && asked > limit
            && limit > 0
        {
            better.kind = match better.kind {
                ErrorKind::RateLimitOther => ErrorKind::RateLimitTokens,
                kind => kind,
            };
            better.resend = Some(Resend::AfterChange);
        }
        Some(better)
    }
}

/// The bytes that are looked at.
fn prefix(body: &[u8]) -> &[u8] {
    body.get(..body.len().min(MAX_BODY_BYTES)).unwrap_or_default()
}

const fn explained(verdict: Verdict, field: Field) -> Explained {
    Explained {
        verdict,
        evidence: Evidence { field, rule: None },
    }
}

/// The status nearest to the source: a relay's own generic status yields to the one in the body.
const fn effective_status(http: u16, body: u16) -> u16 {
    match http {
        0 | 200..=299 => body,
        400 | 500 | 502 | 503 if body != 0 => body,
        _ => http,
    }
}

/// What a status says by itself.
const fn status_signal(status: u16) -> Signal {
    use ErrorKind as K;
    let (kind, rank) = match status {
        401 => (K::AuthInvalidKey, Rank::FirmStatus),
        402 => (K::Billing, Rank::FirmStatus),
        403 | 451 => (K::AuthPermission, Rank::Status),
        404 => (K::ModelNotFound, Rank::Status),
        405 => (K::Other, Rank::Status),
        408 | 499 | 504 | 522 | 524 | 598 => (K::Timeout, Rank::Status),
        409 => (K::Conflict, Rank::Status),
        410 => (K::ModelDeprecated, Rank::Status),
        413 => (K::PayloadTooLarge, Rank::FirmStatus),
        424 => (K::Other, Rank::Status),
        429 => (K::RateLimitOther, Rank::FirmStatus),
        400..=499 => (K::InvalidRequest, Rank::Status),
        503 => (K::Overloaded, Rank::Status),
        529 => (K::Overloaded, Rank::FirmStatus),
        520 | 521 | 523 | 525 | 526 | 527 | 530 => (K::BadGatewayHtml, Rank::Status),
        500..=599 => (K::ServerError, Rank::Status),
        0 => (K::ServerError, Rank::Status),
        _ => (K::Other, Rank::Status),
    };
    Signal {
        outcome: Outcome {
            kind,
            resend: None,
            scope: if status == 451 { Some(Scope::Region) } else { None },
        },
        rank,
        rule: 0,
    }
}

/// Kinds that speak of some allowance.
const fn is_limit(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::RateLimitRequests
            | ErrorKind::RateLimitTokens
            | ErrorKind::RateLimitConcurrency
            | ErrorKind::RateLimitOther
            | ErrorKind::QuotaExhausted
    )
}

/// Kinds for which a wait means something.
const fn takes_hint(kind: ErrorKind) -> bool {
    is_limit(kind)
        || matches!(
            kind,
            ErrorKind::OrgLimit
                | ErrorKind::Billing
                | ErrorKind::Overloaded
                | ErrorKind::ServerError
                | ErrorKind::BadGatewayHtml
                | ErrorKind::Timeout
                | ErrorKind::Network
                | ErrorKind::Conflict
                | ErrorKind::Truncated
        )
}

/// Of two statements of one wait the one with more digits; of two that disagree the first.
fn more_precise(first: Option<Hint>, second: Option<Hint>) -> Option<Hint> {
    match (first, second) {
        (Some(first), Some(second)) => {
            let apart = first.wait().abs_diff(second.wait());
            let finer = second.wait().subsec_millis() != 0 && first.wait().subsec_millis() == 0;
            Some(if apart <= Duration::from_millis(1000) && finer { second } else { first })
        }
        (first, second) => first.or(second),
    }
}

/// The dimension that the headers name: a policy, or the one window that is exhausted.
fn limit_by_header(headers: &dyn Headers, limits: &RateLimits) -> Option<ErrorKind> {
    if let Some(policy) = headers.get("policy-id") {
        let has = |needle: &[u8]| {
            policy
                .windows(needle.len())
                .any(|window| window.eq_ignore_ascii_case(needle))
        };
        if has(b"token") {
            return Some(ErrorKind::RateLimitTokens);
        }
        if has(b"request") || has(b"call") {
            return Some(ErrorKind::RateLimitRequests);
        }
    }
    let spent = |dimension: Dimension| {
        limits
            .windows()
            .any(|window| window.dimension.is(dimension) && window.remaining == Some(0))
    };
    match (spent(Dimension::Tokens), spent(Dimension::Requests)) {
        (true, false) => Some(ErrorKind::RateLimitTokens),
        (false, true) => Some(ErrorKind::RateLimitRequests),
        (false, false) => {
            // only one dimension is spoken of at all
            let tokens = limits.windows().any(|window| window.dimension.is(Dimension::Tokens));
            let requests = limits.windows().any(|window| window.dimension.is(Dimension::Requests));
            let silent = limits.windows().all(|window| window.remaining.is_none());
            match (tokens, requests) {
                (true, false) if silent => Some(ErrorKind::RateLimitTokens),
                (false, true) if silent => Some(ErrorKind::RateLimitRequests),
                _ => None,
            }
        }
        (true, true) => None,
    }
}

/// Does the text state a limit of nought?
fn zero_limit(dictionary: &Dictionary, facts: &Facts<'_>) -> bool {
    facts.text.numerals().iter().any(|numeral| {
        numeral.milli == 0
            && usize::from(numeral.at)
                .checked_sub(1)
                .and_then(|at| facts.text.words().get(at))
                == Some(&dictionary.marks.limit)
    })
}

/// `Limit 7000, Used 0, Requested 12903`: the allowance and the size, in thousandths.
fn limit_and_asked(dictionary: &Dictionary, facts: &Facts<'_>) -> Option<(u64, u64)> {
    dictionary.allowance(&facts.text)
}

/// The context window and the size asked for, in tokens.
fn sizes(dictionary: &Dictionary, facts: &Facts<'_>) -> (u32, u32) {
    let tokens = |milli: u64| u32::try_from(milli / 1000).unwrap_or(u32::MAX);
    let mut limit = facts.limit;
    let mut asked = facts.asked;
    if limit == 0 {
        limit = dictionary.limit(&facts.text).map_or(0, tokens);
    }
    if asked == 0 {
        asked = dictionary.asked(&facts.text).map_or(0, tokens);
    }
    (limit, asked)
}
