//! The item that a stream's writer has open.

use crate::codec::Object;
use serde_json::{Value, json};

/// The item that is being written.
#[derive(Debug, Clone)]
pub(in crate::responses) enum Open {
    Message {
        id: String,
        /// The finished parts.
        parts: Vec<Value>,
        /// The part that is open, if one is.
        part: Option<PartKind>,
        text: String,
        /// Where the open part comes from.
        annotations: Vec<Value>,
    },
    Reasoning {
        id: String,
        text: String,
        sealed: Option<String>,
    },
    Call {
        index: u32,
        id: String,
        call_id: String,
        name: String,
        arguments: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::responses) enum PartKind {
    Text,
    /// A text that has been told in whole once more: only its end is missing.
    ToldText,
    Refusal,
}

impl PartKind {
    pub(super) fn value(self, text: &str, annotations: &[Value]) -> Value {
        match self {
            Self::Text | Self::ToldText => {
                json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": []})
            }
            Self::Refusal => json!({"type": "refusal", "refusal": text}),
        }
    }
}

/// How a whole item or answer stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

impl Open {
    /// The item as an object.
    pub(super) fn item(&self, status: Status) -> Value {
        let status_name = status.as_str();
        match self {
            Self::Message { id, parts, .. } => json!({
                "type": "message",
                "id": id,
                "status": status_name,
                "role": "assistant",
                "content": parts,
            }),
            Self::Reasoning { id, text, sealed } => {
                let mut item = Object::default();
                item.set("type", "reasoning");
                item.set("id", id.as_str());
                item.set("status", status_name);
                let summary =
                    (!text.is_empty()).then(|| json!({"type": "summary_text", "text": text}));
                item.set("summary", Vec::from_iter(summary));
                item.set_some("encrypted_content", sealed.clone());
                item.0.into()
            }
            Self::Call {
                id,
                call_id,
                name,
                arguments,
                ..
            } => json!({
                "type": "function_call",
                "id": id,
                "status": status_name,
                "call_id": call_id,
                "name": name,
                "arguments": whole_arguments(arguments, status),
            }),
        }
    }
}

/// No arguments at all are an empty object, once nothing more will come.
pub(super) fn whole_arguments(arguments: &str, status: Status) -> &str {
    if arguments.is_empty() && status == Status::Completed {
        "{}"
    } else {
        arguments
    }
}
