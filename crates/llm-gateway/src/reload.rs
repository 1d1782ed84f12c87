//! The configuration file is read again and served from then on, without a restart: on SIGHUP and, where the file says so
//! (`watch`), when it has changed.
//!
//! Calls under way end as they began, and what was learnt of targets that stay is kept. A file with a fault changes
//! nothing; every fault is logged. Reloads follow each other: signals that come during one are one more reload.

use crate::config::fault::Faults;
use crate::config::secret::{Process, World};
use crate::config::{Config, Target};
use crate::http::App;
use secrecy::ExposeSecret as _;
use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Waits for signals, from its making on.
#[derive(Debug)]
pub(crate) struct Hangup {
    #[cfg(unix)]
    signal: tokio::signal::unix::Signal,
}

impl Hangup {
    /// Begins to catch the signal, which would end the process otherwise.
    ///
    /// # Errors
    ///
    /// The system's, where it cannot be caught.
    #[cfg_attr(
        not(unix),
        expect(clippy::unnecessary_wraps, reason = "it can fail on Unix")
    )]
    pub(crate) fn catch() -> std::io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())?,
        })
    }

    /// The next signal; on systems without it, never.
    async fn next(&mut self) {
        #[cfg(unix)]
        if self.signal.recv().await.is_some() {
            return;
        }
        std::future::pending::<()>().await;
    }
}

/// Reads one file again and again, and has it served.
#[derive(Debug)]
pub(crate) struct Reload {
    path: PathBuf,
    app: Arc<App>,
    /// What the process started with: listeners and limits of the server are these until it ends.
    started: Config,
    /// What is served now.
    present: Config,
    /// Reloads so far.
    turn: u32,
    /// What was read last, served or not.
    seen: u64,
    /// A change that stands since the last look, and is served if it is still there at the next.
    fresh: Option<u64>,
}

/// What one reading of the file gave.
struct Read {
    /// What stands for its text and for the keys that it names.
    print: u64,
    config: Result<Config, Faults>,
}

/// Why the file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Signal,
    Look,
}

impl Reload {
    /// Reloads `path`, of which `config` was read, into `app`.
    pub(crate) fn new(path: PathBuf, config: Config, app: Arc<App>) -> Self {
        Self {
            path,
            app,
            started: config.clone(),
            present: config,
            turn: 0,
            seen: 0,
            fresh: None,
        }
    }

    /// Reloads at every signal and, where the configuration says so, when the file has changed. Ends only by being dropped.
    pub(crate) async fn run(mut self, mut hangup: Hangup) {
        if let Some(read) = self.read().await {
            self.seen = read.print;
        }
        loop {
            let cause = tokio::select! {
                () = hangup.next() => Cause::Signal,
                () = next_look(self.present.watch) => Cause::Look,
            };
            if let Some(read) = self.read().await
                && self.is_due(cause, read.print)
            {
                self.take(read.config);
            }
        }
    }

    async fn read(&self) -> Option<Read> {
        let path = self.path.clone();
        // The disk may be slow, and calls are not to wait for it.
        match tokio::task::spawn_blocking(move || read(&path)).await {
            Ok(read) => Some(read),
            Err(error) => {
                tracing::error!(%error, "not reloaded: the file could not be read to its end");
                None
            }
        }
    }

    /// Whether what was read is to be served: at a signal always, at a look where it is new and was there at the last one.
    fn is_due(&mut self, cause: Cause, print: u64) -> bool {
        let stands = self.fresh.replace(print) == Some(print);
        let due = cause == Cause::Signal || (stands && print != self.seen);
        if due {
            self.seen = print;
        }
        due
    }

    /// Serves what was read, or says why not.
    fn take(&mut self, read: Result<Config, Faults>) {
        let mut next = match read {
            Ok(next) => next,
            Err(faults) => {
                for fault in faults.lines() {
                    tracing::error!("{fault}");
                }
                let faults = faults.list.len();
                tracing::error!(faults, "not reloaded: everything stays as it was");
                return;
            }
        };
        self.turn = self.turn.saturating_add(1);
        turn_keys(&self.present, &mut next, self.turn);
        if let Err(error) = self.app.reload(&self.present, &next) {
            tracing::error!("not reloaded: everything stays as it was: {error:#}");
            return;
        }
        for kept in kept(&self.started, &next) {
            tracing::warn!("{kept}");
        }
        let (targets, routes) = (next.targets.len(), next.routes.len());
        tracing::info!(targets, routes, "reloaded {}", self.path.display());
        self.present = next;
    }
}

/// Comes when it is time to look at the file; never, where nobody is to.
async fn next_look(every: Option<Duration>) {
    match every {
        Some(every) => tokio::time::sleep(every).await,
        None => std::future::pending().await,
    }
}

/// Reads the file and the keys that it names.
fn read(path: &Path) -> Read {
    let keys = Printed::default();
    let config = Config::load(path, &keys);
    let mut print = keys.0.into_inner();
    // A file that cannot be read is told of by `config`; here it is one that holds nothing.
    print.write(&std::fs::read(path).unwrap_or_default());
    let print = print.finish();
    Read { print, config }
}

/// The process, and a print of the keys that were fetched from it. The print never leaves the process, and tells nothing of them.
#[derive(Default)]
struct Printed(RefCell<DefaultHasher>);

impl World for Printed {
    fn variable(&self, name: &str) -> Option<String> {
        Process.variable(name)
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        let text = Process.file(path);
        let mut print = self.0.borrow_mut();
        (path, text.as_ref().ok()).hash(&mut *print);
        text
    }
}

/// Marks the keys of `next` that replace others of the same label, so that what was learnt of those is not held against
/// them.
fn turn_keys(present: &Config, next: &mut Config, turn: u32) {
    for target in &mut next.targets {
        let mut alike = present.targets.iter().filter(|known| {
            known.credential == target.credential && known.provider == target.provider
        });
        let first = alike.clone().next();
        let Some(known) = alike.find(|known| known.name == target.name).or(first) else {
            continue;
        };
        let key = |of: &Target| {
            let fixed = of.api_key.as_ref();
            let fixed = fixed.map(|key| key.expose_secret().to_owned());
            (fixed, of.cloud.secrets())
        };
        target.key_turn = if key(known) == key(target) {
            known.key_turn
        } else {
            turn
        };
    }
}

/// What `next` says and only a restart would change.
fn kept(started: &Config, next: &Config) -> Vec<&'static str> {
    let all = [
        (
            started.listen != next.listen,
            "`listen` has changed: callers are served where they were until a restart",
        ),
        (
            started.admin_listen != next.admin_listen,
            "`admin_listen` has changed: metrics and health stay where they were until a restart",
        ),
        (
            started.server != next.server,
            "[server] has changed: its limits stay as they were until a restart",
        ),
    ];
    let changed = all.into_iter().filter(|(changed, _)| *changed);
    changed.map(|(_, what)| what).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::wellknown;

    #[derive(Debug)]
    struct Key(&'static str);

    impl World for Key {
        fn variable(&self, name: &str) -> Option<String> {
            Some(format!("{name} {}", self.0))
        }
        fn file(&self, _: &Path) -> std::io::Result<String> {
            Ok("always the same".to_owned())
        }
    }

    #[test]
    fn a_replaced_key_is_another_credential_and_one_that_stays_is_not() {
        let text = |name: &str| {
            format!(
                "[targets.{name}]\nprovider = \"openai\"\nmodel = \"m\"\napi_key = {{ env = \"K\" }}\n[targets.b]\nprovider = \"openai\"\nmodel = \"m\"\napi_key = {{ file = \"f\" }}\n[routes.r]\ntiers = [[\"b\"]]"
            )
        };
        let read = |name: &str, key| Config::parse("t", &text(name), &Key(key)).unwrap();
        let turns = |config: &Config| {
            config
                .targets
                .iter()
                .map(|t| t.key_turn)
                .collect::<Vec<_>>()
        };
        let started = read("a", "old");
        let mut second = read("a", "new");
        turn_keys(&started, &mut second, 1);
        assert_eq!(turns(&second), [1, 0]);
        // The key stays: so does its turn, also for a target of another name.
        let mut third = read("c", "new");
        turn_keys(&second, &mut third, 2);
        assert_eq!(turns(&third), [1, 0]);
    }

    #[test]
    fn what_only_a_restart_changes_is_told() {
        let started = wellknown::with_defaults(Vec::new(), Vec::new());
        assert_eq!(kept(&started, &started), Vec::<&str>::new());
        let mut next = started.clone();
        next.listen.set_port(1);
        next.admin_listen = Some(next.listen);
        next.server.max_body_bytes += 1;
        let told = kept(&started, &next);
        let begins: Vec<_> = told
            .iter()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(begins, ["`listen`", "`admin_listen`", "[server]"]);
    }
}
