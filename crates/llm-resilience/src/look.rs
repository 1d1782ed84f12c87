//! Which answers are good enough, route by route.

use crate::schema::{Asked, Schemas};
use llm_errors::{ErrorKind, Needs, Phase, Retry, Verdict};
use llm_providers::{Call, Features, Purpose, ReplyStream, Whole, chat};
use llm_quality::{
    Answer, Finding, Findings, Finish, JsonForm, Language, Look, LookBuilder, Similarity, ToolCall,
};
use std::fmt;
use std::sync::Arc;

/// What an answer is looked at for. One that fails is asked for elsewhere, once, counts on its target's
/// quality, and is never kept.
///
/// The default are the cheap and certain checks: empty, no JSON where JSON was asked for, JSON or a tool's
/// arguments that do not fit the schema asked for (feature `schema`), a malformed tool call, garbled. Their cost and how often they are wrong is in the manual of
/// [`llm_quality`](crate::quality).
///
/// A stream can be sent elsewhere only while it is held back ([`RouteSpec::hold`](crate::RouteSpec::hold));
/// one that is found bad at its end has reached the caller, and only counts. One that
/// [loops](Finding::Repetitive) is ended at once, with an error: the rest of it would be more of the same.
#[derive(Clone)]
pub struct Quality {
    checks: Vec<Finding>,
    min_chars: u64,
    language: Option<Language>,
    similarity: Option<(Arc<dyn Similarity>, f32)>,
    looks: Looks,
}

/// The looks for answers in words and for those that are to be JSON; `None` where nothing is asked.
#[derive(Debug, Clone, Default)]
struct Looks {
    words: Option<Look>,
    json: Option<Look>,
}

/// An answer that is not good enough.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bad {
    pub(crate) verdict: Verdict,
    pub(crate) finding: &'static str,
}

impl Default for Quality {
    fn default() -> Self {
        Self::of([
            Finding::Empty,
            Finding::InvalidJson,
            Finding::SchemaInvalid,
            Finding::ToolCallInvalid,
            Finding::Garbled,
        ])
    }
}

impl Quality {
    /// No look at all.
    #[must_use]
    pub fn none() -> Self {
        Self::of([])
    }

    /// Exactly these checks. [`Finding::TooShort`], [`Finding::WrongLanguage`] and [`Finding::OffTopic`] need
    /// the setter of their name beside it, which adds them.
    #[must_use]
    pub fn of(checks: impl IntoIterator<Item = Finding>) -> Self {
        let quality = Self {
            checks: checks.into_iter().collect(),
            min_chars: 0,
            language: None,
            similarity: None,
            looks: Looks::default(),
        };
        quality.built()
    }

    /// Asks for at least so many visible characters.
    #[must_use]
    pub fn min_chars(mut self, chars: u64) -> Self {
        self.min_chars = chars;
        self.with(Finding::TooShort)
    }

    /// Asks for a language.
    #[must_use]
    pub fn language(mut self, language: Language) -> Self {
        self.language = Some(language);
        self.with(Finding::WrongLanguage)
    }

    /// Asks that question and answer be at least so alike; `floor` is cut to between 0 and 1.
    #[must_use]
    pub fn similarity(mut self, similarity: Arc<dyn Similarity>, floor: f32) -> Self {
        let floor = if floor.is_nan() { 0.0 } else { floor };
        self.similarity = Some((similarity, floor.clamp(0.0, 1.0)));
        self.with(Finding::OffTopic)
    }

    fn with(mut self, finding: Finding) -> Self {
        if !self.checks.contains(&finding) {
            self.checks.push(finding);
        }
        self.built()
    }

    fn built(mut self) -> Self {
        // These two say nothing of words.
        let of_json = [Finding::InvalidJson, Finding::SchemaInvalid];
        let words = self.checks.iter().any(|check| !of_json.contains(check));
        let json = !self.checks.is_empty();
        self.looks = Looks {
            words: words.then(|| self.builder().build().ok()).flatten(),
            json: json
                .then(|| self.builder().json(JsonForm::Bare).build().ok())
                .flatten(),
        };
        self
    }

    fn builder(&self) -> LookBuilder {
        let mut builder = Look::builder().min_chars(self.min_chars);
        for finding in Finding::ALL {
            if !self.checks.contains(&finding) {
                builder = builder.without(finding);
            }
        }
        if let Some(language) = self.language {
            builder = builder.language(language);
        }
        match &self.similarity {
            Some((similarity, floor)) => builder.similarity(Arc::clone(similarity), *floor),
            None => builder,
        }
    }

    /// Vectors are neither words nor JSON for the caller: they are counted where they come in.
    fn look_for(&self, call: &Call) -> Option<&Look> {
        if call.purpose() == Purpose::Embeddings {
            return None;
        }
        let features = call.features();
        let json =
            features.contains(Features::JSON_MODE) || features.contains(Features::JSON_SCHEMA);
        if json {
            self.looks.json.as_ref()
        } else {
            self.looks.words.as_ref()
        }
    }

    /// Whether the text of streams is wanted.
    pub(crate) fn reads_streams(&self, call: &Call) -> bool {
        self.look_for(call).is_some()
    }

    /// Whether a stream that loops is to be ended.
    pub(crate) fn ends_loops(&self) -> bool {
        self.checks.contains(&Finding::Repetitive)
    }

    /// Whether the tool calls of a stream are to be looked at.
    pub(crate) fn reads_calls(&self, call: &Call) -> bool {
        self.checks.contains(&Finding::ToolCallInvalid) && call.features().contains(Features::TOOLS)
    }

    /// Looks at a whole answer. One that holds more than the neutral form can say is taken as it is.
    pub(crate) fn at_whole(&self, call: &Call, whole: &Whole, schemas: &Schemas) -> Option<Bad> {
        let look = self.look_for(call)?;
        self.at_reply(look, call, &whole.chat()?, schemas)
    }

    /// Looks at a stream whose tool calls are all there.
    pub(crate) fn at_calls(
        &self,
        call: &Call,
        reply: &chat::Reply,
        schemas: &Schemas,
    ) -> Option<Bad> {
        self.at_reply(self.look_for(call)?, call, reply, schemas)
    }

    fn at_reply(
        &self,
        look: &Look,
        call: &Call,
        reply: &chat::Reply,
        schemas: &Schemas,
    ) -> Option<Bad> {
        let calls: Vec<ToolCall<'_>> = reply
            .parts
            .iter()
            .filter_map(|part| match part {
                chat::Part::ToolCall(call) => Some(ToolCall::new(&call.name, &call.arguments)),
                _ => None,
            })
            .collect();
        let refusal = reply.parts.iter().find_map(|part| match part {
            chat::Part::Refusal(text) => Some(text.as_str()),
            _ => None,
        });
        let text = reply.text();
        let tools = offered(call, !calls.is_empty());
        let question = self.question(call);
        let mut answer = Answer::new(&text)
            .with_finish(finish(reply.finish))
            .with_tool_calls(&calls);
        if let Some(refusal) = refusal {
            answer = answer.with_refusal(refusal);
        }
        if let Some(tools) = &tools {
            answer = answer.with_tools(tools);
        }
        if let Some(question) = &question {
            answer = answer.with_question(question);
        }
        let asked = self.checks_schemas().then(|| schemas.asked(call, &calls));
        self.judge(look.look(&with_schemas(answer, asked.as_ref())))
    }

    fn checks_schemas(&self) -> bool {
        self.checks.contains(&Finding::SchemaInvalid)
    }

    /// Looks at what there is of a stream: all that is certain of its beginning, or everything where it
    /// has come to its end.
    pub(crate) fn at_stream(
        &self,
        call: &Call,
        stream: &ReplyStream,
        schemas: &Schemas,
    ) -> Option<Bad> {
        let look = self.look_for(call)?;
        let text = stream.text()?;
        let question = self.question(call);
        let Some(reason) = stream.facts().finish else {
            let mut growing = look.growing();
            return self.judge(growing.push(text));
        };
        let mut answer = Answer::new(text).with_finish(finish(Some(reason)));
        if let Some(question) = &question {
            answer = answer.with_question(question);
        }
        let asked = self.checks_schemas().then(|| schemas.asked(call, &[]));
        self.judge(look.look(&with_schemas(answer, asked.as_ref())))
    }

    /// The last words of the user, where likeness to them is asked for.
    fn question(&self, call: &Call) -> Option<String> {
        self.similarity.as_ref()?;
        let request = call.chat().ok()?;
        let last = request
            .messages
            .iter()
            .rfind(|message| message.role == chat::Role::User)?;
        let texts = last.parts.iter().filter_map(|part| match part {
            chat::Part::Text(text) => Some(text.text.as_str()),
            _ => None,
        });
        Some(texts.collect())
    }

    fn judge(&self, findings: Findings) -> Option<Bad> {
        let unlike = self.similarity.is_some() && findings.contains(Finding::OffTopic);
        let finding = if findings.is_bad() {
            findings.first()?
        } else if unlike {
            Finding::OffTopic
        } else {
            return None;
        };
        Some(Bad {
            verdict: verdict(finding),
            finding: finding.as_str(),
        })
    }
}

/// Hands in the schemas that were asked for.
fn with_schemas<'a>(answer: Answer<'a>, asked: Option<&'a Asked<'_>>) -> Answer<'a> {
    asked.map_or(answer, |asked| asked.of(answer))
}

/// The tools that were offered, where the answer calls one.
fn offered(call: &Call, wanted: bool) -> Option<Vec<&str>> {
    let request = call.chat().ok().filter(|_| wanted)?;
    // Tools of other sorts have no place in the neutral form: then every name is taken.
    let all = !request.lost.contains(&"tools");
    let names = request.tools.iter().map(|tool| tool.name.as_str());
    all.then(|| names.collect())
}

fn finish(reason: Option<chat::FinishReason>) -> Finish {
    use chat::FinishReason as R;
    match reason {
        Some(R::Stop | R::StopSequence) => Finish::Stop,
        Some(R::Length) => Finish::Length,
        Some(R::ToolCalls) => Finish::ToolUse,
        Some(R::Refusal) => Finish::Refusal,
        Some(R::ContentFilter) => Finish::ContentFilter,
        _ => Finish::Other,
    }
}

/// What a finding amounts to: another try may do better, here or elsewhere.
fn verdict(finding: Finding) -> Verdict {
    let kind = match finding {
        Finding::Empty | Finding::TooShort => ErrorKind::EmptyOutput,
        Finding::InvalidJson | Finding::SchemaInvalid => ErrorKind::StructuredOutputInvalid,
        Finding::ToolCallInvalid => ErrorKind::ToolCallInvalid,
        Finding::CutOff | Finding::MidSentence => ErrorKind::Truncated,
        Finding::Refusal => return Verdict::new(ErrorKind::Refusal, Phase::FirstByte),
        // Looping, garbled, in another language, off the topic.
        _ => ErrorKind::Other,
    };
    let mut verdict = Verdict::new(kind, Phase::FirstByte);
    verdict.advice = Verdict::new(ErrorKind::EmptyOutput, Phase::FirstByte).advice;
    debug_assert!(verdict.advice.retry != Retry::Never && verdict.advice.needs == Needs::Any);
    verdict
}

impl fmt::Debug for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quality")
            .field("checks", &self.checks)
            .field("min_chars", &self.min_chars)
            .field("language", &self.language)
            .finish_non_exhaustive()
    }
}
