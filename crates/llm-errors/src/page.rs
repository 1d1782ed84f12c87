//! Pages that an edge or proxy serves in the provider's place.

use crate::kind::ErrorKind;
use crate::verdict::Resend;

/// Bytes of a body in which the beginning of a page must show.
const LOOK_BYTES: usize = 512;

/// Is this an HTML page?
pub(crate) fn is_page(body: &[u8]) -> bool {
    let body = body
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(body)
        .trim_ascii_start();
    let start = body.get(..body.len().min(LOOK_BYTES)).unwrap_or_default();
    if body.first() != Some(&b'<') {
        // a client's line before the page: "unexpected status 403: <html>"
        return !matches!(body.first(), Some(b'{' | b'[' | b'"'))
            && ["<html", "<!doctype html"].iter().any(|tag| {
                start
                    .windows(tag.len())
                    .any(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
            });
    }
    [
        "<!doctype",
        "<html",
        "<head",
        "<title",
        "<body",
        "<center",
        "<h1",
        "<!--",
        "<script",
        "<style",
        "<meta",
    ]
    .iter()
    .any(|tag| {
        start
            .get(..tag.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(tag.as_bytes()))
    })
}

/// What a page with this status means. A page that only dresses up a plain refusal (a bad key, a
/// body too large, too many requests) keeps the meaning of its status.
pub(crate) const fn meaning(status: u16) -> (ErrorKind, Option<Resend>) {
    match status {
        401 => (ErrorKind::AuthInvalidKey, None),
        402 => (ErrorKind::Billing, None),
        408 => (ErrorKind::Timeout, None),
        413 => (ErrorKind::PayloadTooLarge, None),
        429 => (ErrorKind::RateLimitOther, None),
        404 => (ErrorKind::Other, Some(Resend::NoSameTarget)),
        400..=499 => (ErrorKind::BadGatewayHtml, Some(Resend::NoSameTarget)),
        _ => (ErrorKind::BadGatewayHtml, None),
    }
}
