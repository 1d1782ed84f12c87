//! The simulator as a program, for drivers that are not written in Rust; `llm-sim --help` tells its arguments.

use std::io::{self, Write};
use std::process::ExitCode;

use llm_sim::{Script, Sim};

const HELP: &str = "\
A simulated LLM provider on real HTTP that fails by script.

Usage: llm-sim [--listen ADDRESS] [--script FILE] [--seed NUMBER] [--allow-remote]

  --listen ADDRESS   where to listen; default 127.0.0.1:9001, port 0 takes a free one
  --script FILE      how to fail, in TOML; without it everything is answered well
  --seed NUMBER      the source of all that is made up; default 0
  --allow-remote     allow an address that other machines can reach

Control: GET /_sim/count, GET /_sim/received, POST /_sim/script (TOML), POST /_sim/reset
";

#[derive(Debug, PartialEq, Eq)]
struct Arguments {
    listen: String,
    script: Option<String>,
    seed: u64,
    allow_remote: bool,
}

/// Reads the arguments; `None` asks for help.
fn read(arguments: impl IntoIterator<Item = String>) -> Result<Option<Arguments>, String> {
    let mut read = Arguments {
        listen: "127.0.0.1:9001".to_owned(),
        script: None,
        seed: 0,
        allow_remote: false,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, inline) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        let mut value = || {
            inline
                .clone()
                .or_else(|| arguments.next())
                .ok_or_else(|| format!("{name} needs a value"))
        };
        match name.as_str() {
            "--listen" => read.listen = value()?,
            "--script" => read.script = Some(value()?),
            "--seed" => {
                let text = value()?;
                read.seed = text
                    .parse()
                    .map_err(|_| format!("--seed {text} is not a whole number"))?;
            }
            "--allow-remote" => read.allow_remote = true,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("{name} is not known; see --help")),
        }
    }
    Ok(Some(read))
}

async fn run(arguments: Arguments) -> Result<(), String> {
    let script = match &arguments.script {
        None => Script::healthy(),
        Some(file) => {
            let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            Script::from_toml(&text).map_err(|error| format!("{file}: {error}"))?
        }
    };
    let mut sim = Sim::builder()
        .script(script)
        .seed(arguments.seed)
        .bind(arguments.listen);
    if arguments.allow_remote {
        sim = sim.allow_remote();
    }
    let sim = sim
        .start()
        .await
        .map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?;
    // Whoever started this program waits for the line; a closed pipe is no reason to stop.
    let _ = writeln!(io::stdout(), "{}", sim.base_url()).and_then(|()| io::stdout().flush());
    tokio::signal::ctrl_c()
        .await
        .map_err(|error| format!("cannot wait for Ctrl-C: {error}"))?;
    sim.shutdown().await;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    let done = match read(std::env::args().skip(1)) {
        Ok(None) => {
            let _ = io::stdout().write_all(HELP.as_bytes());
            Ok(())
        }
        Ok(Some(arguments)) => run(arguments).await,
        Err(wrong) => Err(wrong),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(wrong) => {
            let _ = writeln!(io::stderr(), "llm-sim: {wrong}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Option<Arguments>, String> {
        read(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn both_forms_of_a_value_are_understood() {
        let expected = Arguments {
            listen: "127.0.0.1:0".to_owned(),
            script: Some("a.toml".to_owned()),
            seed: 7,
            allow_remote: true,
        };
        assert_eq!(
            parse("--listen 127.0.0.1:0 --script=a.toml --seed 7 --allow-remote"),
            Ok(Some(expected))
        );
    }

    #[test]
    fn mistakes_are_named() {
        assert_eq!(
            parse("--sed 7"),
            Err("--sed is not known; see --help".to_owned())
        );
        assert_eq!(
            parse("--seed x"),
            Err("--seed x is not a whole number".to_owned())
        );
        assert_eq!(parse("--script"), Err("--script needs a value".to_owned()));
        assert_eq!(parse("-h"), Ok(None));
    }
}
