//! A response body that is played step by step: bytes, waits, and an end that may be a rude one.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Buf, Bytes};
use http_body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use crate::limit::Slot;
use crate::record::{Call, Ended};

/// What is said before a rude end is given this long to leave the machine.
const SETTLE: Duration = Duration::from_millis(2);

/// One step of a body.
#[derive(Debug)]
pub(crate) enum Step {
    Send(Bytes),
    Wait(Duration),
    /// Nothing more, until the caller hangs up.
    Forever,
    /// The connection ends here, in the middle of the message.
    Abort(Exit),
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// In order (FIN).
    Close,
    /// With a reset (RST).
    Reset,
}

/// The line to a connection's socket: how it is to end. Shared by the socket and the calls on it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Line(Arc<AtomicBool>);

impl Line {
    pub(crate) fn set(&self, exit: Exit) {
        self.0.store(exit == Exit::Reset, Ordering::Release);
    }

    pub(crate) fn is_reset(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// The connection is given up on purpose.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is ended by the script")]
pub(crate) struct GivenUp;

/// A body being played.
#[derive(Debug)]
pub(crate) struct Play {
    steps: std::vec::IntoIter<Step>,
    /// Bytes of the present step that a drip has not sent yet.
    rest: Bytes,
    drip: Option<Duration>,
    /// The bytes of one drop of a drip.
    drop_bytes: usize,
    /// Whether a drop has just gone out.
    dripped: bool,
    sleep: Option<Pin<Box<Sleep>>>,
    /// What is sent during waits, and how often.
    pulse: Option<(Duration, Bytes)>,
    /// What is left of the present wait after the next pulse.
    waiting: Option<Duration>,
    /// Bytes still to come, if the length is an honest one.
    left: Option<u64>,
    line: Line,
    call: Option<Call>,
    /// Kept until the body has gone out: the call is in progress that long.
    _slot: Option<Slot>,
}

impl Play {
    pub(crate) fn new(steps: Vec<Step>, line: Line) -> Self {
        Self {
            steps: steps.into_iter(),
            rest: Bytes::new(),
            drip: None,
            drop_bytes: 1,
            dripped: false,
            sleep: None,
            pulse: None,
            waiting: None,
            left: None,
            line,
            call: None,
            _slot: None,
        }
    }

    /// One honest body of known length.
    pub(crate) fn whole(body: Bytes, line: Line) -> Self {
        let left = u64::try_from(body.len()).ok();
        let steps = if body.is_empty() {
            Vec::new()
        } else {
            vec![Step::Send(body)]
        };
        Self {
            left,
            ..Self::new(steps, line)
        }
    }

    /// Sends the body in pieces of so many bytes (one if not said), with a wait between two (none if not said).
    pub(crate) fn drip(mut self, wait: Option<Duration>, bytes: Option<usize>) -> Self {
        self.drip = wait.or(bytes.map(|_| Duration::ZERO));
        self.drop_bytes = bytes.unwrap_or(1).max(1);
        self
    }

    /// Sends a sign of life during waits, so often.
    pub(crate) fn pulse(mut self, pulse: Option<(Duration, Bytes)>) -> Self {
        self.pulse = pulse;
        self
    }

    pub(crate) fn call(mut self, call: Call, slot: Option<Slot>) -> Self {
        self.call = Some(call);
        self._slot = slot;
        if self.is_end_stream() {
            self.end(Ended::Done);
        }
        self
    }

    /// Begins a wait; `None` is one without end. With a pulse a long wait is taken in beats.
    fn wait(&mut self, wait: Option<Duration>) {
        let wait = wait.unwrap_or(Duration::MAX);
        let beat = self
            .pulse
            .as_ref()
            .map(|(every, _)| *every)
            .filter(|&every| wait > every);
        self.waiting = beat.map(|beat| wait - beat);
        self.sleep = Some(Box::pin(tokio::time::sleep(beat.unwrap_or(wait))));
    }

    fn end(&mut self, ended: Ended) {
        if let Some(call) = self.call.take() {
            call.end(ended);
        }
    }

    fn send(&mut self, bytes: Bytes) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        if let Some(left) = &mut self.left {
            *left = left.saturating_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        }
        if self.is_end_stream() {
            self.end(Ended::Done);
        }
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }
}

impl Body for Play {
    type Data = Bytes;
    type Error = GivenUp;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, GivenUp>>> {
        let this = self.get_mut();
        loop {
            if let Some(sleep) = &mut this.sleep {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                this.sleep = None;
                if let (Some(left), Some((_, sign))) = (this.waiting.take(), &this.pulse) {
                    let sign = sign.clone();
                    this.wait(Some(left));
                    return Poll::Ready(Some(Ok(Frame::data(sign))));
                }
            }
            if this.rest.has_remaining() {
                // Every drop but the first of the body waits; a wait of zero still lets the one before it leave alone.
                if this.dripped {
                    this.dripped = false;
                    match this.drip {
                        Some(wait) if !wait.is_zero() => {
                            this.sleep = Some(Box::pin(tokio::time::sleep(wait)));
                        }
                        _ => {
                            cx.waker().wake_by_ref();
                            return Poll::Pending;
                        }
                    }
                    continue;
                }
                this.dripped = true;
                let drop = this.rest.split_to(this.drop_bytes.min(this.rest.len()));
                return this.send(drop);
            }
            match this.steps.next() {
                None => {
                    this.end(Ended::Done);
                    return Poll::Ready(None);
                }
                Some(Step::Send(bytes)) if bytes.is_empty() => {}
                Some(Step::Send(bytes)) => match this.drip {
                    None => return this.send(bytes),
                    Some(_) => this.rest = bytes,
                },
                Some(Step::Wait(wait)) => this.wait(Some(wait)),
                Some(Step::Forever) => {
                    // The server drops this body when the caller hangs up.
                    this.steps = vec![Step::Forever].into_iter();
                    this.wait(None);
                }
                Some(Step::Abort(exit)) => {
                    this.line.set(exit);
                    this.end(Ended::Broken);
                    return Poll::Ready(Some(Err(GivenUp)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.steps.as_slice().is_empty() && !self.rest.has_remaining()
    }

    fn size_hint(&self) -> SizeHint {
        self.left
            .map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// Ends a list of steps rudely, after what was said has left.
pub(crate) fn abort(steps: &mut Vec<Step>, exit: Exit) {
    steps.push(Step::Wait(SETTLE));
    steps.push(Step::Abort(exit));
}
