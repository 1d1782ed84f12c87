//! Classifies failures: JSON lines in, JSON lines out.
//!
//! Each line of standard input is an object `{"id", "provider", "status", "headers", "body",
//! "where"}`; `where` is `http`, `ok200`, `stream` or `transport`. Each line of standard output
//! is `{"id", "label", "retry", "retry_after_ms", "context_limit", "context_requested"}`, with
//! nulls where nothing was stated. A malformed line is answered with `{"id": null, "error": …}`.
//!
//! ```text
//! cargo run -q --release -p llm-errors --example classify < failures.jsonl
//! ```
//!
//! With the argument `--why` each answer also says which field and rule decided.

use llm_errors::{Basis, Classifier, Evidence, Phase, Provider, Reply, Verdict};
use serde_json::{Value, json};
use std::io::{self, BufRead, Write};
use std::time::SystemTime;

fn main() -> io::Result<()> {
    let why = std::env::args().any(|argument| argument == "--why");
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match serde_json::from_slice::<Value>(&line) {
            Ok(record) if record.is_object() => classify(&record, why),
            Ok(_) => json!({"id": null, "error": "not an object"}),
            Err(error) => json!({"id": null, "error": error.to_string()}),
        };
        writeln!(out, "{answer}")?;
    }
    out.flush()
}

fn classify(record: &Value, why: bool) -> Value {
    let provider = record["provider"]
        .as_str()
        .and_then(|name| name.parse().ok())
        .unwrap_or(Provider::Other);
    let status = record["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .unwrap_or(0);
    let headers: Vec<(String, String)> = record["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect();
    let body = match &record["body"] {
        Value::String(text) => text.clone().into_bytes(),
        Value::Null => Vec::new(),
        other => other.to_string().into_bytes(),
    };
    let reply = Reply::new(status, &headers, &body, SystemTime::UNIX_EPOCH);
    let classifier = Classifier::built_in();
    let explained = match record["where"].as_str() {
        Some("transport") => Some((
            classifier.transport_message(provider, &body, Phase::Sent),
            None,
        )),
        Some("stream") => {
            let found = classifier.explain_stream_error(provider, &body, Phase::MidStream);
            Some((found.verdict, Some(found.evidence)))
        }
        Some("ok200") => classifier
            .explain_answer(provider, &reply)
            .map(|found| (found.verdict, Some(found.evidence))),
        _ if (200..300).contains(&status) => classifier
            .explain_answer(provider, &reply)
            .map(|found| (found.verdict, Some(found.evidence))),
        _ => {
            let found = classifier.explain_reply(provider, &reply);
            Some((found.verdict, Some(found.evidence)))
        }
    };
    let id = &record["id"];
    match explained {
        Some((verdict, evidence)) => answer(id, verdict, evidence.filter(|_| why)),
        None => json!({"id": id, "label": null, "retry": null, "retry_after_ms": null,
            "context_limit": null, "context_requested": null}),
    }
}

fn answer(id: &Value, verdict: Verdict, evidence: Option<Evidence>) -> Value {
    // A date or a reset time is only as good as the clock it is compared with, and the input has
    // none: intervals alone are stated.
    let wait = verdict
        .hint
        .filter(|hint| hint.basis() != Basis::Date)
        .map(|hint| u64::try_from(hint.wait().as_millis()).unwrap_or(u64::MAX));
    let tokens = |count: u32| (count > 0).then_some(count);
    let mut answer = json!({
        "id": id,
        "label": verdict.kind.as_str(),
        "retry": verdict.resend().as_str(),
        "retry_after_ms": wait,
        "context_limit": tokens(verdict.context_limit_tokens),
        "context_requested": tokens(verdict.context_requested_tokens),
    });
    if let (Some(evidence), Some(fields)) = (evidence, answer.as_object_mut()) {
        fields.insert("why".to_owned(), Value::String(evidence.to_string()));
    }
    answer
}
