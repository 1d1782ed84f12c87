//! A stream that goes round in a circle after its beginning has reached the caller.
//!
//! Nobody has the rest of it: another target would not agree with the loop that the caller has, and one
//! that was given the loop would go on with it. So the call is ended, and the caller gets the error,
//! whatever the route says of streams that break; the target's quality counts it.

use crate::look::Bad;
use llm_errors::{ErrorKind, Phase, Verdict};
use llm_providers::ReplyStream;
use llm_quality::{Finding, GrowingLook, Look};

/// Follows the text of one stream. Holds at most 32 KiB; a text that is too long to be kept
/// ([`MAX_SHOWN_BYTES`](llm_providers::MAX_SHOWN_BYTES)) is followed no further, and ends with the window
/// of the stream as a whole.
#[derive(Debug)]
pub(crate) struct Loops {
    look: GrowingLook,
    /// Bytes of the text that were looked at.
    seen: usize,
}

impl Loops {
    /// Follows a stream.
    pub(crate) fn new() -> Option<Self> {
        let mut only = Look::builder();
        for finding in Finding::ALL {
            if finding != Finding::Repetitive {
                only = only.without(finding);
            }
        }
        let look = only.build().ok()?;
        Some(Self {
            look: look.growing(),
            seen: 0,
        })
    }

    /// Looks at what has come since; whether it loops.
    pub(crate) fn look(&mut self, stream: &ReplyStream) -> Option<Bad> {
        let text = stream.text()?;
        let fresh = text.get(self.seen..)?;
        self.seen = text.len();
        if !self.look.push(fresh).is_bad() {
            return None;
        }
        Some(Bad {
            verdict: Verdict::new(ErrorKind::Other, Phase::MidStream),
            finding: Finding::Repetitive.as_str(),
        })
    }
}
