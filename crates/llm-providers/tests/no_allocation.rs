//! A stream that passes in its own dialect costs no allocation a chunk.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly")]

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use llm_errors::Provider;
use llm_providers::{
    Call, Dialect, Endpoint, Exchange, HttpRequest, HttpResponse, Reading, Transport,
    TransportError, Windows, exchange_reading,
};
use std::time::SystemTime;

/// Answers with so many events of content.
#[derive(Debug)]
struct Canned(Dialect, usize);

/// Made once: clones of it cost nothing.
fn event(dialect: Dialect, nth: usize, last: usize) -> Bytes {
    let (begin, content, end) = match dialect {
        Dialect::AnthropicMessages => (
            &b"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"[..],
            &b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\" a\\nword\"}}\n\n"[..],
            &b"event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"[..],
        ),
        _ => (
            &b"data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"[..],
            &b"data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" a\\nword\"},\"finish_reason\":null}]}\n\n"[..],
            &b"data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n"[..],
        ),
    };
    Bytes::from_static(match nth {
        0 => begin,
        _ if nth == last => end,
        _ => content,
    })
}

impl Transport for Canned {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let Self(dialect, count) = *self;
        let events = (0..=count + 1).map(move |nth| Ok(event(dialect, nth, count + 1)));
        let body = futures_util::stream::iter(events).boxed();
        Box::pin(async { Ok(HttpResponse::new(200, HeaderMap::new(), body)) })
    }
}

/// Allocations of a stream of `count` events from beginning to end.
fn allocations(dialect: Dialect, count: usize, keep_text: bool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    let endpoint = Endpoint::builder(Provider::OpenAi, "model")
        .wire(dialect)
        .build()
        .unwrap();
    let body = r#"{"model":"route","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#;
    let call = Call::parse(dialect, body.into()).unwrap();
    let transport = Canned(dialect, count);
    let drain = async {
        let mut reading = Reading::default();
        reading.keep_text = keep_text;
        let windows = Windows::default();
        let now = SystemTime::UNIX_EPOCH;
        let answer = exchange_reading(&transport, &endpoint, &call, &windows, now, reading);
        let Exchange::Stream(mut stream) = answer.await.unwrap() else {
            return;
        };
        let mut events = 0;
        while let Some(bytes) = stream.next().await {
            assert!(!bytes.unwrap().is_empty());
            events += 1;
        }
        assert!(events > count);
        let text = stream.text().map(str::len);
        assert_eq!(text, keep_text.then_some(count * " a\nword".len()));
    };
    let counted = allocation_counter::measure(|| runtime.block_on(drain));
    counted.count_total
}

#[test]
fn a_longer_stream_costs_no_more_allocations_than_a_short_one() {
    for dialect in [Dialect::OpenAiChat, Dialect::AnthropicMessages] {
        let short = allocations(dialect, 1_000, false);
        assert_eq!(allocations(dialect, 5_000, false), short, "{dialect}");
        // Text that is kept grows in one buffer, which doubles.
        let short = allocations(dialect, 1_000, true);
        let long = allocations(dialect, 5_000, true);
        assert!(long <= short + 3, "{dialect}: {short} and {long}");
    }
}
