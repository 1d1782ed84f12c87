//! What is known of a failure once its body has been read, as the decision looks at it.

use crate::evidence::Field;
use crate::fact::{Facts, Quota};
use crate::rule::Signal;
use crate::text::Text;
use crate::verdict::Hint;

/// The words of a reply without a body.
static SILENCE: Text = Text::new();

/// What a body told.
pub(crate) struct Known<'f> {
    pub(crate) text: &'f Text,
    pub(crate) signal: Option<(Signal, Field)>,
    /// A status that the body states, or 0.
    pub(crate) status: u16,
    pub(crate) hint: Option<Hint>,
    pub(crate) quota: Quota,
    /// The context window in tokens, or 0.
    pub(crate) limit: u32,
    /// The size asked for in tokens, or 0.
    pub(crate) asked: u32,
}

impl Known<'static> {
    /// What an empty body tells: nothing has to be gathered for it.
    #[inline]
    pub(crate) const fn nothing() -> Self {
        Self {
            text: &SILENCE,
            signal: None,
            status: 0,
            hint: None,
            quota: Quota::NONE,
            limit: 0,
            asked: 0,
        }
    }
}

impl<'f> Known<'f> {
    /// What was gathered from a body.
    #[inline]
    pub(crate) const fn of(facts: &'f Facts<'_>) -> Self {
        Self {
            text: &facts.text,
            signal: facts.signal,
            status: facts.status,
            hint: facts.hint,
            quota: facts.quota,
            limit: facts.limit,
            asked: facts.asked,
        }
    }
}
