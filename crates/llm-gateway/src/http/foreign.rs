//! Keeps web pages from spending the gateway's keys: a page open in a browser of this machine reaches its loopback too.
//!
//! Browsers say in `Origin` which page calls; no SDK sends it. A page whose own name is made to lead to the loopback
//! counts as the same origin there, but its name stands in `Host`.

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};
use std::net::IpAddr;

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
    let known = |origin: &[u8]| {
        let mut allowed = allowed.iter();
        allowed.any(|one| one.as_bytes().eq_ignore_ascii_case(origin))
    };
    if !headers.get_all(ORIGIN).iter().all(|o| known(o.as_bytes())) {
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
