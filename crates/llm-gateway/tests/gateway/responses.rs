//! Callers of OpenAI's responses wire, whatever wire answers them.

use crate::support::{Gateway, responses, two};
use http::Request;
use llm_sim::{At, CutEnd, Fault, Preset, Rule, Script, Sim, SimHandle};
use serde_json::{Value, json};

async fn sims() -> (SimHandle, SimHandle) {
    let with = |text: &str| Script::builder().text(text).build().unwrap();
    let first = Sim::builder()
        .script(with("One two three four five."))
        .start();
    let second = Sim::builder().script(with("from the backup")).start();
    (first.await.unwrap(), second.await.unwrap())
}

fn gateway(first: &SimHandle, second: &SimHandle, route: &str) -> Gateway {
    Gateway::serve(&two(&first.openai_base_url(), &second.base_url(), route))
}

/// The same, where the first target speaks the caller's wire.
fn native(first: &SimHandle, second: &SimHandle, route: &str) -> Gateway {
    let configuration = two(&first.openai_base_url(), &second.base_url(), route);
    let native = "model = \"large\"\ndialect = \"openai_responses\"";
    Gateway::serve(&configuration.replace("model = \"large\"", native))
}

/// The data of every event.
fn events(text: &str) -> Vec<Value> {
    text.split("\n\n")
        .filter_map(|event| event.split_once("data: "))
        .map(|(_, data)| serde_json::from_str(data).unwrap())
        .collect()
}

/// The text of a response.
fn text(response: &Value) -> String {
    let items = response["output"].as_array().unwrap();
    let parts = items
        .iter()
        .filter_map(|item| item["content"].as_array())
        .flatten();
    parts.filter_map(|part| part["text"].as_str()).collect()
}

fn always(rule: Rule) -> Script {
    Script::builder()
        .text("One two three four five.")
        .rule(rule)
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_responses_caller_is_answered_by_targets_of_every_wire() {
    let (first, second) = sims().await;
    for gateway in [gateway(&first, &second, ""), native(&first, &second, "")] {
        let whole = gateway.post("/v1/responses", responses("hi", false)).await;
        assert_eq!(whole.status, 200, "{}", whole.text());
        assert_eq!(whole.header("x-llm-target"), Some("primary"));
        let response = whole.json();
        assert_eq!(response["object"], "response");
        assert_eq!(response["status"], "completed");
        assert_eq!(text(&response), "One two three four five.");
        assert!(response["usage"]["total_tokens"].as_u64().unwrap() > 0);

        let streamed = gateway.post("/v1/responses", responses("hi", true)).await;
        let events = events(streamed.text());
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["sequence_number"], number, "{event}");
        }
        let last = events.last().unwrap();
        assert_eq!(last["type"], "response.completed");
        assert_eq!(text(&last["response"]), "One two three four five.");
        assert!(last["response"]["usage"]["total_tokens"].as_u64().unwrap() > 0);
    }
}

#[tokio::test]
async fn a_failing_target_is_replaced_by_one_of_another_wire_unseen() {
    let (first, second) = sims().await;
    for rule in [
        Rule::new().preset(Preset::Unavailable),
        Rule::new().preset(Preset::RateLimit),
        Rule::new().fault(Fault::Cut {
            at: At::Chunks(0),
            end: CutEnd::Abort,
        }),
    ] {
        first.set_script(always(rule));
        for gateway in [gateway(&first, &second, ""), native(&first, &second, "")] {
            for stream in [false, true] {
                let seen = gateway.post("/v1/responses", responses("hi", stream)).await;
                assert_eq!(seen.status, 200, "{}", seen.text());
                assert_eq!(seen.header("x-llm-target"), Some("backup"));
                let response = match stream {
                    true => events(seen.text()).pop().unwrap()["response"].clone(),
                    false => seen.json(),
                };
                assert_eq!(response["status"], "completed");
                assert_eq!(text(&response), "from the backup");
            }
        }
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_ends_in_an_error_event_and_is_never_completed() {
    let (first, second) = sims().await;
    for end in [CutEnd::Abort, CutEnd::Clean] {
        first.set_script(always(Rule::new().fault(Fault::Cut {
            at: At::Chunks(3),
            end,
        })));
        for gateway in [gateway(&first, &second, ""), native(&first, &second, "")] {
            let seen = gateway.post("/v1/responses", responses("hi", true)).await;
            assert_eq!(seen.status, 200);
            let events = events(seen.text());
            let last = events.last().unwrap();
            assert_eq!(last["type"], "error", "{}", seen.text());
            assert_eq!(last["sequence_number"], events.len() - 1);
            assert!(
                last["message"]
                    .as_str()
                    .unwrap()
                    .starts_with("the answer broke off")
            );
            assert_eq!(last["error"]["message"], last["message"]);
            assert!(
                seen.text().contains("response.output_text.delta"),
                "it had begun"
            );
            for end in ["response.completed", "response.incomplete", "[DONE]"] {
                assert!(!seen.text().contains(end), "{}", seen.text());
            }
        }
    }
}

#[tokio::test]
async fn errors_have_the_shape_that_openais_sdks_read() {
    let (first, second) = sims().await;
    first.set_script(always(Rule::new().preset(Preset::Unavailable)));
    second.set_script(always(Rule::new().preset(Preset::Overloaded)));
    let gateway = gateway(&first, &second, "");
    for stream in [false, true] {
        let seen = gateway.post("/v1/responses", responses("hi", stream)).await;
        assert_eq!(seen.status, 503, "{}", seen.text());
        assert!(
            seen.json()["error"]["message"]
                .as_str()
                .unwrap()
                .starts_with("no target could answer")
        );
    }
    let bad = gateway.post("/v1/responses", r#"{"model":"chat"}"#).await;
    assert_eq!(bad.status, 400);
    assert_eq!(bad.json()["error"]["param"], "input");
}

#[tokio::test]
async fn degraded_answers_are_responses_too() {
    let (first, second) = sims().await;
    let last_resorts =
        r#"degraded = [{ mode = "cached" }, { mode = "message", text = "Nothing can answer." }]"#;
    let gateway = gateway(&first, &second, last_resorts);
    let good = gateway
        .post("/v1/responses", responses("asked before", true))
        .await;
    assert_eq!(good.status, 200);
    first.set_script(always(Rule::new().preset(Preset::Unavailable)));
    second.set_script(always(Rule::new().preset(Preset::Overloaded)));
    for (prompt, mode, expected) in [
        ("asked before", "cached", "One two three four five."),
        ("something else", "message", "Nothing can answer."),
    ] {
        for stream in [false, true] {
            let seen = gateway
                .post("/v1/responses", responses(prompt, stream))
                .await;
            assert_eq!(seen.status, 200, "{}", seen.text());
            assert!(seen.header("x-llm-degraded").unwrap().starts_with(mode));
            let response = match stream {
                true => events(seen.text()).pop().unwrap()["response"].clone(),
                false => seen.json(),
            };
            assert_eq!(response["object"], "response");
            assert_eq!(text(&response), expected);
        }
    }
}

#[tokio::test]
async fn what_only_a_provider_keeps_goes_to_a_target_of_its_wire_or_is_refused() {
    let (first, second) = sims().await;
    let stateful =
        json!({"model": "chat", "input": "hi", "previous_response_id": "resp_1"}).to_string();

    let chat_only = gateway(&first, &second, "");
    let refused = chat_only.post("/v1/responses", stateful.clone()).await;
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "unsupported_feature");
    assert_eq!((first.count(), second.count()), (0, 0), "nothing was sent");

    let native = native(&first, &second, "");
    let served = native.post("/v1/responses", stateful.clone()).await;
    assert_eq!(
        served.header("x-llm-target"),
        Some("primary"),
        "{}",
        served.text()
    );

    let ours =
        json!({"model": "chat", "input": "hi", "previous_response_id": "resp_llmr_1"}).to_string();
    let refused = native.post("/v1/responses", ours).await;
    assert_eq!(refused.status, 400);
    assert_eq!(refused.json()["error"]["param"], "previous_response_id");
}

#[tokio::test]
async fn nothing_is_kept_here_and_every_such_path_says_so() {
    let (first, second) = sims().await;
    let gateway = gateway(&first, &second, "");
    for (method, path) in [
        ("GET", "/v1/responses/resp_1"),
        ("DELETE", "/v1/responses/resp_1"),
        ("POST", "/v1/responses/resp_1/cancel"),
        ("GET", "/v1/responses/resp_1/input_items"),
        ("POST", "/v1/conversations"),
    ] {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", gateway.url));
        let seen = gateway.send(request, "").await;
        assert_eq!(seen.status, 404, "{path}");
        let error = seen.json()["error"].clone();
        assert_eq!(error["code"], "unsupported_feature", "{path}");
        assert!(error["message"].as_str().unwrap().contains("`input`"));
        assert_eq!(seen.header("x-should-retry"), Some("false"));
    }
    assert_eq!(
        gateway
            .send(Request::get(format!("{}/v1/responses", gateway.url)), "")
            .await
            .status,
        405
    );
}
