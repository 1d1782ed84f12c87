//! The log, which must never hold up a call.
//!
//! Whoever collects standard error may stand still: a full disk, a container runtime that is being restarted. A write
//! would then wait, and with it the call that had something to say, and soon every other one. So lines go to a thread of
//! their own, by a queue; those for which it has no room are lost, and their number is told when there is room again.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written, at most.
const WAITING: usize = 8192;
/// How long the last lines may take at the end.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Where lines go.
#[derive(Debug, Clone)]
pub(crate) struct Lines {
    queue: SyncSender<Said>,
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Said {
    Line(Vec<u8>),
    /// All that came before is to be written; then say so.
    End(SyncSender<()>),
}

/// Sees to it that what was said is written before the process ends; in its last second, if it must.
#[derive(Debug)]
pub(crate) struct Flush(Lines);

/// Starts the thread that writes to `out`.
///
/// # Errors
///
/// The system's, where no thread can be had.
pub(crate) fn start(out: impl Write + Send + 'static) -> io::Result<(Lines, Flush)> {
    let (queue, said) = sync_channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let lines = Lines {
        queue,
        lost: Arc::clone(&lost),
    };
    let thread = std::thread::Builder::new().name("log".to_owned());
    thread.spawn(move || write(&said, &lost, out))?;
    Ok((lines.clone(), Flush(lines)))
}

/// Writes until nobody is left who could say anything. What cannot be written is lost: there is nowhere to say so.
fn write(said: &Receiver<Said>, lost: &AtomicU64, mut out: impl Write) {
    for said in said {
        match said {
            Said::Line(line) => {
                let _ = out.write_all(&line);
                let lost = lost.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    let _ = writeln!(
                        out,
                        "{lost} lines of the log were lost: they came faster than they could be written"
                    );
                }
            }
            Said::End(done) => {
                let _ = out.flush();
                let _ = done.try_send(());
            }
        }
    }
}

impl Drop for Flush {
    fn drop(&mut self) {
        let (done, over) = sync_channel(1);
        // A queue that is full after a second is one that nobody empties.
        if self.0.queue.try_send(Said::End(done)).is_ok() {
            let _ = over.recv_timeout(LAST_LINES);
        }
    }
}

impl Write for &Lines {
    /// Takes one line, or several, as the subscriber hands them over: whole.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.queue.try_send(Said::Line(line.to_vec())).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Writes down what it is given, once it is let.
    #[derive(Clone, Default)]
    struct Slow {
        gate: Arc<Mutex<()>>,
        written: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _open = self.gate.lock().unwrap();
            self.written.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_waits_for_a_log_that_stands_still_and_what_is_lost_is_counted() {
        let slow = Slow::default();
        let shut = slow.gate.lock().unwrap();
        let (lines, flush) = start(slow.clone()).unwrap();
        let say = |words: String| (&lines).write_all(words.as_bytes()).unwrap();
        for nth in 0..WAITING + 100 {
            say(format!("{nth}\n"));
        }
        drop(shut);
        let written = || {
            let written = slow.written.lock().unwrap().clone();
            String::from_utf8(written).unwrap()
        };
        let (done, over) = sync_channel(1);
        lines.queue.send(Said::End(done)).unwrap();
        over.recv().unwrap();
        assert!(written().contains("lines of the log were lost"));
        say("after\n".to_owned());
        drop(flush);
        assert!(written().starts_with("0\n"), "in their order");
        assert!(written().ends_with("after\n"));
    }
}
