//! The gateway: OpenAI and Anthropic clients point their base URL here and survive provider failures.
//!
//! ```text
//! llm-gateway demo            an outage, survived, on simulated providers
//! llm-gateway serve           the gateway: a file, or keys from the environment, or the simulator
//! llm-gateway check FILE      is this configuration right?
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
