//! Reads `[targets.NAME]`: what can be called.

use super::breaker::{self, Breaker};
use super::cloud::{self, Cloud};
use super::key::Section;
use super::limit;
use super::place::{self, Place};
use super::price;
use super::reader::{Entries, Reader, Value};
use super::secret::{Source, World};
use super::wording::unknown_mend;
use crate::engine::{
    Features, Limits, Model, Prefill, Price, Provider, Thinking, Wire, catalog_entry, embedding,
    habit, list_price, model,
};
use http::{HeaderName, HeaderValue, Uri};
use secrecy::SecretString;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr as _;

/// The longest name of a target or a route: names become metric labels and headers.
pub(super) const LONGEST_NAME: usize = 64;

/// One model of one provider with one key. Its `Debug` output tells the names of headers and query parameters alone.
#[derive(Clone)]
pub(crate) struct Target {
    /// Its name, unique.
    pub(crate) name: String,
    /// Whose errors, headers and address to expect.
    pub(crate) provider: Provider,
    /// The model's name at the provider.
    pub(crate) model: String,
    /// Where it is, if not at the provider's own address.
    pub(crate) base_url: Option<String>,
    /// What it speaks, if not the provider's own dialect.
    pub(crate) wire: Option<Wire>,
    /// The space of its vectors, where it is for embeddings.
    pub(crate) embeddings: Option<String>,
    /// Where in a cloud it is, and who asks there.
    pub(crate) cloud: Cloud,
    /// The key, if one is sent.
    pub(crate) api_key: Option<SecretString>,
    /// A label for the key: targets that share it are set aside together.
    pub(crate) credential: Option<String>,
    /// The reload that brought the key, where it replaced another one of the same label; else 0. A key that was refused
    /// or spent says nothing of the one that replaces it.
    pub(crate) key_turn: u32,
    /// Headers sent with every call.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Query parameters added to every call.
    pub(crate) query: Vec<(String, String)>,
    /// The model's window in tokens, if known.
    pub(crate) context_window: Option<u32>,
    /// Output tokens to ask for where a caller gives no limit.
    pub(crate) default_max_tokens: Option<u32>,
    /// How it goes on from the beginning of an answer, if that is not left to what is known of it.
    pub(crate) prefill: Option<Prefill>,
    /// When it is left alone.
    pub(crate) breaker: Breaker,
    /// When its model thinks before it speaks.
    pub(crate) thinks: Thinking,
    /// What it cannot do.
    pub(crate) lacks: Features,
    /// Rate limits of the key.
    pub(crate) limits: Limits,
    /// What the model costs, if known.
    pub(crate) price: Option<Price>,
    /// What public pages state of the model. The three above hold it already, where the file says nothing else.
    pub(crate) known: Option<Model>,
    /// What it shares with others, and what it may cost.
    pub(crate) place: Place,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, _)| name).collect();
        let query: Vec<_> = self.query.iter().map(|(name, _)| name).collect();
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("provider", &self.provider)
            .field("model", &self.model)
            .field("base_url", &self.base_url)
            .field("wire", &self.wire)
            .field("cloud", &self.cloud)
            .field("credential", &self.credential)
            .field("headers", &headers)
            .field("query", &query)
            .field("context_window", &self.context_window)
            .field("default_max_tokens", &self.default_max_tokens)
            .field("lacks", &self.lacks)
            .field("limits", &self.limits)
            .field("price", &self.price)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// Reads every target. One with a fault keeps its name, so that routes to it are not blamed as well.
pub(super) fn read(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    breaker: &Breaker,
    world: &dyn World,
) -> Vec<(String, Option<Target>)> {
    let mut targets = Vec::new();
    for (name, at, value) in reader.named(top, "targets") {
        check_name(reader, name, at, "targets");
        let path = format!("targets.{name}");
        let target = reader
            .table_value(value, Section::Target, path)
            .and_then(|table| target(reader, &table, name, breaker, world));
        targets.push((name.to_owned(), target));
    }
    if targets.is_empty()
        && top
            .get("targets")
            .is_none_or(|value| value.get_ref().is_table())
    {
        let example = "[targets.primary] with provider = \"openai\" and model = \"...\"";
        reader.fault(
            0,
            "targets",
            "no target is defined",
            format!("add a table {example}"),
        );
    }
    targets
}

pub(super) fn check_name(reader: &mut Reader<'_>, name: &str, at: usize, of: &str) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/@+".contains(&b);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.bytes().all(plain) {
        let what = format!("a name in [{of}] that cannot stand in a header or a metric");
        let mend = format!("use 1 to {LONGEST_NAME} letters, digits and - _ . : / @ +");
        reader.fault(at, of, what, mend);
    }
}

fn target(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    name: &str,
    usual: &Breaker,
    world: &dyn World,
) -> Option<Target> {
    let provider = provider(reader, table);
    let base_url = base_url(reader, table);
    if table.get("model").is_none() {
        reader.missing(table, "model", "\"the model's name at the provider\"");
    }
    let model = reader.text(table, "model").map(str::to_owned);
    let wires: Vec<_> = Wire::ALL
        .iter()
        .map(|wire| (wire.as_str(), *wire))
        .collect();
    let wire = reader.choice(table, "dialect", &wires);
    let embeddings = reader.text(table, "embeddings").map(str::to_owned);
    if let Some(provider) = provider {
        check_address(reader, table, provider);
    }
    let source = source_of(reader, table, "api_key");
    let (cloud, asker) = match provider {
        Some(provider) => cloud::read(reader, table, provider, world),
        None => Default::default(),
    };
    let label = reader.text(table, "credential").map(str::to_owned);
    let api_key = source
        .as_ref()
        .and_then(|(at, source)| match source.fetch(world) {
            Ok(key) => Some(key),
            Err(missing) => {
                reader.fault(*at, table.path_of("api_key"), missing.what, missing.mend);
                None
            }
        });
    let headers = headers(reader, table);
    let query = query(reader, table);
    let context_window = reader.whole(table, "context_window", 1..1_000_000_001);
    let default_max_tokens = reader.whole(table, "default_max_tokens", 1..1_000_000_001);
    let ways: Vec<_> = Prefill::ALL
        .iter()
        .map(|way| (way.as_str(), *way))
        .collect();
    let prefill = reader.choice(table, "prefill", &ways);
    let breaker = breaker::of_target(reader, table, usual);
    let habits: Vec<_> = Thinking::ALL
        .iter()
        .map(|habit| (habit.as_str(), *habit))
        .collect();
    let thinks = reader.choice(table, "thinks", &habits);
    let lacks = lacks(reader, table);
    let limits = limit::read(reader, table);
    let price = price::read(reader, table);
    let place = place::read(reader, table);
    let (provider, model) = (provider?, model?);
    if embeddings.is_some() && !embedding::is_offered(provider, &model, wire) {
        let at = table
            .get("embeddings")
            .map_or(table.at, |value| value.span().start);
        let what = format!("no embeddings of `{model}` at `{provider}` are known here");
        let mend = "leave `embeddings` out, or name a model that embeds";
        reader.fault(at, table.path_of("embeddings"), what, mend);
    }
    let known = model::lookup(provider, &model);
    let stated = known.unwrap_or(model::UNKNOWN);
    Some(Target {
        name: name.to_owned(),
        thinks: thinks.unwrap_or_else(|| habit(provider, &model)),
        provider,
        model,
        base_url,
        wire,
        embeddings,
        api_key,
        cloud,
        credential: label
            .or_else(|| source.map(|(_, source)| source.label()))
            .or(asker),
        key_turn: 0,
        headers,
        query,
        context_window: context_window.or(stated.context_window),
        default_max_tokens,
        prefill,
        breaker,
        lacks: lacks.unwrap_or(stated.cannot),
        limits,
        price: price.or(stated.price.map(list_price)),
        known,
        place,
    })
}

fn provider(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Option<Provider> {
    if table.get("provider").is_none() {
        reader.missing(table, "provider", "\"openai\"");
        return None;
    }
    let text = reader.text(table, "provider")?;
    if let Ok(provider) = Provider::from_str(text) {
        return Some(provider);
    }
    let at = table
        .get("provider")
        .map_or(table.at, |value| value.span().start);
    let mend = match meant(text) {
        Some(Provider::Other) => {
            "write \"other\", and base_url and dialect of the server".to_owned()
        }
        Some(provider) => format!("write \"{}\"", provider.as_str()),
        None => {
            let known = Provider::ALL.iter().map(|provider| provider.as_str());
            let known = unknown_mend(text, known);
            format!("{known}; any other server that speaks one of the dialects is \"other\"")
        }
    };
    reader.fault(
        at,
        table.path_of("provider"),
        format!("`{text}` is no provider known here"),
        mend,
    );
    None
}

/// The provider that other gateways and SDKs call by this name.
fn meant(name: &str) -> Option<Provider> {
    Some(match name.to_ascii_lowercase().replace('-', "_").as_str() {
        "azure" | "azure_ai" => Provider::AzureOpenAi,
        "google" | "google_genai" | "google_ai_studio" | "google_gemini" => Provider::Gemini,
        "vertex_ai" | "vertexai" | "google_vertex" | "gcp_vertex" => Provider::Vertex,
        "aws" | "amazon" | "aws_bedrock" | "amazon_bedrock" => Provider::Bedrock,
        "claude" => Provider::Anthropic,
        "together_ai" | "togetherai" => Provider::Together,
        "fireworks_ai" => Provider::Fireworks,
        "x_ai" | "grok" => Provider::Xai,
        "hosted_vllm" => Provider::Vllm,
        "nvidia" | "nim" => Provider::NvidiaNim,
        "dashscope" | "qwen" | "alibaba" => Provider::DashScope,
        "z_ai" | "zai" => Provider::Zhipu,
        "github" => Provider::GithubModels,
        "openai_compatible" | "openai_like" | "custom_openai" | "custom" | "generic" => {
            Provider::Other
        }
        _ => return None,
    })
}

/// Finds targets that lead back to the gateway itself: calls would go round and round.
pub(super) fn check_loops(
    reader: &mut Reader<'_>,
    top: &Entries<'_, '_>,
    targets: &[(String, Option<Target>)],
    listen: SocketAddr,
) {
    for (name, at, _) in reader.named(top, "targets") {
        let target = targets.iter().find(|(known, _)| known == name);
        let Some((_, Some(target))) = target else {
            continue;
        };
        let own = catalog_entry(target.provider).base_url.map(str::to_owned);
        let Some(url) = target.base_url.clone().or(own) else {
            continue;
        };
        if leads_to(&url, listen) {
            let what =
                format!("{url} is this gateway's own address: calls would go round in circles");
            let mend = "give the target its real address, or the gateway another one by `listen`";
            reader.fault(at, format!("targets.{name}.base_url"), what, mend);
        }
    }
}

/// Whether a URL leads to where a gateway that listens at `listen` would be found.
fn leads_to(url: &str, listen: SocketAddr) -> bool {
    let Ok(uri) = url.parse::<Uri>() else {
        return false;
    };
    let default = if uri.scheme_str() == Some("https") {
        443
    } else {
        80
    };
    if listen.port() == 0 || uri.port_u16().unwrap_or(default) != listen.port() {
        return false;
    }
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let here = if host == "localhost" {
        Some(IpAddr::V4(Ipv4Addr::LOCALHOST))
    } else {
        host.parse().ok()
    };
    here.is_some_and(|ip: IpAddr| {
        ip == listen.ip() || (listen.ip().is_unspecified() && ip.is_loopback())
    })
}

/// A provider without an address of its own needs one.
fn check_address(reader: &mut Reader<'_>, table: &Entries<'_, '_>, provider: Provider) {
    // Those that have one in each region are asked for the region.
    let regional = matches!(provider, Provider::Bedrock | Provider::Vertex);
    let known = regional || catalog_entry(provider).base_url.is_some();
    if table.get("base_url").is_none() && !known {
        let mend = "add base_url = \"https://HOST/v1\", the address up to and with the version";
        reader.fault(
            table.at,
            table.path_of("base_url"),
            format!("missing: `{provider}` has no address of its own"),
            mend,
        );
    }
}

fn base_url(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Option<String> {
    let text = reader.text(table, "base_url")?;
    let at = table
        .get("base_url")
        .map_or(table.at, |value| value.span().start);
    let (what, mend) = match text.parse::<Uri>() {
        // The text itself is not repeated where it may hold a password or a key.
        Err(_) => ("not a URL", "write it like \"https://api.example.com/v1\""),
        Ok(uri) if !matches!(uri.scheme_str(), Some("http" | "https")) => (
            "a URL without http:// or https://",
            "write it like \"https://api.example.com/v1\"",
        ),
        Ok(uri)
            if uri
                .authority()
                .is_some_and(|authority| authority.as_str().contains('@')) =>
        {
            (
                "a URL with a user or password in it",
                "remove it, and give the key by api_key = { env = \"...\" }",
            )
        }
        Ok(uri) if uri.host().is_none_or(str::is_empty) => (
            "a URL without a host",
            "write it like \"https://api.example.com/v1\"",
        ),
        Ok(uri) if uri.query().is_some() => (
            "a URL with a query",
            "move it: query = { api-version = \"...\" }",
        ),
        Ok(uri)
            if uri.path().ends_with("/chat/completions") || uri.path().ends_with("/messages") =>
        {
            (
                "a URL of one operation",
                "end it before /chat/completions or /messages",
            )
        }
        Ok(_) => return Some(text.trim_end_matches('/').to_owned()),
    };
    reader.fault(at, table.path_of("base_url"), what, mend);
    None
}

/// Where a key, or another secret, is to be found.
pub(super) fn source_of(
    reader: &mut Reader<'_>,
    table: &Entries<'_, '_>,
    name: &str,
) -> Option<(usize, Source)> {
    let value = table.get(name)?;
    let at = value.span().start;
    if value.get_ref().is_str() {
        let mend = format!(
            "put the key into an environment variable and write {name} = {{ env = \"NAME\" }}; change the key if this file was shared"
        );
        reader.fault(
            at,
            table.path_of(name),
            "a key does not belong in this file",
            mend,
        );
        return None;
    }
    let entries = reader.table_value(value, Section::ApiKey, table.path_of(name))?;
    let env = reader
        .text(&entries, "env")
        .map(|name| Source::Env(name.to_owned()));
    let file = reader
        .text(&entries, "file")
        .map(|path| Source::File(path.to_owned()));
    match (env, file) {
        (Some(source), None) | (None, Some(source)) => Some((at, source)),
        (Some(_), Some(_)) => {
            reader.fault(
                at,
                table.path_of(name),
                "both env and file",
                "keep one of the two",
            );
            None
        }
        (None, None) => {
            if entries.get("env").is_none() && entries.get("file").is_none() {
                let mend = "write { env = \"NAME\" } or { file = \"/run/secrets/key\" }, or remove it to send none";
                reader.fault(at, table.path_of(name), "no source", mend);
            }
            None
        }
    }
}

/// A table of texts with free names: name, where its value stands, value.
fn pairs<'v>(
    reader: &mut Reader<'_>,
    table: &Entries<'v, '_>,
    name: &str,
) -> Vec<(&'v str, usize, String)> {
    let mut pairs = Vec::new();
    for (key, _, value) in reader.named(table, name) {
        let path = format!("{}.{key}", table.path_of(name));
        if let Some(text) = reader.text_value(value, path) {
            pairs.push((key, value.span().start, text.to_owned()));
        }
    }
    pairs
}

fn query(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Vec<(String, String)> {
    let mut query = Vec::new();
    for (name, at, value) in pairs(reader, table, "query") {
        let lower = name.to_ascii_lowercase();
        if matches!(lower.as_str(), "key" | "api_key" | "token") {
            let path = format!("{}.{name}", table.path_of("query"));
            let mend = "use api_key = { env = \"NAME\" }";
            reader.fault(at, path, "a key does not belong in this file", mend);
            continue;
        }
        query.push((name.to_owned(), value));
    }
    query
}

fn headers(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    for (name, at, value) in pairs(reader, table, "headers") {
        let path = format!("{}.{name}", table.path_of("headers"));
        let lower = name.to_ascii_lowercase();
        if matches!(
            lower.as_str(),
            "authorization"
                | "cookie"
                | "proxy-authorization"
                | "x-api-key"
                | "api-key"
                | "x-goog-api-key"
        ) {
            reader.fault(
                at,
                path,
                "a key does not belong in this file",
                "use api_key = { env = \"NAME\" }",
            );
            continue;
        }
        if matches!(
            lower.as_str(),
            "host" | "content-length" | "transfer-encoding" | "connection" | "te" | "upgrade"
        ) {
            reader.fault(
                at,
                path,
                "a header that belongs to the connection",
                "remove it",
            );
            continue;
        }
        if matches!(lower.as_str(), "accept" | "content-type") {
            let what = "a header that belongs to the call: the gateway sets it";
            reader.fault(at, path, what, "remove it");
            continue;
        }
        if !value.is_ascii() {
            let mend = "use ASCII characters alone, and encode others the way the provider expects";
            reader.fault(at, path, "not a header value in ASCII", mend);
            continue;
        }
        match (HeaderName::from_str(&lower), HeaderValue::from_str(&value)) {
            (Ok(name), Ok(value)) => headers.push((name, value)),
            (Err(_), _) => reader.fault(
                at,
                path,
                "not a header name",
                "use letters, digits and dashes",
            ),
            (_, Err(_)) => reader.fault(
                at,
                path,
                "not a header value",
                "use printable characters on one line",
            ),
        }
    }
    headers
}

/// `None` where the key is not there: an empty list says that nothing is lacking.
fn lacks(reader: &mut Reader<'_>, table: &Entries<'_, '_>) -> Option<Features> {
    let (_, list) = reader.list(table, "lacks", "[\"vision\"]")?;
    let mut lacks = Features::NONE;
    let known: Vec<_> = Features::from_bits(u32::MAX)
        .names()
        .filter_map(|name| Some((name, Features::from_name(name)?)))
        .collect();
    for value in list {
        let value: &Value<'_> = value;
        let path = table.path_of("lacks");
        if let Some(text) = reader.text_value(value, path.clone())
            && let Some(lack) = reader.word(text, value.span().start, path, &known)
        {
            lacks |= lack;
        }
    }
    Some(lacks)
}
