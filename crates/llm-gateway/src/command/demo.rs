//! `demo`: an outage, lived through with and without the gateway at the same time.

use crate::demo::drive::Caller;
use crate::demo::report::{self, Paint, Pair, Tally};
use crate::demo::script::{EVERY, PHASES, question};
use crate::demo::stage::{Stage, Upstream};
use crate::stop::StopSignals;
use anyhow::bail;
use std::io::IsTerminal as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// The most upstream calls for each request that protection may cost.
const DEAREST: f64 = 1.5;
/// Calls that may be over and not yet shown.
const MOST_FINISHED: usize = 64;

/// Shows an outage, survived: half a minute, simulated providers, real sockets.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Go on serving afterwards, to try it by hand.
    #[arg(long)]
    keep: bool,
    /// Where the gateway listens. By default a free port of this machine.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
}

impl Demo {
    /// Runs the outage and prints what came of it.
    ///
    /// # Errors
    ///
    /// The protected side lost a call, or cost too many upstream calls.
    pub(crate) async fn run(self) -> anyhow::Result<()> {
        let stage = Stage::set_up(self.listen).await?;
        let paint = Paint(std::io::stdout().is_terminal());
        say!(
            "Each call is made twice at the same moment: directly to a provider, and through the gateway"
        );
        say!(
            "({}), which has an equal provider and a backup behind it.",
            stage.protected_url()
        );
        let pairs = play(&stage, paint).await?;
        let upstream = stage.upstream();
        let verdict = conclude(&pairs, upstream, paint);
        if self.keep {
            invite(&stage);
            StopSignals::catch()?.next().await;
        }
        stage.tear_down().await?;
        verdict
    }
}

/// Makes all calls of all phases and prints each when both its sides are over.
async fn play(stage: &Stage, paint: Paint) -> anyhow::Result<Vec<Pair>> {
    let started = Instant::now();
    let (plain, through) = (Caller::new(), Caller::new());
    let (finished, mut results) = mpsc::channel(MOST_FINISHED);
    let mut pairs: Vec<Pair> = Vec::new();
    let mut show = |pair: Pair| {
        say!("{}", report::line(&pair, paint));
        pairs.push(pair);
    };
    let mut number = 0;
    let mut ends = Duration::ZERO;
    for (index, phase) in PHASES.iter().enumerate() {
        stage.enter(phase)?;
        say!(
            "\n{}",
            paint.bold(&format!("{}: {}", phase.name, phase.told))
        );
        ends += phase.lasts;
        while started.elapsed() < ends {
            let (text, stream) = question(number);
            let call = Call {
                number,
                phase: index,
                at: started.elapsed(),
                text,
                stream,
            };
            tokio::spawn(make(
                call,
                (plain.clone(), stage.bare_url()),
                (through.clone(), stage.protected_url()),
                finished.clone(),
            ));
            number += 1;
            let next = tokio::time::sleep(EVERY);
            tokio::pin!(next);
            loop {
                tokio::select! {
                    () = &mut next => break,
                    Some(pair) = results.recv() => show(pair),
                }
            }
        }
    }
    drop(finished);
    say!("\n{}", paint.bold("the last calls come to their end"));
    while let Some(pair) = results.recv().await {
        show(pair);
    }
    pairs.sort_by_key(|pair| pair.number);
    Ok(pairs)
}

/// One call to be made on both sides.
struct Call {
    number: usize,
    phase: usize,
    at: Duration,
    text: String,
    stream: bool,
}

async fn make(
    call: Call,
    (plain, bare_url): (Caller, String),
    (through, protected_url): (Caller, String),
    finished: mpsc::Sender<Pair>,
) {
    let (bare, protected) = tokio::join!(
        plain.ask(&bare_url, &call.text, call.stream),
        through.ask(&protected_url, &call.text, call.stream),
    );
    let pair = Pair {
        number: call.number,
        phase: call.phase,
        at: call.at,
        stream: call.stream,
        bare,
        protected,
    };
    // Nobody listens any more only if the demonstration was given up.
    let _ = finished.send(pair).await;
}

/// Prints the tables, and judges.
fn conclude(pairs: &[Pair], upstream: Upstream, paint: Paint) -> anyhow::Result<()> {
    let bare = Tally::of(pairs.iter().map(|pair| &pair.bare));
    let protected = Tally::of(pairs.iter().map(|pair| &pair.protected));
    say!("\n{}\n{}", paint.bold("By phase"), report::phases(pairs));
    say!(
        "{}\n{}",
        paint.bold("In all"),
        report::table(&bare, &protected, upstream)
    );
    say!(
        "{}\n{}",
        paint.bold("Three calls, hop by hop"),
        report::trails(pairs)
    );
    let ratio = report::amplification(upstream.protected, protected.calls());
    if protected.failed > 0 {
        bail!(
            "the protected side lost {} of {} calls",
            protected.failed,
            protected.calls()
        );
    }
    if ratio >= DEAREST {
        bail!("protection cost {ratio:.2} upstream calls per request, {DEAREST} are allowed");
    }
    say!(
        "No call was lost with protection; without it, {} of {} were.",
        bare.failed,
        bare.calls()
    );
    Ok(())
}

/// Says how to try it by hand.
fn invite(stage: &Stage) {
    let url = stage.protected_url();
    let root = stage.gateway();
    say!("\nStill serving, on simulated providers. Ctrl-C ends it. For example:\n");
    say!(
        "  curl {url}/chat/completions -H 'content-type: application/json' -H 'x-llm-trace: 1' -i \\"
    );
    say!(
        "    -d '{{\"model\":\"chat\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello?\"}}]}}'"
    );
    say!("  curl -N {url}/chat/completions -H 'content-type: application/json' \\");
    say!(
        "    -d '{{\"model\":\"chat\",\"stream\":true,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello?\"}}]}}'"
    );
    say!(
        "  curl {url}/messages -H 'content-type: application/json' -H 'anthropic-version: 2023-06-01' \\"
    );
    say!(
        "    -d '{{\"model\":\"chat\",\"max_tokens\":50,\"messages\":[{{\"role\":\"user\",\"content\":\"Hello?\"}}]}}'"
    );
    say!("  curl http://{root}/metrics");
}
