//! Callers of the responses wire: not a byte of the stream at which a break would show.

use super::*;
use serde_json::Value;
use std::collections::BTreeMap;

const RESPONSES: Dialect = Dialect::OpenAiResponses;

/// Reads a stream as a client does that believes every event, and returns the last event's text.
fn read(bytes: &[u8], case: &str) -> String {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut open: BTreeMap<u64, (String, String)> = BTreeMap::new();
    let mut done = Vec::new();
    let mut whole = None;
    let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
    for (at, line) in lines.enumerate() {
        assert!(whole.is_none(), "{case}: an event after the last");
        let event: Value = serde_json::from_str(line).unwrap();
        let number = event["sequence_number"].as_u64();
        assert_eq!(number, Some(at as u64), "{case}: {line}");
        let index = event["output_index"].as_u64().unwrap_or_default();
        let said = |open: &BTreeMap<u64, (String, String)>| {
            let (id, said) = open.get(&index).expect("the item is open").clone();
            assert_eq!(event["item_id"], id, "{case}: {line}");
            said
        };
        match event["type"].as_str().unwrap() {
            "response.output_item.added" => {
                let id = event["item"]["id"].as_str().unwrap().to_owned();
                let begun = open.insert(index, (id, String::new()));
                assert!(
                    begun.is_none() && index == done.len() as u64,
                    "{case}: {line}"
                );
            }
            "response.output_text.delta" => {
                said(&open);
                let delta = event["delta"].as_str().unwrap();
                open.get_mut(&index).unwrap().1.push_str(delta);
            }
            "response.output_text.done" => assert_eq!(event["text"], said(&open), "{case}"),
            "response.content_part.done" => {
                assert_eq!(event["part"]["text"], said(&open), "{case}");
            }
            "response.output_item.done" => {
                let (id, said) = open.remove(&index).expect("the item was open");
                assert_eq!(event["item"]["id"], id, "{case}");
                if event["item"]["type"] == "message" {
                    assert_eq!(event["item"]["content"][0]["text"], said, "{case}");
                }
                done.push(event["item"].clone());
            }
            "response.completed" => whole = Some(event["response"].clone()),
            _ => {}
        }
    }
    let whole = whole.unwrap_or_else(|| panic!("{case}: no end"));
    assert!(open.is_empty(), "{case}: an item is left open");
    assert_eq!(whole["output"], Value::from(done), "{case}");
    assert!(
        whole["usage"]["output_tokens"].as_u64().unwrap() > 0,
        "{case}"
    );
    let reply = form::decode_whole(RESPONSES, whole.to_string().as_bytes()).unwrap();
    reply.text()
}

/// The bytes of the whole stream as the simulated provider writes it.
async fn length(more: &str) -> usize {
    let whole = speaker(more).await;
    let spoken = spoken(RESPONSES, Prefill::None);
    let client = client((&whole, spoken), (&whole, spoken), OnCut::Error);
    let (bytes, broke) = drain(&mut ask(&client, request(RESPONSES, "")).await).await;
    assert!(broke.is_none());
    bytes.len()
}

#[tokio::test]
async fn wherever_its_bytes_end_the_stream_goes_on_as_one() {
    let length = length("").await;
    let same = speaker("").await;
    let others = [
        (RESPONSES, Prefill::None),
        (Dialect::OpenAiChat, Prefill::None),
        (Dialect::AnthropicMessages, Prefill::Plain),
    ];
    // Every place would take long: each run begins elsewhere, and an event is longer than a step.
    for (nth, (wire, prefill)) in others.into_iter().enumerate() {
        for at in (nth * 11..length).step_by(61) {
            let first = speaker(&format!("[[rule]]\ncut = {{ after_bytes = {at} }}")).await;
            let client = client(
                (&first, spoken(RESPONSES, Prefill::None)),
                (&same, spoken(wire, prefill)),
                OnCut::Continue,
            );
            let case = format!("{at} of {length} bytes, then {wire}");
            let mut stream = ask(&client, request(RESPONSES, "")).await;
            let (bytes, broke) = drain(&mut stream).await;
            assert!(broke.is_none(), "{case}: {broke:?}");
            assert_eq!(read(&bytes, &case), TEXT, "{case}");
            assert_eq!(text_of(RESPONSES, &bytes), TEXT, "{case}");
        }
    }
}

#[tokio::test]
async fn items_that_were_finished_before_the_break_stay_in_the_answer() {
    let thinking = "thinking = \"Let me see.\"";
    let second = speaker("").await;
    let mut seen = 0;
    for k in 0..=CHUNKS {
        let first = speaker(&format!(
            "[[rule]]\n{thinking}\ncut = {{ after_chunks = {k} }}"
        ))
        .await;
        let client = client(
            (&first, spoken(RESPONSES, Prefill::None)),
            (&second, spoken(Dialect::OpenAiChat, Prefill::None)),
            OnCut::Continue,
        );
        let mut stream = ask(&client, request(RESPONSES, "")).await;
        let (bytes, broke) = drain(&mut stream).await;
        let case = format!("after {k} chunks");
        if let Some(error) = broke {
            // Reasoning that was cut cannot be sealed.
            assert_eq!(error.what(), What::Broken, "{case}");
            assert_eq!(text_of(RESPONSES, &bytes), "", "{case}");
            continue;
        }
        assert_eq!(read(&bytes, &case), TEXT, "{case}");
        seen += usize::from(String::from_utf8(bytes).unwrap().contains("Let me see."));
    }
    assert!(seen > 5, "{seen} answers kept the reasoning");
}

#[tokio::test]
async fn an_answer_that_goes_on_differently_ends_in_the_error() {
    let first = speaker("[[rule]]\ncut = { after_chunks = 5 }").await;
    let second = sim("text = \"Grüße aus Rom, the capital of Italy\"").await;
    let client = client(
        (&first, spoken(RESPONSES, Prefill::None)),
        (&second, spoken(RESPONSES, Prefill::None)),
        OnCut::Continue,
    );
    let (bytes, broke) = drain(&mut ask(&client, request(RESPONSES, "")).await).await;
    assert_eq!(broke.unwrap().what(), What::Broken);
    let text = text_of(RESPONSES, &bytes);
    assert!(TEXT.starts_with(&text) && !text.is_empty(), "{text}");
    let bytes = String::from_utf8(bytes).unwrap();
    assert!(!bytes.contains("response.completed"));
}
