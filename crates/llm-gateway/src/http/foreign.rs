//! Keeps web pages from spending the gateway's keys: a page open in a browser of this machine reaches its loopback too.
//!
//! Browsers say in `Origin` which page calls; no SDK sends it. A page whose own name is made to lead to the loopback
//! counts as the same origin there, but its name stands in `Host`.
//!
//! A page that the operator allows is let in as browsers want it (CORS): the question that they send before the call is
//! answered, and every answer may be read.

use crate::body::Body;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HOST, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri};
use std::net::IpAddr;

/// How long a browser may remember the answer to its question, in seconds.
const REMEMBERED: HeaderValue = HeaderValue::from_static("600");
/// A page of the public network asks whether it may call a machine of a private one
/// (developer.chrome.com/blog/private-network-access-preflight, read 2026-11-26).
const ASKS_PRIVATE: HeaderName = HeaderName::from_static("access-control-request-private-network");
const ALLOWS_PRIVATE: HeaderName = HeaderName::from_static("access-control-allow-private-network");

/// Whether a page may call.
pub(super) fn is_allowed(page: &HeaderValue, allowed: &[String]) -> bool {
    let mut allowed = allowed.iter();
    allowed.any(|one| one.as_bytes().eq_ignore_ascii_case(page.as_bytes()))
}

/// Whether a browser asks what a page may do.
pub(super) fn is_preflight<B>(request: &Request<B>) -> bool {
    let headers = request.headers();
    request.method() == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to that: whatever is served here.
pub(super) fn preflight(asked: &HeaderMap) -> Response<Body> {
    let mut response = Response::new(Body::whole(""));
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET, POST");
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
    // By name, since `*` does not stand for `authorization`.
    if let Some(names) = asked.get(ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
    }
    if asked.contains_key(ASKS_PRIVATE) {
        headers.insert(ALLOWS_PRIVATE, HeaderValue::from_static("true"));
    }
    headers.insert(ACCESS_CONTROL_MAX_AGE, REMEMBERED);
    response
}

/// Lets the page read the answer.
pub(super) fn let_read(headers: &mut HeaderMap, page: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, page);
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("*"));
    headers.append(VARY, HeaderValue::from_static("origin"));
}

/// Whether a request may be served; `loopback` says that callers are on this machine alone.
///
/// # Errors
///
/// Why not, for the caller.
pub(super) fn check(
    headers: &HeaderMap,
    uri: &Uri,
    loopback: bool,
    allowed: &[String],
) -> Result<(), &'static str> {
    let mut origins = headers.get_all(ORIGIN).iter();
    if !origins.all(|origin| is_allowed(origin, allowed)) {
        return Err(
            "web pages may not call the gateway; its operator can allow one by `allowed_origins`",
        );
    }
    if !loopback {
        return Ok(());
    }
    let mut hosts = headers.get_all(HOST).iter().map(|host| host.to_str().ok());
    let named = hosts.all(|host| host.is_some_and(|host| is_ours(host, allowed)));
    let target = uri.authority().map(http::uri::Authority::as_str);
    if named && target.is_none_or(|host| is_ours(host, allowed)) {
        Ok(())
    } else {
        Err(
            "this host name is not the gateway's: use localhost, or allow the name by `allowed_origins`",
        )
    }
}

/// Whether a host, perhaps with a port, can only mean a machine that its user meant: an address, a name that nobody can
/// own in public (without a dot, or under `localhost` or `internal`), or one of an allowed origin.
fn is_ours(host: &str, allowed: &[String]) -> bool {
    let host = host.to_ascii_lowercase();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let name = name.trim_end_matches('.');
    name.parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || name.ends_with(".localhost")
        || name.ends_with(".internal")
        || allowed.iter().any(|origin| {
            let (_, rest) = origin.split_once("://").unwrap_or_default();
            rest.split(':').next() == Some(name)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(origin: Option<&str>, host: &str, loopback: bool) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        let allowed = ["https://chat.example.com".to_owned()];
        check(
            &headers,
            &Uri::from_static("/v1/models"),
            loopback,
            &allowed,
        )
        .is_ok()
    }

    #[test]
    fn only_allowed_pages_may_call() {
        for loopback in [true, false] {
            assert!(fits(None, "localhost:8080", loopback));
            assert!(fits(
                Some("https://chat.example.com"),
                "localhost",
                loopback
            ));
            for origin in [
                "null",
                "https://evil.example",
                "http://chat.example.com",
                "",
            ] {
                assert!(!fits(Some(origin), "localhost:8080", loopback), "{origin}");
            }
        }
    }

    #[test]
    fn a_loopback_is_not_called_by_a_public_name() {
        for host in [
            "127.0.0.1:1",
            "[::1]:1",
            "LOCALHOST",
            "gateway:1",
            "a.localhost",
            "host.docker.internal:1",
            "chat.example.com",
        ] {
            assert!(fits(None, host, true), "{host}");
        }
        for host in [
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "evil.example.",
        ] {
            assert!(!fits(None, host, true), "{host}");
            assert!(fits(None, host, false), "{host}");
        }
    }

    #[test]
    fn the_name_in_the_request_line_counts_too() {
        let uri = Uri::from_static("http://evil.example/v1/models");
        assert!(check(&HeaderMap::new(), &uri, true, &[]).is_err());
        assert!(check(&HeaderMap::new(), &Uri::from_static("/"), true, &[]).is_ok());
    }
}
