//! A caller's socket, and whether the caller is still there.
//!
//! The server notices a hang-up by reading, and does not read on while it holds bytes that it cannot use yet: those of a
//! request that came before the answer to the last one. One byte too many would be enough for a call to run on, with all
//! its fallbacks, for a caller who left long ago. So the system itself is asked as well.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

/// How often it is asked, first after so long: most calls are over by then, or the server has noticed by itself.
const EVERY: Duration = Duration::from_secs(1);

/// A caller's socket.
#[derive(Debug)]
pub(crate) struct Peer {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

/// Tells whether the caller has left. Reads nothing.
#[derive(Debug, Clone)]
pub(crate) struct Presence(Arc<OwnedReadHalf>);

impl Peer {
    pub(crate) fn new(socket: TcpStream) -> (Self, Presence) {
        let (read, write) = socket.into_split();
        let read = Arc::new(read);
        let presence = Presence(Arc::clone(&read));
        (Self { read, write }, presence)
    }
}

impl Presence {
    /// Waits until the caller has closed the connection or lost it; a second later, at most.
    ///
    /// Cancel safe.
    pub(crate) async fn ended(&self) {
        loop {
            sleep(EVERY).await;
            match self.0.ready(Interest::READABLE).await {
                Ok(ready) if !ready.is_read_closed() => {}
                // What cannot be asked any more is gone as well.
                Ok(_) | Err(_) => return,
            }
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let socket: &TcpStream = (*self.read).as_ref();
        loop {
            ready!(socket.poll_read_ready(cx))?;
            match socket.try_read_buf(buf) {
                Ok(_) => return Poll::Ready(Ok(())),
                // Another's readiness, long used up.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.write.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_shutdown(cx)
    }
}
