//! Nothing is held against a schema: the feature `schema` is off.

use llm_providers::Call;
use llm_quality::{Answer, ToolCall};

#[derive(Debug, Default)]
pub(crate) struct Schemas;

#[derive(Debug)]
pub(crate) struct Asked<'a>(std::marker::PhantomData<&'a ()>);

impl Schemas {
    #[expect(clippy::unused_self, reason = "the other feature set needs it")]
    pub(crate) const fn asked<'a>(&self, _: &'a Call, _: &[ToolCall<'_>]) -> Asked<'a> {
        Asked(std::marker::PhantomData)
    }
}

impl Asked<'_> {
    #[expect(clippy::unused_self, reason = "the other feature set needs it")]
    pub(crate) const fn of<'b>(&'b self, answer: Answer<'b>) -> Answer<'b> {
        answer
    }
}
