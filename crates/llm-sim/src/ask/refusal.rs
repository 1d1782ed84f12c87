//! What newer models refuse of how they are to sample, to stop and to reason.
//!
//! OpenAI: models that reason take no `temperature`, `top_p`, penalties, log probabilities and stop sequences but the defaults,
//! and no `max_tokens` (<https://platform.openai.com/docs/guides/reasoning>); 5.1 to 5.4 take the first two and log probabilities
//! where they do not reason, which is their default
//! (<https://developers.openai.com/api/docs/guides/latest-model#gpt-54-parameter-compatibility>). On the chat wire functions and
//! an effort do not go together since 5.4, and since 5.6 not even functions and the usual effort (tried out at
//! <https://github.com/BerriAI/litellm/pull/34569>, 2026-07). Anthropic: from 4.7 on there is no sampling but the usual
//! (<https://platform.claude.com/docs/en/about-claude/models/whats-new-claude-4-7>), from 4.1 on not `temperature` and `top_p`
//! together. The words are those that callers print. All read 2026-11-26.

use serde_json::Value;

use crate::voice::Problem;
use crate::wire::Wire;

/// Refuses what the model named refuses on this wire.
pub(super) fn check(wire: Wire, model: &str, body: &Value) -> Result<(), Problem> {
    match wire {
        Wire::OpenAiChat | Wire::OpenAiResponses => openai(wire, model, body),
        Wire::AnthropicMessages | Wire::VertexAnthropic => claude(model, &|field| body.get(field)),
        Wire::BedrockConverse => claude(model, &|field| {
            let name = if field == "top_p" { "topP" } else { field };
            let config = body
                .pointer("/inferenceConfig")
                .and_then(|all| all.get(name));
            let more = body.pointer("/additionalModelRequestFields");
            config.or_else(|| more?.get(field))
        })
        .map_err(|mut problem| {
            problem.message = format!(
                "The model returned the following errors: {}",
                problem.message
            );
            problem
        }),
        _ => Ok(()),
    }
}

/// One of OpenAI's models that reason.
struct Reasoner {
    /// `(5, 0)` for those called `o…`.
    version: (u32, u32),
    /// May be told not to reason at all.
    is_plain: bool,
}

impl Reasoner {
    fn named(model: &str) -> Option<Self> {
        let name = model.rsplit('/').next().unwrap_or(model);
        if ["o1", "o3", "o4"]
            .iter()
            .any(|family| name.starts_with(family))
        {
            return Some(Self {
                version: (5, 0),
                is_plain: false,
            });
        }
        let (number, kind) = name
            .strip_prefix("gpt-")?
            .split_once('-')
            .unwrap_or((name.strip_prefix("gpt-")?, ""));
        let (major, minor) = number.split_once('.').unwrap_or((number, "0"));
        let version = (major.parse().ok()?, minor.parse().ok()?);
        let is_chat = kind.starts_with("chat");
        (version >= (5, 0) && !is_chat).then_some(Self {
            version,
            is_plain: !kind.contains("pro") && !kind.contains("codex"),
        })
    }
}

fn openai(wire: Wire, model: &str, body: &Value) -> Result<(), Problem> {
    let Some(Reasoner { version, is_plain }) = Reasoner::named(model) else {
        return Ok(());
    };
    let given = |field: &str| body.get(field).filter(|value| !value.is_null());
    let effort = given("reasoning_effort").or_else(|| body.pointer("/reasoning/effort"));
    let effort = effort.and_then(Value::as_str);
    let known = match effort {
        Some("minimal") => version < (5, 1),
        Some("none") => version >= (5, 1) && is_plain,
        _ => true,
    };
    if let (false, Some(effort)) = (known, effort) {
        let message =
            format!("Unsupported value: '{effort}' is not supported with the '{model}' model.");
        return Err(Problem::invalid(message)
            .param("reasoning_effort")
            .code("unsupported_value"));
    }
    let functions = given("tools").and_then(Value::as_array);
    let functions = functions.is_some_and(|tools| {
        let kind = |tool: &Value| tool.get("type").and_then(Value::as_str) == Some("function");
        tools.iter().any(kind)
    });
    let reasons_anyway = effort.is_none() && version >= (5, 6);
    let is_asked_to = version >= (5, 4) && effort.is_some_and(|effort| effort != "none");
    if wire == Wire::OpenAiChat && functions && (reasons_anyway || is_asked_to) {
        let message = format!(
            "Function tools with reasoning_effort are not supported for {model} in /v1/chat/completions. To use function tools, use /v1/responses or set reasoning_effort to 'none'."
        );
        return Err(Problem::invalid(message).param("reasoning_effort"));
    }
    let rests = matches!(effort, None | Some("none"));
    let samples = is_plain && rests && ((5, 1)..=(5, 4)).contains(&version);
    let usual =
        |field: &str, usual: f64| given(field).is_none_or(|value| value.as_f64() == Some(usual));
    if !samples && !usual("temperature", 1.0) {
        let given = given("temperature")
            .map(Value::to_string)
            .unwrap_or_default();
        let message = format!(
            "Unsupported value: 'temperature' does not support {given} with this model. Only the default (1) value is supported."
        );
        return Err(Problem::invalid(message)
            .param("temperature")
            .code("unsupported_value"));
    }
    let unsupported = |field: &'static str, more: &str| {
        let message =
            format!("Unsupported parameter: '{field}' is not supported with this model.{more}");
        Err(Problem::invalid(message)
            .param(field)
            .code("unsupported_parameter"))
    };
    if !samples && !usual("top_p", 1.0) {
        return unsupported("top_p", "");
    }
    if !samples && given("logprobs") == Some(&Value::Bool(true)) {
        return unsupported("logprobs", "");
    }
    for field in ["presence_penalty", "frequency_penalty"] {
        if !usual(field, 0.0) {
            return unsupported(field, "");
        }
    }
    if given("stop").is_some() {
        return unsupported("stop", "");
    }
    if wire == Wire::OpenAiChat && given("max_tokens").is_some() {
        return unsupported("max_tokens", " Use 'max_completion_tokens' instead.");
    }
    Ok(())
}

/// The fields are wherever the wire has them.
fn claude<'a>(model: &str, field: &dyn Fn(&str) -> Option<&'a Value>) -> Result<(), Problem> {
    let Some(version) = claude_version(model) else {
        return Ok(());
    };
    let given = |name: &str| field(name).filter(|value| !value.is_null());
    let number = |name: &str| given(name).and_then(Value::as_f64);
    let temperature = number("temperature");
    if temperature.is_some_and(|given| !(0.0..=1.0).contains(&given)) {
        return Err(Problem::invalid("temperature: range: 0..1".to_owned()));
    }
    if version >= (4, 7) {
        let changed = [
            ("temperature", temperature.is_some_and(|given| given < 1.0)),
            ("top_p", number("top_p").is_some_and(|given| given < 0.99)),
            ("top_k", given("top_k").is_some()),
        ];
        if let Some((name, _)) = changed.into_iter().find(|(_, changed)| *changed) {
            return Err(Problem::invalid(format!(
                "`{name}` is deprecated for this model."
            )));
        }
    }
    if version >= (4, 1) && temperature.is_some() && given("top_p").is_some() {
        let message = "`temperature` and `top_p` cannot both be specified for this model. Please use only one.";
        return Err(Problem::invalid(message.to_owned()));
    }
    Ok(())
}

/// `claude-opus-4-7`, `us.anthropic.claude-opus-4-6-v1`, `claude-3-5-haiku-20241022`: the numbers before a date.
fn claude_version(model: &str) -> Option<(u32, u32)> {
    let (_, name) = model.split_once("claude")?;
    let parts = name.split(|c: char| !c.is_ascii_alphanumeric());
    let mut numbers = parts.filter_map(|part| part.parse::<u32>().ok());
    let major = numbers.next().filter(|number| *number < 100)?;
    Some((
        major,
        numbers.next().filter(|number| *number < 100).unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(wire: Wire, model: &str, body: &Value) -> Option<String> {
        check(wire, model, body)
            .err()
            .map(|problem| problem.message)
    }

    #[test]
    fn models_that_reason_sample_as_they_like() {
        let chat = |model, body| refused(Wire::OpenAiChat, model, &body);
        for model in [
            "o3",
            "o4-mini",
            "gpt-5",
            "gpt-5-mini-2025-08-07",
            "gpt-5.2-pro",
            "gpt-5.6-sol",
            "gpt-6-luna",
        ] {
            for body in [
                json!({"temperature": 0.3}),
                json!({"top_p": 0.5}),
                json!({"stop": ["x"]}),
                json!({"max_tokens": 9}),
                json!({"presence_penalty": 1}),
            ] {
                assert!(chat(model, body.clone()).is_some(), "{model} {body}");
            }
            let usual = json!({"temperature": 1, "top_p": 1.0, "presence_penalty": 0, "stop": null, "max_completion_tokens": 9});
            assert_eq!(chat(model, usual), None, "{model}");
        }
        for model in ["gpt-4o", "gpt-5-chat-latest", "model-first", "gpt-oss-120b"] {
            assert_eq!(
                chat(
                    model,
                    json!({"temperature": 0.3, "stop": "x", "max_tokens": 9})
                ),
                None,
                "{model}"
            );
        }
        assert_eq!(chat("gpt-5.1", json!({"temperature": 0.3})), None);
        assert!(
            chat(
                "gpt-5.1",
                json!({"temperature": 0.3, "reasoning_effort": "low"})
            )
            .is_some()
        );
        let nested = json!({"temperature": 0.3, "reasoning": {"effort": "low"}});
        assert!(refused(Wire::OpenAiResponses, "gpt-5.1", &nested).is_some());
    }

    #[test]
    fn functions_and_reasoning_do_not_go_together() {
        let with = |model, effort: Option<&str>| {
            let tools = json!([{"type": "function", "function": {"name": "f"}}]);
            let body = json!({"tools": tools, "reasoning_effort": effort});
            refused(Wire::OpenAiChat, model, &body)
        };
        assert_eq!(with("gpt-5.2", Some("high")), None);
        for model in ["gpt-5.4", "gpt-5.5"] {
            assert_eq!(with(model, None), None, "{model}");
            assert!(with(model, Some("high")).is_some(), "{model}");
        }
        for model in ["gpt-5.6", "gpt-6-astra"] {
            assert!(with(model, None).is_some(), "{model}");
            assert_eq!(with(model, Some("none")), None, "{model}");
        }
    }

    #[test]
    fn claude_samples_as_it_likes() {
        let messages = |model, body| refused(Wire::AnthropicMessages, model, &body);
        assert!(messages("claude-opus-4-7", json!({"temperature": 0.3})).is_some());
        assert!(messages("claude-sonnet-5", json!({"top_k": 3})).is_some());
        assert_eq!(messages("claude-sonnet-5", json!({"temperature": 1})), None);
        assert_eq!(
            messages("claude-haiku-4-5", json!({"temperature": 0.3})),
            None
        );
        assert!(
            messages(
                "claude-haiku-4-5",
                json!({"temperature": 0.3, "top_p": 0.5})
            )
            .is_some()
        );
        assert!(messages("claude-3-5-haiku-20241022", json!({"temperature": 1.5})).is_some());
        let body = json!({"inferenceConfig": {"topP": 0.5}});
        let told = refused(Wire::BedrockConverse, "us.anthropic.claude-opus-4-8", &body);
        assert!(told.unwrap().contains("`top_p` is deprecated"));
        let body = json!({"additionalModelRequestFields": {"top_k": 5}});
        assert!(refused(Wire::BedrockConverse, "anthropic.claude-opus-5-v1:0", &body).is_some());
    }
}
