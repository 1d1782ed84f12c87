//! Shortens a conversation that is too long for its model: the oldest turns go first.
//!
//! A turn is a message of the user with all that follows on it, so a tool's call and its result stay
//! together. System messages, the top of the body (instructions, tools) and the last turn always stay.

use super::{Call, Features, Purpose, SHORTENED};
use crate::wire::Dialect;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Tokens around each message.
const MESSAGE_TOKENS: u64 = 4;
/// The room left for the answer where the caller set no limit; at most a quarter of the window.
const ANSWER_TOKENS: u64 = 1_000;

#[derive(Deserialize)]
struct Message<'a> {
    /// The responses wire's items have one, and only messages have a role beside it.
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    role: Option<&'a RawValue>,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Block<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
}

/// What a message is to the order of turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It belongs to no turn.
    System,
    /// A turn begins.
    Begins,
    /// It belongs to the turn before.
    Follows,
}

impl Call {
    /// The same call with its oldest turns left out, so that prompt and answer fit into `window` tokens;
    /// `None` where nothing can be left out, or not enough. `counted` is the prompt's true number of
    /// tokens where it is known (a provider that refuses a prompt often tells), else 0: then the estimate
    /// is taken with a quarter on top. Texts that are to be embedded have no turns, of a
    /// conversation that the provider keeps the oldest are not here, and a [strict](Self::strict) caller
    /// wants all or nothing: always `None`.
    #[must_use]
    pub fn shortened(&self, window: u32, counted: u32) -> Option<Self> {
        let is_kept_elsewhere = self.features().contains(Features::STATE);
        if self.purpose() == Purpose::Embeddings || self.is_strict() || is_kept_elsewhere {
            return None;
        }
        let mut fields: BTreeMap<String, Box<RawValue>> =
            serde_json::from_slice(&self.body).ok()?;
        let turns = match self.dialect {
            Dialect::OpenAiResponses => "input",
            Dialect::OpenAiChat | Dialect::AnthropicMessages => "messages",
        };
        let raw = fields.get(turns)?;
        let messages: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        let places = messages
            .iter()
            .map(|raw| place(raw.get()))
            .collect::<Option<Vec<_>>>()?;
        let estimate = u64::from(self.estimated_input_tokens()).max(1);
        let true_size = match u64::from(counted) {
            0 => estimate + estimate / 4,
            counted => counted,
        };
        let window = u64::from(window);
        let answer = self.max_tokens().map_or(ANSWER_TOKENS, u64::from);
        let room = window.saturating_sub(answer.min(window / 4));
        // In the tokens of the estimate, by which messages are weighed.
        let room = room.saturating_mul(estimate) / true_size.max(1);
        let last = places.iter().rposition(|place| *place == Place::Begins)?;
        let mut size = estimate;
        let mut kept = vec![true; messages.len()];
        let mut starts: Vec<usize> = (0..last)
            .filter(|at| places.get(*at) == Some(&Place::Begins))
            .collect();
        // What precedes the first turn of the user, other than instructions, goes with the first turn.
        if let Some(first) = starts.first_mut() {
            *first = 0;
        }
        starts.push(last);
        for turn in starts.windows(2) {
            if size <= room {
                break;
            }
            let &[from, to] = turn else { break };
            for at in from..to {
                let (Some(keep), Some(raw)) = (kept.get_mut(at), messages.get(at)) else {
                    continue;
                };
                if places.get(at) != Some(&Place::System) {
                    *keep = false;
                    size = size.saturating_sub(weight(raw));
                }
            }
        }
        if size > room || kept.iter().all(|keep| *keep) {
            return None;
        }
        let left = messages.iter().zip(&kept);
        let left = left.filter_map(|(raw, keep)| keep.then_some(*raw));
        let left: Vec<Box<RawValue>> =
            if self.dialect == Dialect::AnthropicMessages && !has_budget(&fields) {
                left.filter_map(without_thoughts).collect()
            } else {
                left.map(ToOwned::to_owned).collect()
            };
        let left = serde_json::value::to_raw_value(&left).ok()?;
        fields.insert(turns.to_owned(), left);
        let body = serde_json::to_vec(&fields).ok()?;
        let mut call = Self::parse(self.dialect, body.into()).ok()?;
        call.headers = self.headers.clone();
        let dropped = self.dropped.iter().copied().chain([SHORTENED]);
        call.dropped = dropped.collect();
        Some(call)
    }
}

/// True where the caller sets how many tokens to think: only older models take that, which do not bind thoughts to what
/// came before them, and which demand those of the turn whose tools were just called.
fn has_budget(fields: &BTreeMap<String, Box<RawValue>>) -> bool {
    let config = fields.get("thinking");
    let config = config.map_or("", |thinking| thinking.get());
    let kind = serde_json::from_str::<Block<'_>>(config).ok();
    let kind = kind.and_then(|config| config.kind);
    kind.is_some_and(|kind| kind.get() == "\"enabled\"")
}

/// A message of Anthropic's wire without its thoughts: those of the newest models hold for what came before them alone,
/// and what came before is another now (`binds_thoughts` in `claude.rs`). `None` where nothing else was said.
fn without_thoughts(message: &RawValue) -> Option<Box<RawValue>> {
    let whole = || message.to_owned();
    if !message.get().contains("thinking\"") {
        return Some(whole());
    }
    let Ok(mut fields) = serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(message.get())
    else {
        return Some(whole());
    };
    let content = fields.get("content").map_or("", |content| content.get());
    let Ok(blocks) = serde_json::from_str::<Vec<&RawValue>>(content) else {
        return Some(whole());
    };
    let is_thought = |block: &&RawValue| {
        let kind = serde_json::from_str::<Block<'_>>(block.get())
            .ok()
            .and_then(|block| block.kind);
        kind.is_some_and(|kind| matches!(kind.get(), "\"thinking\"" | "\"redacted_thinking\""))
    };
    let left: Vec<&RawValue> = blocks
        .into_iter()
        .filter(|block| !is_thought(block))
        .collect();
    if left.is_empty() {
        return None;
    }
    let left = serde_json::value::to_raw_value(&left).ok()?;
    fields.insert("content".to_owned(), left);
    serde_json::value::to_raw_value(&fields).ok()
}

/// As the estimate of the whole counts: some four bytes a token.
fn weight(raw: &RawValue) -> u64 {
    (raw.get().len() as u64) / 4 + MESSAGE_TOKENS
}

fn place(message: &str) -> Option<Place> {
    let message: Message<'_> = serde_json::from_str(message).ok()?;
    let Some(role) = message.role else {
        // Calls of tools, their results, reasoning, references.
        return message.kind.map(|_| Place::Follows);
    };
    Some(match role.get() {
        "\"system\"" | "\"developer\"" => Place::System,
        "\"user\"" if !is_tool_result(message.content) => Place::Begins,
        _ => Place::Follows,
    })
}

/// Anthropic's wire has results of tools in messages of the user.
fn is_tool_result(content: Option<&RawValue>) -> bool {
    let blocks = content.and_then(|raw| serde_json::from_str::<Vec<Block<'_>>>(raw.get()).ok());
    blocks.is_some_and(|blocks| {
        let mut kinds = blocks.iter().filter_map(|block| block.kind);
        kinds.any(|kind| kind.get() == "\"tool_result\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn call(dialect: Dialect, messages: &Value) -> Call {
        let body = json!({"model": "m", "max_tokens": 10, "messages": messages});
        Call::parse(dialect, body.to_string().into()).unwrap()
    }

    /// The first words of the messages that are left.
    fn left(call: &Call) -> Vec<String> {
        let body: Value = serde_json::from_slice(call.body()).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let first = |message: &Value| {
            let text = message["content"].as_str().unwrap_or("-");
            text.split(' ').next().unwrap().to_owned()
        };
        messages.iter().map(first).collect()
    }

    fn long(name: &str) -> String {
        format!("{name} {}", "lorem ipsum ".repeat(40))
    }

    #[test]
    fn the_oldest_turns_go_and_instructions_and_the_last_turn_stay() {
        let messages = json!([
            {"role": "system", "content": "rules"},
            {"role": "user", "content": long("one")},
            {"role": "assistant", "content": long("two")},
            {"role": "system", "content": "more"},
            {"role": "user", "content": long("three")},
            {"role": "assistant", "content": long("four")},
            {"role": "user", "content": long("five")},
        ]);
        let call = call(Dialect::OpenAiChat, &messages);
        let shortened = |window| call.shortened(window, 0).map(|call| left(&call));
        assert_eq!(
            shortened(600).unwrap(),
            ["rules", "more", "three", "four", "five"]
        );
        assert_eq!(shortened(300).unwrap(), ["rules", "more", "five"]);
        assert_eq!(shortened(100), None, "the last turn alone is too long");
        assert_eq!(shortened(100_000), None, "nothing needs to go");
        let dropped = call.shortened(300, 0).unwrap();
        assert_eq!(dropped.dropped(), [SHORTENED]);
        // A provider that counts twice as many tokens gets half as much.
        let counted = call.estimated_input_tokens() * 2;
        let half = call.shortened(600, counted).map(|call| left(&call));
        assert_eq!(half.unwrap(), ["rules", "more", "five"]);
    }

    #[test]
    fn items_of_the_responses_wire_are_turns_too() {
        let call = |more: &str, input: &Value| {
            let body = format!(
                r#"{{"model":"m","max_output_tokens":10,"instructions":"rules",{more}"input":{input}}}"#
            );
            Call::parse(Dialect::OpenAiResponses, body.into()).unwrap()
        };
        let input = json!([
            {"role": "developer", "content": "more"},
            {"role": "user", "content": long("one")},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": long("sealed")},
            {"type": "function_call", "call_id": "a", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": long("result")},
            {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": long("two")}]},
            {"type": "message", "role": "user", "content": "three"},
        ]);
        let short = call("", &input).shortened(300, 0).unwrap();
        let body: Value = serde_json::from_slice(short.body()).unwrap();
        assert_eq!(body["instructions"], "rules");
        assert_eq!(body["input"], json!([input[0], input[6]]));
        assert_eq!(short.dropped(), [SHORTENED]);
        let kept = call(r#""previous_response_id":"resp_1","#, &input);
        assert!(kept.shortened(300, 0).is_none());
        assert!(call("", &json!(long("one"))).shortened(10, 0).is_none());
    }

    #[test]
    fn calls_and_results_of_tools_go_together() {
        let openai = json!([
            {"role": "user", "content": long("one")},
            {"role": "assistant", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "a", "content": long("result")},
            {"role": "user", "content": long("two")},
            {"role": "assistant", "tool_calls": [{"id": "b", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "b", "content": "fresh"},
        ]);
        let call_openai = call(Dialect::OpenAiChat, &openai);
        let short = call_openai.shortened(400, 0).unwrap();
        assert_eq!(left(&short), ["two", "-", "fresh"]);
        let anthropic = json!([
            {"role": "user", "content": long("one")},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": long("result")}]},
            {"role": "assistant", "content": "so"},
            {"role": "user", "content": long("two")},
        ]);
        let call_anthropic = call(Dialect::AnthropicMessages, &anthropic);
        let short = call_anthropic.shortened(300, 0).unwrap();
        assert_eq!(left(&short), ["two"]);
    }
}
