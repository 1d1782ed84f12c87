//! Turns an answer and a fault into the steps of a body. Pure: no socket, no clock.

use bytes::Bytes;

use crate::framing::{Framing, crlf, spoil};
use crate::play::{Exit, Step, abort};
use crate::script::{At, CutEnd, Fault, Garbling, Pace};
use crate::voice::HTML;
use crate::wire::Frames;

/// A body planned: its steps, and the length its header promises if that is to be said outright.
#[derive(Debug)]
pub(crate) struct Plan {
    pub steps: Vec<Step>,
    pub content_length: Option<usize>,
    /// Whether the bytes sent are exactly one body of honest length.
    pub whole: Option<Bytes>,
}

impl Plan {
    /// Ends every line with carriage return and line feed. The JSON of an event has no bare line feed inside.
    pub(crate) fn with_crlf(mut self) -> Self {
        for step in &mut self.steps {
            if let Step::Send(bytes) = step {
                *bytes = crlf(bytes);
            }
        }
        self
    }
}

/// Plans a whole reply.
pub(crate) fn whole(body: Bytes, fault: Option<&Fault>) -> Plan {
    let length = body.len();
    let middle = length / 2;
    let at = |at: At| match at {
        At::Start => 0,
        At::Chunks(_) => middle,
        At::Bytes(bytes) => bytes.min(length),
    };
    let mut steps = Vec::new();
    match fault {
        Some(Fault::Silence(lasting)) => {
            steps.push(wait(*lasting));
            steps.push(Step::Send(body));
        }
        Some(Fault::Stall { lasting, .. }) => {
            steps.push(Step::Send(body.slice(..middle)));
            steps.push(wait(*lasting));
            steps.push(Step::Send(body.slice(middle..)));
        }
        Some(Fault::Reset(place)) => {
            steps.push(Step::Send(body.slice(..at(*place))));
            abort(&mut steps, Exit::Reset);
        }
        Some(Fault::Cut { at: place, end }) => {
            steps.push(Step::Send(body.slice(..at(*place))));
            if *end == CutEnd::Clean {
                return Plan {
                    steps,
                    content_length: None,
                    whole: None,
                };
            }
            abort(&mut steps, Exit::Close);
        }
        Some(Fault::Garbled(garbling)) => {
            let body = garble(&body, *garbling);
            return Plan {
                steps: Vec::new(),
                content_length: None,
                whole: Some(body),
            };
        }
        _ => {
            return Plan {
                steps: Vec::new(),
                content_length: None,
                whole: Some(body),
            };
        }
    }
    Plan {
        steps,
        content_length: Some(length),
        whole: None,
    }
}

fn garble(body: &Bytes, garbling: Garbling) -> Bytes {
    match garbling {
        Garbling::Utf8 => spoil(body),
        Garbling::Html => Bytes::from_static(HTML.as_bytes()),
        Garbling::Json | Garbling::Event | Garbling::Stray | Garbling::Checksum => {
            body.slice(..body.len() / 2)
        }
    }
}

const fn wait(lasting: Option<std::time::Duration>) -> Step {
    match lasting {
        Some(lasting) => Step::Wait(lasting),
        None => Step::Forever,
    }
}

/// A stream being planned.
struct Stream<'a> {
    steps: Vec<Step>,
    fault: Option<&'a Fault>,
    framing: Framing,
    error: Option<Bytes>,
}

/// Plans a streamed reply. `error` is the event that [`Fault::ErrorEvent`] sends.
pub(crate) fn stream(
    frames: Frames,
    pace: &Pace,
    fault: Option<&Fault>,
    framing: Framing,
    error: Option<Bytes>,
) -> Plan {
    let mut stream = Stream {
        steps: Vec::with_capacity(frames.content.len() + 8),
        fault,
        framing,
        error,
    };
    stream.play(frames, pace);
    let mut steps = stream.steps;
    match fault {
        Some(Fault::Cut { at, end }) if truncate(&mut steps, *at) && *end == CutEnd::Abort => {
            abort(&mut steps, Exit::Close);
        }
        Some(Fault::Reset(at)) if truncate(&mut steps, *at) => abort(&mut steps, Exit::Reset),
        _ => {}
    }
    Plan {
        steps,
        content_length: None,
        whole: None,
    }
}

impl Stream<'_> {
    fn play(&mut self, frames: Frames, pace: &Pace) {
        if let Some(Fault::Silence(lasting)) = self.fault {
            self.steps.push(wait(*lasting));
        }
        self.steps
            .extend(frames.opening.into_iter().map(Step::Send));
        let count = frames.content.len();
        for (index, frame) in frames.content.into_iter().enumerate() {
            if self.strike(index, count) {
                return;
            }
            let gap = if index == 0 {
                pace.first_token
            } else {
                pace.per_chunk
            };
            if !gap.is_zero() {
                self.steps.push(Step::Wait(gap));
            }
            let frame = self.spoiled(index, count, frame);
            self.steps.push(Step::Send(frame));
        }
        if self.strike(count, count) {
            return;
        }
        let mut closing = frames.closing;
        if matches!(self.fault, Some(Fault::NoEnd)) {
            closing.pop();
        }
        self.steps.extend(closing.into_iter().map(Step::Send));
    }

    /// Lets the fault strike before the chunk `index` of `count`; true if nothing may follow.
    fn strike(&mut self, index: usize, count: usize) -> bool {
        let here = |after: usize| after.min(count) == index;
        match self.fault {
            Some(Fault::Stall {
                after_chunks,
                lasting,
            }) if here(*after_chunks) => {
                self.steps.push(wait(*lasting));
                false
            }
            Some(Fault::Reset(At::Chunks(after))) if here(*after) => {
                abort(&mut self.steps, Exit::Reset);
                true
            }
            Some(Fault::Cut {
                at: At::Chunks(after),
                end,
            }) if here(*after) => {
                if *end == CutEnd::Abort {
                    abort(&mut self.steps, Exit::Close);
                }
                true
            }
            Some(Fault::ErrorEvent { after_chunks, .. }) if here(*after_chunks) => {
                self.steps.extend(self.error.take().map(Step::Send));
                true
            }
            Some(Fault::Garbled(
                garbling @ (Garbling::Event | Garbling::Stray | Garbling::Checksum),
            )) if here(1) => {
                let event = self.framing.broken_event(*garbling);
                self.steps.push(Step::Send(event));
                false
            }
            _ => false,
        }
    }

    /// The second chunk (the only one, if there is one) is the one that is garbled.
    fn spoiled(&self, index: usize, count: usize, frame: Bytes) -> Bytes {
        if index != count.saturating_sub(1).min(1) {
            return frame;
        }
        match self.fault {
            Some(Fault::Garbled(Garbling::Utf8)) => self.framing.spoilt(&frame),
            Some(Fault::Garbled(Garbling::Json)) => self.framing.shortened(&frame),
            _ => frame,
        }
    }
}

/// Keeps what is sent before a place counted in bytes; false if the place is counted in chunks.
fn truncate(steps: &mut Vec<Step>, at: At) -> bool {
    let mut left = match at {
        At::Start => 0,
        At::Bytes(bytes) => bytes,
        At::Chunks(_) => return false,
    };
    let mut kept = 0;
    for step in steps.iter_mut() {
        if let Step::Send(part) = step {
            if left == 0 {
                break;
            }
            part.truncate(left);
            left -= part.len();
        }
        kept += 1;
    }
    steps.truncate(kept);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(plan: &Plan) -> String {
        let parts = plan.steps.iter().filter_map(|step| match step {
            Step::Send(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            _ => None,
        });
        parts.collect()
    }

    fn frames() -> Frames {
        let part = |text: &'static str| Bytes::from_static(text.as_bytes());
        Frames {
            opening: vec![part("<")],
            content: vec![part("a"), part("b"), part("c")],
            closing: vec![part(">")],
        }
    }

    fn plan(fault: &Fault) -> Plan {
        stream(
            frames(),
            &Pace::NONE,
            Some(fault),
            Framing::Chat,
            Some(Bytes::from_static(b"!")),
        )
    }

    #[test]
    fn a_cut_strikes_after_every_possible_chunk() {
        for (after, expected) in [(0, "<"), (1, "<a"), (2, "<ab"), (3, "<abc"), (9, "<abc")] {
            let clean = plan(&Fault::Cut {
                at: At::Chunks(after),
                end: CutEnd::Clean,
            });
            assert_eq!(sent(&clean), expected);
            let broken = plan(&Fault::Cut {
                at: At::Chunks(after),
                end: CutEnd::Abort,
            });
            assert_eq!(sent(&broken), expected);
            assert!(matches!(
                broken.steps.last(),
                Some(Step::Abort(Exit::Close))
            ));
        }
    }

    #[test]
    fn a_cut_by_bytes_counts_every_byte() {
        for (bytes, expected) in [(0, ""), (2, "<a"), (5, "<abc>"), (99, "<abc>")] {
            assert_eq!(
                sent(&plan(&Fault::Cut {
                    at: At::Bytes(bytes),
                    end: CutEnd::Clean
                })),
                expected
            );
        }
    }

    #[test]
    fn a_cut_at_the_start_leaves_nothing() {
        let plan = plan(&Fault::Cut {
            at: At::Start,
            end: CutEnd::Abort,
        });
        assert_eq!(sent(&plan), "");
        assert!(matches!(plan.steps.last(), Some(Step::Abort(Exit::Close))));
    }

    #[test]
    fn an_error_event_ends_the_stream_and_a_bad_event_does_not() {
        assert_eq!(
            sent(&plan(&Fault::ErrorEvent {
                after_chunks: 2,
                preset: crate::Preset::Overloaded
            })),
            "<ab!"
        );
        let text = sent(&plan(&Fault::Garbled(Garbling::Event)));
        assert!(
            text.starts_with("<adata: {") && text.ends_with("bc>"),
            "{text}"
        );
        let text = sent(&plan(&Fault::Garbled(Garbling::Stray)));
        assert!(
            text.starts_with("<adata: OK\n\n") && text.ends_with("bc>"),
            "{text}"
        );
    }

    #[test]
    fn a_pace_waits_before_every_chunk() {
        let pace = Pace::NONE
            .first_token(std::time::Duration::from_secs(2))
            .per_chunk(std::time::Duration::from_secs(1));
        let plan = stream(frames(), &pace, None, Framing::Chat, None);
        let total: std::time::Duration = plan
            .steps
            .iter()
            .filter_map(|step| {
                if let Step::Wait(wait) = step {
                    Some(*wait)
                } else {
                    None
                }
            })
            .sum();
        assert_eq!(total, std::time::Duration::from_secs(4));
    }
}
