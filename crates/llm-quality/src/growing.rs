//! A look at an answer that is still being written.

use std::fmt;

use crate::answer::Finish;
use crate::finding::Findings;
use crate::look::Rules;
use crate::repeat::Repetition;
use crate::scan::{Beside, Scan};

/// Watches the text of a stream. Says early that it loops or is garbled, and the rest at the end.
///
/// Holds at most 32 KiB, however long the stream. What needs the whole text or the tool calls (JSON, schema, tool arguments,
/// similarity) is left to [`Look::look`](crate::Look::look).
///
/// ```
/// use llm_quality::{Finding, Finish, Look};
///
/// let look = Look::default();
/// let mut growing = look.growing();
/// let mut stopped_after = None;
/// for chunk in 0..1000 {
///     if growing.push("Let me check that again. ").is_bad() {
///         stopped_after = Some(chunk);
///         break;
///     }
/// }
/// assert_eq!(stopped_after, Some(20));
/// assert!(growing.finish(Some(Finish::Stop)).contains(Finding::Repetitive));
/// ```
#[derive(Clone)]
#[must_use = "a look that is never fed sees nothing"]
pub struct GrowingLook {
    rules: Rules,
    scan: Scan,
    calls: bool,
    refused: bool,
}

impl GrowingLook {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            scan: Scan::new(&rules),
            calls: false,
            refused: false,
        }
    }

    /// Reads the next piece of text and says what is certain by now: looping or garbled. Once bad, always bad. Any split of the
    /// same text ends with the same findings.
    pub fn push(&mut self, chunk: &str) -> Findings {
        self.scan.push(chunk);
        self.early()
    }

    /// Says what is certain by now.
    pub fn early(&self) -> Findings {
        let mut findings = Findings::default();
        self.scan
            .early(&mut |finding, severity| self.rules.add(&mut findings, finding, severity));
        findings
    }

    /// Tells that the answer holds a tool call: no text is then no fault, nor is text that ends with a colon.
    pub const fn tool_call(&mut self) {
        self.calls = true;
    }

    /// Tells that something came in the refusal field.
    pub const fn refusal(&mut self) {
        self.refused = true;
    }

    /// Returns the loop that was found, for the log or to cut the text before it.
    #[must_use]
    pub const fn repetition(&self) -> Option<Repetition> {
        self.scan.repetition()
    }

    /// Ends the text. `finish` is `None` where the stream stopped without saying why.
    pub fn finish(mut self, finish: Option<Finish>) -> Findings {
        let beside = Beside {
            finish,
            refused: self.refused,
            calls: self.calls,
        };
        let mut findings = Findings::default();
        self.scan
            .end(&self.rules, beside, &mut |finding, severity| {
                self.rules.add(&mut findings, finding, severity);
            });
        findings
    }
}

/// Shows what was found, not the text.
impl fmt::Debug for GrowingLook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrowingLook")
            .field("early", &self.early())
            .finish_non_exhaustive()
    }
}
