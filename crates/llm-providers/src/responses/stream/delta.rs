//! The events that make up nearly all of a stream.

use super::whole::write;
use bytes::BytesMut;
use serde::Serialize;

/// More of what an item says: written without a tree.
#[derive(Serialize, Clone, Copy)]
pub(super) struct Delta<'a> {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) sequence_number: u64,
    pub(super) item_id: &'a str,
    pub(super) output_index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) content_index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) summary_index: Option<usize>,
    pub(super) delta: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) logprobs: Option<[(); 0]>,
}

impl Delta<'_> {
    /// Appends the event.
    pub(super) fn write(&self, out: &mut BytesMut) {
        write(self.kind, self, out);
    }
}
