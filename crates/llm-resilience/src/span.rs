//! One `tracing` span an upstream call, with OpenTelemetry's names for generative AI.
//!
//! The names are those of the generative-AI conventions as of November 2026, at development
//! stability: <https://github.com/open-telemetry/semantic-conventions-genai>. Spans are at debug level: where
//! nobody listens they cost a load.

use llm_providers::{Call, Endpoint, Exchange, Failure};
use tracing::Span;
use tracing::field::{Empty, display};

/// The span of one upstream call. It never holds a prompt, an answer or a key.
pub(crate) fn attempt(endpoint: &Endpoint, target: &str, call: &Call) -> Span {
    tracing::debug_span!(
        "chat",
        otel.kind = "client",
        target.name = target,
        gen_ai.operation.name = "chat",
        gen_ai.provider.name = endpoint.provider().as_str(),
        gen_ai.request.model = endpoint.model(),
        gen_ai.request.stream = call.is_stream(),
        server.address = endpoint.host(),
        server.port = endpoint.port(),
        gen_ai.response.model = Empty,
        gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}

/// Records how the call went: for a stream, up to its first content.
pub(crate) fn record(span: &Span, result: &Result<Exchange, Failure>) {
    if span.is_disabled() {
        return;
    }
    match result {
        Ok(Exchange::Whole(whole)) => {
            if let Some(model) = &whole.facts.model {
                span.record("gen_ai.response.model", display(model));
            }
            span.record("gen_ai.usage.input_tokens", whole.facts.usage.input_tokens);
            span.record(
                "gen_ai.usage.output_tokens",
                whole.facts.usage.output_tokens,
            );
        }
        Ok(Exchange::Stream(stream)) => {
            if let Some(model) = &stream.facts().model {
                span.record("gen_ai.response.model", display(model));
            }
        }
        Err(failure) => {
            span.record("error.type", failure.verdict.kind.as_str());
            if let Some(status) = failure.status {
                span.record("http.response.status_code", status);
            }
        }
    }
}
