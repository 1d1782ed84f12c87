//! What came back, as the classifier sees it.

use crate::header::Headers;
use std::fmt;
use std::time::SystemTime;

/// A reply to classify: borrowed, nothing is copied.
///
/// Only a bounded prefix of the body is read (64 KiB), so any body may be passed whole.
#[derive(Clone, Copy)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The response headers; `&()` where there are none.
    pub headers: &'a dyn Headers,
    /// The body, or as much of it as is at hand.
    pub body: &'a [u8],
    /// The time at which the reply arrived: absolute reset times are counted from it.
    pub now: SystemTime,
}

impl<'a> Reply<'a> {
    /// A reply with this status, these headers and this body, received at `now`.
    #[must_use]
    pub const fn new(
        status: u16,
        headers: &'a dyn Headers,
        body: &'a [u8],
        now: SystemTime,
    ) -> Self {
        Self {
            status,
            headers,
            body,
            now,
        }
    }
}

/// Shows the status and the length of the body, never its text.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
