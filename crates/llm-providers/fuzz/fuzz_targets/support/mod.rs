//! What the targets share: an attempt at an endpoint whose answer is the fuzzer's, and the binary frames.

#![allow(dead_code, reason = "every target uses a part of it")]

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::HeaderMap;
use llm_errors::Provider;
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, HttpRequest, HttpResponse, Transport, TransportError, Wire,
    Windows, exchange, form,
};
use std::cell::RefCell;
use std::time::UNIX_EPOCH;
use tokio::runtime::{Builder, Runtime};

/// Answers with these chunks.
#[derive(Debug)]
struct Canned(Vec<Bytes>);

impl Transport for Canned {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let chunks: Vec<_> = self.0.iter().cloned().map(Ok).collect();
        let body = stream::iter(chunks).boxed();
        async { Ok(HttpResponse::new(200, HeaderMap::new(), body)) }.boxed()
    }
}

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_time().build().unwrap());
}

/// Any bytes as the answer of a target of `wire`, for a caller of any dialect: no panic, no hang, and an answer
/// that ends in the normal way is whole.
///
/// Three bytes choose the caller's dialect, whether the answer is a stream (even) or not (odd), and how many bytes a
/// chunk has; digits do, so that seeds are text. The rest is the body.
pub(crate) fn answer(wire: Wire, data: &[u8], body: impl Fn(&[u8], bool) -> Vec<u8>) {
    let [caller, mode, size, rest @ ..] = data else {
        return;
    };
    let caller = Dialect::ALL[usize::from(*caller) % Dialect::ALL.len()];
    let streamed = mode & 1 == 0;
    let body = body(rest, streamed);
    let chunks = body.chunks(usize::from(*size).max(1));
    let chunks = chunks.map(Bytes::copy_from_slice).collect();
    RUNTIME.with_borrow(|runtime| runtime.block_on(one(wire, caller, streamed, Canned(chunks))));
}

async fn one(wire: Wire, caller: Dialect, streamed: bool, transport: Canned) {
    let endpoint = Endpoint::builder(Provider::Other, "model")
        .base_url("http://127.0.0.1:9")
        .wire(wire)
        .build()
        .unwrap();
    let said = match caller {
        Dialect::OpenAiResponses => "input",
        _ => "messages",
    };
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"stream":{streamed},"{said}":[{{"role":"user","content":"hi"}}]}}"#
    );
    let call = Call::parse(caller, body.into()).unwrap();
    let windows = Windows::default();
    match exchange(&transport, &endpoint, &call, &windows, UNIX_EPOCH).await {
        Err(failure) => drop(failure.to_string()),
        Ok(Exchange::Whole(whole)) => drop(whole.chat()),
        Ok(Exchange::Stream(mut stream)) => {
            let mut all = Vec::new();
            let mut ended = true;
            while let Some(item) = stream.next().await {
                match item {
                    Ok(bytes) => all.extend_from_slice(&bytes),
                    Err(_) => ended = false,
                }
            }
            // A translated answer that ends in the normal way can be read, and says why it ended.
            if wire.dialect() != Some(caller) {
                let read = form::decode_stream(caller, &all);
                assert!(!ended || read.is_some_and(|reply| reply.finish.is_some()));
            }
        }
    }
}

/// One binary message with its lengths and checksums.
pub(crate) fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let total = (16 + headers.len() + payload.len()) as u32;
    let mut out = total.to_be_bytes().to_vec();
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc(&out).to_be_bytes());
    out
}

/// A header whose value is a text.
pub(crate) fn text_header(name: &str, value: &str) -> Vec<u8> {
    let mut out = vec![name.len() as u8];
    out.extend_from_slice(name.as_bytes());
    out.push(7);
    out.extend_from_slice(&(value.len() as u16).to_be_bytes());
    out.extend_from_slice(value.as_bytes());
    out
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
