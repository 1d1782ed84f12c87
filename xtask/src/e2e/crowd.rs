//! Many callers at once: plain HTTP in the SDK's dialect, one caller every so often, whether those before it have their answer or not.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::driver::Wire;
use super::judge;
use super::scenario::{Crowd, FIRST};
use super::stack::Providers;
use crate::http::{Answer, Connection, request};
use crate::shell;

/// Sends them all and says what was not as it must be.
pub(super) fn play(
    crowd: &Crowd,
    wire: Wire,
    stream: bool,
    gateway: SocketAddr,
    providers: &Providers,
) -> Result<Vec<String>> {
    let before = providers.received(FIRST)?.len();
    let call = call(wire, stream, gateway)?;
    let begin = shell::now();
    let answers = std::thread::scope(|scope| {
        let mut callers = Vec::new();
        for number in 0..crowd.callers {
            let due = Duration::from_millis(crowd.every_ms) * u32::try_from(number).unwrap_or(0);
            shell::sleep(due.saturating_sub(begin.elapsed()));
            callers.push(scope.spawn(|| ask(gateway, &call)));
        }
        let join = |caller: std::thread::ScopedJoinHandle<'_, _>| match caller.join() {
            Ok(answer) => answer,
            Err(_) => bail!("a caller panicked"),
        };
        callers.into_iter().map(join).collect::<Vec<_>>()
    });

    let mut wrong = Vec::new();
    let mut longest = Duration::ZERO;
    for answer in answers {
        match answer {
            Ok((took, answer)) => {
                longest = longest.max(took);
                wrong.extend(fault(wire, stream, &answer));
            }
            Err(error) => wrong.push(format!("a caller got no answer: {error:#}")),
        }
    }
    if longest.as_millis() > u128::from(crowd.within_ms) {
        wrong.push(format!(
            "a caller waited {} ms, at most {} are allowed",
            longest.as_millis(),
            crowd.within_ms
        ));
    }
    wrong.extend(judge::counted(&crowd.calls, providers)?);
    if let Some(limit) = crowd.leaves_first_within_ms {
        let calls = providers.received(FIRST)?;
        let at_ms = |call: &Value| call.get("at_ms").and_then(Value::as_u64);
        let last = calls.iter().skip(before).filter_map(at_ms).max();
        if last.is_none_or(|last| last > limit) {
            wrong.push(format!(
                "the last call reached the first provider {last:?} ms after its rules had changed, not within {limit}"
            ));
        }
    }
    wrong.truncate(10);
    Ok(wrong)
}

fn ask(gateway: SocketAddr, call: &[u8]) -> Result<(Duration, Answer)> {
    let start = shell::now();
    let answer = Connection::open(gateway)?.exchange(call)?;
    Ok((start.elapsed(), answer))
}

/// The call that the SDK makes in the other steps.
fn call(wire: Wire, stream: bool, gateway: SocketAddr) -> Result<Vec<u8>> {
    let user = json!({ "role": "user", "content": "Say something about the sea." });
    let (path, body) = match wire {
        Wire::OpenAi => {
            let system = json!({ "role": "system", "content": "Be brief." });
            let body = json!({ "model": "chat", "stream": stream, "messages": [system, user] });
            ("/v1/chat/completions", body)
        }
        Wire::Anthropic => {
            let body = json!({
                "model": "chat",
                "stream": stream,
                "max_tokens": 64_000,
                "system": "Be brief.",
                "messages": [user],
            });
            ("/v1/messages", body)
        }
        other => bail!("no crowd speaks {}", other.as_str()),
    };
    Ok(request("POST", path, gateway, &body.to_string()))
}

/// What is wrong with an answer: it must be one of a provider, and whole.
fn fault(wire: Wire, stream: bool, answer: &Answer) -> Option<String> {
    let body = String::from_utf8_lossy(&answer.body);
    let is_whole = if !stream {
        serde_json::from_str::<Value>(&body).is_ok()
    } else if wire == Wire::Anthropic {
        body.contains("message_stop")
    } else {
        body.contains("[DONE]")
    };
    let is_good = answer.status == 200 && body.contains("model-") && is_whole;
    (!is_good).then(|| {
        format!(
            "a caller got {}: {}",
            answer.status,
            judge::shortened(&body)
        )
    })
}
