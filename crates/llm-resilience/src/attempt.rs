//! One upstream call.
//!
//! A call that is repeated goes by a connection of its own: the one that was kept may be what failed.

use crate::client::Inner;
use crate::span;
use futures_util::future::BoxFuture;
use llm_errors::{ErrorKind, Phase, Verdict};
use llm_providers::{
    Call, Exchange, Failure, HttpRequest, HttpResponse, Reading, Transport, TransportError,
    Windows, exchange_reading,
};
use llm_router::TargetId;
use std::time::SystemTime;
use tracing::Instrument;

/// How an upstream call goes.
pub(crate) struct How {
    pub(crate) windows: llm_router::Windows,
    pub(crate) reading: Reading,
    /// By a connection of its own.
    pub(crate) fresh: bool,
}

/// One upstream call. Nothing is sent before the first poll.
pub(crate) fn attempt_on(
    client: &Inner,
    call: Call,
    target: TargetId,
    how: How,
) -> BoxFuture<'_, Result<Exchange, Failure>> {
    let How {
        windows,
        reading,
        fresh,
    } = how;
    let windows = Windows {
        connect: windows.connect,
        first_token: windows.first_token,
        idle: windows.idle,
        thinking: windows.thinking,
        total: if call.is_stream() {
            windows.stream
        } else {
            windows.whole
        },
    };
    let Some(upstream) = client.upstreams.get(target.index()) else {
        let verdict = Verdict::new(ErrorKind::Other, Phase::Connect);
        return Box::pin(std::future::ready(Err(Failure::new(verdict))));
    };
    let endpoint = &upstream.endpoint;
    let span = span::attempt(endpoint, client.table.target_name(target), &call);
    let record = span.clone();
    let attempt = async move {
        let kept = &*client.transport;
        let fresh_one = Fresh(kept);
        let transport: &dyn Transport = if fresh { &fresh_one } else { kept };
        let result =
            exchange_reading(transport, endpoint, &call, &windows, calendar(), reading).await;
        span::record(&record, &result);
        result
    };
    Box::pin(attempt.instrument(span))
}

/// Sends by fresh connections alone.
#[derive(Debug)]
struct Fresh<'a>(&'a dyn Transport);

impl Transport for Fresh<'_> {
    fn send(
        &self,
        mut request: HttpRequest,
    ) -> BoxFuture<'_, Result<HttpResponse, TransportError>> {
        request.fresh = true;
        self.0.send(request)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the shell reads the calendar, for dates in `retry-after` headers"
)]
pub(crate) fn calendar() -> SystemTime {
    SystemTime::now()
}
