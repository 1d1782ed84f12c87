//! The error objects of the dialects.

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

/// The error event of OpenAI's responses.
///
/// The reference has its parts at the top (`src/openai/types/responses/response_error_event.py` of openai-python); OpenAI
/// itself nests them in `error`, and that is what both SDKs raise an exception for (`_streaming.py` of openai-python,
/// `core/streaming.ts` of openai-node; all read 2026-11-26). Both are written, so that nobody overlooks it.
pub(super) fn responses(
    kind: &str,
    code: Option<&str>,
    param: Option<&str>,
    message: &str,
    sequence_number: u64,
) -> serde_json::Result<Vec<u8>> {
    serde_json::to_vec(&Responses {
        kind: "error",
        sequence_number,
        code: code.unwrap_or(kind),
        message,
        param,
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
struct Responses<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    sequence_number: u64,
    code: &'a str,
    message: &'a str,
    param: Option<&'a str>,
    error: OpenAiError<'a>,
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
