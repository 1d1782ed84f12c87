//! Limits, prices, strategies, hedging and what calls stick by.

use super::{GOOD, faults, parse, single};
use crate::config::StickTo;
use crate::engine::{Hedging, Limits, Price, Strategy};
use std::time::Duration;

/// The good configuration with a line more in the target `primary`, at line 17.
fn target(line: &str) -> String {
    format!("{line}\ncontext_window = 128_000")
}

/// The good configuration with a line more in the route, at line 28.
fn route(line: &str) -> String {
    format!("{line}\npatience = \"2s\"")
}

#[track_caller]
fn target_fault(line: &str, expected: &str) {
    single("context_window = 128_000", &target(line), expected);
}

#[track_caller]
fn route_fault(line: &str, expected: &str) {
    single("patience = \"2s\"", &route(line), expected);
}

#[test]
fn limits_are_read() {
    let text = "limits = { rpm = 500, tpm = 2_000_000, input_tpm = 3, output_tpm = 4, rpd = 10000, concurrency = 8, burst = \"5s\" }";
    let config = parse(&GOOD.replace("context_window = 128_000", &target(text))).unwrap();
    let mut expected = Limits::default();
    expected.rpm = Some(500);
    expected.tpm = Some(2_000_000);
    expected.input_tpm = Some(3);
    expected.output_tpm = Some(4);
    expected.rpd = Some(10_000);
    expected.concurrency = Some(8);
    expected.burst = Duration::from_secs(5);
    assert_eq!(config.targets[0].limits, expected);
    assert_eq!(config.targets[1].limits, Limits::default());
}

#[test]
fn bad_limits_are_refused() {
    target_fault(
        "limits = { rmp = 500 }",
        "gateway.toml:17:12: targets.primary.limits.rmp: unknown key\n    mend: did you mean `rpm`?",
    );
    target_fault(
        "limits = { rpm = 0 }",
        "gateway.toml:17:18: targets.primary.limits.rpm: 0 is out of range\n    mend: write a whole number from 1 to 4000000000",
    );
    target_fault(
        "limits = { concurrency = -1 }",
        "gateway.toml:17:26: targets.primary.limits.concurrency: -1 is below zero\n    mend: write a whole number from 1 to 1000000",
    );
    target_fault(
        "limits = { burst = \"2m\" }",
        "gateway.toml:17:20: targets.primary.limits.burst: longer than the minute it is a part of\n    mend: write a duration from 0s to 60s",
    );
    target_fault(
        "limits = { burst = 5 }",
        "gateway.toml:17:20: targets.primary.limits.burst: a number without a unit\n    mend: write burst = \"5s\" or burst = \"5ms\"",
    );
    let text = faults("context_window = 128_000", &target("limits = 500"));
    assert!(
        text.starts_with("gateway.toml:17:10: targets.primary.limits: a number where a table is expected\n    mend: write { KEY = VALUE, ... } with the keys rpm, tpm"),
        "{text}"
    );
}

#[test]
fn prices_become_millionths_of_a_dollar() {
    let price = |text: &str| {
        let text = GOOD.replace("context_window = 128_000", &target(text));
        parse(&text).unwrap().targets[0].price.unwrap()
    };
    assert_eq!(
        price(
            "price = { input = 0.15, output = 3, cache_read = 0.075, cache_write = 0.1875, per_request = 0.005 }"
        ),
        Price {
            input: 150_000,
            output: 3_000_000,
            cache_read: 75_000,
            cache_write: 187_500,
            per_request: 5_000,
        }
    );
    let plain = price("price = { input = 2.5, output = 10.0 }");
    assert_eq!(
        (plain.cache_read, plain.cache_write),
        (plain.input, plain.input)
    );
    assert_eq!(plain.per_request, 0);
    let unknown = GOOD.replace("gpt-5-mini", "a-model-of-my-own");
    assert_eq!(parse(&unknown).unwrap().targets[0].price, None);
}

#[test]
fn bad_prices_are_refused() {
    let mend = |name: &str| {
        format!(
            "\n    mend: write dollars from 0 to 1000000 as a plain number with at most six decimals: {name} = 0.15"
        )
    };
    for (value, what) in [
        ("-0.1", "-0.1 is below zero"),
        (
            "0.0000001",
            "0.0000001 is finer than a millionth of a dollar",
        ),
        ("1e-3", "1e-3 is not a plain number"),
        ("nan", "nan is not a plain number"),
        ("2000000", "2000000 is out of range"),
        ("0x10", "not a decimal number"),
        ("\"0.15\"", "a text where a number is expected"),
    ] {
        target_fault(
            &format!("price = {{ output = 1, input = {value} }}"),
            &format!(
                "gateway.toml:17:31: targets.primary.price.input: {what}{}",
                mend("input")
            ),
        );
    }
    target_fault(
        "price = { input = 1 }",
        "gateway.toml:17:9: targets.primary.price.output: missing\n    mend: add output = 0.15, in dollars a million tokens",
    );
    target_fault(
        "price = { input = 1, output = 1, per_requests = 1 }",
        "gateway.toml:17:34: targets.primary.price.per_requests: unknown key\n    mend: did you mean `per_request`?",
    );
}

#[test]
fn strategy_and_hedging_are_read() {
    let config = |lines: &str| parse(&GOOD.replace("patience = \"2s\"", &route(lines))).unwrap();
    for strategy in Strategy::ALL {
        let config = config(&format!("strategy = \"{strategy}\""));
        assert_eq!(config.routes[0].strategy, Some(strategy));
    }
    assert_eq!(
        config("hedging = \"at_p90\"").routes[0].hedging,
        Some(Hedging::AtP90)
    );
    assert_eq!(
        config("hedging = \"off\"").routes[0].hedging,
        Some(Hedging::Off)
    );
    let plain = parse(GOOD).unwrap();
    assert_eq!(
        (plain.routes[0].strategy, plain.routes[0].hedging),
        (None, None)
    );
}

#[test]
fn a_wrong_strategy_or_hedging_names_the_nearest() {
    route_fault(
        "strategy = \"least-inflight\"",
        "gateway.toml:28:12: routes.chat.strategy: `least-inflight` is not known here\n    mend: did you mean `least_in_flight`? known: weighted, least_in_flight, power_of_two, head_room, cheapest, sticky",
    );
    route_fault(
        "hedging = \"at-p95\"",
        "gateway.toml:28:11: routes.chat.hedging: `at-p95` is not known here\n    mend: did you mean `at_p90`? known: off, at_p90",
    );
    route_fault(
        "hedging = true",
        "gateway.toml:28:11: routes.chat.hedging: true or false where a text is expected\n    mend: write it in quotes",
    );
}

#[test]
fn what_calls_stick_by_is_read() {
    let stick_to = |text: &str| {
        let lines = route(&format!("strategy = \"sticky\"\n{text}"));
        let config = parse(&GOOD.replace("patience = \"2s\"", &lines)).unwrap();
        config.routes[0].stick_to.clone()
    };
    assert_eq!(stick_to(""), StickTo::Key);
    assert_eq!(stick_to("stick_to = \"key\""), StickTo::Key);
    assert_eq!(stick_to("stick_to = \"Authorization\""), StickTo::Key);
    let header = StickTo::Header("x-session-id".parse().unwrap());
    assert_eq!(stick_to("stick_to = \"X-Session-Id\""), header);
}

#[test]
fn bad_things_to_stick_by_are_refused() {
    let mend = "\n    mend: write \"key\" for the caller's key, or a header's name of up to 64 characters such as \"x-session-id\"";
    for name in ["a b".to_owned(), "x".repeat(65)] {
        route_fault(
            &format!("strategy = \"sticky\"\nstick_to = \"{name}\""),
            &format!("gateway.toml:29:12: routes.chat.stick_to: not the name of a header{mend}"),
        );
    }
    let unused = "gateway.toml:28:12: routes.chat.stick_to: only the strategy `sticky` uses it\n    mend: write strategy = \"sticky\", or remove stick_to";
    route_fault("stick_to = \"key\"", unused);
    route_fault("stick_to = \"key\"\nstrategy = \"cheapest\"", unused);
    let text = faults(
        "patience = \"2s\"",
        &route("strategy = \"stiky\"\nstick_to = \"key\""),
    );
    assert!(text.contains("did you mean `sticky`?"), "{text}");
    assert!(!text.contains("stick_to"), "one slip is one fault: {text}");
}

#[test]
fn targets_of_a_route_are_counted_wherever_they_stand() {
    let mut text = String::new();
    for n in 0..129 {
        text.push_str(&format!(
            "[targets.t{n}]\nprovider = \"ollama\"\nmodel = \"m\"\n"
        ));
    }
    let tier: Vec<_> = (0..127).map(|n| format!("\"t{n}\"")).collect();
    text.push_str(&format!(
        "[routes.r]\ntiers = [[{}]]\non = {{ region = [\"t127\"] }}\n",
        tier.join(", ")
    ));
    parse(&text).unwrap();
    let fault = parse(&format!("{text}canary = {{ target = \"t128\" }}")).unwrap_err();
    let told = "routes.r.tiers: 129 targets in its tiers, under `on` and on trial, and at most 128";
    assert!(fault.to_string().contains(told), "{fault}");
}
