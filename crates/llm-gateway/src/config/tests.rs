//! One test a fault: the exact line, the key and the mend.

mod callers;
mod choosing;
mod cloud;
mod policy;

use super::*;
use crate::config::route::Member;
use crate::engine::Features;
use std::path::Path;

#[derive(Debug)]
struct Keys;

impl World for Keys {
    fn variable(&self, name: &str) -> Option<String> {
        (name == "KEY").then(|| "sk-test-key".to_owned())
    }
    fn file(&self, _: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

const GOOD: &str = r#"
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:9090"

[server]
max_body = "1MiB"
drain = "5s"

[breaker]
cooldown = "2s"

[targets.primary]
provider = "openai"
model = "gpt-5-mini"
base_url = "http://127.0.0.1:9001/v1/"
api_key = { env = "KEY" }
context_window = 128_000
headers = { x-team = "blue" }
lacks = ["vision"]

[targets.backup]
provider = "anthropic"
model = "claude-haiku-5-5"

[routes.chat]
aliases = ["gpt-5"]
tiers = [["primary"], [{ target = "backup", weight = 3 }]]
patience = "2s"
deadline = "30s"
windows = { first_token = "4s" }
degraded = [{ mode = "cached" }, { mode = "message", text = "Sorry.", contact = "help@example.com" }]
"#;

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse("gateway.toml", text, &Keys)
}

/// The faults of the good configuration after one replacement, as text.
fn faults(from: &str, to: &str) -> String {
    assert!(
        GOOD.contains(from),
        "{from:?} is not in the good configuration"
    );
    let error = parse(&GOOD.replacen(from, to, 1)).expect_err("a fault");
    error.to_string()
}

#[track_caller]
fn single(from: &str, to: &str, expected: &str) {
    assert_eq!(faults(from, to), expected);
}

#[test]
fn a_good_configuration_is_read() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.admin_listen.unwrap().port(), 9090);
    assert_eq!(config.server.max_body_bytes, 1 << 20);
    assert_eq!(
        config.server.header_timeout,
        Server::default().header_timeout
    );
    assert_eq!(config.breaker.cooldown, Duration::from_secs(2));
    let names: Vec<_> = config.targets.iter().map(|t| t.name.as_str()).collect();
    assert_eq!(
        names,
        ["primary", "backup"],
        "the order of the file is kept"
    );
    let primary = &config.targets[0];
    assert_eq!(
        primary.base_url.as_deref(),
        Some("http://127.0.0.1:9001/v1")
    );
    assert_eq!(primary.context_window, Some(128_000));
    assert_eq!(primary.lacks, Features::VISION);
    assert_eq!(primary.credential.as_deref(), Some("env:KEY"));
    let chat = &config.routes[0];
    assert_eq!(
        chat.tiers[1],
        [Member {
            target: 1,
            weight: 3,
            less_restrictive: false
        }]
    );
    assert_eq!(chat.windows.first_token, Some(Duration::from_secs(4)));
    assert_eq!(chat.degraded.len(), 2);
}

#[test]
fn no_key_shows_in_debug() {
    assert!(!format!("{:?}", parse(GOOD).unwrap()).contains("sk-test-key"));
}

#[test]
fn a_misspelt_key_is_refused_with_its_neighbour() {
    single(
        "patience =",
        "pateince =",
        "gateway.toml:28:1: routes.chat.pateince: unknown key\n    mend: did you mean `patience`?",
    );
    single(
        "[server]",
        "[sever]",
        "gateway.toml:5:2: sever: unknown key\n    mend: did you mean `server`?",
    );
}

#[test]
fn an_unknown_key_without_a_neighbour_lists_the_known_ones() {
    let text = faults("cooldown =", "zzz = 1\ncooldown =");
    assert_eq!(
        text,
        "gateway.toml:10:1: breaker.zzz: unknown key\n    mend: remove it; known here: mode, failures, failure_window, failure_percent, ratio_window, samples, cooldown, cooldown_max, heal, lease, ramp_step, ramp_good, shadow_every, detectors, set_aside, alert_percent, escalate_percent"
    );
}

#[test]
fn a_route_to_an_unknown_target_names_the_nearest() {
    single(
        "[\"primary\"]",
        "[\"primry\"]",
        "gateway.toml:27:11: routes.chat.tiers: no target is called `primry`\n    mend: did you mean `primary`? known: primary, backup",
    );
}

#[test]
fn a_weight_below_zero_is_refused() {
    single(
        "weight = 3",
        "weight = -3",
        "gateway.toml:27:54: routes.chat.tiers.weight: -3 is below zero\n    mend: write a whole number from 0 to 10000",
    );
    let text = faults("weight = 3", "weight = 0.5");
    assert!(text.contains("0.5 is not a whole number"), "{text}");
}

#[test]
fn a_tier_of_zero_weights_is_refused() {
    let text = faults("weight = 3", "weight = 0");
    assert!(
        text.contains("27:23: routes.chat.tiers: a tier in which every weight is zero"),
        "{text}"
    );
}

#[test]
fn two_listeners_on_one_port_are_refused() {
    single(
        "127.0.0.1:9090",
        "127.0.0.1:8080",
        "gateway.toml:3:16: admin_listen: two listeners on port 8080: `listen` has it already\n    mend: give one of them another port, for example \"127.0.0.1:8081\"",
    );
    assert!(faults("127.0.0.1:9090", "0.0.0.0:8080").contains("two listeners on port 8080"));
    assert!(
        parse(&GOOD.replace("127.0.0.1:9090", "127.0.0.2:8080")).is_ok(),
        "another address is another listener"
    );
    assert!(
        parse(
            &GOOD
                .replace("127.0.0.1:9090", "127.0.0.1:0")
                .replace(":8080", ":0")
        )
        .is_ok()
    );
}

#[test]
fn the_default_listener_counts_as_well() {
    let text = GOOD
        .replace("listen = \"127.0.0.1:8080\"\nadmin", "admin")
        .replace(":9090", ":8080");
    assert!(
        parse(&text)
            .unwrap_err()
            .to_string()
            .contains("two listeners on port 8080")
    );
}

#[test]
fn a_missing_key_names_the_variable_and_the_mend() {
    single(
        "{ env = \"KEY\" }",
        "{ env = \"OPENAI_API_KEY\" }",
        "gateway.toml:16:11: targets.primary.api_key: the environment variable OPENAI_API_KEY is not set\n    mend: export OPENAI_API_KEY=... before starting, or name another source: { file = \"/run/secrets/key\" }",
    );
    let text = faults("{ env = \"KEY\" }", "{ file = \"/run/secrets/k\" }");
    assert!(
        text.contains("16:11: targets.primary.api_key: the key file /run/secrets/k cannot be read"),
        "{text}"
    );
    assert!(
        text.contains("mend: put the key, alone, into /run/secrets/k"),
        "{text}"
    );
}

#[test]
fn a_key_in_the_file_is_refused_and_not_repeated() {
    let text = faults("{ env = \"KEY\" }", "\"sk-very-secret\"");
    assert!(
        text.contains("16:11: targets.primary.api_key: a key does not belong in this file"),
        "{text}"
    );
    assert!(!text.contains("sk-very-secret"), "{text}");
    let text = faults(
        "x-team = \"blue\"",
        "Authorization = \"Bearer sk-very-secret\"",
    );
    assert!(
        text.contains("a key does not belong in this file"),
        "{text}"
    );
    assert!(!text.contains("sk-very-secret"), "{text}");
}

#[test]
fn a_bad_url_is_refused() {
    for (url, what) in [
        ("127.0.0.1:9001/v1", "not a URL"),
        ("ftp://host/v1", "a URL without http:// or https://"),
        (
            "https://me:pw@host/v1",
            "a URL with a user or password in it",
        ),
        ("https://host/v1?api-version=1", "a URL with a query"),
        ("https://host/v1/chat/completions", "a URL of one operation"),
        ("http://ho st/v1", "not a URL"),
    ] {
        let text = faults("http://127.0.0.1:9001/v1/", url);
        assert!(
            text.contains(&format!("15:12: targets.primary.base_url: {what}")),
            "{url}: {text}"
        );
        assert!(text.contains("    mend: "), "{text}");
        assert!(!text.contains("pw"), "{text}");
    }
}

#[test]
fn a_bad_duration_is_refused() {
    single(
        "\"30s\"",
        "\"30 secs\"",
        "gateway.toml:29:12: routes.chat.deadline: `30 secs` is not a duration\n    mend: write it like \"250ms\", \"2s\" or \"1m30s\"",
    );
    single(
        "\"30s\"",
        "30",
        "gateway.toml:29:12: routes.chat.deadline: a number without a unit\n    mend: write deadline = \"30s\" or deadline = \"30ms\"",
    );
    assert!(faults("\"30s\"", "\"0s\"").contains("out of range"));
    assert!(faults("\"30s\"", "\"48h\"").contains("out of range"));
    assert!(faults("\"2s\"\ndeadline", "\"40s\"\ndeadline").contains("longer than the deadline"));
}

#[test]
fn a_duplicate_route_is_refused() {
    let text = format!("{GOOD}\n[routes.chat]\ntiers = [[\"backup\"]]\n");
    let text = parse(&text).unwrap_err().to_string();
    assert!(text.contains("gateway.toml:33:"), "{text}");
    assert!(
        text.contains("is defined a second time\n    mend: keep one of the two"),
        "{text}"
    );
}

#[test]
fn a_name_taken_twice_by_alias_is_refused() {
    single(
        "aliases = [\"gpt-5\"]",
        "aliases = [\"chat\"]",
        "gateway.toml:26:12: routes.chat.aliases: `chat` is taken by the route `chat`\n    mend: name each model in one place only",
    );
}

#[test]
fn an_empty_tier_is_refused() {
    let text = faults("[\"primary\"]", "[]");
    assert!(
        text.contains(
            "27:10: routes.chat.tiers: an empty tier\n    mend: put a target into it, or remove it"
        ),
        "{text}"
    );
    let text = faults(
        "[[\"primary\"], [{ target = \"backup\", weight = 3 }]]",
        "[]",
    );
    assert!(text.contains("27:9: routes.chat.tiers: no tier"), "{text}");
    let text = faults(
        "[[\"primary\"], [{ target = \"backup\", weight = 3 }]]",
        "[\"primary\"]",
    );
    assert!(text.contains("a tier has brackets of its own"), "{text}");
}

#[test]
fn the_same_target_twice_in_a_route_is_refused() {
    assert!(
        faults("{ target = \"backup\", weight = 3 }", "\"primary\"")
            .contains("the same target twice")
    );
    assert!(
        faults("[\"primary\"]", "[\"primary\", \"primary\"]")
            .contains("27:22: routes.chat.tiers: the same target twice")
    );
}

#[test]
fn an_unknown_provider_names_the_nearest() {
    let text = faults("provider = \"openai\"", "provider = \"open-ai\"");
    assert!(
        text.contains("13:12: targets.primary.provider: `open-ai` is no provider known here"),
        "{text}"
    );
    assert!(text.contains("did you mean `openai`?"), "{text}");
    for (theirs, ours) in [
        ("vertex_ai", "mend: write \"vertex\""),
        ("openai-compatible", "mend: write \"other\", and base_url"),
        (
            "telepathy",
            "any other server that speaks one of the dialects is \"other\"",
        ),
    ] {
        let text = faults("provider = \"openai\"", &format!("provider = \"{theirs}\""));
        assert!(text.contains(ours), "{text}");
    }
}

#[test]
fn a_provider_without_an_address_needs_one() {
    let text = faults("provider = \"anthropic\"", "provider = \"other\"");
    assert!(text.contains("targets.backup.base_url: missing"), "{text}");
    assert!(
        text.starts_with("gateway.toml:21:"),
        "the fault stands at the table: {text}"
    );
}

#[test]
fn missing_parts_are_named_with_an_example() {
    let text = faults("model = \"gpt-5-mini\"\n", "");
    assert!(text.contains("gateway.toml:12:"), "{text}");
    assert!(
        text.contains("targets.primary.model: missing\n    mend: add model = "),
        "{text}"
    );
    let text = parse("").unwrap_err().to_string();
    assert!(
        text.contains("targets: no target is defined")
            && text.contains("routes: no route is defined"),
        "{text}"
    );
}

#[test]
fn degraded_modes_are_checked() {
    assert!(faults("mode = \"cached\"", "mode = \"cache\"").contains("did you mean `cached`?"));
    assert!(faults(", text = \"Sorry.\"", "").contains("routes.chat.degraded.text: missing"));
    assert!(
        faults(
            "{ mode = \"cached\" }",
            "{ mode = \"cached\", text = \"x\" }"
        )
        .contains("has no text of its own")
    );
}

#[test]
fn broken_toml_names_line_and_mend() {
    let text = faults("deadline = \"30s\"", "deadline = 30s");
    assert!(text.contains("gateway.toml:29:"), "{text}");
    assert!(
        text.contains("mend: put texts and durations in quotes"),
        "{text}"
    );
}

#[test]
fn wrong_kinds_of_values_are_told() {
    assert!(
        faults("model = \"gpt-5-mini\"", "model = 5").contains("a number where a text is expected")
    );
    assert!(
        faults("max_body = \"1MiB\"", "max_body = \"lots\"")
            .contains("6:12: server.max_body: not a size")
    );
    assert!(
        faults("headers = { x-team = \"blue\" }", "headers = 3")
            .contains("a number where a table is expected")
    );
    assert!(
        faults("lacks = [\"vision\"]", "lacks = [\"visoin\"]").contains("did you mean `vision`?")
    );
    assert!(faults("context_window = 128_000", "context_window = -1").contains("-1 is below zero"));
    assert!(faults("127.0.0.1:8080", ":8080").contains("write the address as well"));
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = GOOD
        .replace("patience =", "pateince =")
        .replace("[\"primary\"]", "[\"primry\"]")
        .replace("cooldown = \"2s\"", "cooldown = 2");
    let faults = parse(&text).unwrap_err();
    let lines: Vec<_> = faults
        .list
        .iter()
        .map(|fault| fault.place.unwrap().0)
        .collect();
    assert_eq!(lines, [10, 27, 28], "{faults}");
}

#[test]
fn a_faulty_target_does_not_blame_its_routes() {
    let error =
        parse(&GOOD.replace("provider = \"anthropic\"", "provider = \"antropic\"")).unwrap_err();
    assert_eq!(error.list.len(), 1, "{error}");
}

#[test]
fn a_target_that_is_the_gateway_itself_is_refused() {
    let text = faults("http://127.0.0.1:9001/v1/", "http://localhost:8080/v1");
    assert!(text.contains("gateway.toml:12:10: targets.primary.base_url: http://localhost:8080/v1 is this gateway's own address"), "{text}");
    let text = faults("provider = \"anthropic\"", "provider = \"llamacpp\"");
    assert!(
        text.contains(
            "targets.backup.base_url: http://127.0.0.1:8080/v1 is this gateway's own address"
        ),
        "{text}"
    );
    assert!(
        parse(&GOOD.replace("127.0.0.1:9001", "127.0.0.1:9090")).is_ok(),
        "the admin listener serves no calls"
    );
}

/// Damages the good configuration at every place: whatever comes of it, nothing panics and every fault has its mend.
#[test]
fn no_damage_makes_the_reader_panic() {
    let mut found = 0;
    for at in GOOD.char_indices().map(|(at, _)| at) {
        let (before, after) = GOOD.split_at(at);
        let rest = &after[after.chars().next().map_or(0, char::len_utf8)..];
        for damage in ["", "[", "]", "\"", "=", "{", "\n", "-", "\u{e9}", "9"] {
            if let Err(error) = parse(&format!("{before}{damage}{rest}")) {
                found += 1;
                assert!(!error.list.is_empty());
                for fault in error.list {
                    assert!(
                        !fault.what.is_empty() && !fault.mend.is_empty(),
                        "{fault:?}"
                    );
                    assert!(fault.place.is_some(), "{fault:?}");
                }
            }
        }
    }
    assert!(found > 1000, "{found}");
}

#[test]
fn headers_and_parameters_that_cannot_stand_are_told() {
    let headers = "headers = { x-team = \"blue\" }";
    for (written, fault, mend) in [
        ("cookie = \"a=b\"", "cookie: a key does not", "use api_key"),
        (
            "proxy-authorization = \"x\"",
            "proxy-authorization: a key",
            "use api_key",
        ),
        (
            "Accept = \"text/html\"",
            "Accept: a header that belongs to the call",
            "remove it",
        ),
        (
            "content-type = \"x\"",
            "content-type: a header that belongs",
            "remove it",
        ),
        (
            "x-team = \"bl\u{fc}e\"",
            "x-team: not a header value in ASCII",
            "use ASCII",
        ),
    ] {
        let told = faults(headers, &format!("headers = {{ {written} }}"));
        assert!(told.starts_with("gateway.toml:18:"), "{told}");
        assert!(told.contains(fault) && told.contains(mend), "{told}");
    }
    for name in ["key", "api_key", "Token"] {
        let told = faults(headers, &format!("query = {{ {name} = \"k-1\" }}"));
        assert!(
            told.contains(&format!("query.{name}: a key does not belong")),
            "{told}"
        );
        assert!(!told.contains("k-1"), "{told}");
    }
}

#[test]
fn debug_output_tells_no_value_of_a_header_or_parameter() {
    let text = GOOD.replace(
        "{ x-team = \"blue\" }",
        "{ x-team = \"blue\" }\nquery = { tier = \"gold\" }",
    );
    let shown = format!("{:?}", parse(&text).unwrap());
    assert!(
        shown.contains("x-team") && shown.contains("tier"),
        "{shown}"
    );
    assert!(
        !shown.contains("blue") && !shown.contains("gold"),
        "{shown}"
    );
}

#[test]
fn allowed_origins_are_read_without_a_path() {
    let with = |list: &str| {
        GOOD.replacen(
            "admin_listen",
            &format!("allowed_origins = {list}\nadmin_listen"),
            1,
        )
    };
    let config = parse(&with("[\"https://Chat.example.com\"]")).unwrap();
    assert_eq!(config.allowed_origins, ["https://chat.example.com"]);
    for wrong in ["*", "chat.example.com", "https://chat.example.com/"] {
        let told = parse(&with(&format!("[\"{wrong}\"]")))
            .expect_err("a fault")
            .to_string();
        assert!(
            told.starts_with("gateway.toml:3:") && told.contains("allowed_origins: not an origin"),
            "{told}"
        );
    }
}
