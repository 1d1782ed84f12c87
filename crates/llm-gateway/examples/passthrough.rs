//! A bare pass-through: axum in front, reqwest behind, and nothing between. `cargo xtask bench --gateway` measures the
//! gateway against it, since this is the least that a proxy written with the usual libraries costs.
//!
//! `passthrough 127.0.0.1:8081 http://127.0.0.1:9001` listens on the first and forwards every POST to the second.

use anyhow::{Context as _, Result};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, header};

/// What a handler needs: the pooled client and where to send.
#[derive(Clone)]
struct Upstream {
    client: reqwest::Client,
    base: String,
}

async fn forward(
    State(upstream): State<Upstream>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut request = upstream
        .client
        .post(format!("{}{}", upstream.base, uri.path()))
        .body(body);
    for name in [header::CONTENT_TYPE, header::AUTHORIZATION, header::ACCEPT] {
        if let Some(value) = headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let Ok(answer) = request.send().await else {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::BAD_GATEWAY;
        return response;
    };
    let status = answer.status();
    let kind = answer.headers().get(header::CONTENT_TYPE).cloned();
    let length = answer.headers().get(header::CONTENT_LENGTH).cloned();
    let mut response = Response::new(Body::from_stream(answer.bytes_stream()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_LENGTH, length),
    ] {
        if let Some(value) = value {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let listen = args
        .next()
        .context("first argument: the address to listen on")?;
    let base = args
        .next()
        .context("second argument: the URL to forward to")?;
    // The client is built for TLS even though only plain HTTP is measured.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .tcp_nodelay(true)
        .no_proxy()
        .build()?;
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let listener = axum::serve::ListenerExt::tap_io(listener, |socket| {
        let _ = socket.set_nodelay(true);
    });
    let app = Router::new()
        .fallback(forward)
        .with_state(Upstream { client, base });
    axum::serve(listener, app).await?;
    Ok(())
}
