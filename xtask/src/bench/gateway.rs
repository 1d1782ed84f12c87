//! The gateway's price: the same requests through the gateway and through a bare axum + reqwest pass-through, both in
//! front of one simulated provider, in turns (A B A B), so that a slow moment of the machine meets both alike.
//!
//! The measure is processor time per request of the proxy's process, which says the same on an idle machine and on a
//! busy one. Latency is measured apart, over one connection, beside calls straight to the provider.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::load::{self, Load, Outcome};
use super::process;
use crate::server::{Server, free_address};
use crate::{http, shell};

/// How many connections load a proxy at once.
const CONNECTIONS: usize = 16;

/// One kind of request.
struct Kind {
    name: &'static str,
    stream: bool,
    /// Requests a round and proxy, for the processor time.
    requests: usize,
    /// Requests a round and proxy over one connection, for latency.
    calm_requests: usize,
    sign: &'static [u8],
}

const KINDS: &[Kind] = &[
    Kind {
        name: "whole",
        stream: false,
        requests: 32_000,
        calm_requests: 1_500,
        sign: b"chat.completion",
    },
    Kind {
        name: "streamed, 20 chunks",
        stream: true,
        requests: 8_000,
        calm_requests: 800,
        sign: b"[DONE]",
    },
];

/// Builds all three programs, measures, and returns the result.
pub(super) fn measure(quick: bool) -> Result<Value> {
    let rounds = if quick { 3 } else { 9 };
    let shrink = if quick { 4 } else { 1 };
    let programs = build()?;
    let folder = shell::target_dir().join("bench-gateway");
    std::fs::create_dir_all(&folder)?;

    let (sim_address, gateway_address, bare_address) =
        (free_address()?, free_address()?, free_address()?);
    let script = folder.join("sim.toml");
    std::fs::write(&script, sim_script())?;
    let config = folder.join("gateway.toml");
    std::fs::write(&config, gateway_config(sim_address))?;

    let _sim = Server::start(
        Command::new(&programs.sim)
            .args([
                "--listen",
                &sim_address.to_string(),
                "--seed",
                "7",
                "--script",
            ])
            .arg(&script),
        sim_address,
        &folder.join("sim.log"),
    )?;
    let gateway = Server::start(
        Command::new(&programs.gateway)
            .args([
                "serve",
                "--listen",
                &gateway_address.to_string(),
                "--config",
            ])
            .arg(&config),
        gateway_address,
        &folder.join("gateway.log"),
    )?;
    let bare = Server::start(
        Command::new(&programs.bare)
            .args([bare_address.to_string(), format!("http://{sim_address}")]),
        bare_address,
        &folder.join("passthrough.log"),
    )?;
    let idle = [
        process::resident_kib(gateway.pid())?,
        process::resident_kib(bare.pid())?,
    ];

    let mut kinds = Vec::new();
    for kind in KINDS {
        let run = |address: SocketAddr, connections: usize, requests: usize| {
            let model = if address == sim_address {
                "gpt-5-mini"
            } else {
                "chat"
            };
            load::run(&Load {
                address,
                request: http::request(
                    "POST",
                    "/v1/chat/completions",
                    address,
                    &body(model, kind.stream),
                ),
                connections,
                requests,
                sign: kind.sign,
            })
            .with_context(|| format!("{} requests to {address}", kind.name))
        };
        println!("\n== {}: {rounds} rounds", kind.name);
        for server in [&gateway, &bare] {
            run(server.address, CONNECTIONS, kind.requests / 8)?;
        }
        let mut sides = [Side::default(), Side::default()];
        let mut ratios = Vec::new();
        for round in 1..=rounds {
            let mut costs = [0.0; 2];
            for ((server, side), cost) in [&gateway, &bare]
                .into_iter()
                .zip(&mut sides)
                .zip(&mut costs)
            {
                let before = process::cpu_us(server.pid())?;
                let outcome = run(server.address, CONNECTIONS, kind.requests / shrink)?;
                let used = process::cpu_us(server.pid())? - before;
                *cost = side.add(used, &outcome);
            }
            let [gateway_cost, bare_cost] = costs;
            println!(
                "round {round}: gateway {gateway_cost:.1} µs, pass-through {bare_cost:.1} µs a request"
            );
            ratios.push(gateway_cost / bare_cost);
        }
        // Calm latency, in turns as well.
        let mut calm = [Vec::new(), Vec::new(), Vec::new()];
        for _ in 0..3 {
            for (address, found) in [sim_address, gateway.address, bare.address]
                .into_iter()
                .zip(&mut calm)
            {
                let outcome = run(address, 1, kind.calm_requests / shrink)?;
                found.push((outcome.quantile_ms(0.5), outcome.quantile_ms(0.99)));
            }
        }
        let [direct, through_gateway, through_bare] = calm.map(|found| {
            (
                middle(found.iter().map(|pair| pair.0)),
                middle(found.iter().map(|pair| pair.1)),
            )
        });
        let [gateway_side, bare_side] = &sides;
        kinds.push(json!({
            "name": kind.name,
            "requests_a_round": kind.requests / shrink,
            "rounds": rounds,
            "gateway": gateway_side.shown(through_gateway, direct),
            "pass_through": bare_side.shown(through_bare, direct),
            "direct_ms": { "p50": direct.0, "p99": direct.1 },
            "cpu_ratio": spread(&ratios),
        }));
    }
    let loaded = [
        process::resident_kib(gateway.pid())?,
        process::resident_kib(bare.pid())?,
    ];
    let size = |path: &Path| std::fs::metadata(path).map(|meta| meta.len()).unwrap_or(0);
    Ok(json!({
        "connections": CONNECTIONS,
        "request_bytes": body("chat", false).len(),
        "kinds": kinds,
        "gateway": { "idle_kib": idle[0], "loaded_kib": loaded[0], "binary_bytes": size(&programs.gateway) },
        "pass_through": { "idle_kib": idle[1], "loaded_kib": loaded[1], "binary_bytes": size(&programs.bare) },
    }))
}

/// The rounds of one proxy.
#[derive(Default)]
struct Side {
    cpu_us: Vec<f64>,
    per_second: Vec<f64>,
}

impl Side {
    /// Takes a round's figures and returns its processor time per request in microseconds.
    #[expect(
        clippy::cast_precision_loss,
        reason = "microseconds of one round are far below 2^52"
    )]
    fn add(&mut self, used_us: u64, outcome: &Outcome) -> f64 {
        let cost = used_us as f64 / outcome.requests.max(1) as f64;
        self.cpu_us.push(cost);
        self.per_second.push(outcome.per_second());
        cost
    }

    fn shown(&self, calm: (f64, f64), direct: (f64, f64)) -> Value {
        json!({
            "cpu_us": spread(&self.cpu_us),
            "requests_a_second": middle(self.per_second.iter().copied()),
            "added_ms": { "p50": calm.0 - direct.0, "p99": calm.1 - direct.1 },
        })
    }
}

struct Programs {
    gateway: PathBuf,
    sim: PathBuf,
    bare: PathBuf,
}

fn build() -> Result<Programs> {
    for what in [
        ["-p", "llm-gateway", "--bin", "llm-gateway"],
        ["-p", "llm-sim", "--bin", "llm-sim"],
        ["-p", "llm-gateway", "--example", "passthrough"],
    ] {
        shell::step(
            "build",
            shell::cargo()
                .args(["build", "--release", "--quiet"])
                .args(what),
        )?;
    }
    let release = shell::target_dir().join("release");
    Ok(Programs {
        gateway: release.join("llm-gateway"),
        sim: release.join("llm-sim"),
        bare: release.join("examples").join("passthrough"),
    })
}

/// A conversation of about 1.5 KB, as a chat front end sends it.
fn body(model: &str, stream: bool) -> String {
    let turn = "The quick brown fox jumps over the lazy dog while the band plays on and nobody minds the rain. ";
    json!({
        "model": model,
        "stream": stream,
        "temperature": 0.2,
        "max_tokens": 256,
        "messages": [
            { "role": "system", "content": turn.repeat(4) },
            { "role": "user", "content": turn.repeat(6) },
            { "role": "assistant", "content": turn.repeat(2) },
            { "role": "user", "content": turn.repeat(2) },
        ],
    })
    .to_string()
}

/// Answers of about 1 KB whole, and of 20 chunks streamed.
fn sim_script() -> String {
    let words: Vec<String> = (1..=20)
        .map(|number| format!("{number:02}-{}", "lorem-ipsum-dolor-sit-amet"))
        .collect();
    format!("text = \"{}\"\n", words.join(" "))
}

fn gateway_config(sim: SocketAddr) -> String {
    format!(
        "[targets.primary]\nprovider = \"openai\"\nbase_url = \"http://{sim}/v1\"\nmodel = \"gpt-5-mini\"\n\n\
         [routes.chat]\ntiers = [[\"primary\"]]\n"
    )
}

/// Least, middle and greatest.
fn spread(numbers: &[f64]) -> Value {
    let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    json!({ "min": least, "median": middle(numbers.iter().copied()), "max": greatest })
}

fn middle(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = numbers.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The result as Markdown.
pub(super) fn table(result: &Value) -> String {
    let number = |value: &Value, path: &str| {
        value
            .pointer(path)
            .and_then(Value::as_f64)
            .unwrap_or(f64::NAN)
    };
    let mut text = String::from(
        "| requests | measure | gateway | pass-through | ratio |\n| --- | --- | --- | --- | --- |\n",
    );
    for kind in result
        .get("kinds")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let name = kind.get("name").and_then(Value::as_str).unwrap_or_default();
        let of = |path: &str| number(kind, path);
        let _ = writeln!(
            text,
            "| {name} | processor time a request, median (least to greatest) | {:.1} µs ({:.1} to {:.1}) | {:.1} µs ({:.1} to {:.1}) | **{:.2}** ({:.2} to {:.2}) |",
            of("/gateway/cpu_us/median"),
            of("/gateway/cpu_us/min"),
            of("/gateway/cpu_us/max"),
            of("/pass_through/cpu_us/median"),
            of("/pass_through/cpu_us/min"),
            of("/pass_through/cpu_us/max"),
            of("/cpu_ratio/median"),
            of("/cpu_ratio/min"),
            of("/cpu_ratio/max"),
        );
        let rows = [
            ("requests a second", "requests_a_second", 0, ""),
            ("added latency p50", "added_ms/p50", 3, " ms"),
            ("added latency p99", "added_ms/p99", 3, " ms"),
        ];
        for (what, path, digits, unit) in rows {
            let ours = of(&format!("/gateway/{path}"));
            let bare = of(&format!("/pass_through/{path}"));
            // A difference of two latencies may be nought or less; a ratio of such says nothing.
            let ratio = if unit.is_empty() {
                format!("{:.2}", ours / bare)
            } else {
                "–".to_owned()
            };
            let _ = writeln!(
                text,
                "| {name} | {what} | {ours:.digits$}{unit} | {bare:.digits$}{unit} | {ratio} |"
            );
        }
    }
    for (what, path, unit, divisor) in [
        ("memory held, idle", "idle_kib", "MiB", 1024.0),
        ("memory held, after the load", "loaded_kib", "MiB", 1024.0),
        ("binary", "binary_bytes", "MiB", 1024.0 * 1024.0),
    ] {
        let ours = number(result, &format!("/gateway/{path}")) / divisor;
        let bare = number(result, &format!("/pass_through/{path}")) / divisor;
        let _ = writeln!(
            text,
            "| – | {what} | {ours:.1} {unit} | {bare:.1} {unit} | {:.2} |",
            ours / bare
        );
    }
    let _ = writeln!(
        text,
        "\nProcessor time under {} connections at once, rounds in turns; added latency over one connection, beside calls \
         straight to the provider; requests of {} bytes. Load, proxies and provider share the machine, so requests a second \
         say what the machine does, not what the proxy could.",
        number(result, "/connections"),
        number(result, "/request_bytes"),
    );
    text
}
