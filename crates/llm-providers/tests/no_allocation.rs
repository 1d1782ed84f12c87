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
struct Canned {
    begin: Bytes,
    /// One after the other, in turn.
    content: [Bytes; 2],
    end: Bytes,
    count: usize,
}

/// What each event of content says.
const WORDS: [&str; 2] = [" a word", " a\nword"];

impl Canned {
    fn new(dialect: Dialect, count: usize) -> Self {
        let (begin, content, end) = match dialect {
            Dialect::AnthropicMessages => (
                "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"x\",\"model\":\"m\",\"usage\":{\"input_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
                "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":WORD}}\n\n",
                "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
            ),
            Dialect::OpenAiResponses => (
                "data: {\"type\":\"response.created\",\"response\":{\"id\":\"x\",\"model\":\"m\",\"status\":\"in_progress\"}}\n\ndata: {\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"id\":\"m\",\"content\":[]}}\n\ndata: {\"type\":\"response.content_part.added\",\"output_index\":0,\"content_index\":0,\"part\":{\"type\":\"output_text\",\"text\":\"\"}}\n\n",
                "data: {\"type\":\"response.output_text.delta\",\"output_index\":0,\"content_index\":0,\"delta\":WORD}\n\n",
                "data: {\"type\":\"response.completed\",\"response\":{\"status\":\"completed\"}}\n\n",
            ),
            _ => (
                "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
                "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":WORD},\"finish_reason\":null}]}\n\n",
                "data: {\"id\":\"x\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
            ),
        };
        let json = |word| serde_json::to_string(word).unwrap();
        Self {
            begin: begin.into(),
            content: WORDS.map(|word| content.replace("WORD", &json(word)).into()),
            end: end.into(),
            count,
        }
    }

    /// Clones of what is there already cost nothing.
    fn event(&self, nth: usize) -> Bytes {
        match nth {
            0 => self.begin.clone(),
            _ if nth > self.count => self.end.clone(),
            _ => {
                let [odd, even] = &self.content;
                if nth.is_multiple_of(2) { even } else { odd }.clone()
            }
        }
    }
}

impl Transport for Canned {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let own = Self {
            begin: self.begin.clone(),
            content: self.content.clone(),
            end: self.end.clone(),
            count: self.count,
        };
        let events = (0..=self.count + 1).map(move |nth| Ok(own.event(nth)));
        let body = futures_util::stream::iter(events).boxed();
        Box::pin(async { Ok(HttpResponse::new(200, HeaderMap::new(), body)) })
    }
}

/// Allocations of a stream of `count` events from beginning to end.
fn allocations(target: Dialect, caller: Dialect, count: usize, keep_text: bool) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_time().build().unwrap();
    let endpoint = Endpoint::builder(Provider::OpenAi, "model")
        .wire(target)
        .build()
        .unwrap();
    let body = match caller {
        Dialect::OpenAiResponses => r#"{"model":"route","stream":true,"input":"hi"}"#,
        _ => {
            r#"{"model":"route","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#
        }
    };
    let call = Call::parse(caller, body.into()).unwrap();
    let transport = Canned::new(target, count);
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
        assert_eq!(
            text,
            keep_text.then_some(count * " a\nword".len()),
            "{target}"
        );
    };
    let counted = allocation_counter::measure(|| runtime.block_on(drain));
    counted.count_total
}

#[test]
fn a_longer_stream_costs_no_more_allocations_than_a_short_one() {
    for dialect in [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::AnthropicMessages,
    ] {
        let short = allocations(dialect, dialect, 1_000, false);
        let long = allocations(dialect, dialect, 5_000, false);
        assert_eq!(long, short, "{dialect}");
    }
    for dialect in Dialect::ALL {
        // Text that is kept grows in one buffer, which doubles, or in two.
        let short = allocations(*dialect, *dialect, 1_000, true);
        let long = allocations(*dialect, *dialect, 5_000, true);
        assert!(long <= short + 6, "{dialect}: {short} and {long}");
    }
}

/// One buffer is written to and one text is read into, again and again.
#[test]
fn translation_of_a_longer_stream_costs_hardly_more_allocations_than_of_a_short_one() {
    let pairs = [
        (Dialect::OpenAiChat, Dialect::AnthropicMessages),
        (Dialect::AnthropicMessages, Dialect::OpenAiChat),
        (Dialect::OpenAiResponses, Dialect::OpenAiChat),
    ];
    for (target, caller) in pairs {
        let short = allocations(target, caller, 1_000, false);
        let long = allocations(target, caller, 5_000, false);
        assert!(
            long <= short + 3,
            "{target} as {caller}: {short} and {long}"
        );
    }
}
