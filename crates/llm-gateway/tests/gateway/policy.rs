//! What a route does beyond its tiers, and what callers may ask for: typed edges, money, trials, tags, limits of their own.

use crate::support::{Gateway, Seen, openai};
use llm_sim::{Preset, Rule, Script, Sim, SimHandle};

async fn sim(text: &str) -> SimHandle {
    let script = Script::builder().text(text).build().unwrap();
    Sim::builder().script(script).start().await.unwrap()
}

fn failing(preset: Preset) -> Script {
    Script::builder()
        .rule(Rule::new().preset(preset))
        .build()
        .unwrap()
}

fn target(name: &str, sim: &SimHandle, more: &str) -> String {
    let url = sim.openai_base_url();
    format!(
        "[targets.{name}]\nprovider = \"openai\"\nmodel = \"{name}\"\nbase_url = \"{url}\"\n{more}\n"
    )
}

async fn ask(gateway: &Gateway, headers: &[(&str, &str)]) -> Seen {
    let mut request = gateway.request("/v1/chat/completions");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    gateway.send(request, openai("hi", false)).await
}

async fn metrics(gateway: &Gateway) -> String {
    gateway.get("/metrics").await.text().to_owned()
}

#[tokio::test]
async fn callers_choose_among_targets_and_what_they_cannot_have_is_refused() {
    let (main, other) = (sim("main").await, sim("other").await);
    let text = target("main", &main, "tags = [\"eu\"]")
        + &target("other", &other, "tags = [\"us\"]")
        + "[routes.chat]\ntiers = [[\"main\"], [\"other\"]]\n";
    let gateway = Gateway::serve(&text);
    for (header, value, served) in [
        ("x-llm-only", "other", "other"),
        ("x-llm-never", "main", "other"),
        ("x-llm-tags", "us", "other"),
        ("x-llm-tags", "!us", "main"),
        ("x-llm-no-fallback", "1", "main"),
    ] {
        let seen = ask(&gateway, &[(header, value)]).await;
        assert_eq!(
            seen.header("x-llm-target"),
            Some(served),
            "{header}: {value}"
        );
    }
    for (header, value, told) in [
        ("x-llm-only", "nobody", "no target of the name `nobody`"),
        (
            "x-llm-tags",
            "mars",
            "no target of the route has the tag `mars`",
        ),
        (
            "x-llm-deadline",
            "soon",
            "the header x-llm-deadline cannot be read: write a duration",
        ),
        ("x-llm-max-calls", "0", "write a whole number from 1 to 100"),
    ] {
        let seen = ask(&gateway, &[(header, value)]).await;
        assert_eq!(seen.status, 400, "{header}: {}", seen.text());
        let error = &seen.json()["error"];
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().unwrap().contains(told), "{error}");
        assert_eq!(seen.header("x-should-retry"), Some("false"));
    }
    // One call, and no other: the failure is the answer.
    main.set_script(failing(Preset::ServerError));
    let asked = (main.count(), other.count());
    let seen = ask(&gateway, &[("x-llm-max-calls", "1")]).await;
    assert_eq!(seen.status, 502, "{}", seen.text());
    assert_eq!((main.count(), other.count()), (asked.0 + 1, asked.1));
}

#[tokio::test]
async fn each_failure_leads_to_the_target_named_for_it() {
    let (main, other) = (sim("main").await, sim("other").await);
    let text = target("main", &main, "")
        + &target("key2", &other, "")
        + &target("long", &other, "")
        + &target("west", &other, "")
        + &target("last", &other, "")
        + "[routes.chat]\ntiers = [[\"main\"], [\"last\"]]\n\
           on = { credential = [\"key2\"], context_length = [\"long\"], region = [\"west\"] }\n";
    for (preset, served, why) in [
        (Preset::InsufficientQuota, "key2", "other_credential"),
        (Preset::ContextLength, "long", "longer_context"),
        (Preset::ServerError, "west", "other_region"),
    ] {
        let gateway = Gateway::serve(&text);
        main.set_script(failing(preset));
        let seen = ask(&gateway, &[]).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert_eq!(seen.header("x-llm-target"), Some(served));
        let trail = seen.header("x-llm-trail").unwrap();
        assert!(
            trail.contains(&format!("{served} {why} answered")),
            "{trail}"
        );
    }
}

#[tokio::test]
async fn an_hours_cap_turns_to_the_next_target_and_its_alert_is_counted() {
    let (dear, cheap) = (sim("dear").await, sim("cheap").await);
    let text = target(
        "dear",
        &dear,
        "price = { input = 0, output = 0, per_request = 1 }\nspend = { per_hour = 3, alerts = [2] }",
    ) + &target("cheap", &cheap, "price = { input = 0, output = 0 }")
        + "[routes.chat]\ntiers = [[\"dear\"], [\"cheap\"]]\n";
    let gateway = Gateway::serve(&text);
    for number in 0..5 {
        let seen = ask(&gateway, &[]).await;
        let served = if number < 3 { "dear" } else { "cheap" };
        assert_eq!(seen.header("x-llm-target"), Some(served), "{number}");
    }
    assert_eq!((dear.count(), cheap.count()), (3, 2));
    let seen = ask(&gateway, &[]).await;
    let trail = seen.header("x-llm-trail").unwrap();
    assert!(trail.contains("[dear: spend_cap]"), "{trail}");
    let metrics = metrics(&gateway).await;
    for line in [
        "llm_gateway_spend_usd_total{route=\"chat\",target=\"dear\"} 3",
        "llm_gateway_spend_alerts_total{of=\"target\",name=\"dear\"} 1",
        "llm_gateway_passed_over_total{target=\"dear\",reason=\"spend_cap\"} 3",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn a_dearer_fallback_is_used_only_inside_the_cap() {
    let (main, dear) = (sim("main").await, sim("dear").await);
    main.set_script(failing(Preset::ServerError));
    let text = target("main", &main, "price = { input = 0, output = 0 }")
        + &target(
            "dear",
            &dear,
            "price = { input = 0, output = 0, per_request = 1 }",
        )
        + "[routes.chat]\ntiers = [[\"main\"], [\"dear\"]]\nmax_cost = 2\n";
    let gateway = Gateway::serve(&text);
    assert_eq!(
        ask(&gateway, &[]).await.header("x-llm-target"),
        Some("dear")
    );
    let seen = ask(&gateway, &[("x-llm-max-cost", "0.5")]).await;
    assert_eq!(seen.status, 502, "{}", seen.text());
    assert_eq!(dear.count(), 1);
    assert!(
        seen.header("x-llm-trail")
            .unwrap()
            .contains("dear not used: over_budget")
    );
}

#[tokio::test]
async fn a_canary_that_fails_costs_no_caller_an_answer_and_is_stopped() {
    let (stable, new) = (sim("stable").await, sim("new").await);
    new.set_script(failing(Preset::ServerError));
    let text = target("stable", &stable, "")
        + &target("new", &new, "")
        + "[routes.chat]\ntiers = [[\"stable\"]]\ncanary = { target = \"new\", steps = [20, 50] }\n";
    let gateway = Gateway::serve(&text);
    assert!(
        metrics(&gateway)
            .await
            .contains("llm_gateway_canary_share{route=\"chat\",target=\"new\"} 20")
    );
    let mut trails = String::new();
    for _ in 0..330 {
        let seen = ask(&gateway, &[]).await;
        assert_eq!(seen.status, 200, "{}", seen.text());
        assert_eq!(seen.header("x-llm-target"), Some("stable"));
        trails.push_str(seen.header("x-llm-trail").unwrap());
    }
    assert!(trails.contains("new canary"), "{trails}");
    let metrics = metrics(&gateway).await;
    for line in [
        "llm_gateway_canary_share{route=\"chat\",target=\"new\"} 0",
        "llm_gateway_canary_events_total{route=\"chat\",target=\"new\",event=\"errors\"} 1",
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    assert!(new.count() >= 5 && new.count() < 60, "{}", new.count());
}

#[tokio::test]
async fn with_everything_set_aside_the_least_bad_is_asked_where_the_route_says_so() {
    let only = sim("only").await;
    only.set_script(failing(Preset::ServerError));
    let route = |fail_open: &str| {
        target("only", &only, "") + "[routes.chat]\ntiers = [[\"only\"]]\n" + fail_open
    };
    for (line, answered) in [("", false), ("fail_open = \"least_bad\"\n", true)] {
        only.set_script(failing(Preset::ServerError));
        let gateway = Gateway::serve(&route(line));
        for _ in 0..6 {
            ask(&gateway, &[("x-llm-max-attempts", "1")]).await;
        }
        only.set_script(Script::healthy());
        let seen = ask(&gateway, &[]).await;
        assert_eq!(seen.status == 200, answered, "{}", seen.text());
        if answered {
            assert!(
                seen.header("x-llm-trail")
                    .unwrap()
                    .contains("only least_bad answered")
            );
        }
    }
}

#[tokio::test]
async fn explain_tells_why_each_target_wins_or_loses_in_words_and_as_data() {
    let (main, other) = (sim("main").await, sim("other").await);
    main.set_script(failing(Preset::InsufficientQuota));
    let text = target("main", &main, "tags = [\"eu\"]")
        + &target("key2", &other, "")
        + &target("new", &other, "")
        + &target("last", &other, "tags = [\"eu\"]")
        + "[routes.chat]\naliases = [\"gpt-5\"]\ntiers = [[\"main\"], [\"last\"]]\n\
           on = { region = [\"key2\"] }\ncanary = { target = \"new\", steps = [1] }\n";
    let gateway = Gateway::serve(&text);
    ask(&gateway, &[("x-llm-never", "new")]).await;
    let told = gateway.get("/explain/gpt-5").await;
    assert_eq!(told.status, 200, "{}", told.text());
    let told = told.json();
    assert_eq!(
        (&told["route"], &told["strategy"]),
        (&"chat".into(), &"weighted".into())
    );
    let of = |index: usize| told["candidates"][index].clone();
    assert_eq!(of(0)["target"], "main");
    assert_eq!(of(0)["refusal"], "credential_set_aside");
    assert_eq!(of(0)["shared"][0]["scope"], "credential");
    assert_eq!(of(0)["shared"][0]["reason"], "quota");
    assert!(of(0)["back_in_ms"].as_u64().unwrap() > 0);
    assert_eq!(
        (&of(1)["target"], &of(1)["refusal"]),
        (&"last".into(), &serde_json::Value::Null)
    );
    assert!((of(1)["share"].as_f64().unwrap() - 0.99).abs() < 0.001);
    assert_eq!(
        (&of(2)["on"], &of(2)["refusal"]),
        (&"region".into(), &"not_for_this".into())
    );
    assert_eq!(of(3)["canary"], "on trial with 1 % of the callers");
    let words = told["words"].to_string();
    assert!(
        words.contains("tier 0 main: not used: credential_set_aside (quota)"),
        "{words}"
    );
    // As it looks to a call with these headers.
    let request = http::Request::get(format!("{}/explain/chat", gateway.url));
    let seen = gateway.send(request.header("x-llm-only", "main"), "").await;
    assert_eq!(
        seen.json()["candidates"][1]["refusal"],
        "excluded",
        "{}",
        seen.text()
    );
    assert_eq!(gateway.get("/explain/nobody").await.status, 404);
}
