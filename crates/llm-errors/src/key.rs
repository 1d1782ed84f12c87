//! The names of fields that mean something, each looked up once.

use crate::lexicon::hash;

/// What a field's name stands for. Letters of either case are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// A name that no rule knows.
    Strange,
    /// The document itself, and the elements of an array at its root.
    Root,
    // ---- errors
    Error,
    Message,
    /// A message that only errors have.
    ErrorMessage,
    Detail,
    Description,
    Param,
    Details,
    Raw,
    Cause,
    Body,
    Code,
    Reason,
    Type,
    ErrorType,
    Status,
    StatusNumber,
    StatusCode,
    QuotaName,
    QuotaValue,
    RetryDelay,
    WaitSeconds,
    WaitMillis,
    ResetAt,
    ContextLimit,
    PromptTokens,
    Links,
    Data,
    Violations,
    Headers,
    Envelope,
    /// An envelope that good answers have as well, with a status code of 0.
    BaseResponse,
    // ---- answers
    Response,
    Choices,
    Output,
    Content,
    PromptFeedback,
    Delta,
    Object,
    Finish,
    IncompleteDetails,
    Refusal,
    ToolCalls,
    ToolPayload,
    Name,
    Text,
    AnswerText,
    /// Parts of an answer that repeat the request, or count it.
    Echo,
    Part,
    /// Who speaks: what stands beside it is a part of the conversation.
    Role,
}

impl Key {
    /// The key that `name` stands for.
    #[inline]
    pub(crate) fn of(name: &[u8]) -> Self {
        if name.is_empty() {
            return Self::Root;
        }
        Self::of_hash(hash(name))
    }

    /// The key of the name with this [`hash`].
    #[inline]
    pub(crate) fn of_hash(wanted: u64) -> Self {
        let mut slot = slot(wanted);
        while let Some((known, key)) = TABLE.get(slot % SLOTS) {
            if *known == wanted {
                return *key;
            }
            if *known == 0 {
                break;
            }
            slot = (slot + 1) % SLOTS;
        }
        Self::Strange
    }

    /// Is this a container that error objects are wrapped in, rather than an echo of the request?
    #[inline]
    pub(crate) const fn is_envelope(self) -> bool {
        matches!(
            self,
            Self::Root
                | Self::Error
                | Self::Status
                | Self::Detail
                | Self::Details
                | Self::Cause
                | Self::Body
                | Self::Data
                | Self::Violations
                | Self::Headers
                | Self::Envelope
                | Self::BaseResponse
                | Self::Response
        )
    }
}

const SLOTS: usize = 512;

const fn slot(key: u64) -> usize {
    (key >> 55) as usize
}

/// The names, by their hash.
#[expect(
    clippy::indexing_slicing,
    reason = "computed at compile time, where a wrong index is an error"
)]
static TABLE: [(u64, Key); SLOTS] = {
    let mut table = [(0, Key::Strange); SLOTS];
    let mut group = 0;
    while group < NAMES.len() {
        let (key, names) = NAMES[group];
        let mut number = 0;
        while number < names.len() {
            let name = hash(names[number].as_bytes());
            let mut at = slot(name);
            while table[at].0 != 0 {
                assert!(table[at].0 != name, "a name is listed twice");
                at = (at + 1) % SLOTS;
            }
            table[at] = (name, key);
            number += 1;
        }
        group += 1;
    }
    table
};

const NAMES: &[(Key, &[&str])] = &[
    (
        Key::Error,
        &[
            "error",
            "errors",
            "exception",
            "err",
            "failure",
            "original_error",
            "originalerror",
            "provider_error",
            "upstream_error",
            "last_error",
            "lasterror",
        ],
    ),
    (
        Key::Message,
        &[
            "message",
            "msg",
            "error_description",
            "title",
            "status_msg",
            "status_message",
            "originalmessage",
            "original_message",
            "error_detail",
            "faultstring",
            "reasonphrase",
            "explanation",
            "usermessage",
            "user_message",
            "developermessage",
            "statustext",
            "status_text",
            "resultmsg",
            "result_msg",
            "ret_msg",
            "retmsg",
            "failure_reason",
            "failurereason",
        ],
    ),
    (
        Key::ErrorMessage,
        &[
            "errormessage",
            "error_message",
            "error_msg",
            "errormsg",
            "err_msg",
            "errmsg",
            "error_text",
            "errortext",
        ],
    ),
    (Key::Detail, &["detail"]),
    (Key::Description, &["description"]),
    (Key::Param, &["param"]),
    (Key::Details, &["details"]),
    (Key::Raw, &["raw", "responsebody"]),
    (Key::Cause, &["cause"]),
    (Key::Body, &["body"]),
    (Key::Code, &["code", "error_code", "errorcode", "err_code"]),
    (Key::Reason, &["reason"]),
    (Key::Type, &["type"]),
    (
        Key::ErrorType,
        &["__type", "error_type", "errortype", "exception_type"],
    ),
    (Key::Status, &["status"]),
    (
        Key::StatusNumber,
        &[
            "statuscode",
            "http_status",
            "raw_status_code",
            "httpstatus",
            "httpstatuscode",
        ],
    ),
    (Key::StatusCode, &["status_code", "http_code"]),
    (
        Key::QuotaName,
        &[
            "quotaid",
            "quotametric",
            "quota_limit",
            "quota_metric",
            "quota_id",
            "subject",
        ],
    ),
    (Key::QuotaValue, &["quotavalue", "quota_limit_value"]),
    (Key::RetryDelay, &["retrydelay", "retry_delay"]),
    (
        Key::WaitSeconds,
        &[
            "retry_after",
            "retryafter",
            "retry_after_seconds",
            "retryafterseconds",
            "resets_in_seconds",
            "reset_seconds",
            "estimated_time",
            "retry_after_secs",
            "wait_seconds",
            "retry-after",
        ],
    ),
    (
        Key::WaitMillis,
        &[
            "retry_after_ms",
            "retryafterms",
            "retry_in_ms",
            "retry-after-ms",
        ],
    ),
    (
        Key::ResetAt,
        &[
            "resets_at",
            "reset_at",
            "resetat",
            "resetsat",
            "reset_time",
            "resettime",
            "x-ratelimit-reset",
        ],
    ),
    (Key::ContextLimit, &["n_ctx"]),
    (Key::PromptTokens, &["n_prompt_tokens"]),
    (Key::Links, &["links"]),
    (Key::Data, &["data"]),
    (Key::Violations, &["violations"]),
    (Key::Headers, &["headers"]),
    (
        Key::Envelope,
        &[
            "innererror",
            "inner_error",
            "metadata",
            "$metadata",
            "fault",
            "result",
            "header",
            "meta",
            "payload",
            "upstream",
            "extensions",
            "info",
            "internalserverexception",
            "modelstreamerrorexception",
            "validationexception",
            "throttlingexception",
            "serviceunavailableexception",
            "modeltimeoutexception",
        ],
    ),
    (Key::BaseResponse, &["base_resp"]),
    (Key::Response, &["response"]),
    (
        Key::Choices,
        &["choices", "candidates", "generations", "results"],
    ),
    (Key::Output, &["output"]),
    (Key::Content, &["content"]),
    (Key::PromptFeedback, &["promptfeedback"]),
    (Key::Delta, &["delta", "contentblockdelta"]),
    (Key::Object, &["object"]),
    (
        Key::Finish,
        &[
            "finish_reason",
            "finishreason",
            "stop_reason",
            "stopreason",
            "done_reason",
            "completionreason",
            "native_finish_reason",
            "blockreason",
            "completion_reason",
        ],
    ),
    (Key::IncompleteDetails, &["incomplete_details"]),
    (Key::Refusal, &["refusal"]),
    (Key::ToolCalls, &["tool_calls"]),
    (
        Key::ToolPayload,
        &[
            "functioncall",
            "function_call",
            "tooluse",
            "inlinedata",
            "inline_data",
            "executablecode",
            "audio",
            "images",
        ],
    ),
    (Key::Name, &["name", "id"]),
    (Key::Text, &["text"]),
    (
        Key::AnswerText,
        &[
            "outputtext",
            "generation",
            "completion",
            "generated_text",
            "output_text",
            "answer",
            "partial_json",
        ],
    ),
    (
        Key::Echo,
        &[
            "format",
            "usage",
            "prompt",
            "instructions",
            "input",
            "system",
        ],
    ),
    (Key::Part, &["part"]),
    (Key::Role, &["role"]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_found_in_either_case_and_others_are_strange() {
        for (key, names) in NAMES {
            for name in *names {
                assert_eq!(Key::of(name.as_bytes()), *key, "{name}");
                assert_eq!(Key::of(name.to_uppercase().as_bytes()), *key, "{name}");
            }
        }
        for name in ["errored", "temperature", "x", "retry"] {
            assert_eq!(Key::of(name.as_bytes()), Key::Strange, "{name}");
        }
        assert_eq!(Key::of(b""), Key::Root);
    }
}
