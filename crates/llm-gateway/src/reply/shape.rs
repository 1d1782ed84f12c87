//! The error objects of the two dialects.

use serde::Serialize;

/// OpenAI's error object.
pub(super) fn openai(
    kind: &str,
    code: Option<&str>,
    param: Option<&str>,
    message: &str,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&OpenAi {
        error: OpenAiError {
            message,
            kind,
            param,
            code,
        },
    })
}

/// Anthropic's error object.
pub(super) fn anthropic(
    kind: &str,
    message: &str,
    request_id: &str,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Anthropic {
        kind: "error",
        error: AnthropicError { kind, message },
        request_id,
    })
}

#[derive(Serialize)]
struct OpenAi<'a> {
    error: OpenAiError<'a>,
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

#[derive(Serialize)]
struct Anthropic<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    error: AnthropicError<'a>,
    request_id: &'a str,
}

#[derive(Serialize)]
struct AnthropicError<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a str,
}
