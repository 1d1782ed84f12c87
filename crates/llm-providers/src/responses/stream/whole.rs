//! The events that hold a whole answer, item, part or text. Written without a tree: most of them repeat all that was said.

use super::open::Status;
use bytes::{BufMut, BytesMut};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The answer. Its output is complete only once no item is open.
#[derive(Serialize)]
pub(super) struct Whole<'a> {
    background: bool,
    created_at: u64,
    error: Unset,
    id: &'a str,
    incomplete_details: Option<Details>,
    instructions: Unset,
    max_output_tokens: Unset,
    metadata: Map<String, Value>,
    model: &'a str,
    object: &'static str,
    output: &'a [Value],
    parallel_tool_calls: bool,
    previous_response_id: Unset,
    reasoning: Unset,
    service_tier: Unset,
    status: &'static str,
    /// It can be fetched from nowhere, and no later request can refer to it.
    store: bool,
    temperature: Unset,
    text: Value,
    tool_choice: &'static str,
    tools: [Value; 0],
    top_p: Unset,
    truncation: &'static str,
    usage: Option<Value>,
    user: Unset,
}

/// What the caller asked for is not echoed.
type Unset = Option<()>;

#[derive(Serialize)]
struct Details {
    reason: &'static str,
}

#[derive(Serialize)]
struct Event<'a> {
    response: &'a Whole<'a>,
    sequence_number: u64,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl<'a> Whole<'a> {
    /// The answer `id` of `model`, made at `created`, which stands as `status` says, with a reason where it is incomplete.
    pub(super) fn new(
        (id, model, created): (&'a str, &'a str, u64),
        output: &'a [Value],
        (status, reason): (Status, Option<&'static str>),
        usage: Option<Value>,
    ) -> Self {
        Self {
            background: false,
            created_at: created,
            error: None,
            id,
            incomplete_details: reason.map(|reason| Details { reason }),
            instructions: None,
            max_output_tokens: None,
            metadata: Map::new(),
            model,
            object: "response",
            output,
            parallel_tool_calls: true,
            previous_response_id: None,
            reasoning: None,
            service_tier: None,
            status: status.as_str(),
            store: false,
            temperature: None,
            text: json!({"format": {"type": "text"}}),
            tool_choice: "auto",
            tools: [],
            top_p: None,
            truncation: "disabled",
            usage,
            user: None,
        }
    }

    /// Appends the event called `kind` that holds the answer.
    pub(super) fn write(&self, kind: &'static str, sequence_number: u64, out: &mut BytesMut) {
        let event = Event {
            response: self,
            sequence_number,
            kind,
        };
        write(kind, &event, out);
    }
}

/// An item that begins or ends.
#[derive(Serialize)]
pub(super) struct ItemEvent<'a> {
    pub(super) item: &'a Value,
    pub(super) output_index: usize,
    pub(super) sequence_number: u64,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// A part of an item that begins or ends.
#[derive(Serialize)]
pub(super) struct PartEvent<'a> {
    pub(super) content_index: usize,
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    pub(super) part: &'a Value,
    pub(super) sequence_number: u64,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// A text that ends.
#[derive(Serialize)]
pub(super) struct TextDone<'a> {
    pub(super) content_index: usize,
    pub(super) item_id: &'a str,
    pub(super) logprobs: [(); 0],
    pub(super) output_index: usize,
    pub(super) sequence_number: u64,
    pub(super) text: &'a str,
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
}

/// Appends an event.
pub(super) fn write(kind: &'static str, event: &impl Serialize, out: &mut BytesMut) {
    out.put_slice(b"event: ");
    out.put_slice(kind.as_bytes());
    out.put_slice(b"\ndata: ");
    // Writing texts and numbers to memory cannot fail.
    let _ = serde_json::to_writer(out.writer(), event);
    out.put_slice(b"\n\n");
}
