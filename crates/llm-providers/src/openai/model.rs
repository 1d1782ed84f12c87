//! What the name of one of OpenAI's models tells.
//!
//! - Models that reason take no `temperature`, `top_p` and stop sequences of the caller's
//!   (<https://platform.openai.com/docs/guides/reasoning>, as reported with its words at
//!   <https://github.com/vercel/ai/issues/10932> and <https://github.com/BerriAI/litellm/pull/15244>).
//! - 5.1 to 5.4 do where they do not reason, which is what they do unless they are told otherwise
//!   (<https://developers.openai.com/api/docs/guides/latest-model#gpt-54-parameter-compatibility>, as reported at
//!   <https://github.com/tmc/langchaingo/issues/1497>); 5.5 reasons by default, and 5.6 refuses
//!   (<https://github.com/khoj-ai/khoj/issues/1377>).
//! - `gpt-5-chat` does not reason (<https://github.com/BerriAI/litellm/issues/13781>); of later chat models it is not known, so they are
//!   sent neither an effort nor how to sample.
//! - On the chat wire 5.4 and later refuse functions together with an effort
//!   (<https://github.com/openai/openai-openapi/issues/541>), 5.6 and later functions unless the effort is `none`
//!   (<https://github.com/BerriAI/litellm/pull/34569>). The responses wire has both.
//!
//! All read 2026-11-26.

use crate::chat::Reasoning;
use crate::model::Thinking;

/// One of OpenAI's models, wherever it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Model {
    /// Its number; that of the `o` models is before all others.
    version: (u32, u32),
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Does not reason, or is none of OpenAI's.
    Other,
    /// Reasons; how much can be said.
    Reasoner,
    /// Reasons, and cannot be told not to.
    Stubborn,
    /// A chat model of which it is not known.
    Chat,
}

/// What a request for functions must say of reasoning on the chat wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BesideTools {
    /// Whatever it likes.
    Anything,
    /// Nothing.
    Nothing,
    /// That there is to be none.
    None,
}

impl Model {
    /// The model called `name`, with or without its maker's before it.
    pub(crate) fn named(name: &str) -> Self {
        let name = name.rsplit('/').next().unwrap_or(name);
        let of = |version, kind| Self { version, kind };
        if ["o1", "o3", "o4"].iter().any(|old| name.starts_with(old)) {
            return of((0, 0), Kind::Stubborn);
        }
        let Some((number, rest)) = name
            .strip_prefix("gpt-")
            .map(|rest| rest.split_once('-').unwrap_or((rest, "")))
        else {
            return of((0, 0), Kind::Other);
        };
        let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
        let version = match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => (major, minor),
            _ => return of((0, 0), Kind::Other),
        };
        let kind = match rest {
            _ if version < (5, 0) => Kind::Other,
            _ if rest.starts_with("chat") && version == (5, 0) => Kind::Other,
            _ if rest.starts_with("chat") => Kind::Chat,
            _ if version < (5, 1) || rest.contains("pro") || rest.contains("codex") => {
                Kind::Stubborn
            }
            _ => Kind::Reasoner,
        };
        of(version, kind)
    }

    /// Whether it takes an effort.
    pub(crate) fn reasons(self) -> bool {
        matches!(self.kind, Kind::Reasoner | Kind::Stubborn)
    }

    /// When it reasons. `None` where it is none of OpenAI's.
    fn thinking(self) -> Option<Thinking> {
        match self.kind {
            Kind::Other if self.version == (0, 0) => None,
            Kind::Other => Some(Thinking::WhenAsked),
            Kind::Stubborn => Some(Thinking::Always),
            Kind::Reasoner if self.version < (5, 5) => Some(Thinking::WhenAsked),
            Kind::Reasoner | Kind::Chat => Some(Thinking::ByDefault),
        }
    }

    /// Whether it can be told not to reason.
    pub(crate) fn can_rest(self) -> bool {
        self.kind == Kind::Reasoner
    }

    /// Whether it takes `temperature` and `top_p` in a request that says this of reasoning.
    pub(crate) fn samples(self, reasoning: Option<Reasoning>) -> bool {
        match self.kind {
            Kind::Other => true,
            Kind::Reasoner => {
                self.version < (5, 5) && reasoning.is_none_or(|reasoning| reasoning.off)
            }
            Kind::Stubborn | Kind::Chat => false,
        }
    }

    /// Whether it takes stop sequences.
    pub(crate) fn stops(self) -> bool {
        self.kind == Kind::Other
    }

    /// What must be said of reasoning beside functions, on the chat wire.
    pub(crate) fn beside_tools(self) -> BesideTools {
        match self.version {
            _ if !self.reasons() || self.version < (5, 4) => BesideTools::Anything,
            (5, 4 | 5) => BesideTools::Nothing,
            _ if self.can_rest() => BesideTools::None,
            _ => BesideTools::Nothing,
        }
    }
}

/// When a model reasons, wherever it is served: at Bedrock its name has `openai.` in it. `None` where it is none of OpenAI's.
pub(crate) fn thinking(name: &str) -> Option<Thinking> {
    let own = name.rsplit("openai.").next().unwrap_or(name);
    Model::named(own).thinking()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_refused() {
        let some = Some(Reasoning::default());
        for (name, reasons, samples, samples_reasoning, beside) in [
            ("gpt-4o", false, true, true, BesideTools::Anything),
            ("gpt-oss-120b", false, true, true, BesideTools::Anything),
            ("llama-3.3-70b", false, true, true, BesideTools::Anything),
            (
                "gpt-5-chat-latest",
                false,
                true,
                true,
                BesideTools::Anything,
            ),
            (
                "gpt-5.2-chat-latest",
                false,
                false,
                false,
                BesideTools::Anything,
            ),
            ("o3", true, false, false, BesideTools::Anything),
            (
                "gpt-5-mini-2025-08-07",
                true,
                false,
                false,
                BesideTools::Anything,
            ),
            ("openai/gpt-5.1", true, true, false, BesideTools::Anything),
            (
                "gpt-5.1-codex-max",
                true,
                false,
                false,
                BesideTools::Anything,
            ),
            (
                "gpt-5.2-pro-2025-12-11",
                true,
                false,
                false,
                BesideTools::Anything,
            ),
            ("gpt-5.4-mini", true, true, false, BesideTools::Nothing),
            ("gpt-5.5", true, false, false, BesideTools::Nothing),
            ("gpt-5.6-luna", true, false, false, BesideTools::None),
            ("gpt-6-astra", true, false, false, BesideTools::None),
        ] {
            let model = Model::named(name);
            assert_eq!(model.reasons(), reasons, "{name}");
            assert_eq!(model.samples(None), samples, "{name}");
            assert_eq!(model.samples(some), samples_reasoning, "{name}");
            assert_eq!(model.beside_tools(), beside, "{name}");
        }
        assert!(Model::named("gpt-5.6").can_rest());
        assert!(!Model::named("gpt-5").can_rest());
    }
}
