//! Gives each request a connect window of its own.
//!
//! reqwest sets one connect timeout a client. The window of the request at hand reaches the
//! connector through a task-local, because nothing else passes from a request to its connector; a
//! connection that the pool makes in the background keeps the window it was begun with.

use futures_util::future::BoxFuture;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

tokio::task_local! {
    /// How long the connection for the request at hand may take.
    pub(super) static WINDOW: Duration;
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
        let window = WINDOW.try_with(|window| *window).ok();
        let connecting = self.0.call(target);
        Box::pin(async move {
            let Some(window) = window else {
                return connecting.await;
            };
            match tokio::time::timeout(window, connecting).await {
                Ok(result) => result,
                Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
            }
        })
    }
}
