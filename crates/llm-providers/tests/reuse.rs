//! A connection is used again after a whole answer and after a stream, and by one call at a time.

#![expect(
    clippy::unwrap_used,
    reason = "a test's helper: whatever it does not expect fails the test"
)]

#[path = "support/wire.rs"]
mod wire;

use llm_errors::Provider;
use llm_providers::{Call, Dialect, Endpoint, Exchange, ReqwestTransport, Windows, exchange};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Answers every request on the connection with the same stream. The last chunk, which ends the
/// HTTP message, comes a little later than the stream's own end marker.
async fn serve(mut socket: TcpStream) {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    loop {
        let read = socket.read(&mut buffer).await.unwrap_or(0);
        if read == 0 {
            return;
        }
        request.extend(buffer.iter().take(read));
        if !request.ends_with(b"}]}") {
            continue;
        }
        request.clear();
        let events = wire::openai(&["a", "b"]).concat();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let message = format!("{head}{:x}\r\n{events}\r\n", events.len());
        socket.write_all(message.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
        socket.write_all(b"0\r\n\r\n").await.unwrap();
    }
}

#[tokio::test]
async fn one_connection_serves_stream_after_stream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(serve(socket));
        }
    });
    let endpoint = Endpoint::builder(Provider::OpenAi, "m")
        .base_url(format!("http://{address}/v1"))
        .build()
        .unwrap();
    let body = r#"{"model":"r","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let call = Call::parse(Dialect::OpenAiChat, body.into()).unwrap();
    let transport = ReqwestTransport::try_new().unwrap();
    for _ in 0..4 {
        let windows = Windows::default();
        let exchange = exchange(
            &transport,
            &endpoint,
            &call,
            &windows,
            SystemTime::UNIX_EPOCH,
        );
        let Exchange::Stream(mut stream) = exchange.await.unwrap() else {
            unreachable!("a stream was asked for")
        };
        while let Some(item) = stream.next().await {
            item.unwrap();
        }
        // The connection goes back to the pool in a task of the HTTP client's.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

/// Over HTTP/2 calls would share a connection, and wait unseen behind the streams that it carries already.
#[tokio::test]
async fn no_protocol_is_offered_on_which_calls_share_a_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = Endpoint::builder(Provider::OpenAi, "m")
        .base_url(format!("https://{}/v1", listener.local_addr().unwrap()))
        .build()
        .unwrap();
    let body = r#"{"model":"r","messages":[{"role":"user","content":"hi"}]}"#;
    let call = Call::parse(Dialect::OpenAiChat, body.into()).unwrap();
    let transport = ReqwestTransport::try_new().unwrap();
    let windows = Windows::default();
    let now = SystemTime::UNIX_EPOCH;
    let asked = exchange(&transport, &endpoint, &call, &windows, now);
    let offered = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut hello = vec![0; 4_096];
        let read = socket.read(&mut hello).await.unwrap();
        hello.truncate(read);
        hello
    };
    let (answer, hello) = tokio::join!(asked, offered);
    assert!(answer.is_err(), "the handshake is not answered");
    // The names of protocols stand in a client's hello in the clear, each behind its length.
    let has = |name: &[u8]| hello.windows(name.len()).any(|part| part == name);
    assert!(has(b"\x08http/1.1"));
    assert!(!has(b"\x02h2"));
}
