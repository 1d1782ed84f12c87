//! Takes in a request's body, within its limits.

use crate::config::Server;
use crate::reply::Problem;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most that is set aside for a body on the word of its `content-length` alone.
const TRUSTED: usize = 1 << 20;
/// A body beyond the limit is read on and thrown away up to so many times the limit, since a caller who is still
/// sending may not look at the answer before; after that the connection is closed in its face.
const PATIENCE: usize = 4;
/// How long that may take.
const PATIENCE_TIME: Duration = Duration::from_secs(10);

/// So much of a body needs no leave, so that usual calls pass however many large ones there are.
const FREE: usize = 64 << 10;
/// What is counted at once.
const UNIT: usize = 1 << 10;

/// How much of bodies is taken in: of one, and of all together.
#[derive(Debug)]
pub(super) struct Room {
    limit: usize,
    timeout: Duration,
    /// Units that are free.
    units: Arc<Semaphore>,
}

/// A body, and its share of the room.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) bytes: Bytes,
    pub(super) held: Held,
}

/// The share of the room that a body takes up; given back when dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    pub(super) fn new(server: &Server) -> Self {
        let units = (server.max_bodies_bytes / UNIT).min(Semaphore::MAX_PERMITS);
        // What there can never be room for is not to be sent again and again.
        let most = units.saturating_mul(UNIT).saturating_add(FREE);
        Self {
            limit: server.max_body_bytes.min(most),
            timeout: server.body_timeout,
            units: Arc::new(Semaphore::new(units)),
        }
    }

    /// Makes `held` enough for a body of `length` bytes; `None` where there is no room.
    ///
    /// Nobody waits for room: callers with half a body each would wait for one another.
    fn grow(&self, held: &mut Held, length: usize) -> Option<()> {
        let has = held
            .permit
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let more = length
            .saturating_sub(FREE)
            .div_ceil(UNIT)
            .saturating_sub(has);
        if more == 0 {
            return Some(());
        }
        let more = u32::try_from(more).ok()?;
        let permit = Arc::clone(&self.units).try_acquire_many_owned(more).ok()?;
        match &mut held.permit {
            Some(held) => held.merge(permit),
            None => held.permit = Some(permit),
        }
        Some(())
    }
}

/// Reads the whole body.
///
/// A body that arrives in one piece is not copied.
pub(super) async fn body(
    mut body: Incoming,
    headers: &HeaderMap,
    room: &Room,
) -> Result<Received, Problem> {
    let (limit, timeout) = (room.limit, room.timeout);
    let packed = headers.get(CONTENT_ENCODING);
    if packed.is_some_and(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::BadHeader {
            name: "content-encoding",
            mend: "send the body as it is, not compressed",
        });
    }
    let stated: Option<usize> = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse().ok());
    if stated.is_some_and(|stated| stated > limit) {
        // A caller that asks before sending need not send at all.
        if !headers.contains_key(EXPECT) {
            discard(body, limit).await;
        }
        return Err(Problem::TooLarge(limit));
    }
    match tokio::time::timeout(timeout, collect(&mut body, stated, room)).await {
        Err(_) => Err(Problem::SlowBody(timeout)),
        Ok(Err(why)) => {
            discard(body, limit).await;
            Err(match why {
                Unfit::TooLarge => Problem::TooLarge(limit),
                Unfit::NoRoom => Problem::NoRoom,
            })
        }
        Ok(Ok(None)) => Err(Problem::BadBody {
            why: "the body ended early".to_owned(),
            field: None,
        }),
        Ok(Ok(Some(received))) => Ok(received),
    }
}

/// Why a body is not taken in.
enum Unfit {
    /// It has grown beyond its own limit.
    TooLarge,
    /// All bodies have grown beyond theirs.
    NoRoom,
}

/// All of the body; nothing if the connection broke.
async fn collect(
    body: &mut Incoming,
    stated: Option<usize>,
    room: &Room,
) -> Result<Option<Received>, Unfit> {
    let mut held = Held::default();
    let mut first: Option<Bytes> = None;
    let mut rest: Option<BytesMut> = None;
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Ok(None) };
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let so_far = rest
            .as_ref()
            .map_or_else(|| first.as_ref().map_or(0, Bytes::len), BytesMut::len);
        let length = so_far.saturating_add(data.len());
        if length > room.limit {
            return Err(Unfit::TooLarge);
        }
        room.grow(&mut held, length).ok_or(Unfit::NoRoom)?;
        match (&mut rest, &first) {
            (Some(all), _) => all.extend_from_slice(&data),
            (None, None) => first = Some(data),
            (None, Some(one)) => {
                let expected = stated.unwrap_or(0).min(TRUSTED).max(one.len() + data.len());
                let mut all = BytesMut::with_capacity(expected);
                all.extend_from_slice(one);
                all.extend_from_slice(&data);
                rest = Some(all);
            }
        }
    }
    let bytes = rest.map_or_else(|| first.unwrap_or_default(), BytesMut::freeze);
    Ok(Some(Received { bytes, held }))
}

/// Reads on without keeping anything.
async fn discard(mut body: Incoming, limit: usize) {
    let reading = async {
        let mut left = limit.saturating_mul(PATIENCE);
        while let Some(Ok(frame)) = body.frame().await {
            let length = frame.data_ref().map_or(0, Bytes::len);
            match left.checked_sub(length) {
                Some(less) => left = less,
                None => return,
            }
        }
    };
    // Whether it came to an end or not, the answer is the same.
    let _ = tokio::time::timeout(PATIENCE_TIME, reading).await;
}
