//! Whatever an answer says, on whichever wire and in whichever pieces: every caller reads the same out of it.

use crate::bedrock;
use crate::script::{Script, bytes};
use crate::stage::{answer, call, endpoint, pieces, whole};
use llm_providers::chat::{FinishReason, Part, Reply};
use llm_providers::{Dialect, Wire, form};
use proptest::prelude::*;
use serde_json::{Value, json};

/// What is said: words, and perhaps a call of a tool.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    words: Vec<String>,
    call: Option<(String, String)>,
}

pub(crate) fn said() -> impl Strategy<Value = Said> {
    let word = "[a-zäß你👋\"\\\\\n{}:,\u{2028} ]{0,6}[a-z]";
    let tool = ("[a-z_]{1,8}", "[a-zü\"\\\\ ]{0,8}");
    (prop::collection::vec(word, 1..6), prop::option::of(tool))
        .prop_map(|(words, call)| Said { words, call })
}

impl Said {
    fn text(&self) -> String {
        self.words.concat()
    }

    fn arguments(&self) -> Option<(String, Value)> {
        let (name, value) = self.call.clone()?;
        Some((name, json!({"value": value})))
    }
}

/// The answer in neutral form, for the wires that callers speak as well.
fn reply(said: &Said) -> Reply {
    let mut reply = Reply::default();
    (reply.id, reply.model) = ("resp_1".to_owned(), "m".to_owned());
    reply.parts.push(Part::text(said.text()));
    reply.finish = Some(FinishReason::Stop);
    if let Some((name, arguments)) = said.arguments() {
        reply.finish = Some(FinishReason::ToolCalls);
        let body = json!({"id": "x", "model": "m", "choices": [{"message": {"role": "assistant", "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments.to_string()}}]},
            "finish_reason": "tool_calls"}]});
        let read = form::decode_whole(Dialect::OpenAiChat, body.to_string().as_bytes());
        reply.parts.extend(read.unwrap().parts);
    }
    reply
}

/// The whole answer as a target of `wire` writes it.
fn body(wire: Wire, said: &Said) -> Vec<u8> {
    if let Some(dialect) = wire.dialect() {
        return form::encode_whole(dialect, &reply(said)).to_vec();
    }
    let (text, call) = (said.text(), said.arguments());
    let body = match wire {
        Wire::Gemini => {
            let mut parts = vec![json!({"text": text})];
            parts.extend(
                call.map(|(name, args)| json!({"functionCall": {"name": name, "args": args}})),
            );
            json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}], "modelVersion": "m"})
        }
        Wire::BedrockConverse => {
            let reason = if call.is_some() {
                "tool_use"
            } else {
                "end_turn"
            };
            let mut content = vec![json!({"text": text})];
            content.extend(call.map(|(name, input)| json!({"toolUse": {"toolUseId": "call_1", "name": name, "input": input}})));
            json!({"output": {"message": {"content": content}}, "stopReason": reason})
        }
        Wire::CohereChat => {
            let reason = if call.is_some() {
                "TOOL_CALL"
            } else {
                "COMPLETE"
            };
            let calls: Vec<_> = call
                .iter()
                .map(|(name, value)| {
                    json!({"id": "call_1", "type": "function",
                "function": {"name": name, "arguments": value.to_string()}})
                })
                .collect();
            json!({"id": "c", "finish_reason": reason, "message": {"content": [{"type": "text", "text": text}], "tool_calls": calls}})
        }
        Wire::OllamaChat => {
            let calls: Vec<_> = call
                .iter()
                .map(|(name, value)| json!({"function": {"name": name, "arguments": value}}))
                .collect();
            json!({"model": "m", "message": {"role": "assistant", "content": text, "tool_calls": calls}, "done": true, "done_reason": "stop"})
        }
        other => unreachable!("{other}"),
    };
    body.to_string().into_bytes()
}

/// The same as a stream.
pub(crate) fn stream(wire: Wire, said: &Said) -> Vec<u8> {
    if let Some(dialect) = wire.dialect() {
        return form::encode_stream(dialect, &reply(said), true)
            .unwrap()
            .to_vec();
    }
    let call = said.arguments();
    let sse = |name: &str, data: Value| format!("event: {name}\ndata: {data}\n\n").into_bytes();
    let mut out: Vec<Vec<u8>> = Vec::new();
    match wire {
        Wire::Gemini => {
            let part = |part: Value, more: Value| {
                let mut candidate = json!({"content": {"parts": [part]}, "index": 0});
                candidate
                    .as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                format!("data: {}\r\n\r\n", json!({"candidates": [candidate]})).into_bytes()
            };
            out.extend(
                said.words
                    .iter()
                    .map(|word| part(json!({"text": word}), json!({}))),
            );
            let call = call.map(|(name, args)| {
                part(
                    json!({"functionCall": {"name": name, "args": args}}),
                    json!({}),
                )
            });
            out.extend(call);
            out.push(part(json!({"text": ""}), json!({"finishReason": "STOP"})));
        }
        Wire::BedrockConverse => {
            let event = bedrock::event;
            let delta = |index: u32, delta: Value| {
                event(
                    "contentBlockDelta",
                    json!({"contentBlockIndex": index, "delta": delta}),
                )
            };
            out.push(event("messageStart", json!({"role": "assistant"})));
            out.extend(
                said.words
                    .iter()
                    .map(|word| delta(0, json!({"text": word}))),
            );
            out.push(event("contentBlockStop", json!({"contentBlockIndex": 0})));
            let reason = if call.is_some() {
                "tool_use"
            } else {
                "end_turn"
            };
            if let Some((name, input)) = call {
                let start = json!({"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "call_1", "name": name}}});
                out.push(event("contentBlockStart", start));
                out.push(delta(1, json!({"toolUse": {"input": input.to_string()}})));
                out.push(event("contentBlockStop", json!({"contentBlockIndex": 1})));
            }
            out.push(event("messageStop", json!({"stopReason": reason})));
            out.push(event(
                "metadata",
                json!({"usage": {"inputTokens": 1, "outputTokens": 1}}),
            ));
        }
        Wire::CohereChat => {
            let message = |name: &str, message: Value| {
                sse(
                    name,
                    json!({"type": name, "index": 0, "delta": {"message": message}}),
                )
            };
            out.push(sse(
                "message-start",
                json!({"type": "message-start", "id": "c"}),
            ));
            out.push(message(
                "content-start",
                json!({"content": {"type": "text", "text": ""}}),
            ));
            out.extend(
                said.words
                    .iter()
                    .map(|word| message("content-delta", json!({"content": {"text": word}}))),
            );
            out.push(sse(
                "content-end",
                json!({"type": "content-end", "index": 0}),
            ));
            let reason = if call.is_some() {
                "TOOL_CALL"
            } else {
                "COMPLETE"
            };
            if let Some((name, value)) = call {
                out.push(message("tool-call-start", json!({"tool_calls": {"id": "call_1", "function": {"name": name, "arguments": ""}}})));
                out.push(message(
                    "tool-call-delta",
                    json!({"tool_calls": {"function": {"arguments": value.to_string()}}}),
                ));
                out.push(sse(
                    "tool-call-end",
                    json!({"type": "tool-call-end", "index": 0}),
                ));
            }
            out.push(sse(
                "message-end",
                json!({"type": "message-end", "delta": {"finish_reason": reason}}),
            ));
        }
        Wire::OllamaChat => {
            let line = |message: Value, done: bool| {
                let mut line = json!({"model": "m", "message": message, "done": done});
                if done {
                    line["done_reason"] = json!("stop");
                }
                format!("{line}\n").into_bytes()
            };
            out.extend(
                said.words
                    .iter()
                    .map(|word| line(json!({"role": "assistant", "content": word}), false)),
            );
            out.extend(call.map(|(name, value)| {
                line(
                    json!({"role": "assistant", "content": "",
                "tool_calls": [{"function": {"name": name, "arguments": value}}]}),
                    false,
                )
            }));
            out.push(line(json!({"role": "assistant", "content": ""}), true));
        }
        other => unreachable!("{other}"),
    }
    out.concat()
}

/// A caller of any dialect reads what was said, and nothing else.
pub(crate) fn expect(reply: &Reply, said: &Said, case: &str) {
    assert_eq!(reply.text(), said.text(), "{case}");
    let calls: Vec<_> = reply
        .parts
        .iter()
        .filter_map(|part| match part {
            Part::ToolCall(call) => {
                let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
                assert!(!call.id.is_empty(), "{case}");
                Some((call.name.clone(), arguments))
            }
            _ => None,
        })
        .collect();
    assert_eq!(calls, Vec::from_iter(said.arguments()), "{case}");
    let finish = if said.call.is_some() {
        FinishReason::ToolCalls
    } else {
        FinishReason::Stop
    };
    assert_eq!(reply.finish, Some(finish), "{case}");
    assert!(
        reply.citations.is_empty() && reply.lost.is_empty(),
        "{case}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn any_answer_in_any_pieces_reaches_every_caller(
        said in said(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        for wire in Wire::ALL {
            let (to, stream) = (endpoint(*wire), stream(*wire, &said));
            let cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            for dialect in Dialect::ALL {
                let case = format!("{wire} for {dialect}");
                let steps = pieces(&stream, cuts.clone());
                let (reply, _) = runtime.block_on(answer(&to, *dialect, steps)).expect(&case);
                expect(&reply, &said, &format!("{case}, streamed"));
                let script = Script::new([bytes(body(*wire, &said))]);
                let seen = runtime.block_on(whole(&script, &to, &call(*dialect, false))).expect(&case);
                let reply = form::decode_whole(*dialect, &seen.body).expect(&case);
                expect(&reply, &said, &case);
            }
        }
    }
}
