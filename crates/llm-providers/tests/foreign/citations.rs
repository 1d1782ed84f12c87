//! Where an answer comes from, on every wire and for every caller: kept where there is a place for it, else named.

use crate::script::{Script, bytes};
use crate::stage::{answer, call, endpoint, run, whole};
use llm_providers::chat::{Citation, Reply};
use llm_providers::{Dialect, Wire, form};
use serde_json::{Value, json};

const TEXT: &str = "Köln is big. Bonn is not.";

fn cited(start: usize, end: usize, at: &str) -> Citation {
    let mut citation = Citation::new(format!("https://{at}.example/"));
    citation.title = Some(at.to_uppercase());
    citation.of(start..end)
}

fn sse(events: &[Value]) -> String {
    let event = |event: &Value| match event["type"].as_str() {
        Some(name) => format!("event: {name}\ndata: {event}\n\n"),
        None => format!("data: {event}\n\n"),
    };
    events.iter().map(event).collect()
}

/// The whole answer on this wire, and its stream.
fn said(wire: Wire) -> (Value, String) {
    match wire {
        Wire::OpenAiChat => {
            let annotation = |start: usize, end: usize, at: &str| {
                json!({"type": "url_citation", "url_citation": {
                "start_index": start, "end_index": end, "title": at.to_uppercase(), "url": format!("https://{at}.example/")}})
            };
            let list = json!([annotation(0, 12, "a"), annotation(13, 25, "b")]);
            let chunk = |delta: Value, finish: Value| {
                json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
            };
            let body = json!({"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
                "message": {"role": "assistant", "content": TEXT, "annotations": list}, "finish_reason": "stop"}]});
            let stream = sse(&[
                chunk(json!({"role": "assistant", "content": ""}), Value::Null),
                chunk(json!({"content": "Köln is big."}), Value::Null),
                chunk(json!({"content": " Bonn is not."}), Value::Null),
                chunk(json!({"annotations": list}), Value::Null),
                chunk(json!({}), json!("stop")),
            ]);
            (body, stream + "data: [DONE]\n\n")
        }
        Wire::OpenAiResponses => {
            let annotation = |start: usize, end: usize, at: &str| {
                json!({"type": "url_citation", "start_index": start,
                "end_index": end, "title": at.to_uppercase(), "url": format!("https://{at}.example/")})
            };
            let list = [annotation(0, 12, "a"), annotation(13, 25, "b")];
            let part = |text: &str, list: Value| json!({"type": "output_text", "text": text, "annotations": list});
            let item = |content: Value| json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content});
            let place = |name: &str, more: Value| {
                let mut event = json!({"type": name, "item_id": "msg_1", "output_index": 0, "content_index": 0});
                event
                    .as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                event
            };
            let done = item(json!([part(TEXT, json!(list))]));
            let body = json!({"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": [done]});
            let begun =
                json!({"id": "resp_1", "status": "in_progress", "model": "m", "output": []});
            let added = |at: usize| {
                place(
                    "response.output_text.annotation.added",
                    json!({"annotation_index": at, "annotation": list[at]}),
                )
            };
            let stream = sse(&[
                json!({"type": "response.created", "response": begun}),
                json!({"type": "response.output_item.added", "output_index": 0, "item": item(json!([]))}),
                place(
                    "response.content_part.added",
                    json!({"part": part("", json!([]))}),
                ),
                place(
                    "response.output_text.delta",
                    json!({"delta": "Köln is big."}),
                ),
                added(0),
                place(
                    "response.output_text.delta",
                    json!({"delta": " Bonn is not."}),
                ),
                added(1),
                place("response.output_text.done", json!({"text": TEXT})),
                place(
                    "response.content_part.done",
                    json!({"part": part(TEXT, json!(list))}),
                ),
                json!({"type": "response.output_item.done", "output_index": 0, "item": done}),
                json!({"type": "response.completed", "response": body}),
            ]);
            (body, stream)
        }
        Wire::AnthropicMessages => {
            let source = |at: &str| {
                json!({"type": "web_search_result_location", "url": format!("https://{at}.example/"),
                "title": at.to_uppercase(), "cited_text": "", "encrypted_index": "Eo8B"})
            };
            let content = json!([
                {"type": "text", "text": "Köln is big. ", "citations": [source("a")]},
                {"type": "text", "text": "Bonn is not.", "citations": [source("b")]},
            ]);
            let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content,
                "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 2}});
            let delta = |index: usize, delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
            let mut events = vec![
                json!({"type": "message_start", "message": {"id": "msg_1", "model": "m", "content": [], "usage": {"input_tokens": 1}}}),
            ];
            for (index, block) in content.as_array().unwrap().iter().enumerate() {
                events.push(json!({"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "", "citations": []}}));
                events.push(delta(
                    index,
                    json!({"type": "citations_delta", "citation": block["citations"][0]}),
                ));
                events.push(delta(
                    index,
                    json!({"type": "text_delta", "text": block["text"]}),
                ));
                events.push(json!({"type": "content_block_stop", "index": index}));
            }
            events.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}}));
            events.push(json!({"type": "message_stop"}));
            (body, sse(&events))
        }
        Wire::Gemini => {
            let chunk = |at: &str| json!({"web": {"uri": format!("https://{at}.example/"), "title": at.to_uppercase()}});
            // Bytes: the umlaut has two.
            let grounding = json!({"groundingChunks": [chunk("a"), chunk("b")], "groundingSupports": [
                {"segment": {"endIndex": 13, "text": "Köln is big."}, "groundingChunkIndices": [0]},
                {"segment": {"startIndex": 14, "endIndex": 26}, "groundingChunkIndices": [1], "confidenceScores": [0.9]},
            ]});
            let answer = |text: &str, more: Value| {
                let mut candidate =
                    json!({"content": {"role": "model", "parts": [{"text": text}]}, "index": 0});
                candidate
                    .as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
                json!({"candidates": [candidate], "modelVersion": "m", "responseId": "r"})
            };
            let end = json!({"finishReason": "STOP", "groundingMetadata": grounding});
            let stream = sse(&[
                answer("Köln is big.", json!({})),
                answer(" Bonn is not.", end.clone()),
            ]);
            (answer(TEXT, end), stream)
        }
        Wire::CohereChat => {
            let citation = |start: usize, end: usize, at: &str| {
                json!({"start": start, "end": end, "text": "…", "type": "TEXT_CONTENT",
                "sources": [{"type": "document", "id": at, "document": {"id": at, "title": at.to_uppercase(), "url": format!("https://{at}.example/")}}]})
            };
            let list = [citation(0, 12, "a"), citation(13, 25, "b")];
            let body = json!({"id": "c", "finish_reason": "COMPLETE", "message": {"role": "assistant",
                "content": [{"type": "text", "text": TEXT}], "citations": list}});
            let message = |name: &str, message: Value| json!({"type": name, "index": 0, "delta": {"message": message}});
            let stream = sse(&[
                json!({"type": "message-start", "id": "c", "delta": {"message": {"role": "assistant", "content": [], "citations": []}}}),
                message(
                    "content-start",
                    json!({"content": {"type": "text", "text": ""}}),
                ),
                message(
                    "content-delta",
                    json!({"content": {"text": "Köln is big."}}),
                ),
                message("citation-start", json!({"citations": list[0]})),
                json!({"type": "citation-end", "index": 0}),
                message(
                    "content-delta",
                    json!({"content": {"text": " Bonn is not."}}),
                ),
                message("citation-start", json!({"citations": list[1]})),
                json!({"type": "content-end", "index": 0}),
                json!({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}),
            ]);
            (body, stream)
        }
        other => unreachable!("{other}"),
    }
}

const WIRES: [Wire; 5] = [
    Wire::OpenAiChat,
    Wire::OpenAiResponses,
    Wire::AnthropicMessages,
    Wire::Gemini,
    Wire::CohereChat,
];

/// The sources without where they belong.
fn names(reply: &Reply) -> Vec<(&str, Option<&str>)> {
    let citations = reply.citations.iter();
    citations
        .map(|one| (one.url.as_str(), one.title.as_deref()))
        .collect()
}

/// What a caller of `dialect` is to see of an answer of `wire`: blocks end where others have spans.
fn expect(reply: &Reply, wire: Wire, dialect: Dialect, streamed: bool, case: &str) {
    assert_eq!(reply.text(), TEXT, "{case}");
    assert_eq!(
        names(reply),
        [
            ("https://a.example/", Some("A")),
            ("https://b.example/", Some("B"))
        ],
        "{case}"
    );
    let blocks = [cited(0, 13, "a"), cited(13, 25, "b")];
    let spans = [cited(0, 12, "a"), cited(13, 25, "b")];
    if wire == Wire::AnthropicMessages || (dialect == Dialect::AnthropicMessages && !streamed) {
        assert_eq!(reply.citations, blocks, "{case}");
    } else if dialect != Dialect::AnthropicMessages {
        assert_eq!(reply.citations, spans, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn sources_with_an_address_reach_every_caller() {
    for wire in WIRES {
        let (body, stream) = said(wire);
        for dialect in Dialect::ALL
            .iter()
            .copied()
            .filter(|dialect| wire != *dialect)
        {
            let case = format!("{wire} for {dialect}");
            let script = Script::new([bytes(body.to_string())]);
            let seen = whole(&script, &endpoint(wire), &call(dialect, false))
                .await
                .unwrap();
            let reply = form::decode_whole(dialect, &seen.body).expect(&case);
            expect(&reply, wire, dialect, false, &case);
            assert!(
                !seen
                    .facts
                    .dropped
                    .iter()
                    .any(|name| name.starts_with("reply.")),
                "{case}: {:?}",
                seen.facts.dropped
            );

            let case = format!("{case}, streamed");
            let (reply, dropped) = answer(&endpoint(wire), dialect, vec![bytes(&stream)])
                .await
                .expect(&case);
            expect(&reply, wire, dialect, true, &case);
            // What was said cannot be cut into blocks any more.
            let late = dialect == Dialect::AnthropicMessages;
            assert_eq!(
                dropped.contains(&"reply.citations.place"),
                late,
                "{case}: {dropped:?}"
            );
            assert!(!dropped.contains(&"reply.citations"), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_has_no_address_is_named_as_lost_and_the_answer_stands() {
    let strip = |text: String| {
        text.replace("\"url\":\"https://a.example/\"", "\"x\":1")
            .replace("\"uri\":\"https://a.example/\"", "\"x\":1")
    };
    for wire in WIRES {
        let (body, stream) = said(wire);
        for dialect in Dialect::ALL
            .iter()
            .copied()
            .filter(|dialect| wire != *dialect)
        {
            let case = format!("{wire} for {dialect}");
            let script = Script::new([bytes(strip(body.to_string()))]);
            let seen = whole(&script, &endpoint(wire), &call(dialect, false))
                .await
                .unwrap();
            let reply = form::decode_whole(dialect, &seen.body).unwrap();
            assert_eq!(
                (reply.text().as_str(), names(&reply).len()),
                (TEXT, 1),
                "{case}"
            );
            assert!(seen.facts.dropped.contains(&"reply.citations"), "{case}");

            let (reply, dropped) =
                answer(&endpoint(wire), dialect, vec![bytes(strip(stream.clone()))])
                    .await
                    .unwrap();
            assert_eq!(
                (reply.text().as_str(), names(&reply).len()),
                (TEXT, 1),
                "{case}"
            );
            assert!(dropped.contains(&"reply.citations"), "{case}: {dropped:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sources_of_the_whole_answer_come_with_it() {
    let chunk = |delta: Value, finish: Value| {
        json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "sonar",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        "search_results": [{"title": "A", "url": "https://a.example/", "date": null}]})
    };
    let stream = sse(&[
        chunk(
            json!({"role": "assistant", "content": "Köln is big."}),
            Value::Null,
        ),
        chunk(json!({"content": " Bonn is not."}), json!("stop")),
    ]);
    for dialect in [Dialect::OpenAiResponses, Dialect::AnthropicMessages] {
        let (reply, _) = answer(&endpoint(Wire::OpenAiChat), dialect, vec![bytes(&stream)])
            .await
            .unwrap();
        assert_eq!(reply.text(), TEXT);
        assert_eq!(
            names(&reply),
            [("https://a.example/", Some("A"))],
            "{dialect}: once"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn sources_named_here_do_not_go_to_anthropic() {
    let (body, _) = said(Wire::OpenAiChat);
    let dialect = Dialect::AnthropicMessages;
    let script = Script::new([bytes(body.to_string())]);
    let seen = whole(&script, &endpoint(Wire::OpenAiChat), &call(dialect, false))
        .await
        .unwrap();
    let content: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(content["content"].as_array().unwrap().len(), 2);
    let next = json!({"model": "r", "max_tokens": 9, "messages": [
        {"role": "user", "content": "hi"}, {"role": "assistant", "content": content["content"]},
        {"role": "user", "content": "and?"},
    ]});
    let next = llm_providers::Call::parse(dialect, next.to_string().into()).unwrap();
    let (body, _) = said(Wire::AnthropicMessages);
    let script = Script::new([bytes(body.to_string())]);
    let to = endpoint(Wire::AnthropicMessages);
    assert_eq!(to.cannot_carry(&next), ["messages.content.citations"]);
    let seen = run(&script, &to, &next).await;
    assert!(seen.is_ok());
    let sent = script.sent();
    assert!(!sent.to_string().contains("a.example"), "{sent}");
    assert_eq!(sent["messages"][1]["content"][0]["text"], "Köln is big. ");
}
