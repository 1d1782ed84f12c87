//! Answers and tool arguments against a JSON Schema.
#![cfg(feature = "schema")]
#![expect(clippy::unwrap_used, reason = "the schemas are constants of the test")]

use llm_quality::{Answer, Finding, JsonForm, Look, Schema, ToolCall};
use serde_json::json;

fn city() -> Schema {
    Schema::try_new(&json!({
        "type": "object",
        "properties": { "city": { "type": "string" }, "days": { "type": "integer", "minimum": 1 } },
        "required": ["city"],
        "additionalProperties": false
    }))
    .unwrap()
}

#[test]
fn json_that_does_not_fit_is_found() {
    let look = Look::builder().schema(city()).build().unwrap();
    assert!(
        look.look(&Answer::new("{\"city\": \"Oslo\", \"days\": 2}"))
            .is_clean()
    );
    for wrong in [
        "{}",
        "{\"city\": 1}",
        "{\"city\": \"Oslo\", \"days\": 0}",
        "{\"city\": \"Oslo\", \"x\": 1}",
        "[]",
    ] {
        let findings = look.look(&Answer::new(wrong));
        assert!(
            findings.contains(Finding::SchemaInvalid) && findings.is_bad(),
            "{wrong}"
        );
    }
    assert!(
        look.look(&Answer::new("{\"city\":"))
            .contains(Finding::InvalidJson)
    );
    let fenced = Look::builder()
        .json(JsonForm::Fenced)
        .schema(city())
        .build()
        .unwrap();
    assert!(
        fenced
            .look(&Answer::new("```json\n{\"city\": \"Oslo\"}\n```"))
            .is_clean()
    );
}

#[test]
fn tool_arguments_that_do_not_fit_are_found() {
    let look = Look::builder()
        .tool_schema("weather", city())
        .build()
        .unwrap();
    for (name, arguments, good) in [
        ("weather", "{\"city\": \"Oslo\"}", true),
        ("weather", "{}", false),
        ("weather", "", false),
        ("other", "{}", true),
    ] {
        let calls = [ToolCall::new(name, arguments)];
        let findings = look.look(&Answer::new("").with_tool_calls(&calls));
        assert_eq!(
            findings.contains(Finding::ToolCallInvalid),
            !good,
            "{name} {arguments}"
        );
    }
}

#[test]
fn a_schema_that_is_none_or_leads_outside_is_refused() {
    for wrong in [
        json!({ "type": 12 }),
        json!({ "$ref": "https://example.org/other.json" }),
        json!({ "$ref": "file:///etc/hosts" }),
    ] {
        assert!(Schema::try_new(&wrong).is_err(), "{wrong}");
    }
}
