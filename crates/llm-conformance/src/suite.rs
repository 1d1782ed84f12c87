//! The run: every conversation through one adapter, for one caller's dialect.

use crate::adapter::{Adapter, Answer, Ask};
use crate::conversation::{Conversation, conversations};
use crate::error::SuiteError;
use crate::law;
use crate::stage::{Received, Stage};
use llm_providers::Dialect;
use std::fmt;

/// Something an adapter does wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// In which conversation.
    pub conversation: String,
    /// What.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.conversation, self.what)
    }
}

/// What a conversation came to: both sides, whole and streamed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Played {
    /// The conversation.
    pub conversation: Conversation,
    /// The call for a whole answer.
    pub whole: Side,
    /// The call for a stream.
    pub stream: Side,
}

/// One call of a conversation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Side {
    /// What the caller sent.
    pub request: serde_json::Value,
    /// What the provider received.
    pub received: Vec<Received>,
    /// What the caller got.
    pub answer: Answer,
}

/// All that one run showed.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Report {
    /// Every conversation that the caller's wire can hold.
    pub played: Vec<Played>,
    /// What was wrong by the laws that hold for every adapter.
    pub findings: Vec<Finding>,
}

/// Plays every conversation through `adapter` for a caller of `caller`'s dialect.
///
/// # Errors
///
/// [`SuiteError`] where the suite itself cannot be run.
///
/// # Cancel safety
///
/// Dropping the future ends the call in progress; nothing else remains.
pub async fn run(
    adapter: &dyn Adapter,
    stage: &dyn Stage,
    caller: Dialect,
) -> Result<Report, SuiteError> {
    let mut report = Report::default();
    for conversation in conversations()? {
        let Some(whole) = side(adapter, stage, caller, &conversation, false).await? else {
            continue;
        };
        let Some(stream) = side(adapter, stage, caller, &conversation, true).await? else {
            continue;
        };
        let played = Played {
            conversation,
            whole,
            stream,
        };
        report
            .findings
            .extend(law::findings(adapter, caller, &played));
        report.played.push(played);
    }
    Ok(report)
}

async fn side(
    adapter: &dyn Adapter,
    stage: &dyn Stage,
    caller: Dialect,
    conversation: &Conversation,
    stream: bool,
) -> Result<Option<Side>, SuiteError> {
    let Some(request) = conversation.request(caller, "route", stream) else {
        return Ok(None);
    };
    stage.prepare(&conversation.provider)?;
    let answer = adapter
        .call(Ask {
            caller,
            body: request.to_string().into(),
            provider: stage.address(),
        })
        .await;
    Ok(Some(Side {
        request,
        received: stage.received(),
        answer,
    }))
}
