//! What a line of the configuration changes, seen from outside: who was asked, how often, and how long it took.

use crate::support::{Gateway, Seen, openai};
use futures_util::future::join_all;
use llm_sim::{Script, Sim, SimHandle};
use std::time::Duration;
use tokio::time::{Instant, sleep};

async fn sim(script: &str) -> SimHandle {
    let script = Script::from_toml(script).unwrap();
    Sim::builder().script(script).start().await.unwrap()
}

fn target(name: &str, sim: &SimHandle, more: &str) -> String {
    let url = sim.openai_base_url();
    format!(
        "[targets.{name}]\nprovider = \"openai\"\nmodel = \"{name}\"\nbase_url = \"{url}\"\n{more}\n"
    )
}

/// Two targets and one route, of which the rest is given.
struct World {
    a: SimHandle,
    b: SimHandle,
    gateway: Gateway,
}

impl World {
    /// `a` before `b`.
    async fn tiers(script_of_a: &str, of_a: &str, of_route: &str) -> Self {
        let route = format!("tiers = [[\"a\"], [\"b\"]]\n{of_route}");
        Self::start("", script_of_a, of_a, "", &route).await
    }

    /// `a` beside `b`.
    async fn siblings(script_of_a: &str, of_a: &str, of_b: &str, strategy: &str) -> Self {
        let route = format!("tiers = [[\"a\", \"b\"]]\nstrategy = \"{strategy}\"");
        Self::start("", script_of_a, of_a, of_b, &route).await
    }

    async fn start(top: &str, script_of_a: &str, of_a: &str, of_b: &str, route: &str) -> Self {
        let (a, b) = (sim(script_of_a).await, sim("").await);
        let text = format!(
            "{top}\n{}{}[routes.chat]\n{route}\n",
            target("a", &a, of_a),
            target("b", &b, of_b)
        );
        let gateway = Gateway::serve(&text);
        Self { a, b, gateway }
    }

    async fn ask(&self) -> Seen {
        self.ask_with(&[], false).await
    }

    async fn ask_with(&self, headers: &[(&str, &str)], stream: bool) -> Seen {
        let mut request = self.gateway.request("/v1/chat/completions");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.gateway.send(request, openai("hi", stream)).await
    }

    /// So many calls one after the other, all answered; how many went to each target.
    async fn calls(&self, count: usize) -> (u64, u64) {
        let before = (self.a.count(), self.b.count());
        for _ in 0..count {
            let seen = self.ask().await;
            assert_eq!(seen.status, 200, "{}", seen.text());
        }
        (self.a.count() - before.0, self.b.count() - before.1)
    }
}

#[tokio::test]
async fn each_limit_of_a_minute_is_kept() {
    for limit in ["rpm", "tpm", "input_tpm", "output_tpm"] {
        let limits = format!("limits = {{ {limit} = 6 }}");
        let world = World::tiers("", &limits, "patience = \"0s\"").await;
        assert_eq!(world.calls(5).await, (1, 4), "{limit}");
    }
}

#[tokio::test]
async fn a_limit_that_the_provider_tells_is_kept_as_well() {
    let world = World::tiers(
        "limits = { rpm = 60, per = \"all\" }",
        "",
        "patience = \"0s\"",
    )
    .await;
    let (to_a, to_b) = world.calls(80).await;
    let received = world.a.received();
    let refused = received.iter().filter(|call| call.status == Some(429));
    let refused = refused.count();
    assert!(refused <= 2, "{refused} of {to_a} were sent in vain");
    assert!(to_a >= 30 && to_b >= 15, "{to_a} and {to_b}");
}

#[tokio::test]
async fn a_limit_that_is_waited_out_is_told_with_its_end() {
    let limited = "[[rule]]\npreset = \"rate_limit\"\nretry_after = \"20s\"";
    let world = World::tiers(limited, "", "").await;
    world.calls(1).await;
    let ready = world.gateway.get("/readyz").await.json();
    let a = &ready["targets"]["a"];
    assert_eq!(
        (&a["breaker"], &a["reason"]),
        (&"closed".into(), &"rate_limit".into())
    );
    let left = a["back_in_ms"].as_u64().unwrap();
    assert!((10_000..=20_000).contains(&left), "{ready}");
    assert!(ready["targets"]["b"]["back_in_ms"].is_null(), "{ready}");
    let told = world.gateway.get("/explain/chat").await.json();
    let words = told["words"][0].as_str().unwrap();
    assert!(words.contains("(rate_limit), back in "), "{words}");
    assert_eq!(told["candidates"][0]["health"]["reason"], "rate_limit");
}

#[tokio::test]
async fn no_more_calls_are_under_way_than_a_target_takes() {
    let slow = "[[rule]]\nslow = { latency = \"500ms\" }";
    let world = World::tiers(slow, "limits = { concurrency = 1 }", "patience = \"0s\"").await;
    let seen = join_all((0..4).map(|_| world.ask())).await;
    assert!(seen.iter().all(|seen| seen.status == 200));
    assert_eq!((world.a.count(), world.b.count()), (1, 3));
}

#[tokio::test]
async fn weights_are_kept() {
    let route = "tiers = [[{ target = \"a\", weight = 3 }, \"b\"]]";
    let world = World::start("", "", "", "", route).await;
    assert_eq!(world.calls(40).await, (30, 10));
}

#[tokio::test]
async fn the_least_busy_answers() {
    // Slower than whatever a busy machine makes of the other one.
    let slow = "[[rule]]\nslow = { latency = \"5s\" }";
    let world = World::siblings(slow, "", "", "least_in_flight").await;
    let calls = (0..10).map(async |n| {
        sleep(Duration::from_millis(300) * n).await;
        world.ask().await
    });
    join_all(calls).await;
    assert!(world.a.count() <= 2, "{} of 10", world.a.count());
}

#[tokio::test]
async fn the_quicker_of_two_answers() {
    // Slower than whatever a busy machine makes of the other one.
    let slow = "[[rule]]\nslow = { latency = \"2s\" }";
    let world = World::siblings(slow, "", "", "power_of_two").await;
    let (to_a, _) = world.calls(12).await;
    assert!(to_a <= 3, "{to_a} of 12");
}

#[tokio::test]
async fn the_one_with_the_most_left_answers() {
    let (little, much) = ("limits = { rpm = 60 }", "limits = { rpm = 1200 }");
    let world = World::siblings("", little, much, "head_room").await;
    let (to_a, _) = world.calls(20).await;
    assert!(to_a <= 3, "{to_a} of 20");
}

#[tokio::test]
async fn a_share_of_failures_sets_a_target_aside_where_the_file_says_so() {
    let half = "[[rule]]\nevery = 2\npreset = \"server_error\"";
    for (percent, set_aside) in [(40, true), (0, false)] {
        let top = format!("[breaker]\nfailure_percent = {percent}\nshadow_every = \"0s\"");
        let route = "tiers = [[\"a\"], [\"b\"]]\nattempts = 1\npatience = \"0s\"";
        let world = World::start(&top, half, "", "", route).await;
        let (to_a, _) = world.calls(60).await;
        assert_eq!(to_a < 60, set_aside, "{percent} %: {to_a} of 60");
        let metrics = world.gateway.get("/metrics").await;
        let line = "llm_gateway_set_aside{target=\"a\",reason=\"ratio\"} 1";
        assert_eq!(metrics.text().contains(line), set_aside, "{percent} %");
    }
}

#[tokio::test]
async fn a_straggler_is_hedged_where_the_route_says_so() {
    let straggles = "[[rule]]\ncalls = \"131\"\nslow = { latency = \"900ms\" }";
    for (hedging, hedged) in [("at_p90", true), ("off", false)] {
        let route = format!("hedging = \"{hedging}\"");
        let world = World::tiers(straggles, "", &route).await;
        while world.a.count() < 130 {
            world.ask().await;
        }
        let seen = world.ask().await;
        let trail = seen.header("x-llm-trail").unwrap();
        assert_eq!(trail.contains("b hedge answered"), hedged, "{trail}");
        // What must not run twice is never sent to two.
        world.a.reset();
        world
            .a
            .set_script(Script::from_toml("[[rule]]\nslow = { latency = \"900ms\" }").unwrap());
        let seen = world.ask_with(&[("x-llm-side-effects", "1")], false).await;
        let trail = seen.header("x-llm-trail").unwrap();
        assert!(!trail.contains("hedge"), "{trail}");
    }
}

#[tokio::test]
async fn a_caller_shortens_patience_and_deadline() {
    let limited = "[[rule]]\ncalls = \"1\"\npreset = \"rate_limit\"\nretry_after = \"1s\"";
    for (headers, served) in [(&[][..], "a"), (&[("x-llm-patience", "0s")][..], "b")] {
        let world = World::tiers(limited, "", "").await;
        let seen = world.ask_with(headers, false).await;
        assert_eq!(seen.header("x-llm-target"), Some(served), "{headers:?}");
    }
    let hangs = "[[rule]]\nhang = \"forever\"";
    let world = World::tiers(hangs, "", "").await;
    world.b.set_script(Script::from_toml(hangs).unwrap());
    let began = Instant::now();
    let seen = world.ask_with(&[("x-llm-deadline", "400ms")], false).await;
    assert_eq!(seen.status, 504, "{}", seen.text());
    // Far less than the route's 30 s.
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_preset_brings_its_patience() {
    let limited = "[[rule]]\ncalls = \"1\"\npreset = \"rate_limit\"\nretry_after = \"3s\"";
    for (preset, served) in [("interactive", "b"), ("background", "a")] {
        let world = World::tiers(limited, "", &format!("preset = \"{preset}\"")).await;
        let seen = world.ask().await;
        assert_eq!(seen.header("x-llm-target"), Some(served), "{preset}");
    }
}

#[tokio::test]
async fn waits_between_two_tries_are_the_routes() {
    let once = "[[rule]]\ncalls = \"1\"\npreset = \"unavailable_503\"";
    let backoff = "backoff = { base = \"900ms\", ceiling = \"900ms\", jitter = \"none\" }";
    let world = World::tiers(once, "", backoff).await;
    let seen = world.ask().await;
    let trail = seen.header("x-llm-trail").unwrap();
    let (_, rest) = trail.split_once("a retry after ").unwrap();
    let (waited, rest) = rest.split_once("ms (backoff)").unwrap();
    assert!(rest.starts_with(" answered"), "{trail}");
    // At most 500 ms otherwise; what it took to choose is no part of the wait.
    let waited: u64 = waited.parse().unwrap();
    assert!((600..=900).contains(&waited), "{trail}");
}

#[tokio::test]
async fn a_stream_ends_at_the_window_of_its_route() {
    let long = "words = 200\n[[rule]]\nslow = { per_chunk = \"50ms\" }";
    let route = "windows = { stream = \"700ms\" }\non_cut = \"error\"";
    let world = World::tiers(long, "", route).await;
    let began = Instant::now();
    let seen = world.ask_with(&[], true).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(
        seen.text().contains("\"code\":\"timeout\""),
        "{}",
        seen.text()
    );
    assert!(!seen.text().contains("[DONE]"), "{}", seen.text());
}

#[tokio::test]
async fn what_is_set_aside_for_a_moment_is_waited_for_where_nobody_else_is() {
    let limited = "[[rule]]\nuntil = \"800ms\"\npreset = \"rate_limit\"\nretry_after = \"1s\"";
    let world = World::start("", limited, "", "", "tiers = [[\"a\"]]").await;
    let seen = join_all((0..5).map(|_| world.ask())).await;
    assert!(seen.iter().all(|seen| seen.status == 200), "{seen:?}");
}

#[tokio::test]
async fn a_filtered_prompt_goes_to_the_lenient_target_alone() {
    let filtered = "[[rule]]\npreset = \"content_filter\"";
    let route = "tiers = [[\"a\"]]\non = { content_filter = [{ target = \"b\", less_restrictive = true }] }";
    let world = World::start("", filtered, "", "", route).await;
    assert_eq!(world.ask().await.header("x-llm-target"), Some("b"));
    let world = World::tiers(filtered, "", "").await;
    assert_eq!(world.ask().await.status, 400, "a next tier is no remedy");
}

#[tokio::test]
async fn targets_of_one_key_are_set_aside_together() {
    let spent = "[[rule]]\npreset = \"insufficient_quota\"";
    for (label, asked) in [("credential = \"team\"", 0), ("", 1)] {
        let sims = [sim(spent).await, sim("").await, sim("").await];
        let text = target("one", &sims[0], label)
            + &target("two", &sims[1], label)
            + &target("three", &sims[2], "")
            + "[routes.chat]\ntiers = [[\"one\"], [\"two\"], [\"three\"]]\n";
        let gateway = Gateway::serve(&text);
        assert_eq!(gateway.chat("hi").await.status, 200);
        assert_eq!(sims[1].count(), asked, "{label}");
    }
}

#[tokio::test]
async fn what_fails_together_is_left_together() {
    let down = "[[rule]]\npreset = \"server_error\"";
    for (label, alone) in [("failure_domain = \"hall\"", false), ("", true)] {
        let sims = [
            sim(down).await,
            sim(down).await,
            sim(down).await,
            sim("").await,
        ];
        let text = target("one", &sims[0], label)
            + &target("two", &sims[1], label)
            + &target("three", &sims[2], label)
            + &target("far", &sims[3], "")
            + "[breaker]\nshadow_every = \"0s\"\n[routes.chat]\n\
               tiers = [[\"one\"], [\"two\"], [\"three\"], [\"far\"]]\nattempts = 1\npatience = \"0s\"\n";
        let gateway = Gateway::serve(&text);
        for _ in 0..12 {
            assert_eq!(gateway.chat("hi").await.header("x-llm-target"), Some("far"));
        }
        let metrics = gateway.get("/metrics").await;
        let line = "llm_gateway_scope_open{target=\"three\",scope=\"provider\"} 1";
        assert_eq!(
            !metrics.text().contains(line),
            alone,
            "{label}\n{}",
            metrics.text()
        );
    }
}
