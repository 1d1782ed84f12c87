//! Child processes that listen on the loopback: started, waited for, and ended with their owner.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::shell;

/// How long a server may take to accept its first connection.
const START_LIMIT: Duration = Duration::from_secs(20);

/// A server of ours in its own process; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a program that listens on `address`, and returns once it accepts connections. What it prints goes to the
    /// file `log`.
    pub(crate) fn start(command: &mut Command, address: SocketAddr, log: &Path) -> Result<Self> {
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().to_string_lossy()))?;
        let mut server = Self {
            child,
            log: log.to_path_buf(),
            address,
        };
        let start = shell::now();
        loop {
            if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
                return Ok(server);
            }
            if let Some(status) = server.child.try_wait()? {
                bail!(
                    "{} ended at once ({status}):\n{}",
                    name(command),
                    server.printed()
                );
            }
            if start.elapsed() > START_LIMIT {
                bail!(
                    "{} does not listen on {address}:\n{}",
                    name(command),
                    server.printed()
                );
            }
            shell::sleep(Duration::from_millis(5));
        }
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process has printed so far.
    pub(crate) fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing to do about any other failure here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn name(command: &Command) -> String {
    Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

/// Ports that are given out: below those that systems take for outgoing connections, so that no client's connection sits
/// on one just when a server wants it.
const PORTS: std::ops::Range<u16> = 18_000..30_000;

/// How many were given out by this process; two never get the same one.
static GIVEN: AtomicU16 = AtomicU16::new(0);

/// An address of the loopback that nothing listens on just now, and that is given out only once.
pub(crate) fn free_address() -> Result<SocketAddr> {
    // Two build tools at work at once begin in different places.
    let begin = u16::try_from(std::process::id() % 97).unwrap_or(0) * 120;
    let count = PORTS.end - PORTS.start;
    for _ in 0..count {
        let next = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + begin.wrapping_add(next) % count;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
    bail!("no port between {} and {} is free", PORTS.start, PORTS.end);
}
