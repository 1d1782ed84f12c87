//! A socket that does not wait for ever on a peer who does not read.
//!
//! The clocks of an answer run only while its pieces are asked for, and nobody asks while the peer's window is full. So
//! the socket itself keeps time: how long one write may stand still, and how long all of them since the peer last sent
//! something. Then the write fails, the connection ends, and the upstream call with it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// How long a peer may keep writes waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// One write without any progress.
    pub(crate) stall: Duration,
    /// All writes together since the peer last sent something, which is its request.
    pub(crate) total: Duration,
}

impl Default for Patience {
    /// 30 s, 10 min.
    fn default() -> Self {
        Self {
            stall: Duration::from_secs(30),
            total: Duration::from_secs(600),
        }
    }
}

/// A socket whose writes fail with [`io::ErrorKind::TimedOut`] where the peer is too slow.
#[derive(Debug)]
pub(crate) struct Stall<S> {
    socket: S,
    patience: Patience,
    /// Since when a write waits, and until when.
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// How long earlier writes waited.
    waited: Duration,
}

impl<S> Stall<S> {
    pub(crate) fn new(socket: S, patience: Patience) -> Self {
        Self {
            socket,
            patience,
            waiting: None,
            waited: Duration::ZERO,
        }
    }

    /// Counts the wait of one write.
    fn timed<T>(
        &mut self,
        cx: &mut Context<'_>,
        wrote: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if wrote.is_ready() {
            if let Some((since, _)) = self.waiting.take() {
                self.waited = self.waited.saturating_add(since.elapsed());
            }
            return wrote;
        }
        let left = self.patience.total.saturating_sub(self.waited);
        let limit = self.patience.stall.min(left);
        let (_, over) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(sleep(limit))));
        ready!(over.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stall<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let read = Pin::new(&mut this.socket).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.waited = Duration::ZERO;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stall<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write(cx, buf);
        this.timed(cx, wrote)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let wrote = Pin::new(&mut this.socket).poll_write_vectored(cx, bufs);
        this.timed(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::net::{TcpListener, TcpStream};

    /// Writes to a peer who never reads until the socket says no.
    async fn unread(patience: Patience) -> io::ErrorKind {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let mut socket = Stall::new(listener.accept().await.unwrap().0, patience);
        let piece = vec![0_u8; 1 << 16];
        let full = async {
            loop {
                let wrote = poll_fn(|cx| Pin::new(&mut socket).poll_write(cx, &piece)).await;
                if let Err(error) = wrote {
                    return error.kind();
                }
            }
        };
        let kind = tokio::time::timeout(Duration::from_secs(10), full).await;
        drop(peer);
        kind.expect("an end")
    }

    #[tokio::test]
    async fn a_peer_who_never_reads_is_left() {
        let (short, long) = (Duration::from_millis(50), Duration::from_secs(60));
        for (stall, total) in [(short, long), (long, short)] {
            assert_eq!(
                unread(Patience { stall, total }).await,
                io::ErrorKind::TimedOut
            );
        }
    }
}
