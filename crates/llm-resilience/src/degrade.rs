//! What is left when no target can answer.

use crate::keep::Keep;
use crate::render;
use bytes::Bytes;
use llm_providers::{Call, Purpose, chat};
use std::fmt;
use std::time::{Duration, Instant};

/// One step of a route's last resort. Steps are tried in their order; after the last comes the
/// error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Degraded {
    /// The last good answer to the same prompt, however old within the cache's limits.
    Cached,
    /// A prepared answer, where one of its rules matches the prompt.
    Static(Vec<StaticAnswer>),
    /// An honest message instead of an answer.
    Message {
        /// What to say.
        text: Box<str>,
        /// Where a human can be reached, added to the text.
        contact: Option<Box<str>>,
    },
}

/// A prepared answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StaticAnswer {
    contains: Option<Box<str>>,
    text: Box<str>,
}

/// Which kind of degraded answer was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Mode {
    /// From the cache; so old.
    Cached {
        /// The age of the answer.
        age: Duration,
    },
    /// A prepared answer.
    Static,
    /// An honest message.
    Message,
}

impl Degraded {
    /// The message `text`, without a contact.
    #[must_use]
    pub fn message(text: impl Into<Box<str>>) -> Self {
        Self::Message {
            text: text.into(),
            contact: None,
        }
    }

    /// One prepared answer for every prompt.
    #[must_use]
    pub fn always(text: impl Into<Box<str>>) -> Self {
        Self::Static(vec![StaticAnswer::always(text)])
    }
}

impl StaticAnswer {
    /// Answers any prompt with `text`.
    #[must_use]
    pub fn always(text: impl Into<Box<str>>) -> Self {
        Self {
            contains: None,
            text: text.into(),
        }
    }

    /// Answers with `text` where the last message of the user contains `words`, letter case of
    /// ASCII aside.
    #[must_use]
    pub fn when(words: impl Into<Box<str>>, text: impl Into<Box<str>>) -> Self {
        let words: Box<str> = words.into();
        Self {
            contains: Some(words.to_ascii_lowercase().into()),
            text: text.into(),
        }
    }

    fn matches(&self, prompt: &str) -> bool {
        self.contains
            .as_ref()
            .is_none_or(|words| prompt.contains(&**words))
    }
}

impl Mode {
    /// The stable name, for headers, metrics and traces.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cached { .. } => "cached",
            Self::Static => "static",
            Self::Message => "message",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first step that has something to say, as a body in the caller's dialect and form.
pub(crate) async fn answer(
    steps: &[Degraded],
    call: &Call,
    keep: Option<&Keep>,
    now: Instant,
) -> Option<(Mode, Bytes)> {
    // A prepared text is no vector.
    let speaks = call.purpose() == Purpose::Chat;
    let mut steps = steps
        .iter()
        .filter(|step| speaks || **step == Degraded::Cached);
    for step in &mut steps {
        let found = match step {
            Degraded::Cached => match keep {
                Some(keep) => keep.last_good(now).await.and_then(|hit| {
                    let body = render::cached(call, hit.body())?;
                    Some((Mode::Cached { age: hit.age }, body))
                }),
                None => None,
            },
            Degraded::Static(rules) => {
                let prompt = last_user_text(call);
                let rule = rules.iter().find(|rule| rule.matches(&prompt));
                rule.and_then(|rule| Some((Mode::Static, render::text(call, &rule.text)?)))
            }
            Degraded::Message { text, contact } => {
                let body = match contact {
                    Some(contact) => render::text(call, &format!("{text} {contact}")),
                    None => render::text(call, text),
                };
                body.map(|body| (Mode::Message, body))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The last message of the user in lower case; empty where the request cannot be read.
fn last_user_text(call: &Call) -> String {
    let Ok(request) = call.chat() else {
        return String::new();
    };
    let last = request
        .messages
        .iter()
        .rev()
        .find(|message| message.role == chat::Role::User);
    let texts = last.into_iter().flat_map(|message| &message.parts);
    texts
        .filter_map(|part| match part {
            chat::Part::Text(text) => Some(text.text.to_ascii_lowercase()),
            _ => None,
        })
        .collect()
}
