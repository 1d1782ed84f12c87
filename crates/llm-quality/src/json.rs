//! Is it JSON? Read to the end without building a value.

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::answer::{Answer, ToolCall};

/// In which form JSON is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JsonForm {
    /// The whole text is one JSON value, white space aside: what a caller can parse as it stands.
    Bare,
    /// As bare, or alone inside one Markdown code block.
    Fenced,
}

/// Returns the JSON inside the text, if the form allows its wrapping. Does not look whether it is valid.
pub(crate) fn unwrap(text: &str, form: JsonForm) -> &str {
    let text = text.trim().trim_start_matches('\u{FEFF}');
    if form == JsonForm::Bare {
        return text;
    }
    let inner = text.strip_prefix("```").and_then(|rest| {
        let (info, body) = rest.split_once('\n')?;
        let info = info.trim();
        (info.is_empty() || info.eq_ignore_ascii_case("json")).then_some(body)
    });
    inner
        .and_then(|body| body.trim_end().strip_suffix("```"))
        .unwrap_or(text)
}

/// Is this one whole JSON value? Nesting beyond 128 levels is not taken.
pub(crate) fn is_value(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Is this a JSON object, as every provider wants tool arguments to be? Nothing at all counts as an empty one.
fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('{') && is_value(text)
}

pub(crate) fn is_malformed(call: &ToolCall<'_>, answer: &Answer<'_>) -> bool {
    call.name.trim().is_empty()
        || answer
            .tools
            .is_some_and(|tools| !tools.contains(&call.name))
        || !is_object(call.arguments)
}

/// Does a whole value stand at the front, with more behind it? Tells "said too much" from "broke off".
pub(crate) fn is_value_with_more(text: &str) -> bool {
    let mut reader = serde_json::Deserializer::from_str(text);
    IgnoredAny::deserialize(&mut reader).is_ok() && reader.end().is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_and_fenced_json() {
        for (text, bare, fenced) in [
            ("{\"a\":1}", true, true),
            (" [1, 2] \n", true, true),
            ("\"word\"", true, true),
            ("```json\n{\"a\":1}\n```", false, true),
            ("```\n{\"a\":1}\n```\n", false, true),
            ("```rust\n1\n```", false, false),
            ("Here it is: {\"a\":1}", false, false),
            ("{\"a\":1", false, false),
            ("{\"a\":1}}", false, false),
            ("", false, false),
        ] {
            assert_eq!(is_value(unwrap(text, JsonForm::Bare)), bare, "{text}");
            assert_eq!(is_value(unwrap(text, JsonForm::Fenced)), fenced, "{text}");
        }
        assert!(!is_value(&"[".repeat(100_000)));
        assert!(is_value_with_more("{} and so on"));
        assert!(!is_value_with_more("{\"a\":"));
    }

    #[test]
    fn tool_calls_need_a_name_and_an_object() {
        let answer = Answer::new("").with_tools(&["weather"]);
        for (name, arguments, good) in [
            ("weather", "{}", true),
            ("weather", "", true),
            ("weather", " {\"city\": \"Oslo\"}", true),
            ("weather", "{\"city\": \"Os", false),
            ("weather", "[]", false),
            ("weather", "null", false),
            ("calendar", "{}", false),
            ("", "{}", false),
        ] {
            assert_eq!(
                is_malformed(&ToolCall::new(name, arguments), &answer),
                !good,
                "{name} {arguments}"
            );
        }
        assert!(!is_malformed(&ToolCall::new("any", "{}"), &Answer::new("")));
    }
}
