//! Takes in a request's body, within its limits.

use crate::reply::Problem;
use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, EXPECT};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::time::Duration;

/// The most that is set aside for a body on the word of its `content-length` alone.
const TRUSTED: usize = 1 << 20;
/// A body beyond the limit is read on and thrown away up to so many times the limit, since a caller who is still
/// sending may not look at the answer before; after that the connection is closed in its face.
const PATIENCE: usize = 4;
/// How long that may take.
const PATIENCE_TIME: Duration = Duration::from_secs(10);

/// Reads the whole body.
///
/// A body that arrives in one piece is not copied.
pub(super) async fn body(
    mut body: Incoming,
    headers: &HeaderMap,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
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
    match tokio::time::timeout(timeout, collect(&mut body, stated, limit)).await {
        Err(_) => Err(Problem::SlowBody(timeout)),
        Ok(Err(TooLarge)) => {
            discard(body, limit).await;
            Err(Problem::TooLarge(limit))
        }
        Ok(Ok(None)) => Err(Problem::BadBody {
            why: "the body ended early".to_owned(),
            field: None,
        }),
        Ok(Ok(Some(bytes))) => Ok(bytes),
    }
}

/// The body has grown beyond its limit.
struct TooLarge;

/// All of the body; nothing if the connection broke.
async fn collect(
    body: &mut Incoming,
    stated: Option<usize>,
    limit: usize,
) -> Result<Option<Bytes>, TooLarge> {
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
        if so_far.saturating_add(data.len()) > limit {
            return Err(TooLarge);
        }
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
    Ok(Some(rest.map_or_else(
        || first.unwrap_or_default(),
        BytesMut::freeze,
    )))
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
