//! The accept loop: bounded connections, each with its own HTTP/1.1 state, ended together.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::exchange;
use crate::play::Line;
use crate::shared::Shared;
use crate::socket::Socket;

/// How long calls in progress may go on after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(1);
/// The wait after a failed accept (no file descriptors left, for example).
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// Serves until `stop` changes or its sender is gone.
pub(crate) async fn run(
    listener: TcpListener,
    shared: Arc<Shared>,
    connections: usize,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(connections));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let accepted = tokio::select! {
            _ = stop.changed() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let Some((stream, place)) = accepted else {
            continue;
        };
        let (shared, stop) = (Arc::clone(&shared), stop.clone());
        tasks.spawn(async move {
            connection(stream, shared, stop).await;
            drop(place);
        });
    }
    drop(listener);
    let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
    tasks.shutdown().await;
}

/// The next connection, once there is a place for it; until then callers queue in the kernel.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    match listener.accept().await {
        Ok((stream, _)) => Some((stream, place)),
        Err(_) => {
            sleep(ACCEPT_PAUSE).await;
            None
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let line = Line::default();
    let socket = TokioIo::new(Socket::new(stream, line.clone()));
    let service =
        service_fn(move |request| exchange::serve(Arc::clone(&shared), line.clone(), request));
    let mut connection = pin!(http1::Builder::new().serve_connection(socket, service));
    // An error here is a caller that hung up, or a connection the script broke: both are in the record.
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = stop.changed() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
