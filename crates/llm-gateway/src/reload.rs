//! SIGHUP: the configuration file is read again and served from then on, without a restart.
//!
//! Calls under way end as they began, and what was learnt of targets that stay is kept. A file with a fault changes
//! nothing; every fault is logged. Reloads follow each other: signals that come during one are one more reload.

use crate::config::fault::Faults;
use crate::config::secret::Process;
use crate::config::{Config, Target};
use crate::http::App;
use secrecy::ExposeSecret as _;
use std::path::PathBuf;
use std::sync::Arc;

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
        }
    }

    /// Reloads at every signal. Ends only by being dropped.
    pub(crate) async fn run(mut self, mut hangup: Hangup) {
        loop {
            hangup.next().await;
            let path = self.path.clone();
            // The disk may be slow, and calls are not to wait for it.
            let read = tokio::task::spawn_blocking(move || Config::load(&path, &Process)).await;
            match read {
                Ok(read) => self.take(read),
                Err(error) => {
                    tracing::error!(%error, "not reloaded: the file could not be read to its end");
                }
            }
        }
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
    use crate::config::secret::World;
    use crate::config::wellknown;
    use std::path::Path;

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
