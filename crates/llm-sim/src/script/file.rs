//! The TOML form of a script. It is a type of its own, so that the file format changes only on purpose.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::span::{Calls, Span, Wait};
use super::{
    At, Blank, CutEnd, Fault, Finish, Garbling, LimitScope, Limits, Pace, Reply, Rule, Script,
    ScriptError,
};
use crate::preset::Preset;
use crate::wire::Wire;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    text: Option<String>,
    words: Option<usize>,
    latency: Option<Span>,
    first_token: Option<Span>,
    tokens_per_second: Option<f64>,
    #[serde(default)]
    models: Vec<String>,
    #[serde(default)]
    require_key: bool,
    #[serde(default)]
    keys: Vec<String>,
    context_window: Option<u64>,
    #[serde(default)]
    refuse_prefill: bool,
    limits: Option<LimitsFile>,
    #[serde(default, rename = "rule")]
    rules: Vec<Spanned<RuleFile>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsFile {
    rpm: Option<u32>,
    concurrency: Option<u32>,
    #[serde(default)]
    per: LimitScope,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleFile {
    name: Option<String>,
    wire: Option<String>,
    path: Option<String>,
    model: Option<String>,
    stream: Option<bool>,
    calls: Option<Calls>,
    every: Option<u64>,
    rate: Option<f64>,
    from: Option<Span>,
    until: Option<Span>,
    #[serde(default)]
    header: BTreeMap<String, String>,
    text: Option<String>,
    words: Option<usize>,
    thinking: Option<String>,
    refusal: Option<String>,
    tool: Option<String>,
    finish: Option<Finish>,
    slow: Option<SlowFile>,
    drip: Option<Span>,
    split: Option<usize>,
    keep_alive: Option<Span>,
    #[serde(default)]
    crlf: bool,
    retry_after: Option<Span>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    status: Option<u16>,
    body: Option<String>,
    preset: Option<Preset>,
    hang: Option<Wait>,
    silence: Option<Wait>,
    stall: Option<StallFile>,
    reset: Option<ResetFile>,
    close: Option<bool>,
    cut: Option<CutFile>,
    no_end: Option<bool>,
    empty: Option<Blank>,
    garbled: Option<Garbling>,
    error_event: Option<ErrorEventFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlowFile {
    latency: Option<Span>,
    first_token: Option<Span>,
    per_chunk: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StallFile {
    #[serde(default)]
    after_chunks: usize,
    #[serde(rename = "for")]
    lasting: Option<Wait>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResetFile {
    after_chunks: Option<usize>,
    after_bytes: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CutFile {
    after_chunks: Option<usize>,
    after_bytes: Option<usize>,
    #[serde(default)]
    clean: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ErrorEventFile {
    #[serde(default)]
    after_chunks: usize,
    preset: Preset,
}

pub(super) fn read(text: &str) -> Result<Script, ScriptError> {
    let file: ScriptFile = toml::from_str(text)
        .map_err(|error| ScriptError::new(error.to_string().trim_end().to_owned()))?;
    let mut rules = Vec::with_capacity(file.rules.len());
    for (index, spanned) in file.rules.into_iter().enumerate() {
        let line = line_of(text, spanned.span().start);
        let place =
            |wrong: String| ScriptError::new(format!("line {line}, rule {}: {wrong}", index + 1));
        let rule = rule(spanned.into_inner()).map_err(place)?;
        rule.check().map_err(place)?;
        rules.push(rule);
    }
    let mut pace = Pace::NONE;
    if let Some(Span(latency)) = file.latency {
        pace.latency = latency;
    }
    if let Some(Span(first_token)) = file.first_token {
        pace.first_token = first_token;
    }
    if let Some(speed) = file.tokens_per_second {
        let gap = std::time::Duration::try_from_secs_f64(1.0 / speed);
        let Ok(gap) = gap else {
            return Err(ScriptError::new(format!(
                "tokens_per_second = {speed}; it must be above 0"
            )));
        };
        pace.per_chunk = gap;
    }
    let script = Script {
        rules,
        text: file.text,
        words: file.words.unwrap_or(Script::healthy().words),
        pace,
        models: file.models,
        require_key: file.require_key || !file.keys.is_empty(),
        keys: file.keys,
        context_window: file.context_window,
        refuse_prefill: file.refuse_prefill,
        limits: file.limits.map(|limits| Limits {
            rpm: limits.rpm,
            concurrency: limits.concurrency,
            per: limits.per,
        }),
    };
    script.check().map_err(ScriptError::new)?;
    Ok(script)
}

fn rule(file: RuleFile) -> Result<Rule, String> {
    let fault = fault(&file)?;
    let wires = match &file.wire {
        None => Vec::new(),
        Some(name) => Wire::named(name).ok_or_else(|| {
            let known: Vec<&str> = Wire::ALL.iter().map(|wire| wire.as_str()).collect();
            format!(
                "wire = \"{name}\" is not known; it is `any`, or one of these, or the first word of one: {}",
                known.join(", ")
            )
        })?,
    };
    let default = Rule::new();
    Ok(Rule {
        name: file.name,
        wires,
        path: file.path,
        model: file.model,
        stream: file.stream,
        calls: file.calls.map_or(default.calls, |Calls(range)| range),
        every: file.every.unwrap_or(default.every),
        rate: file.rate.unwrap_or(default.rate),
        from: file.from.map_or(default.from, |Span(from)| from),
        until: file.until.map(|Span(until)| until),
        headers: file
            .header
            .into_iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect(),
        text: file.text,
        words: file.words,
        thinking: file.thinking,
        refusal: file.refusal,
        tool: file.tool,
        finish: file.finish,
        pace: file.slow.map(|slow| Pace {
            latency: slow
                .latency
                .map_or_else(Default::default, |Span(wait)| wait),
            first_token: slow
                .first_token
                .map_or_else(Default::default, |Span(wait)| wait),
            per_chunk: slow
                .per_chunk
                .map_or_else(Default::default, |Span(wait)| wait),
        }),
        drip: file.drip.map(|Span(wait)| wait),
        split: file.split,
        keep_alive: file.keep_alive.map(|Span(every)| every),
        crlf: file.crlf,
        fault,
        retry_after: file.retry_after.map(|Span(wait)| wait),
        response_headers: file.headers.into_iter().collect(),
    })
}

/// The one fault of a rule; two would leave open which came first.
fn fault(file: &RuleFile) -> Result<Option<Fault>, String> {
    let mut found: Vec<(&str, Fault)> = Vec::new();
    if let Some(status) = file.status {
        found.push((
            "status",
            Fault::Reply(Reply {
                status,
                body: file.body.clone(),
            }),
        ));
    } else if file.body.is_some() {
        return Err("`body` needs a `status`".to_owned());
    }
    if let Some(preset) = file.preset {
        found.push(("preset", Fault::Preset(preset)));
    }
    if let Some(Wait(lasting)) = file.hang {
        found.push(("hang", Fault::Hang(lasting)));
    }
    if let Some(Wait(lasting)) = file.silence {
        found.push(("silence", Fault::Silence(lasting)));
    }
    if let Some(stall) = &file.stall {
        let lasting = stall.lasting.and_then(|Wait(lasting)| lasting);
        found.push((
            "stall",
            Fault::Stall {
                after_chunks: stall.after_chunks,
                lasting,
            },
        ));
    }
    if let Some(reset) = &file.reset {
        found.push((
            "reset",
            Fault::Reset(place(reset.after_chunks, reset.after_bytes)?.unwrap_or(At::Start)),
        ));
    }
    match file.close {
        Some(true) => found.push(("close", Fault::Close)),
        Some(false) => return Err("`close = false` says nothing; leave it out".to_owned()),
        None => {}
    }
    match file.no_end {
        Some(true) => found.push(("no_end", Fault::NoEnd)),
        Some(false) => return Err("`no_end = false` says nothing; leave it out".to_owned()),
        None => {}
    }
    if let Some(cut) = &file.cut {
        let at = place(cut.after_chunks, cut.after_bytes)?
            .ok_or("`cut` needs `after_chunks` or `after_bytes`")?;
        let end = if cut.clean {
            CutEnd::Clean
        } else {
            CutEnd::Abort
        };
        found.push(("cut", Fault::Cut { at, end }));
    }
    if let Some(blank) = file.empty {
        found.push(("empty", Fault::Empty(blank)));
    }
    if let Some(garbling) = file.garbled {
        found.push(("garbled", Fault::Garbled(garbling)));
    }
    if let Some(event) = &file.error_event {
        found.push((
            "error_event",
            Fault::ErrorEvent {
                after_chunks: event.after_chunks,
                preset: event.preset,
            },
        ));
    }
    if let [(first, _), (second, _), ..] = found.as_slice() {
        return Err(format!(
            "`{first}` and `{second}` in one rule; a rule has one fault"
        ));
    }
    Ok(found.pop().map(|(_, fault)| fault))
}

fn place(chunks: Option<usize>, bytes: Option<usize>) -> Result<Option<At>, String> {
    match (chunks, bytes) {
        (None, None) => Ok(None),
        (Some(chunks), None) => Ok(Some(At::Chunks(chunks))),
        (None, Some(bytes)) => Ok(Some(At::Bytes(bytes))),
        (Some(_), Some(_)) => Err("`after_chunks` and `after_bytes` exclude each other".to_owned()),
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|&byte| byte == b'\n')
        .count()
        + 1
}
