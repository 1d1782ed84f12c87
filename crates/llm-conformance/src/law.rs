//! What must hold for every adapter, whatever its wire. Golden files hold the rest.

use crate::adapter::{Adapter, Answer};
use crate::conversation::{Ending, Expect};
use crate::suite::{Finding, Played, Side};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Dialect, form};
use serde_json::Value;

/// Everything wrong with `played`.
pub(crate) fn findings(adapter: &dyn Adapter, caller: Dialect, played: &Played) -> Vec<Finding> {
    let mut wrong = Vec::new();
    if played.whole.answer.failed != played.stream.answer.failed {
        wrong.push(format!(
            "whole: {}, streamed: {}",
            ending(&played.whole.answer),
            ending(&played.stream.answer)
        ));
    }
    let mut replies = Vec::new();
    for (mode, side) in [("whole", &played.whole), ("streamed", &played.stream)] {
        let mut found = sent(adapter, caller, played, side);
        if side.answer.failed.is_none() {
            let reply = match mode {
                "whole" => form::decode_whole(caller, &side.answer.body),
                _ => form::decode_stream(caller, &side.answer.body),
            };
            match reply {
                Some(reply) => {
                    found.extend(said(&played.conversation.expect, &side.answer, &reply));
                    replies.push(reply);
                }
                None => found.push(format!("the answer is no finished answer of {caller}")),
            }
        }
        wrong.extend(found.into_iter().map(|what| format!("{mode}: {what}")));
    }
    if let [whole, stream] = replies.as_slice() {
        let told = |reply: &Reply| (words(reply), owned(arguments(reply)), reply.finish);
        if told(whole) != told(stream) {
            wrong.push("the whole answer and the streamed one differ".to_owned());
        }
        // Some wires tell a stream's usage only if asked, and some cannot be asked.
        if whole.usage.is_empty() || !(stream.usage.is_empty() || stream.usage == whole.usage) {
            wrong.push("no usage, or another one when streamed".to_owned());
        }
    }
    wrong
        .into_iter()
        .map(|what| Finding {
            conversation: played.conversation.name.to_owned(),
            what,
        })
        .collect()
}

fn owned(calls: Vec<(&str, &str)>) -> Vec<(String, String)> {
    calls
        .into_iter()
        .map(|(name, json)| (name.to_owned(), json.to_owned()))
        .collect()
}

fn ending(answer: &Answer) -> &str {
    answer.failed.as_deref().unwrap_or("answered")
}

/// What reached the provider.
fn sent(adapter: &dyn Adapter, caller: Dialect, played: &Played, side: &Side) -> Vec<String> {
    let mut wrong = Vec::new();
    let received = match side.received.as_slice() {
        [received] => received,
        // Refused before anything was sent.
        [] if side.answer.failed.is_some() => return wrong,
        several => {
            wrong.push(format!(
                "the provider received {} calls, not one",
                several.len()
            ));
            return wrong;
        }
    };
    let mut texts = Vec::new();
    collect(&received.body, &mut texts);
    let model = adapter.model();
    if !texts.contains(&model) && !received.path.contains(model) {
        wrong.push(format!("the provider was not asked for {model}"));
    }
    for text in &played.conversation.carries {
        if !texts.iter().any(|found| found.contains(text.as_str())) {
            wrong.push(format!("{text:?} did not reach the provider"));
        }
    }
    if adapter.dialect() == Some(caller) {
        let mut expected = side.request.clone();
        if let Some(name) = expected.get_mut("model") {
            *name = model.into();
        }
        if received.body != expected {
            wrong.push("a request of the provider's own dialect was changed".to_owned());
        }
    }
    wrong
}

/// Every text within a JSON value, keys included; a text that is JSON itself (the arguments of a tool call) is looked
/// into as well.
fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(list) => list.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => {
            for (key, item) in map {
                texts.push(key);
                collect(item, texts);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What the caller was told. A provider that cannot stop so early, or go on from a given beginning, says more; then the
/// adapter has to have named the limit or the beginning as dropped.
fn said(expect: &Expect, answer: &Answer, reply: &Reply) -> Vec<String> {
    let mut wrong = Vec::new();
    let expected = expect.refusal.as_deref().unwrap_or(&expect.text);
    let words = words(reply);
    let named = |field: &str| answer.dropped.iter().any(|name| name == field);
    let unlimited = named("max_tokens") && words.starts_with(expected);
    let begins_anew = named("messages.prefill") && words.ends_with(expected);
    if words != expected && !unlimited && !begins_anew {
        wrong.push(format!("the text is {words:?}, not {expected:?}"));
    }
    let calls = arguments(reply);
    let names: Vec<_> = calls.iter().map(|(name, _)| *name).collect();
    let wanted: Vec<_> = expect.calls.iter().map(|call| call.name.as_str()).collect();
    if names != wanted {
        wrong.push(format!("the tools called are {names:?}, not {wanted:?}"));
    }
    for (name, arguments) in calls {
        if !serde_json::from_str::<Value>(arguments).is_ok_and(|value| value.is_object()) {
            wrong.push(format!("the arguments for {name} are no JSON object"));
        }
    }
    let declined = reply
        .parts
        .iter()
        .any(|part| matches!(part, Part::Refusal(_)));
    let fits = match (expect.finish, reply.finish) {
        (Ending::Stop, Some(FinishReason::Stop | FinishReason::StopSequence))
        | (Ending::Length, Some(FinishReason::Length))
        | (Ending::ToolCalls, Some(FinishReason::ToolCalls)) => true,
        (Ending::Length, Some(FinishReason::Stop)) => unlimited,
        // OpenAI's wire ends words of refusal like any other words, and has a field of their own for them.
        (Ending::Refusal, Some(FinishReason::Stop)) => declined,
        (Ending::Filter | Ending::Refusal, Some(found)) => {
            matches!(found, FinishReason::ContentFilter | FinishReason::Refusal)
        }
        _ => false,
    };
    if !fits {
        wrong.push(format!(
            "it ended with {:?}, not {:?}",
            reply.finish, expect.finish
        ));
    }
    wrong
}

/// Text and words of refusal: which of the two a wire calls it differs.
fn words(reply: &Reply) -> String {
    let parts = reply.parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.text.as_str()),
        Part::Refusal(text) => Some(text.as_str()),
        _ => None,
    });
    parts.collect()
}

/// Name and arguments of every tool call.
fn arguments(reply: &Reply) -> Vec<(&str, &str)> {
    let calls = reply.parts.iter().filter_map(|part| match part {
        Part::ToolCall(call) => Some((call.name.as_str(), call.arguments.as_str())),
        _ => None,
    });
    calls.collect()
}
