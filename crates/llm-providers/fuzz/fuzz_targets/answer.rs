//! Any bytes as the answer of a target of any wire, whole or streamed and cut anywhere, for a caller of
//! any dialect: no panic, no hang, and an answer that ends in the normal way is whole.
//!
//! ```text
//! cd crates/llm-providers && RUSTC_BOOTSTRAP=1 cargo fuzz run answer -- -max_total_time=600
//! ```
//!
//! It goes through every framing and every decoder. The binary stream's checksums would stop nearly
//! all inputs at the door, so for that wire the input is the events, and they are framed here.
#![no_main]

use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::{FutureExt, StreamExt, stream};
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
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

const EVENTS: [&str; 8] = [
    "messageStart",
    "contentBlockStart",
    "contentBlockDelta",
    "contentBlockStop",
    "messageStop",
    "metadata",
    "throttlingException",
    "somethingNew",
];

thread_local! {
    static RUNTIME: RefCell<Runtime> =
        RefCell::new(Builder::new_current_thread().enable_time().build().unwrap());
}

fuzz_target!(|data: &[u8]| {
    let [wire, caller, mode, size, rest @ ..] = data else {
        return;
    };
    let wire = Wire::ALL[usize::from(*wire) % Wire::ALL.len()];
    let caller = Dialect::ALL[usize::from(*caller) % Dialect::ALL.len()];
    let streamed = mode & 1 == 0;
    let body = if wire == Wire::BedrockConverse && streamed && mode & 2 == 0 {
        framed(rest)
    } else {
        rest.to_vec()
    };
    let size = usize::from(*size).max(1);
    let chunks = body.chunks(size).map(Bytes::copy_from_slice).collect();
    RUNTIME.with_borrow(|runtime| runtime.block_on(one(wire, caller, streamed, Canned(chunks))));
});

async fn one(wire: Wire, caller: Dialect, streamed: bool, transport: Canned) {
    let endpoint = Endpoint::builder(Provider::Other, "model")
        .base_url("http://127.0.0.1:9")
        .wire(wire)
        .build()
        .unwrap();
    let body = format!(
        r#"{{"model":"m","max_tokens":9,"stream":{streamed},"messages":[{{"role":"user","content":"hi"}}]}}"#
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

/// The input as events: a name's number, the length of the payload, the payload.
fn framed(mut rest: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    while let [name, length, after @ ..] = rest {
        let (payload, more) = after.split_at(usize::from(*length).min(after.len()));
        rest = more;
        let name = EVENTS[usize::from(*name) % EVENTS.len()];
        let (header, kind) = if name.ends_with("Exception") {
            (":exception-type", "exception")
        } else {
            (":event-type", "event")
        };
        let mut headers = Vec::new();
        for (key, value) in [(header, name), (":message-type", kind)] {
            headers.push(key.len() as u8);
            headers.extend_from_slice(key.as_bytes());
            headers.push(7);
            headers.extend_from_slice(&(value.len() as u16).to_be_bytes());
            headers.extend_from_slice(value.as_bytes());
        }
        let from = out.len();
        let total = (16 + headers.len() + payload.len()) as u32;
        out.extend_from_slice(&total.to_be_bytes());
        out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
        out.extend_from_slice(&crc(&out[from..]).to_be_bytes());
        out.extend_from_slice(&headers);
        out.extend_from_slice(payload);
        out.extend_from_slice(&crc(&out[from..]).to_be_bytes());
    }
    out
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0_u32, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg())
        })
    })
}
