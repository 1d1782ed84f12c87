//! What was not as it must be: in what the SDK made of a call, and in what the providers received.

use std::ops::RangeInclusive;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::driver::Sdk;
use super::play::{Case, DIMENSIONS, INPUTS, LONG_WORD, PICTURE, TEXTS, TOOL_RESULT};
use super::scenario::{Ask, Expect, FIRST, Feature, LONG_WORDS, Must};
use super::stack::{NAMES, Providers};
use crate::shell;

/// What the SDK saw against what it must have seen.
pub(super) fn seen(ask: &Ask, case: &Case, sdk: Sdk, answer: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let text = |key: &str| {
        answer
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let ok = answer.get("ok").and_then(Value::as_bool).unwrap_or(false);
    let [end, _] = sdk.endings();
    match ask.expect {
        Expect::Answer(which) => {
            must(ok, "an exception instead of an answer".to_owned());
            if ok {
                let expected = TEXTS.get(which).copied().unwrap_or_default();
                must(
                    text("/text") == expected,
                    format!("another text than \"{expected}\""),
                );
                must(
                    text("/finish") == end,
                    format!("finish reason `{}`, not `{end}`", text("/finish")),
                );
                answered_by(which, sdk, answer, &mut must);
                let chunks = answer.get("chunks").and_then(Value::as_u64).unwrap_or(0);
                must(
                    !case.stream || chunks > 5,
                    format!("a stream of {chunks} chunks"),
                );
                must(
                    text("/headers/x-llm-degraded").is_empty(),
                    "marked as degraded".to_owned(),
                );
            }
        }
        Expect::Schema(which) => {
            must(ok, "an exception instead of an answer".to_owned());
            if ok {
                let object: Value = serde_json::from_str(text("/text")).unwrap_or_default();
                must(
                    object.get("city").is_some_and(Value::is_string),
                    "the answer does not fit the schema".to_owned(),
                );
                must(
                    text("/finish") == end,
                    format!("finish reason `{}`, not `{end}`", text("/finish")),
                );
                answered_by(which, sdk, answer, &mut must);
            }
        }
        Expect::Long => {
            must(ok, "an exception instead of an answer".to_owned());
            let words = text("/text")
                .split_terminator(LONG_WORD)
                .filter(|rest| rest.is_empty())
                .count();
            must(
                words == LONG_WORDS && text("/text").len() == LONG_WORDS * LONG_WORD.len(),
                format!("{words} words, not {LONG_WORDS}"),
            );
            must(
                text("/finish") == end,
                format!("finish reason `{}`, not `{end}`", text("/finish")),
            );
        }
        Expect::Either => {
            must(ok, "an exception instead of an answer".to_owned());
            must(
                !ok || TEXTS.contains(&text("/text")),
                "neither provider's text".to_owned(),
            );
            must(
                !ok || text("/finish") == end,
                format!("finish reason `{}`, not `{end}`", text("/finish")),
            );
        }
        Expect::Tool(which) => {
            must(ok, "an exception instead of an answer".to_owned());
            if ok {
                called(sdk, answer, &mut must);
                answered_by(which, sdk, answer, &mut must);
            }
        }
        Expect::Degraded { mode, says } => {
            must(ok, "an exception instead of a degraded answer".to_owned());
            must(
                text("/text").contains(says),
                format!("the text does not hold \"{says}\""),
            );
            must(
                !sdk.shows_all() || text("/headers/x-llm-degraded").starts_with(mode),
                format!("not marked as `{mode}`"),
            );
            must(
                !ok || text("/finish") == end,
                format!("finish reason `{}`, not `{end}`", text("/finish")),
            );
        }
        Expect::Error {
            class,
            statuses,
            says,
        } => {
            error(sdk, answer, class, statuses, &mut must);
            must(
                text("/message").contains(says),
                format!("the message does not hold \"{says}\""),
            );
            must(
                text("/partial").is_empty(),
                "text came before the exception".to_owned(),
            );
        }
        Expect::ErrorUntil {
            class,
            statuses,
            within_s,
        } => {
            error(sdk, answer, class, statuses, &mut must);
            let wait: Option<u64> = text("/headers/retry-after").parse().ok();
            must(
                wait.is_some_and(|wait| (1..=within_s).contains(&wait)),
                format!("no retry-after between 1 and {within_s}"),
            );
        }
        Expect::Broken => {
            must(!ok, "a broken answer was presented as whole".to_owned());
            let partial = text("/partial");
            let begun = TEXTS
                .first()
                .is_some_and(|whole| whole.starts_with(partial) && whole.len() > partial.len());
            must(
                !partial.is_empty() && begun,
                "not the beginning of the first provider's answer".to_owned(),
            );
            told_by_the_stream(sdk, answer, &mut must);
        }
        Expect::HangUp => {
            must(
                ok && !text("/text").is_empty(),
                "no text came before the caller hung up".to_owned(),
            );
        }
        Expect::Vectors(which) => {
            must(ok, "an exception instead of vectors".to_owned());
            if ok {
                vectors(answer, &mut must);
                from_target(which, answer, &mut must);
            }
        }
        Expect::Models => {
            let listed = answer.get("models").and_then(Value::as_array);
            must(
                listed.is_some_and(|list| list.iter().any(|model| model == "chat")),
                "the route is not in the list".to_owned(),
            );
            let counted = answer.get("counted").and_then(Value::as_u64);
            must(
                counted.is_some_and(|tokens| tokens > 0),
                "the prompt's tokens were not counted".to_owned(),
            );
        }
    }
    wrong
}

/// What every call of a sweep must come to.
pub(super) fn honest(what: Must, sdk: Sdk, answer: &Value) -> Vec<String> {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    if answer.get("ok").and_then(Value::as_bool) == Some(true) {
        if what == Must::CallTool {
            called(sdk, answer, &mut must);
            return wrong;
        }
        let [end, _] = sdk.endings();
        let whole = match what {
            Must::GetAll => TEXTS.first() == Some(&text("text")),
            Must::BeHonest | Must::CallTool => TEXTS.contains(&text("text")),
        };
        must(whole, "a part of an answer as if it were whole".to_owned());
        must(
            text("finish") == end,
            format!("finish reason `{}`, not `{end}`", text("finish")),
        );
    } else {
        must(
            what != Must::GetAll,
            "an exception, though the other provider had the rest".to_owned(),
        );
        let partial = text("partial");
        // Nothing is known of the words around a tool's call.
        let begun = what == Must::CallTool || TEXTS.iter().any(|whole| whole.starts_with(partial));
        must(begun, "not the beginning of a provider's answer".to_owned());
        told_by_the_stream(sdk, answer, &mut must);
    }
    wrong
}

/// A whole call of the tool, and after its result an answer that quotes it.
fn called(sdk: Sdk, answer: &Value, must: &mut impl FnMut(bool, String)) {
    let text = |key: &str| {
        answer
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let [end, wants_tools] = sdk.endings();
    must(
        text("/tools/0/name") == "get_weather",
        "the tool was not called".to_owned(),
    );
    let arguments: Value = serde_json::from_str(text("/tools/0/arguments")).unwrap_or_default();
    must(
        arguments.get("city").is_some_and(Value::is_string),
        "the tool's arguments are not its schema's".to_owned(),
    );
    must(
        text("/after_tool/text").contains(TOOL_RESULT),
        "the answer after the tool does not quote its result".to_owned(),
    );
    must(
        text("/after_tool/finish") == end,
        "the answer after the tool did not end in order".to_owned(),
    );
    must(
        text("/finish") == wants_tools,
        format!("finish reason `{}`, not `{wants_tools}`", text("/finish")),
    );
}

/// A vector for each text, no two alike.
fn vectors(answer: &Value, must: &mut impl FnMut(bool, String)) {
    let list = answer.get("vectors").and_then(Value::as_array);
    let list = list.map(Vec::as_slice).unwrap_or_default();
    let whole = |vector: &Value| {
        vector
            .as_array()
            .is_some_and(|all| all.len() == DIMENSIONS && all.iter().all(Value::is_number))
    };
    must(
        list.len() == INPUTS.len() && list.iter().all(whole),
        format!("not {} vectors of {DIMENSIONS} numbers", INPUTS.len()),
    );
    must(
        list.windows(2).all(|two| two.first() != two.last()),
        "two texts have the same vector".to_owned(),
    );
    must(
        answer.pointer("/usage/input").and_then(Value::as_u64) > Some(0),
        "no token usage".to_owned(),
    );
}

/// An exception because of an error event, and not of a connection that ended.
fn told_by_the_stream(sdk: Sdk, answer: &Value, must: &mut impl FnMut(bool, String)) {
    let class = answer
        .get("class")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let told = if sdk.has_classes() {
        is_a(answer, "APIError") && !is_a(answer, "APIConnectionError")
    } else {
        // It hands the error event on as it came.
        let message = answer
            .get("message")
            .and_then(Value::as_str)
            .unwrap_or_default();
        serde_json::from_str::<Value>(message).is_ok_and(|event| event.get("message").is_some())
    };
    must(
        told,
        format!("class {class}, not an error told by the stream"),
    );
}

fn answered_by(which: usize, sdk: Sdk, answer: &Value, must: &mut impl FnMut(bool, String)) {
    if !sdk.shows_all() {
        of_model(which, answer, must);
        return;
    }
    from_target(which, answer, must);
    let tokens = |key: &str| answer.pointer(key).and_then(Value::as_u64).unwrap_or(0);
    must(
        tokens("/usage/input") > 0 && tokens("/usage/output") > 0,
        "no token usage".to_owned(),
    );
}

/// The model's name is that provider's, and the gateway says so too.
fn from_target(which: usize, answer: &Value, must: &mut impl FnMut(bool, String)) {
    let text = |key: &str| {
        answer
            .pointer(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let name = NAMES.get(which).copied().unwrap_or_default();
    of_model(which, answer, must);
    must(
        text("/headers/x-llm-target") == name,
        format!(
            "x-llm-target is `{}`, not `{name}`",
            text("/headers/x-llm-target")
        ),
    );
    must(
        !text("/headers/x-llm-attempts").is_empty(),
        "no x-llm-attempts".to_owned(),
    );
}

fn of_model(which: usize, answer: &Value, must: &mut impl FnMut(bool, String)) {
    let model = answer
        .get("model")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let name = NAMES.get(which).copied().unwrap_or_default();
    must(
        model.ends_with(&format!("model-{name}")),
        format!("answered by model `{model}`, not `model-{name}`"),
    );
}

fn error(
    sdk: Sdk,
    answer: &Value,
    class: &str,
    statuses: &[u16],
    must: &mut impl FnMut(bool, String),
) {
    let status = answer
        .get("status")
        .and_then(Value::as_u64)
        .and_then(|status| u16::try_from(status).ok());
    must(
        !sdk.has_classes() || is_a(answer, class),
        format!("no exception of class {class}"),
    );
    must(
        status.is_some_and(|status| statuses.contains(&status)),
        format!("status {status:?}, not one of {statuses:?}"),
    );
    let said = answer
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or_default();
    must(
        !said.is_empty() && !said.contains("sk-e2e"),
        "no message, or one with a key in it".to_owned(),
    );
}

fn is_a(answer: &Value, class: &str) -> bool {
    let classes = answer.get("classes").and_then(Value::as_array);
    classes.is_some_and(|classes| classes.iter().any(|found| found == class))
}

/// How many calls the providers received against how many they must have.
pub(super) fn counted(
    calls: &[RangeInclusive<usize>; 2],
    providers: &Providers,
) -> Result<Vec<String>> {
    let mut wrong = Vec::new();
    for (which, allowed) in calls.iter().enumerate() {
        let name = NAMES.get(which).copied().unwrap_or_default();
        let count = settled(providers, which, allowed)?.len();
        if !allowed.contains(&count) {
            wrong.push(format!(
                "the {name} provider received {count} calls, not {}",
                shown(allowed)
            ));
        }
    }
    Ok(wrong)
}

/// What the providers received against what they must have.
pub(super) fn received(ask: &Ask, case: &Case, providers: &Providers) -> Result<Vec<String>> {
    let mut wrong = counted(&ask.calls, providers)?;
    let mut in_all = 0;
    for (which, name) in NAMES.into_iter().enumerate() {
        let calls = providers.received(which)?;
        in_all += calls.len();
        let model = format!("model-{name}");
        for call in &calls {
            let text = |key: &str| call.get(key).and_then(Value::as_str).unwrap_or_default();
            if !text("model").ends_with(&model) {
                wrong.push(format!(
                    "the {name} provider was asked for `{}`",
                    text("model")
                ));
            }
            if call.get("stream").and_then(Value::as_bool) != Some(case.stream) {
                wrong.push(format!(
                    "the {name} provider was asked with stream = {}",
                    !case.stream
                ));
            }
            if ask.feature == Some(Feature::Picture) && !text("body").contains(PICTURE) {
                wrong.push(format!("the {name} provider was shown no picture"));
            }
            if ask.feature == Some(Feature::Schema) && !text("body").contains("\"city\"") {
                wrong.push(format!("the {name} provider was given no schema"));
            }
            let wire = case.wires.get(which);
            if !wire.is_some_and(|wire| wire.is_recorded_as(text("wire"))) {
                wrong.push(format!(
                    "the {name} provider was asked in the wire {}, not {wire:?}",
                    text("wire")
                ));
            }
        }
    }
    if in_all > ask.calls_in_all {
        wrong.push(format!(
            "the providers received {in_all} calls in all, at most {} are allowed",
            ask.calls_in_all
        ));
    }
    if matches!(ask.expect, Expect::HangUp) && !is_cancelled(providers)? {
        wrong.push("the first provider's call was not cancelled".to_owned());
    }
    Ok(wrong)
}

/// Whether the first provider notices within two seconds that its caller has left.
fn is_cancelled(providers: &Providers) -> Result<bool> {
    for _ in 0..40 {
        let calls = providers.received(FIRST)?;
        if calls
            .iter()
            .any(|call| call.get("hung_up").and_then(Value::as_bool) == Some(true))
        {
            return Ok(true);
        }
        shell::sleep(Duration::from_millis(50));
    }
    Ok(false)
}

/// The calls a provider received; where fewer than expected, after a moment for the record to be written.
fn settled(
    providers: &Providers,
    which: usize,
    allowed: &RangeInclusive<usize>,
) -> Result<Vec<Value>> {
    let calls = providers.received(which)?;
    if calls.len() >= *allowed.start() {
        return Ok(calls);
    }
    shell::sleep(Duration::from_millis(50));
    providers.received(which)
}

fn shown(range: &RangeInclusive<usize>) -> String {
    if range.start() == range.end() {
        range.start().to_string()
    } else {
        format!("{} to {}", range.start(), range.end())
    }
}

pub(super) fn shortened(text: &str) -> String {
    const MAX: usize = 600;
    if text.chars().count() <= MAX {
        return text.to_owned();
    }
    text.chars().take(MAX).chain(['…']).collect()
}
