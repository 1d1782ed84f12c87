//! Where callers are named, nobody else is served, and each sees its own routes alone.

use crate::support::{BINARY, Gateway, Seen, anthropic, file, openai, two};
use http::Request;
use llm_sim::{Preset, Rule, Script, Sim, SimHandle};
use std::path::PathBuf;
use std::process::Command;

const WEBSITE: &str = "website-0123456789";
const RESEARCH: &str = "research-0123456789";
const OLD: &str = "research-old-0123456789";

struct Set {
    sim: SimHandle,
    gateway: Gateway,
    files: Vec<PathBuf>,
}

impl Drop for Set {
    fn drop(&mut self) {
        for file in &self.files {
            let _ = std::fs::remove_file(file);
        }
    }
}

/// Two callers, of whom one may ask for one of two routes, and what else stands at the top of the file.
async fn set(top: &str, route: &str) -> Set {
    let sim = Sim::builder().start().await.unwrap();
    let files = [WEBSITE, RESEARCH, OLD].map(file);
    let text = format!(
        "{top}\n[callers.website]\nkey = {{ file = {:?} }}\nroutes = [\"chat\"]\n\
         [callers.research]\nkey = {{ file = {:?} }}\nold_key = {{ file = {:?} }}\n\
         {}\n[routes.secret]\ntiers = [[\"backup\"]]\n",
        files[0],
        files[1],
        files[2],
        two(&sim.openai_base_url(), &sim.base_url(), route)
    );
    let config = file(&text);
    let gateway = Gateway::start(
        Command::new(BINARY)
            .args(["serve", "--listen", "127.0.0.1:0", "--config"])
            .arg(&config),
    );
    let files = files.into_iter().chain([config]).collect();
    Set {
        sim,
        gateway,
        files,
    }
}

impl Set {
    async fn ask(&self, header: &str, key: &str, path: &str, body: String) -> Seen {
        let request = self.gateway.request(path).header(header, key);
        self.gateway.send(request, body).await
    }

    /// Has `text` served, with a further name for a route by which that is seen.
    async fn reload(&self, text: &str, turn: &str) {
        let head = "[routes.secret]\n";
        let text = text.replace(head, &format!("{head}aliases = [\"{turn}\"]\n"));
        std::fs::write(self.files.last().unwrap(), text).unwrap();
        let pid = self.gateway.child.id().to_string();
        let kill = Command::new("kill").args(["-HUP", &pid]).status();
        assert!(kill.unwrap().success());
        for _ in 0..200 {
            if self.get(RESEARCH, "/v1/models").await.text().contains(turn) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("not reloaded");
    }

    async fn get(&self, key: &str, path: &str) -> Seen {
        let request = Request::get(format!("{}{path}", self.gateway.url));
        let request = request.header("authorization", format!("Bearer {key}"));
        self.gateway.send(request, "").await
    }
}

#[tokio::test]
async fn nobody_else_is_served() {
    let set = set("", "").await;
    for key in ["", "Bearer ", "Bearer wrong-0123456789", "Bearer website"] {
        let chat = openai("hi", false);
        let seen = set.ask("authorization", key, "/v1/chat/completions", chat);
        let seen = seen.await;
        assert_eq!(seen.status, 401, "{key}: {}", seen.text());
        assert_eq!(seen.json()["error"]["code"], "invalid_api_key");
        assert_eq!(seen.header("x-should-retry"), Some("false"));
        assert!(!seen.text().contains("0123456789"), "{}", seen.text());
    }
    let message = anthropic("hi", true);
    let seen = set.ask("x-api-key", "wrong", "/v1/messages", message).await;
    assert_eq!(seen.status, 401);
    assert_eq!(seen.json()["error"]["type"], "authentication_error");
    for path in ["/v1/models", "/metrics", "/explain/chat", "/nowhere"] {
        assert_eq!(set.gateway.get(path).await.status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz"] {
        assert_eq!(set.gateway.get(path).await.status, 200, "{path}");
    }
    assert_eq!(set.sim.count(), 0, "nothing was sent for them");
}

#[tokio::test]
async fn a_callers_key_is_taken_as_sdks_send_it_and_goes_no_further() {
    let set = set("", "").await;
    let bearer = |key: &str| format!("Bearer {key}");
    for (header, key, path, body) in [
        (
            "authorization",
            bearer(WEBSITE),
            "/v1/chat/completions",
            openai("hi", true),
        ),
        (
            "x-api-key",
            WEBSITE.to_owned(),
            "/v1/messages",
            anthropic("hi", false),
        ),
        (
            "authorization",
            bearer(RESEARCH),
            "/v1/messages",
            anthropic("hi", true),
        ),
        (
            "x-api-key",
            OLD.to_owned(),
            "/v1/chat/completions",
            openai("hi", false),
        ),
    ] {
        let seen = set.ask(header, &key, path, body).await;
        assert_eq!(seen.status, 200, "{header} {path}: {}", seen.text());
    }
    let sent = set.sim.received();
    let keyed = sent.iter().flat_map(|call| &call.headers);
    let keyed = keyed.filter(|(name, _)| name == "authorization" || name == "x-api-key");
    assert_eq!(keyed.count(), 0, "the targets have no key");
    let metrics = set.get(WEBSITE, "/metrics").await;
    for line in [
        "llm_gateway_caller_requests_total{caller=\"website\",route=\"chat\"} 2",
        "llm_gateway_caller_requests_total{caller=\"research\",route=\"chat\"} 2",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
    assert!(!metrics.text().contains("0123456789"));
}

#[tokio::test]
async fn a_caller_sees_its_own_routes_alone() {
    let set = set("", "").await;
    let names = |seen: Seen| -> Vec<String> {
        let listed = seen.json()["data"].clone();
        let listed = listed.as_array().unwrap().iter();
        listed
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(set.get(WEBSITE, "/v1/models").await), ["chat"]);
    assert_eq!(
        names(set.get(RESEARCH, "/v1/models").await),
        ["chat", "secret"]
    );
    let body = openai("hi", false).replace("\"chat\"", "\"secret\"");
    let bearer = format!("Bearer {WEBSITE}");
    let asked = set.ask(
        "authorization",
        &bearer,
        "/v1/chat/completions",
        body.clone(),
    );
    let asked = asked.await;
    let counted = body.replace("chat/completions", "messages");
    let counted = set.ask("x-api-key", WEBSITE, "/v1/messages/count_tokens", counted);
    for seen in [
        asked,
        counted.await,
        set.get(WEBSITE, "/v1/models/secret").await,
        set.get(WEBSITE, "/explain/secret").await,
    ] {
        assert_eq!(seen.status, 404, "{}", seen.text());
        let told = seen.text().replace("the model `secret` is not served", "");
        assert!(!told.contains("secret"), "{}", seen.text());
    }
    assert_eq!(set.get(RESEARCH, "/explain/secret").await.status, 200);
    assert_eq!(set.sim.count(), 0);
}

#[tokio::test]
async fn a_kept_answer_is_its_callers_alone_whichever_of_its_keys_asked() {
    let set = set("", "degraded = [{ mode = \"cached\" }]").await;
    let ask = async |key: &str| {
        let bearer = format!("Bearer {key}");
        let body = openai("mine", false);
        let asked = set.ask("authorization", &bearer, "/v1/chat/completions", body);
        asked.await
    };
    assert_eq!(ask(RESEARCH).await.status, 200);
    let down = Rule::new().preset(Preset::ServerError);
    set.sim
        .set_script(Script::builder().rule(down).build().unwrap());
    let kept = ask(OLD).await;
    assert_eq!(kept.status, 200, "{}", kept.text());
    assert!(kept.header("x-llm-degraded").unwrap().starts_with("cached"));
    assert!(ask(WEBSITE).await.status >= 500);
}

/// Also when all come at once, and after a reload.
#[tokio::test]
async fn a_caller_gets_no_more_than_its_limits() {
    let set = set("", "").await;
    let text = std::fs::read_to_string(set.files.last().unwrap()).unwrap();
    let limited = [("website", "rpm = 60"), ("research", "concurrency = 2")];
    let text = limited.into_iter().fold(text, |text, (name, limit)| {
        let head = format!("[callers.{name}]\n");
        text.replace(&head, &format!("{head}{limit}\n"))
    });
    set.reload(&text, "turn-1").await;

    let ask = async |key: &str| {
        let chat = openai("hi", false);
        set.ask("x-api-key", key, "/v1/chat/completions", chat)
            .await
    };
    let seen = futures_util::future::join_all((0..40).map(|_| ask(WEBSITE))).await;
    let answered = seen.iter().filter(|seen| seen.status == 200).count();
    assert!((10..=14).contains(&answered), "{answered} of 40");
    let refused = seen.iter().find(|seen| seen.status != 200).unwrap();
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(refused.json()["error"]["code"], "rate_limit_exceeded");
    assert!(refused.header("retry-after-ms").is_some());
    set.reload(&text, "turn-2").await;
    assert_eq!(ask(WEBSITE).await.status, 429, "no more by a reload");

    let slow = "[[rule]]\nslow = { latency = \"700ms\" }";
    set.sim.set_script(Script::from_toml(slow).unwrap());
    let seen = futures_util::future::join_all((0..6).map(|_| ask(RESEARCH))).await;
    let answered = seen.iter().filter(|seen| seen.status == 200).count();
    assert_eq!(answered, 2, "at once");
    assert_eq!(ask(OLD).await.status, 200, "there is room again");
}

/// By the prices of the targets, whoever answers, streams as well.
#[tokio::test]
async fn a_caller_who_has_spent_its_hour_is_refused_and_nobody_else() {
    let set = set("", "").await;
    let text = std::fs::read_to_string(set.files.last().unwrap()).unwrap();
    let text = text
        .replace(
            "model = \"large\"",
            "model = \"large\"\nprice = { input = 0, output = 0, per_request = 1 }",
        )
        .replace(
            "[callers.website]\n",
            "[callers.website]\nspend = { per_hour = 3, alerts = [2] }\n",
        );
    set.reload(&text, "turn-1").await;
    let ask = async |key: &str, stream| {
        let chat = openai("hi", stream);
        set.ask("x-api-key", key, "/v1/chat/completions", chat)
            .await
    };
    for stream in [false, true, false] {
        assert_eq!(ask(WEBSITE, stream).await.status, 200);
    }
    let refused = ask(WEBSITE, false).await;
    assert_eq!(refused.status, 429, "{}", refused.text());
    let error = &refused.json()["error"];
    assert_eq!(error["code"], "insufficient_quota", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("$3.0000 an hour"), "{message}");
    assert!(refused.header("retry-after").is_some());
    assert_eq!(ask(RESEARCH, false).await.status, 200);
    assert_eq!(set.sim.count(), 4, "nothing is sent for who is refused");
    set.reload(&text, "turn-2").await;
    assert_eq!(ask(WEBSITE, false).await.status, 429, "no more by a reload");
    let raised = text.replace("per_hour = 3", "per_hour = 4");
    set.reload(&raised, "turn-3").await;
    assert_eq!(ask(WEBSITE, false).await.status, 200);
    assert_eq!(
        ask(WEBSITE, false).await.status,
        429,
        "what was spent stays"
    );
    let metrics = set.get(RESEARCH, "/metrics").await;
    for line in [
        "llm_gateway_caller_spend_usd_total{caller=\"website\"} 4",
        "llm_gateway_caller_spend_usd_total{caller=\"research\"} 1",
        "llm_gateway_spend_alerts_total{of=\"caller\",name=\"website\"} 1",
        "llm_gateway_rejected_total{reason=\"caller_spend\"} 3",
    ] {
        assert!(metrics.text().contains(line), "{line}\n{}", metrics.text());
    }
}

#[tokio::test]
async fn a_key_that_is_gone_is_refused_from_the_reload_on() {
    let set = set("", "").await;
    let ask = async || {
        let chat = openai("hi", false);
        let asked = set.ask("x-api-key", OLD, "/v1/chat/completions", chat);
        asked.await.status
    };
    assert_eq!(ask().await, 200);
    let config = set.files.last().unwrap();
    let text = std::fs::read_to_string(config).unwrap();
    let text: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with("old_key"))
        .collect();
    std::fs::write(config, text.join("\n")).unwrap();
    let pid = set.gateway.child.id().to_string();
    let kill = Command::new("kill").args(["-HUP", &pid]).status();
    assert!(kill.unwrap().success());
    for _ in 0..200 {
        if ask().await == 401 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("the key is still good");
}
