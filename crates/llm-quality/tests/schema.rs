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
fn the_schemas_of_a_request_come_with_its_answer() {
    let look = Look::builder().json(JsonForm::Bare).build().unwrap();
    let schema = city();
    let fits = |text| {
        look.look(&Answer::new(text).with_schema(&schema))
            .is_clean()
    };
    assert!(fits("{\"city\": \"Oslo\"}"));
    assert!(!fits("{\"town\": \"Oslo\"}"));
    let without = Look::builder()
        .json(JsonForm::Bare)
        .without(Finding::SchemaInvalid)
        .build()
        .unwrap();
    assert!(
        without
            .look(&Answer::new("{}").with_schema(&schema))
            .is_clean()
    );

    let tools = [("weather", city())];
    let called = |arguments| {
        let calls = [ToolCall::new("weather", arguments)];
        let answer = Answer::new("")
            .with_tool_calls(&calls)
            .with_tool_schemas(&tools);
        Look::default().look(&answer).is_clean()
    };
    assert!(called("{\"city\": \"Oslo\"}"));
    assert!(!called("{\"city\": 3}"));
}

#[test]
fn a_value_too_deep_for_its_schema_is_let_pass() {
    // Every level doubles the steps.
    let inner = json!({ "required": ["y"], "properties": { "x": { "$ref": "#" } } });
    let schema = Schema::try_new(&json!({ "anyOf": [inner, inner] })).unwrap();
    let look = Look::builder().schema(schema).build().unwrap();
    let nested = |levels: usize| format!("{}1{}", "{\"x\":".repeat(levels), "}".repeat(levels));
    assert!(
        look.look(&Answer::new(&nested(3)))
            .contains(Finding::SchemaInvalid)
    );
    assert!(look.look(&Answer::new(&nested(60))).is_clean());
}

#[test]
fn a_schema_that_is_none_or_leads_outside_is_refused() {
    for wrong in [
        json!({ "type": 12 }),
        json!({ "$ref": "https://example.org/other.json" }),
        json!({ "$ref": "file:///etc/hosts" }),
        json!({ "$ref": "#" }),
        json!({ "pattern": "(?<=a)b" }),
    ] {
        assert!(Schema::try_new(&wrong).is_err(), "{wrong}");
    }
}
