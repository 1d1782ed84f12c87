//! How a Claude model is told to think, or not to.

use super::demand::Demand;
use crate::chat::{Effort, Part, Reasoning, Request};
use crate::claude::{self, Rest};
use crate::codec::{Object, note};
use serde_json::json;

/// The smallest thinking budget that is accepted, in tokens.
const MIN_BUDGET_TOKENS: u32 = 1_024;

/// Writes the fields that tell a Claude model how to think, for wires that carry them as they are.
/// True where it will think; then `max_tokens` leaves room for it.
pub(crate) fn thinking_fields(
    request: &Request,
    model: &str,
    out: &mut Object,
    max_tokens: &mut u32,
    dropped: &mut Vec<&'static str>,
) -> bool {
    let Some(reasoning) = request.reasoning else {
        return false;
    };
    let thinking = Thinking {
        request,
        reasoning,
        model,
    };
    let mut config = Object::default();
    let thinks = thinking.encode(out, &mut config, max_tokens, dropped);
    if !config.0.is_empty() {
        out.set("output_config", config.0);
    }
    thinks
}

/// Whether and how the model is to think.
pub(super) struct Thinking<'a> {
    pub(super) request: &'a Request,
    pub(super) reasoning: Reasoning,
    pub(super) model: &'a str,
}

impl Thinking<'_> {
    /// Writes the fields; true where the model will think.
    pub(super) fn encode(
        &self,
        out: &mut Object,
        config: &mut Object,
        max_tokens: &mut u32,
        dropped: &mut Vec<&'static str>,
    ) -> bool {
        if self.reasoning.off {
            self.rest(out, config, dropped);
            return false;
        }
        let forced = matches!(Demand::of(self.request, self.model), Demand::Made);
        match generation(self.model) {
            // A forced tool call and thinking exclude each other.
            _ if forced => dropped.push("reasoning"),
            Generation::Other => dropped.push("reasoning"),
            Generation::Adaptive => {
                out.set("thinking", json!({"type": "adaptive"}));
                let effort = self.reasoning.effort.map(effort_name);
                config.set_some("effort", effort);
                return true;
            }
            // A turn that called tools must come back with its signed thinking, which another
            // provider's answer does not have.
            Generation::Budget if self.unsigned_tool_calls() => dropped.push("reasoning"),
            Generation::Budget => {
                let Some(budget) = self.budget() else {
                    dropped.push("reasoning");
                    return false;
                };
                if budget >= *max_tokens {
                    let limited = self.request.max_tokens.is_some();
                    note(dropped, limited, "max_tokens");
                    *max_tokens = budget.saturating_add(MIN_BUDGET_TOKENS);
                }
                out.set(
                    "thinking",
                    json!({"type": "enabled", "budget_tokens": budget}),
                );
                return true;
            }
        }
        false
    }

    /// Tells the model not to think, as far as it can be told.
    fn rest(&self, out: &mut Object, config: &mut Object, dropped: &mut Vec<&'static str>) {
        match claude::rest(self.model) {
            Rest::Unsaid => {}
            Rest::Disabled => out.set("thinking", json!({"type": "disabled"})),
            Rest::BetweenTools => {
                out.set("thinking", json!({"type": "between_tools"}));
                dropped.push("reasoning");
            }
            Rest::Never => {
                config.set("effort", "low");
                dropped.push("reasoning");
            }
        }
    }

    /// The tokens to think with. A grade takes half of what the caller allows at most: the limit is the caller's word on
    /// the bill. `None` where that is too little to think with.
    fn budget(&self) -> Option<u32> {
        let graded = match self.reasoning.effort {
            Some(Effort::None | Effort::Minimal | Effort::Low) => MIN_BUDGET_TOKENS,
            Some(Effort::High | Effort::ExtraHigh | Effort::Max) => 16_384,
            Some(Effort::Medium) | None => 4_096,
        };
        match (self.reasoning.budget_tokens, self.request.max_tokens) {
            (Some(budget), _) => Some(budget.max(MIN_BUDGET_TOKENS)),
            (None, None) => Some(graded),
            (None, Some(limit)) => Some(graded.min(limit / 2)).filter(|b| *b >= MIN_BUDGET_TOKENS),
        }
    }

    fn unsigned_tool_calls(&self) -> bool {
        self.request.messages.iter().any(|message| {
            let calls = message
                .parts
                .iter()
                .any(|part| matches!(part, Part::ToolCall(_)));
            let signed = message.parts.iter().any(|part| match part {
                Part::Thinking(thinking) => thinking.signature.is_some(),
                Part::RedactedThinking(_) => true,
                _ => false,
            });
            calls && !signed
        })
    }
}

/// How a model is told to think.
enum Generation {
    /// It decides by itself, guided by an effort: Claude 4.6 and later.
    Adaptive,
    /// It is given a budget: Claude 3.7 to 4.5.
    Budget,
    /// Not at all, or not known how.
    Other,
}

/// After <https://docs.anthropic.com/es/docs/build-with-claude/extended-thinking> for budgets and
/// <https://platform.claude.com/docs/de/about-claude/models/migration-guide> for 4.6, which takes either
/// and soon no budget; read 2026-11-26.
fn generation(model: &str) -> Generation {
    match claude::version(model) {
        Some(version) if version < (3, 7) => Generation::Other,
        Some(version) if version < (4, 6) => Generation::Budget,
        None if !model.contains("claude") => Generation::Other,
        _ => Generation::Adaptive,
    }
}

const fn effort_name(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        other => other.as_str(),
    }
}
