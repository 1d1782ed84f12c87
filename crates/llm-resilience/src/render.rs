//! Puts an answer that no provider gave at this moment into the form the caller asked for.

use bytes::Bytes;
use llm_providers::{Call, Dialect, chat, form};

/// The name of the model in prepared answers and messages: it is honest about who speaks.
const OURSELVES: &str = "llm-resilience";

/// A kept whole answer, as it is or as a stream; `None` where it cannot be read.
pub(crate) fn cached(call: &Call, body: &Bytes) -> Option<Bytes> {
    if !call.is_stream() {
        return Some(body.clone());
    }
    let reply = form::decode_whole(call.dialect(), body)?;
    in_form(call, &reply)
}

/// `text` as an answer.
pub(crate) fn text(call: &Call, text: &str) -> Option<Bytes> {
    let mut reply = chat::Reply::default();
    reply.id = "degraded".to_owned();
    reply.model = OURSELVES.to_owned();
    reply.parts = vec![chat::Part::text(text)];
    reply.finish = Some(chat::FinishReason::Stop);
    in_form(call, &reply)
}

fn in_form(call: &Call, reply: &chat::Reply) -> Option<Bytes> {
    if call.is_stream() {
        let include_usage = call.chat().is_ok_and(|request| request.include_usage);
        form::encode_stream(call.dialect(), reply, include_usage)
    } else {
        Some(form::encode_whole(call.dialect(), reply))
    }
}

/// A whole body in neutral form.
pub(crate) fn reply(dialect: Dialect, body: &[u8]) -> Option<chat::Reply> {
    form::decode_whole(dialect, body)
}

/// A finished event stream as the whole answer it amounts to.
pub(crate) fn whole_of_stream(dialect: Dialect, stream: &Bytes) -> Option<(Bytes, String)> {
    let reply = form::decode_stream(dialect, stream)?;
    Some((form::encode_whole(dialect, &reply), reply.model))
}
