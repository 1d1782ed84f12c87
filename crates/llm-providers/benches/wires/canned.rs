//! A provider without a network, and a caller that reads everything it answers.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::HeaderMap;
use llm_providers::{
    Call, Endpoint, Exchange, HttpRequest, HttpResponse, Transport, TransportError, Windows,
    exchange,
};
use std::time::SystemTime;

/// Answers with these chunks at once.
#[derive(Debug)]
pub(crate) struct Canned(pub(crate) Vec<Bytes>);

impl Transport for Canned {
    fn send(&self, _: HttpRequest) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        let chunks: Vec<_> = self.0.iter().cloned().map(Ok).collect();
        let body = futures_util::stream::iter(chunks).boxed();
        Box::pin(async { Ok(HttpResponse::new(200, HeaderMap::new(), body)) })
    }
}

/// Makes the call and reads the answer to its end; returns its length.
pub(crate) async fn drain(transport: &Canned, endpoint: &Endpoint, call: &Call) -> usize {
    let windows = Windows::default();
    let exchange = exchange(transport, endpoint, call, &windows, SystemTime::UNIX_EPOCH);
    let mut bytes = 0;
    match exchange.await.unwrap() {
        Exchange::Whole(whole) => bytes += whole.body.len(),
        Exchange::Stream(mut stream) => {
            while let Some(item) = stream.next().await {
                bytes += item.unwrap().len();
            }
        }
    }
    bytes
}
