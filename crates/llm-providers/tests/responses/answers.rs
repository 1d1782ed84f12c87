//! What becomes of a whole answer.

use super::{ANTHROPIC, OPENAI, RESPONSES};
use crate::script::{Script, bytes, call, run};
use llm_errors::ErrorKind;
use llm_providers::chat::{FinishReason, Part, Reply, Thinking};
use llm_providers::{Dialect, Exchange, Failure, Whole, form, responses};
use serde_json::{Value, json};

async fn whole(body: &Value, upstream: Dialect, caller: Dialect) -> Result<Whole, Failure> {
    let script = Script::new([bytes(body.to_string())]);
    match run(&script, upstream, &call(caller, false)).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(stream) => unreachable!("no stream was asked for: {stream:?}"),
    }
}

async fn translated(body: &Value, upstream: Dialect, caller: Dialect) -> Value {
    let whole = whole(body, upstream, caller).await.unwrap();
    serde_json::from_slice(&whole.body).unwrap()
}

fn message(content: &Value) -> Value {
    json!({"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content})
}

fn text(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

fn answer(output: &Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1_700_000_000.0, "status": "completed", "error": null,
        "incomplete_details": null, "model": "gpt-5-mini-2025", "output": output,
        "usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 4}, "output_tokens": 3,
                  "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 12},
    })
}

#[tokio::test(start_paused = true)]
async fn an_answer_reaches_callers_of_every_dialect() {
    let body = answer(&json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "gAAA"},
        message(&json!([text("I look.")])),
        {"type": "function_call", "id": "fc_1", "call_id": "call_a", "name": "f", "arguments": "{\"a\":1}", "status": "completed"},
    ]));
    let chat = translated(&body, RESPONSES, OPENAI).await;
    let choice = &chat["choices"][0];
    assert_eq!(choice["finish_reason"], "tool_calls");
    assert_eq!(choice["message"]["content"], "I look.");
    assert_eq!(choice["message"]["reasoning_content"], "Hm.");
    assert_eq!(choice["message"]["tool_calls"][0]["id"], "call_a");
    assert_eq!(chat["created"], 1_700_000_000);
    assert_eq!(chat["usage"]["prompt_tokens_details"]["cached_tokens"], 4);

    let anthropic = translated(&body, RESPONSES, ANTHROPIC).await;
    assert_eq!(anthropic["stop_reason"], "tool_use");
    assert_eq!(anthropic["content"][1]["input"], json!({"a": 1}));
    assert_eq!(anthropic["usage"]["input_tokens"], 5);

    let same = whole(&body, RESPONSES, RESPONSES).await.unwrap();
    assert_eq!(same.body, body.to_string());
    assert_eq!(same.facts.finish, Some(FinishReason::ToolCalls));
    assert_eq!(same.facts.model.as_deref(), Some("gpt-5-mini-2025"));
    assert_eq!(same.facts.usage.reasoning_tokens, 1);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_a_chat_target_is_a_response() {
    let body = json!({"id": "chatcmpl-1", "created": 7, "model": "gpt-4o-2024", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "role": "assistant", "content": "I look.", "reasoning_content": "Hm.",
        "tool_calls": [{"id": "call_a", "type": "function", "function": {"name": "f", "arguments": ""}}],
    }}], "usage": {"prompt_tokens": 9, "completion_tokens": 3}});
    let response = translated(&body, OPENAI, RESPONSES).await;
    assert_eq!(response["object"], "response");
    assert_eq!(response["status"], "completed");
    assert_eq!(response["created_at"], 7);
    assert_eq!(response["model"], "gpt-4o-2024");
    assert_eq!(response["store"], false);
    assert_eq!(response["usage"]["total_tokens"], 12);
    let output = response["output"].as_array().unwrap();
    let kinds: Vec<_> = output
        .iter()
        .map(|item| item["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(
        output.first().unwrap()["summary"],
        json!([{"type": "summary_text", "text": "Hm."}])
    );
    let said = output.get(1).unwrap();
    assert_eq!(said["content"], json!([text("I look.")]));
    assert_eq!(said["status"], "completed");
    let called = output.get(2).unwrap();
    assert_eq!(called["call_id"], "call_a");
    assert_eq!(
        called["arguments"], "{}",
        "no arguments are an empty object"
    );
    for (item, prefix) in output.iter().zip(["rs_", "msg_", "fc_"]) {
        let id = item["id"].as_str().unwrap();
        assert!(id.starts_with(prefix) && id.len() <= 64, "{id}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_an_answer_never_passes_for_the_whole() {
    for (finish, reason) in [
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
    ] {
        let body = json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": finish, "message": {"role": "assistant", "content": "Once"}}]});
        let response = translated(&body, OPENAI, RESPONSES).await;
        assert_eq!(response["status"], "incomplete");
        assert_eq!(response["incomplete_details"], json!({"reason": reason}));
        assert_eq!(response["output"][0]["status"], "incomplete");
    }
    for (reason, finish, stop) in [
        ("max_output_tokens", "length", "max_tokens"),
        ("content_filter", "content_filter", "refusal"),
        ("something_new", "length", "max_tokens"),
    ] {
        let mut body = answer(&json!([message(&json!([text("Once")]))]));
        body["status"] = "incomplete".into();
        body["incomplete_details"] = json!({"reason": reason});
        let chat = translated(&body, RESPONSES, OPENAI).await;
        assert_eq!(chat["choices"][0]["finish_reason"], finish, "{reason}");
        let anthropic = translated(&body, RESPONSES, ANTHROPIC).await;
        assert_eq!(anthropic["stop_reason"], stop, "{reason}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_answer_is_a_failure() {
    let failed = json!({"id": "resp_1", "status": "failed", "model": "m", "output": [],
        "error": {"code": "rate_limit_exceeded", "message": "Rate limit reached for requests"}});
    let empty = answer(&json!([{"type": "reasoning", "id": "rs_1", "summary": []}]));
    for caller in Dialect::ALL {
        let failure = whole(&failed, RESPONSES, *caller).await.unwrap_err();
        assert!(
            failure.verdict.kind.as_str().starts_with("rate_limit"),
            "{failure:?}"
        );
        assert_eq!(failure.message(), Some("Rate limit reached for requests"));
        let failure = whole(&empty, RESPONSES, *caller).await.unwrap_err();
        assert_eq!(failure.verdict.kind, ErrorKind::EmptyOutput);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_only_promised_passes() {
    let queued =
        json!({"id": "resp_1", "status": "queued", "background": true, "model": "m", "output": []});
    let promised = whole(&queued, RESPONSES, RESPONSES).await.unwrap();
    assert_eq!(promised.body, queued.to_string());
    assert_eq!(promised.facts.finish, None, "it is not kept as an answer");
}

#[tokio::test(start_paused = true)]
async fn an_item_of_an_unknown_sort_is_not_left_out_unseen() {
    let body = answer(&json!([
        {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"},
        message(&json!([text("Here.")])),
    ]));
    assert!(whole(&body, RESPONSES, OPENAI).await.is_err());
    assert_eq!(
        whole(&body, RESPONSES, RESPONSES).await.unwrap().body,
        body.to_string()
    );
}

#[test]
fn refusals_have_their_own_words() {
    let body = answer(&json!([message(
        &json!([{"type": "refusal", "refusal": "No."}])
    )]));
    let reply = responses::decode_reply(body.to_string().as_bytes()).unwrap();
    assert_eq!(reply.parts, [Part::Refusal("No.".to_owned())]);
    let back: Value = serde_json::from_slice(&form::encode_whole(RESPONSES, &reply)).unwrap();
    assert_eq!(back["id"], "resp_1", "its maker's name stays");
    assert_eq!(back["status"], "completed");
    assert_eq!(
        back["output"][0]["content"],
        json!([{"type": "refusal", "refusal": "No."}])
    );
}

#[test]
fn sealed_reasoning_goes_there_and_back() {
    let mut reply = Reply::default();
    reply.id = "msg_1".to_owned();
    reply.finish = Some(FinishReason::Stop);
    let sealed = |text: &str, signature: &str| {
        Part::Thinking(Thinking {
            text: text.to_owned(),
            signature: Some(signature.to_owned()),
        })
    };
    reply.parts = vec![
        sealed("hm", "c2ln"),
        Part::RedactedThinking("eHh4".to_owned()),
        sealed("", "omitted"),
        Part::text("x"),
    ];
    for back in [
        form::decode_whole(RESPONSES, &form::encode_whole(RESPONSES, &reply)),
        form::decode_stream(
            RESPONSES,
            &form::encode_stream(RESPONSES, &reply, true).unwrap(),
        ),
    ] {
        assert_eq!(back.unwrap().parts, reply.parts);
    }
}
