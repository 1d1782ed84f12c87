//! Which checks are made, and how much each weighs.

use std::fmt;
use std::sync::Arc;

use crate::answer::{Answer, ToolCall};
use crate::finding::{Finding, Findings, Severity};
use crate::growing::GrowingLook;
use crate::json::{self, JsonForm};
use crate::language::Language;
use crate::scan::{Beside, Scan};
use crate::similarity::Similarity;

#[cfg(feature = "schema")]
use crate::schema::Schema;

/// Chosen checks. Built once for a route, used for every answer from any thread.
///
/// [`Look::default`] makes the checks that need no knowledge of the request: empty, cut off, mid-sentence, repetitive, garbled,
/// refusal, malformed tool calls.
#[derive(Clone)]
pub struct Look {
    rules: Rules,
    json: Option<JsonForm>,
    similarity: Option<(Arc<dyn Similarity>, f32)>,
    #[cfg(feature = "schema")]
    schema: Option<Schema>,
    #[cfg(feature = "schema")]
    tool_schemas: Vec<(String, Schema)>,
}

/// What a look and a growing look have in common. Small enough to be copied into every stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// A bit for each finding that is not wanted.
    off: u16,
    /// The most that each finding may weigh, in the order of [`Finding::ALL`].
    most: [Severity; Finding::ALL.len()],
    pub(crate) min_chars: u64,
    pub(crate) language: Option<Language>,
}

impl Rules {
    pub(crate) const fn asks(&self, finding: Finding) -> bool {
        self.off >> finding as u16 & 1 == 0
    }

    /// Adds a finding if it is wanted, at no more than the severity that was chosen for it.
    pub(crate) fn add(&self, findings: &mut Findings, finding: Finding, severity: Severity) {
        if self.asks(finding) {
            let most = self.most.get(finding as usize).copied().unwrap_or(severity);
            findings.add(finding, severity.min(most));
        }
    }
}

impl Default for Look {
    fn default() -> Self {
        Self {
            rules: Rules {
                off: 0,
                most: [Severity::Bad; Finding::ALL.len()],
                min_chars: 0,
                language: None,
            },
            json: None,
            similarity: None,
            #[cfg(feature = "schema")]
            schema: None,
            #[cfg(feature = "schema")]
            tool_schemas: Vec::new(),
        }
    }
}

impl Look {
    /// Starts from the defaults.
    pub fn builder() -> LookBuilder {
        LookBuilder {
            look: Self::default(),
            bad_similarity: None,
        }
    }

    /// Looks at a finished answer, cheap checks first. The schema is not tried on what is no JSON, and the similarity is not asked
    /// once something bad was found.
    pub fn look(&self, answer: &Answer<'_>) -> Findings {
        let mut findings = Findings::default();
        self.tool_calls(answer, &mut findings);
        let mut scan = Scan::new(&self.rules);
        scan.push(answer.text);
        let beside = Beside {
            finish: answer.finish,
            refused: answer
                .refusal
                .is_some_and(|refusal| !refusal.trim().is_empty()),
            calls: !answer.calls.is_empty(),
        };
        scan.end(&self.rules, beside, &mut |finding, severity| {
            self.rules.add(&mut findings, finding, severity);
        });
        if !beside.calls {
            self.json(answer, &mut findings);
        }
        if let (false, Some((similarity, floor)), Some(question)) = (
            findings.is_bad() || !self.rules.asks(Finding::OffTopic),
            &self.similarity,
            answer.question,
        ) && !answer.text.trim().is_empty()
            && similarity
                .similarity(question, answer.text)
                .is_some_and(|near| near < *floor)
        {
            self.rules
                .add(&mut findings, Finding::OffTopic, Severity::Suspect);
        }
        findings
    }

    /// Begins to watch a stream.
    pub fn growing(&self) -> GrowingLook {
        GrowingLook::new(self.rules)
    }

    fn tool_calls(&self, answer: &Answer<'_>, findings: &mut Findings) {
        if !self.rules.asks(Finding::ToolCallInvalid) {
            return;
        }
        for call in answer.calls {
            if json::is_malformed(call, answer) || self.tool_misfits(call, answer) {
                self.rules
                    .add(findings, Finding::ToolCallInvalid, Severity::Bad);
                break;
            }
        }
    }

    #[cfg(feature = "schema")]
    fn tool_misfits(&self, call: &ToolCall<'_>, answer: &Answer<'_>) -> bool {
        let arguments = if call.arguments.trim().is_empty() {
            "{}"
        } else {
            call.arguments
        };
        let own = self
            .tool_schemas
            .iter()
            .map(|(tool, schema)| (tool.as_str(), schema));
        answer
            .tool_schemas
            .iter()
            .map(|(tool, schema)| (*tool, schema))
            .chain(own)
            .any(|(tool, schema)| tool == call.name && !schema.fits(arguments))
    }

    #[cfg(not(feature = "schema"))]
    #[expect(clippy::unused_self, reason = "the other feature set needs it")]
    const fn tool_misfits(&self, _call: &ToolCall<'_>, _answer: &Answer<'_>) -> bool {
        false
    }

    fn json(&self, answer: &Answer<'_>, findings: &mut Findings) {
        let Some(form) = self.json else { return };
        let text = json::unwrap(answer.text, form);
        // An empty answer or a refusal is named as such; that it is no JSON follows.
        if [Finding::Empty, Finding::Refusal]
            .iter()
            .any(|&finding| findings.severity(finding) == Some(Severity::Bad))
        {
            return;
        }
        if !json::is_value(text) {
            self.rules
                .add(findings, Finding::InvalidJson, Severity::Bad);
            if answer.finish.is_none()
                && !json::is_value_with_more(text)
                && text.starts_with(['{', '['])
            {
                self.rules
                    .add(findings, Finding::MidSentence, Severity::Bad);
            }
        } else if self.misfits(text, answer) {
            self.rules
                .add(findings, Finding::SchemaInvalid, Severity::Bad);
        }
    }

    #[cfg(feature = "schema")]
    fn misfits(&self, text: &str, answer: &Answer<'_>) -> bool {
        let schema = answer.schema.or(self.schema.as_ref());
        self.rules.asks(Finding::SchemaInvalid) && schema.is_some_and(|schema| !schema.fits(text))
    }

    #[cfg(not(feature = "schema"))]
    #[expect(clippy::unused_self, reason = "the other feature set needs it")]
    const fn misfits(&self, _text: &str, _answer: &Answer<'_>) -> bool {
        false
    }
}

impl fmt::Debug for Look {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look")
            .field("rules", &self.rules)
            .field("json", &self.json)
            .field(
                "similarity",
                &self.similarity.as_ref().map(|&(_, floor)| floor),
            )
            .finish_non_exhaustive()
    }
}

/// Chooses checks.
///
/// ```
/// use llm_quality::{Answer, Finding, JsonForm, Look, Severity};
///
/// let look = Look::builder()
///     .json(JsonForm::Fenced)
///     .min_chars(2)
///     .at_most(Finding::Refusal, Severity::Suspect)
///     .without(Finding::MidSentence)
///     .build()?;
/// assert!(look.look(&Answer::new("```json\n{\"city\":\"Oslo\"}\n```")).is_clean());
/// assert!(look.look(&Answer::new("Sure! The city is Oslo.")).contains(Finding::InvalidJson));
/// # Ok::<(), llm_quality::BuildError>(())
/// ```
#[derive(Debug, Clone)]
#[must_use]
pub struct LookBuilder {
    look: Look,
    bad_similarity: Option<f32>,
}

impl LookBuilder {
    /// Leaves a check out. Its cost is saved too.
    pub const fn without(mut self, finding: Finding) -> Self {
        self.look.rules.off |= 1 << finding as u16;
        self
    }

    /// Weighs a finding at most so. Default: each finding as its check judged it.
    pub fn at_most(mut self, finding: Finding, severity: Severity) -> Self {
        if let Some(most) = self.look.rules.most.get_mut(finding as usize) {
            *most = severity;
        }
        self
    }

    /// Asks for at least so many visible characters. Default: 0, any answer but none at all.
    pub const fn min_chars(mut self, chars: u64) -> Self {
        self.look.rules.min_chars = chars;
        self
    }

    /// Asks for JSON. Default: any text. Answers with tool calls are exempt.
    pub const fn json(mut self, form: JsonForm) -> Self {
        self.look.json = Some(form);
        self
    }

    /// Asks for JSON that fits a schema; bare unless [`LookBuilder::json`] says otherwise. Default: none.
    #[cfg(feature = "schema")]
    pub fn schema(mut self, schema: Schema) -> Self {
        self.look.json.get_or_insert(JsonForm::Bare);
        self.look.schema = Some(schema);
        self
    }

    /// Asks that calls of a tool have arguments that fit a schema. Default: any object.
    #[cfg(feature = "schema")]
    pub fn tool_schema(mut self, tool: impl Into<String>, schema: Schema) -> Self {
        self.look.tool_schemas.push((tool.into(), schema));
        self
    }

    /// Asks for a language. Default: any.
    pub const fn language(mut self, language: Language) -> Self {
        self.look.rules.language = Some(language);
        self
    }

    /// Asks that question and answer be at least so alike, 0 to 1. Default: not asked. Needs [`Answer::with_question`].
    pub fn similarity(mut self, similarity: Arc<dyn Similarity>, floor: f32) -> Self {
        self.bad_similarity = (!(0.0..=1.0).contains(&floor)).then_some(floor);
        self.look.similarity = Some((similarity, floor));
        self
    }

    /// Builds the look.
    ///
    /// # Errors
    ///
    /// If the floor of the similarity is not between 0 and 1.
    pub fn build(self) -> Result<Look, BuildError> {
        match self.bad_similarity {
            None => Ok(self.look),
            Some(floor) => Err(BuildError::Similarity(floor)),
        }
    }
}

/// A look that cannot be built.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The floor of the similarity must be between 0 and 1.
    #[error("similarity floor {0} is not between 0 and 1")]
    Similarity(f32),
}
