//! The gateway: OpenAI and Anthropic clients point their base URL here and survive provider failures.
//!
//! ```text
//! llm-gateway demo            an outage, survived, on simulated providers
//! llm-gateway serve           the gateway: a file, or keys from the environment, or the simulator
//! llm-gateway check FILE      is this configuration right? (or --config FILE)
//! llm-gateway keys            every key a configuration may hold
//! ```
//!
//! | question | file |
//! |---|---|
//! | which keys may a configuration hold? | `config/key.rs` |
//! | what is wrong with mine? | `config/` |
//! | what does a path answer? | `http.rs` |
//! | what does the caller see on failure? | `reply.rs` |
//! | what is counted? | `metrics.rs` |
//! | what if nobody reads the log? | `log.rs` |
//! | when is an operator told of a target's error rate? | `alert.rs` |
//! | what happens on SIGHUP? | `reload.rs` |
//! | how many connections are there room for? | `room.rs` |
//! | how does it start and stop? | `server.rs`, `command/serve.rs` |

mod alert;
mod body;
mod command;
mod config;
mod demo;
mod engine;
mod http;
mod log;
mod metrics;
mod nearest;
mod peer;
mod reload;
mod reply;
mod room;
mod server;
mod simulated;
mod stall;
mod stop;

use clap::{Parser, Subcommand};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

/// Keeps calls to large language models alive when their providers fail.
#[derive(Debug, Parser)]
#[command(name = "llm-gateway", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What is logged to standard error, for example `debug` or `llm_gateway=debug,warn`.
    #[arg(long, global = true, value_name = "FILTER", env = "LLM_GATEWAY_LOG")]
    log: Option<String>,
    /// How it is logged.
    #[arg(long, global = true, value_enum, default_value = "text")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum LogFormat {
    /// One line for people.
    Text,
    /// One JSON object.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(command::demo::Demo),
    Serve(command::serve::Serve),
    Check(command::check::Check),
    Keys(command::keys::Keys),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(error) = run(arguments) {
        report(&error);
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let usual = match arguments.command {
        Command::Serve(_) => "info",
        // A demonstration breaks things on purpose.
        Command::Check(_) | Command::Demo(_) | Command::Keys(_) => "off",
    };
    let filter = EnvFilter::try_new(arguments.log.as_deref().unwrap_or(usual))?;
    // Held to the end: it writes the last lines.
    let (lines, _flush) = log::start(std::io::stderr())?;
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(lines)
        .with_target(false);
    match arguments.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
    match arguments.command {
        Command::Check(check) => check.run(),
        Command::Keys(_) => {
            command::keys::Keys::run();
            Ok(())
        }
        Command::Demo(demo) => runtime()?.block_on(demo.run()),
        Command::Serve(serve) => runtime()?.block_on(serve.run()),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
}

/// Tells on standard error why the command failed, cause by cause.
#[expect(
    clippy::print_stderr,
    reason = "the command's last word, to whoever started it"
)]
fn report(error: &anyhow::Error) {
    if let Some(faults) = error.downcast_ref::<config::fault::Faults>() {
        let count = faults.list.len();
        eprintln!(
            "{faults}\n{count} fault{}",
            if count == 1 { "" } else { "s" }
        );
    } else {
        eprintln!("error: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What follows a beginning, up to the end of the code or the line, or to a remark.
    fn commands<'t>(text: &'t str, beginning: &str) -> Vec<&'t str> {
        let rest = text.split(beginning).skip(1);
        let code = rest.filter_map(|rest| rest.split(['`', '\n', '#', '|']).next());
        let code = code.filter_map(|code| code.split("   ").next());
        code.map(str::trim).collect()
    }

    #[track_caller]
    fn parse(command: &str) {
        let words = std::iter::once("llm-gateway").chain(command.split_whitespace());
        if let Err(error) = Arguments::try_parse_from(words) {
            panic!("`{command}` is no command: {error}");
        }
    }

    #[test]
    fn the_commands_on_the_first_page_are_commands() {
        let page = include_str!("../../../README.md");
        let found = commands(page, "cargo run --release -- ");
        assert!(found.len() >= 4, "{found:?}");
        found.into_iter().for_each(parse);
        commands(page, "`-- ").into_iter().for_each(parse);
    }

    #[test]
    fn the_commands_in_the_books_are_commands() {
        let mut count = 0;
        for page in [
            include_str!("../../../docs/configuration.md"),
            include_str!("../../../docs/gateway.md"),
            include_str!("../../../docs/tuning.md"),
            include_str!("../README.md"),
        ] {
            for command in ["check", "serve", "demo", "keys"] {
                for rest in commands(page, &format!("llm-gateway {command}")) {
                    // Alone it may be no more than its name.
                    if command != "check" || !rest.is_empty() {
                        parse(&format!("{command} {rest}"));
                        count += 1;
                    }
                }
            }
        }
        assert!(count >= 3, "{count}");
    }

    #[test]
    fn a_configuration_is_named_in_either_way() {
        parse("check gateway.toml");
        parse("check --config gateway.toml");
        let both = Arguments::try_parse_from(["llm-gateway", "check"]);
        // The environment may name one.
        assert!(both.is_err() || std::env::var_os("LLM_GATEWAY_CONFIG").is_some());
    }
}
