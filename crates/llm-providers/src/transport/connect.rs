//! Gives each request a connect window of its own.
//!
//! reqwest sets one connect timeout a client. The window of the request at hand reaches the
//! connector through a task-local, because nothing else passes from a request to its connector; a
//! connection that the pool makes in the background keeps the window it was begun with. By the same way the request learns
//! whether a connection was made for it: if none was, it went by one that was kept.

use futures_util::future::BoxFuture;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// What the request at hand wants of its connection, and learns of it.
    pub(super) static CONNECTING: Connecting;
}

/// The connection of one request.
#[derive(Debug, Clone)]
pub(super) struct Connecting {
    /// How long making it may take.
    pub(super) window: Duration,
    /// Whether one was made.
    pub(super) made: Arc<AtomicBool>,
}

/// Wraps the connector.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowLayer;

/// A connector that gives up when the request's window has passed.
#[derive(Debug, Clone)]
pub(super) struct Windowed<S>(S);

impl<S> Layer<S> for WindowLayer {
    type Service = Windowed<S>;

    fn layer(&self, inner: S) -> Windowed<S> {
        Windowed(inner)
    }
}

impl<S, R> Service<R> for Windowed<S>
where
    S: Service<R, Error = Box<dyn std::error::Error + Send + Sync>>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<S::Response, S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, target: R) -> Self::Future {
        let window = CONNECTING.try_with(|request| {
            request.made.store(true, Ordering::Relaxed);
            request.window
        });
        let connecting = self.0.call(target);
        Box::pin(async move {
            let Ok(window) = window else {
                return connecting.await;
            };
            match tokio::time::timeout(window, connecting).await {
                Ok(result) => result,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
