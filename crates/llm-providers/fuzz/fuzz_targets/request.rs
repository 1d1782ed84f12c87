//! Any bytes as a caller's request, for a target of every wire: no panic, and what is sent is JSON.
//!
//! ```text
//! cd crates/llm-providers && RUSTC_BOOTSTRAP=1 cargo fuzz run request -- -max_total_time=600
//! ```
#![no_main]

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use libfuzzer_sys::fuzz_target;
use llm_errors::{Phase, Provider, TransportFault};
use llm_providers::{
    Call, Dialect, Endpoint, HttpRequest, HttpResponse, Transport, TransportError, Wire, Windows,
    exchange,
};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

/// Keeps what is sent, and never answers.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<HttpRequest>>);

impl Transport for Kept {
    fn send(&self, request: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        *self.0.lock().unwrap() = Some(request);
        async { Err(TransportError::new(TransportFault::Closed, Phase::Sent)) }.boxed()
    }
}

fuzz_target!(|data: &[u8]| {
    let [caller, body @ ..] = data else {
        return;
    };
    let caller = Dialect::ALL[usize::from(*caller) % Dialect::ALL.len()];
    let Ok(call) = Call::parse(caller, body.to_vec().into()) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    for wire in Wire::ALL {
        for model in ["claude-sonnet-4-5", "gemini-3-pro", "gpt-5"] {
            let endpoint = Endpoint::builder(Provider::Other, model)
                .base_url("http://127.0.0.1:9")
                .wire(*wire)
                .build()
                .unwrap();
            let kept = Kept::default();
            let windows = Windows::default();
            let attempt = exchange(&kept, &endpoint, &call, &windows, UNIX_EPOCH);
            drop(runtime.block_on(attempt));
            if let Some(request) = kept.0.into_inner().unwrap() {
                assert!(matches!(request.body.first(), Some(b'{' | b' ' | b'\n' | b'\r' | b'\t')));
                assert!(matches!(request.body.trim_ascii_end().last(), Some(b'}')));
            }
        }
    }
});
