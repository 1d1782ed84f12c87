//! Reads listeners, the server's limits and the cache.

use super::key::Section;
use super::reader::{Entries, Reader};
use super::{Cache, DEFAULT_LISTEN, Proxy, Server};
use crate::engine::Estimate;
use std::net::SocketAddr;
use std::time::Duration;
use toml::de::DeValue;

const SHORTEST: Duration = Duration::from_millis(1);

pub(super) fn listeners(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
) -> (SocketAddr, Option<SocketAddr>) {
    let listen = address(reader, top, "listen");
    let admin = address(reader, top, "admin_listen");
    let (at, taken) = (
        admin.map_or(0, |(at, _)| at),
        listen.map_or(DEFAULT_LISTEN, |(_, address)| address),
    );
    if let Some((_, admin)) = admin
        && collide(taken, admin)
    {
        let what = format!(
            "two listeners on port {}: `listen` has it already",
            admin.port()
        );
        let free = admin.port().checked_add(1).unwrap_or(9090);
        let mend = format!(
            "give one of them another port, for example \"{}:{free}\"",
            admin.ip()
        );
        reader.fault(at, "admin_listen", what, mend);
    }
    (taken, admin.map(|(_, address)| address))
}

/// How the tokens of a prompt are estimated.
pub(super) fn token_estimate(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Estimate {
    const NAME: &str = "token_estimate";
    let given = top.get(NAME).and_then(|value| match value.get_ref() {
        DeValue::String(text) => Some((text, value.span().start)),
        _ => None,
    });
    // A way that another build has is no slip of the pen.
    if let Some((text, at)) = given
        && text == "o200k"
        && !Estimate::ALL.iter().any(|way| way.as_str() == text)
    {
        let what = "this gateway was built without a tokenizer";
        let mend = "build it with `--features tokenizer`, or write \"bytes\"";
        reader.fault(at, NAME, what, mend);
        return Estimate::default();
    }
    let ways: Vec<_> = Estimate::ALL
        .iter()
        .map(|way| (way.as_str(), *way))
        .collect();
    reader.choice(top, NAME, &ways).unwrap_or_default()
}

/// How providers are reached.
pub(super) fn proxy(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Proxy {
    let ways = [("none", Proxy::None), ("environment", Proxy::Environment)];
    reader.choice(top, "proxy", &ways).unwrap_or_default()
}

/// How often the file is looked at for a change.
pub(super) fn watch(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Option<Duration> {
    let every = reader.duration(top, "watch", Duration::ZERO)?;
    (!every.is_zero()).then_some(every)
}

/// Whether two addresses cannot both be bound: the same port, on the same address or on all of them.
pub(super) fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    a.port() != 0
        && a.port() == b.port()
        && (a.ip() == b.ip() || a.ip().is_unspecified() || b.ip().is_unspecified())
}

fn address(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    name: &str,
) -> Option<(usize, SocketAddr)> {
    let text = reader.text(top, name)?;
    let at = top.get(name).map_or(0, |value| value.span().start);
    let read = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}").parse(),
        None => text.parse(),
    };
    match read {
        Ok(address) => Some((at, address)),
        Err(_) => {
            let mend = if text.starts_with(':') {
                format!(
                    "write the address as well: \"127.0.0.1{text}\", or \"0.0.0.0{text}\" for other machines"
                )
            } else {
                "write ADDRESS:PORT in numbers, for example \"127.0.0.1:8080\"".to_owned()
            };
            reader.fault(
                at,
                name,
                format!("`{text}` is not an address with a port"),
                mend,
            );
            None
        }
    }
}

/// Web pages that may call: what browsers send as `Origin`, a scheme, a host and perhaps a port.
pub(super) fn origins(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Vec<String> {
    let name = "allowed_origins";
    let mut origins = Vec::new();
    let Some((_, list)) = reader.list(top, name, "[\"https://chat.example.com\"]") else {
        return origins;
    };
    for value in list {
        let Some(text) = reader.text_value(value, name.to_owned()) else {
            continue;
        };
        let plain = |rest: &str| !rest.is_empty() && !rest.contains(['/', '?', '#', '*', '@', ' ']);
        if text.split_once("://").is_some_and(|(_, rest)| plain(rest)) {
            origins.push(text.to_ascii_lowercase());
        } else {
            let mend = "write scheme and host without a path: \"https://chat.example.com\"";
            let at = value.span().start;
            reader.fault(at, name, "not an origin", mend);
        }
    }
    origins
}

pub(super) fn server(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Server {
    let mut server = Server::default();
    let Some(table) = reader.table(top, "server", Section::Server) else {
        return server;
    };
    if let Some(bytes) = reader.size(&table, "max_body") {
        server.max_body_bytes = bytes;
    }
    if let Some(bytes) = reader.size(&table, "max_bodies") {
        server.max_bodies_bytes = bytes;
    }
    if let Some(count) = reader.whole(&table, "max_connections", 1..1_000_001) {
        server.max_connections = count as usize;
    }
    for (name, slot) in [
        ("header_timeout", &mut server.header_timeout),
        ("body_timeout", &mut server.body_timeout),
        ("write_timeout", &mut server.write_timeout),
    ] {
        if let Some(duration) = reader.duration(&table, name, SHORTEST) {
            *slot = duration;
        }
    }
    for (name, slot) in [("notice", &mut server.notice), ("drain", &mut server.drain)] {
        if let Some(duration) = reader.duration(&table, name, Duration::ZERO) {
            *slot = duration;
        }
    }
    server
}

pub(super) fn cache(reader: &mut Reader<'_>, top: &Entries<'_, '_>) -> Cache {
    let mut cache = Cache::default();
    let Some(table) = reader.table(top, "cache", Section::Cache) else {
        return cache;
    };
    if let Some(bytes) = reader.size(&table, "max_bytes") {
        cache.max_bytes = bytes;
    }
    if let Some(stale) = reader.duration(&table, "stale", SHORTEST) {
        cache.stale = stale;
    }
    cache
}
