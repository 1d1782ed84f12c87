//! Providers that speak OpenAI's dialect in their own way.

use crate::script::{self, Script, bytes, drain, open, run};
use crate::{ANTHROPIC, OPENAI, read};
use llm_errors::Provider;
use llm_providers::openai::{self, Quirks};
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, Failure, Whole, anthropic, exchange, form, responses,
};
use serde_json::{Value, json};
use std::time::SystemTime;

async fn whole(body: &Value, caller: Dialect) -> Result<Whole, Failure> {
    let script = Script::new([bytes(body.to_string())]);
    match run(&script, OPENAI, &script::call(caller, false)).await? {
        Exchange::Whole(whole) => Ok(whole),
        Exchange::Stream(_) => unreachable!("no stream was asked for"),
    }
}

#[tokio::test(start_paused = true)]
async fn reasoning_that_is_counted_apart_is_a_part_of_the_output() {
    // grok-3-mini, as quoted at <https://github.com/vercel/ai/pull/12425>.
    let usage = |completion: u64, reasoning: u64, total: u64| {
        json!({"prompt_tokens": 12, "completion_tokens": completion, "total_tokens": total,
            "completion_tokens_details": {"reasoning_tokens": reasoning}})
    };
    for (usage, output) in [
        (usage(1, 386, 399), 387),
        (usage(400, 386, 412), 400),
        (usage(7, 0, 19), 7),
    ] {
        let body = json!({"id": "c", "model": "m", "usage": usage,
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}]});
        for caller in [OPENAI, ANTHROPIC] {
            let answer = whole(&body, caller).await.unwrap();
            assert_eq!(answer.facts.usage.output_tokens, output);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn pictures_and_sounds_in_an_answer_are_not_left_out_of_it() {
    let body = |more: Value| {
        let mut message = json!({"role": "assistant", "content": "Here it is."});
        for (key, value) in more.as_object().unwrap() {
            message[key] = value.clone();
        }
        json!({"id": "c", "model": "m", "choices": [{"index": 0, "finish_reason": "stop", "message": message}]})
    };
    for more in [
        json!({"images": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]}),
        json!({"audio": {"id": "a", "data": "AA==", "transcript": "t"}}),
    ] {
        assert!(
            whole(&body(more.clone()), ANTHROPIC).await.is_err(),
            "{more}"
        );
        assert!(whole(&body(more), OPENAI).await.is_ok());
    }
    // What else a provider writes beside the answer does not spoil it.
    let more = json!({"images": [], "audio": null, "reasoning_details": [{"type": "reasoning.text", "text": "t"}]});
    assert!(whole(&body(more), ANTHROPIC).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_holds_a_message_in_place_of_a_delta_is_read() {
    let chunk = |what: &str, finish: &str| {
        format!(
            "data: {{\"id\":\"c\",\"model\":\"m\",\"choices\":[{{\"index\":0,{what},\"finish_reason\":{finish}}}]}}\n\n"
        )
    };
    let events = [
        chunk(
            r#""message":{"role":"assistant","content":"Hello "}"#,
            "null",
        ),
        chunk(r#""delta":{"content":"there"}"#, "\"stop\""),
    ];
    let script = Script::new(events.iter().map(bytes));
    let mut stream = open(&script, OPENAI, ANTHROPIC).await.unwrap();
    let (text, failure) = drain(&mut stream).await;
    assert!(failure.is_none());
    assert_eq!(
        form::decode_stream(ANTHROPIC, text.as_bytes())
            .unwrap()
            .text(),
        "Hello there"
    );
}

#[test]
fn turns_of_the_model_come_back_with_their_reasoning_where_it_is_asked_for() {
    let tool = json!({"name": "f", "input_schema": {"type": "object", "properties": {}}});
    let body = |thinking: &str| {
        json!({"model": "r", "max_tokens": 2_048, "tools": [tool],
            "thinking": {"type": thinking}, "messages": [
            {"role": "user", "content": "hi"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "1"}]},
        ]})
    };
    let written = |thinking: &str, model: &str, quirks| {
        let request = anthropic::decode_request(body(thinking).to_string().as_bytes()).unwrap();
        let (sent, _) = read(&openai::encode_request(&request, model, quirks));
        sent["messages"][1].get("reasoning_content").cloned()
    };
    let space = Some(json!(" "));
    for (thinking, model, quirks, expected) in [
        ("adaptive", "deepseek-flash", Quirks::DEEPSEEK, &space),
        ("disabled", "deepseek-flash", Quirks::DEEPSEEK, &None),
        ("adaptive", "kimi-k2.6", Quirks::MOONSHOT, &space),
        ("adaptive", "moonshot-v1-8k", Quirks::MOONSHOT, &None),
        ("adaptive", "gpt-4o", Quirks::OPENAI, &None),
    ] {
        assert_eq!(&written(thinking, model, quirks), expected, "{model}");
    }
    // What it thought comes back as it was; the beginning of an answer has nothing before it.
    let body = json!({"model": "r", "input": [
        {"role": "user", "content": "hi"},
        {"type": "reasoning", "id": "rs_llmr_1_0", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm."}]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "1"},
        {"role": "assistant", "content": "So"},
    ]});
    let request = responses::decode_request(body.to_string().as_bytes()).unwrap();
    let encoded = openai::encode_request(&request, "deepseek-flash", Quirks::DEEPSEEK);
    let (sent, dropped) = read(&encoded);
    assert_eq!(sent["messages"][1]["reasoning_content"], "Hm.");
    assert!(sent["messages"][3].get("reasoning_content").is_none());
    assert!(!dropped.contains(&"messages.thinking"));
}

#[tokio::test(start_paused = true)]
async fn a_conversation_of_another_model_is_mended_for_one_that_wants_its_reasoning() {
    let answer = json!({"id": "c", "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}]});
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"model": "r", "seed": 7, "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "1"},
    ]});
    for (provider, model, mended) in [
        (Provider::DeepSeek, "deepseek-flash", true),
        (Provider::Moonshot, "kimi-k2.6", true),
        (Provider::Moonshot, "moonshot-v1-8k", false),
        (Provider::OpenAi, "gpt-4o", false),
    ] {
        let to = Endpoint::builder(provider, model).base_url("http://127.0.0.1:9/v1");
        let to = to.credential("test-key".into()).build().unwrap();
        let script = Script::new([bytes(answer.to_string())]);
        let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let Ok(Exchange::Whole(whole)) = exchange(&script, &to, &call, &script::WINDOWS, now).await
        else {
            unreachable!("a whole answer was asked for")
        };
        let mut expected = body.clone();
        expected["model"] = json!(model);
        if mended {
            expected["messages"][1]["reasoning_content"] = json!(" ");
        }
        assert_eq!(script.sent(), expected);
        assert_eq!(whole.facts.dropped.contains(&"messages.thinking"), mended);
        assert_eq!(to.cannot_carry(&call).is_empty(), !mended);
    }
}

#[tokio::test(start_paused = true)]
async fn mistral_is_sent_what_it_knows_of_a_request_for_openai() {
    let answer = json!({"id": "c", "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "a"}}]});
    let to = Endpoint::builder(Provider::Mistral, "mistral-large-latest");
    let to = to.base_url("http://127.0.0.1:9/v1");
    let to = to.credential("test-key".into()).build().unwrap();
    for (body, expected, lost) in [
        (
            json!({"model": "r", "max_completion_tokens": 9, "store": true, "messages": [{"role": "user", "content": "hi"}]}),
            json!({"model": "mistral-large-latest", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}),
            vec!["store"],
        ),
        (
            json!({"model": "r", "safe_prompt": true, "messages": [{"role": "user", "content": "hi"}]}),
            json!({"model": "mistral-large-latest", "safe_prompt": true, "messages": [{"role": "user", "content": "hi"}]}),
            vec![],
        ),
    ] {
        let script = Script::new([bytes(answer.to_string())]);
        let call = Call::parse(OPENAI, body.to_string().into()).unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let Ok(Exchange::Whole(whole)) = exchange(&script, &to, &call, &script::WINDOWS, now).await
        else {
            unreachable!("a whole answer was asked for")
        };
        assert_eq!(script.sent(), expected);
        assert_eq!(whole.facts.dropped, lost);
    }
}
