//! Every key a configuration may hold: what the reader accepts and what `docs/configuration.md` tells, from one table.

use std::fmt::Write as _;

/// A table of the configuration in which keys may stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    /// The top of the file.
    Root,
    /// `[server]`.
    Server,
    /// `[breaker]`.
    Breaker,
    /// `[cache]`.
    Cache,
    /// `[targets.NAME]`.
    Target,
    /// The value of `api_key`.
    ApiKey,
    /// `[routes.NAME]`.
    Route,
    /// One member of a tier, where it is written as a table.
    Member,
    /// The value of `windows`.
    Windows,
    /// One entry of `degraded`.
    Degraded,
}

/// One key: its name and what the reference says about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key {
    /// Where it stands.
    pub(crate) section: Section,
    /// Its name.
    pub(crate) name: &'static str,
    /// What may be written as its value.
    pub(crate) form: &'static str,
    /// What holds where it is not written.
    pub(crate) default: &'static str,
    /// What it means.
    pub(crate) meaning: &'static str,
}

/// The names of the keys of one section, in the order of the reference.
pub(crate) fn names(section: Section) -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter(move |key| key.section == section)
        .map(|key| key.name)
}

const fn key(
    section: Section,
    name: &'static str,
    form: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> Key {
    Key {
        section,
        name,
        form,
        default,
        meaning,
    }
}

/// Every key, in the order of the reference.
pub(crate) const KEYS: &[Key] = &[
    key(
        Section::Root,
        "listen",
        "`\"ADDRESS:PORT\"`",
        "`\"127.0.0.1:8080\"`",
        "Where callers are served. Other machines reach it only if the address says so, for example `0.0.0.0:8080`.",
    ),
    key(
        Section::Root,
        "admin_listen",
        "`\"ADDRESS:PORT\"`",
        "none",
        "A second listener for `/metrics`, `/healthz` and `/readyz` alone. With it, `/metrics` is no longer served where callers are.",
    ),
    key(
        Section::Root,
        "server",
        "table",
        "see below",
        "Limits of the server.",
    ),
    key(
        Section::Root,
        "breaker",
        "table",
        "see below",
        "When a target is left alone.",
    ),
    key(
        Section::Root,
        "cache",
        "table",
        "see below",
        "The store behind the degraded mode `cached`.",
    ),
    key(
        Section::Root,
        "targets",
        "table of tables",
        "required",
        "What can be called: `[targets.NAME]` for each provider, model and key.",
    ),
    key(
        Section::Root,
        "routes",
        "table of tables",
        "required",
        "What callers ask for: `[routes.NAME]`, where NAME is what they send as `model`.",
    ),
    key(
        Section::Server,
        "max_body",
        "size",
        "`\"32MiB\"`",
        "The largest request body. A larger one is answered 413 without reading it.",
    ),
    key(
        Section::Server,
        "max_connections",
        "whole number",
        "`4096`",
        "Connections served at once; further ones wait in the system's queue.",
    ),
    key(
        Section::Server,
        "header_timeout",
        "duration",
        "`\"60s\"`",
        "How long a connection may wait for its next request, headers and all; then it is closed.",
    ),
    key(
        Section::Server,
        "body_timeout",
        "duration",
        "`\"60s\"`",
        "How long a caller may take to send the body.",
    ),
    key(
        Section::Server,
        "drain",
        "duration",
        "`\"30s\"`",
        "How long running calls may go on after SIGTERM or Ctrl-C; then they are cut.",
    ),
    key(
        Section::Breaker,
        "failures",
        "whole number, 1 to 16",
        "`5`",
        "Hard failures in a row that set a target aside.",
    ),
    key(
        Section::Breaker,
        "window",
        "duration",
        "`\"60s\"`",
        "The time inside which they must fall.",
    ),
    key(
        Section::Breaker,
        "cooldown",
        "duration",
        "`\"60s\"`",
        "How long it is left alone before one call probes it.",
    ),
    key(
        Section::Breaker,
        "cooldown_max",
        "duration",
        "`\"5m\"`",
        "Repeated openings last twice as long each, up to this.",
    ),
    key(
        Section::Breaker,
        "ramp_step",
        "duration",
        "`\"10s\"`",
        "After a good probe 10, 25 and 50 % of the calls pass for so long each, then all; `\"0s\"` lets all pass at once.",
    ),
    key(
        Section::Cache,
        "max_bytes",
        "size",
        "`\"64MiB\"`",
        "Memory for kept answers; the least useful leave first. Nothing is kept unless some route lists the degraded mode `cached`.",
    ),
    key(
        Section::Cache,
        "stale",
        "duration",
        "`\"24h\"`",
        "How old a kept answer may be when it stands in for a fresh one.",
    ),
    key(
        Section::Target,
        "provider",
        "provider name",
        "required",
        "Whose errors, headers and address to expect: `openai`, `anthropic`, `groq`, ...; `other` for any server that speaks one of the two dialects.",
    ),
    key(
        Section::Target,
        "model",
        "text",
        "required",
        "The model's name as the provider knows it.",
    ),
    key(
        Section::Target,
        "base_url",
        "URL",
        "the provider's own",
        "Where it is, up to and with the version (`https://host/v1`). Required for providers without an address of their own.",
    ),
    key(
        Section::Target,
        "dialect",
        "`\"openai_chat\"` or `\"anthropic_messages\"`",
        "the provider's own",
        "What the target speaks: OpenAI chat completions or Anthropic messages. Callers may speak either; it is translated.",
    ),
    key(
        Section::Target,
        "api_key",
        "`{ env = ... }` or `{ file = ... }`",
        "no key is sent",
        "Where the key is. Keys never stand in the file itself.",
    ),
    key(
        Section::Target,
        "headers",
        "table of texts",
        "none",
        "Headers sent with every call to this target, such as an organisation. Not for keys.",
    ),
    key(
        Section::Target,
        "query",
        "table of texts",
        "none",
        "Query parameters added to every call, such as `api-version`.",
    ),
    key(
        Section::Target,
        "credential",
        "text",
        "the target's key source",
        "A label for the key. Targets with the same label are set aside together when the key is refused or its quota spent.",
    ),
    key(
        Section::Target,
        "context_window",
        "whole number",
        "unknown",
        "The model's window in tokens. A call that cannot fit goes elsewhere at once.",
    ),
    key(
        Section::Target,
        "lacks",
        "list of features",
        "none",
        "What the target cannot do: `tools`, `parallel_tools`, `json_mode`, `json_schema`, `vision`, `audio` and others. Calls that need it go elsewhere.",
    ),
    key(
        Section::ApiKey,
        "env",
        "text",
        "",
        "The environment variable that holds the key.",
    ),
    key(
        Section::ApiKey,
        "file",
        "path",
        "",
        "The file that holds the key, as mounted secrets do. Space around it is ignored.",
    ),
    key(
        Section::Route,
        "tiers",
        "list of lists",
        "required",
        "Targets in the order of use. Members of one inner list share the traffic by weight and stand in for each other; a later list is used only when no member of an earlier one will do.",
    ),
    key(
        Section::Route,
        "aliases",
        "list of texts",
        "none",
        "Further names callers may send as `model`, so that programs need not be changed.",
    ),
    key(
        Section::Route,
        "preset",
        "`\"interactive\"` or `\"background\"`",
        "`\"interactive\"`",
        "Where the defaults below come from: someone waits (the figures shown), or nobody does (10 minutes, 10 s of patience, 6 attempts, 16 calls).",
    ),
    key(
        Section::Route,
        "deadline",
        "duration",
        "`\"30s\"`",
        "Wall clock for one call with all its attempts and waits. A stream must have begun inside it.",
    ),
    key(
        Section::Route,
        "patience",
        "duration",
        "`\"2s\"`",
        "The longest wait for a target of the same tier before the next tier is used. `\"0s\"` never waits.",
    ),
    key(
        Section::Route,
        "attempts",
        "whole number",
        "`3`",
        "Tries of one target for one call.",
    ),
    key(
        Section::Route,
        "max_calls",
        "whole number",
        "`8`",
        "Upstream calls for one call, over all targets.",
    ),
    key(
        Section::Route,
        "windows",
        "table",
        "see below",
        "How long one attempt may take.",
    ),
    key(
        Section::Route,
        "degraded",
        "list of tables",
        "none",
        "What to answer when no target could, in order. After the last the caller gets a typed error with an honest `Retry-After`.",
    ),
    key(
        Section::Member,
        "target",
        "target name",
        "required",
        "The target. A member without further keys may be written as its name alone.",
    ),
    key(
        Section::Member,
        "weight",
        "whole number, 0 or more",
        "`1`",
        "Its share of the tier's traffic relative to the other members; 0 is never chosen.",
    ),
    key(
        Section::Member,
        "less_restrictive",
        "`true` or `false`",
        "`false`",
        "Whether it may be asked after a content filter or a refusal elsewhere. Without such a member a refusal is the answer.",
    ),
    key(
        Section::Windows,
        "connect",
        "duration",
        "`\"2s\"`",
        "To connect.",
    ),
    key(
        Section::Windows,
        "first_token",
        "duration",
        "`\"10s\"`",
        "To the first token of a stream. Headers and keep-alives do not count.",
    ),
    key(
        Section::Windows,
        "idle",
        "duration",
        "`\"30s\"`",
        "Between two tokens of a stream.",
    ),
    key(
        Section::Windows,
        "whole",
        "duration",
        "`\"120s\"`",
        "To the end of an answer that is not streamed; the deadline shortens it.",
    ),
    key(
        Section::Degraded,
        "mode",
        "`\"cached\"`, `\"static\"` or `\"message\"`",
        "required",
        "An earlier answer to the same prompt; a text of yours in place of the answer; or an honest message that there is none.",
    ),
    key(
        Section::Degraded,
        "text",
        "text",
        "required but for `cached`",
        "What to answer.",
    ),
    key(
        Section::Degraded,
        "when",
        "text",
        "any prompt",
        "For `static`: only where the user's last message contains these words, whatever their case.",
    ),
    key(
        Section::Degraded,
        "contact",
        "text",
        "none",
        "For `message`: where a person can be reached; added to the text.",
    ),
];

impl Section {
    /// Every section, in the order of the reference, with what stands above its table there.
    const ALL: [(Self, &'static str); 10] = [
        (Self::Root, "top of the file"),
        (Self::Server, "[server]"),
        (Self::Breaker, "[breaker]"),
        (Self::Cache, "[cache]"),
        (Self::Target, "[targets.NAME]"),
        (Self::ApiKey, "api_key = { ... }"),
        (Self::Route, "[routes.NAME]"),
        (Self::Member, "a member of a tier"),
        (Self::Windows, "windows = { ... }"),
        (Self::Degraded, "degraded = [{ ... }]"),
    ];
}

/// All keys as Markdown tables, one a section: what `docs/configuration.md` holds.
pub(crate) fn reference() -> String {
    let mut text = String::new();
    for (section, title) in Section::ALL {
        // Writing into a string cannot fail.
        let _ = writeln!(
            text,
            "\n### `{title}`\n\n| key | value | default | meaning |\n|---|---|---|---|"
        );
        for key in KEYS.iter().filter(|key| key.section == section) {
            let default = if key.default.is_empty() {
                "–"
            } else {
                key.default
            };
            let _ = writeln!(
                text,
                "| `{}` | {} | {default} | {} |",
                key.name, key.form, key.meaning
            );
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
