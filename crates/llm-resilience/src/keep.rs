//! Good answers kept for the day nothing answers.

use crate::client::Inner;
use crate::degrade::Degraded;
use crate::options::CallOptions;
use crate::render;
use bytes::Bytes;
use llm_cache::{Cache, Entry, Hit, Keyring, PromptKey, StaleReason, strip_delivery};
use llm_providers::{Call, Dialect, Features, Purpose, chat};
use llm_router::RouteId;
use serde_json::Value;
use std::time::Instant;

/// The cache's view of one call: where its answer is kept, and under which key.
#[derive(Debug)]
pub(crate) struct Keep {
    cache: Cache,
    key: PromptKey,
    dialect: Dialect,
    purpose: Purpose,
}

impl Keep {
    /// `None` where the route keeps no answers: then the body is not even parsed.
    ///
    /// The key covers tenant, route, dialect and everything in the request that changes the
    /// answer; whether it is streamed does not.
    pub(crate) fn of(
        client: &Inner,
        route: RouteId,
        call: &Call,
        options: &CallOptions,
    ) -> Option<Self> {
        let (cache, keyring) = client.cache.as_ref()?;
        if !client.degraded(route).contains(&Degraded::Cached) {
            return None;
        }
        // Where the provider keeps the conversation, equal requests mean different things.
        if call.features().contains(Features::STATE) {
            return None;
        }
        let mut request: Value = serde_json::from_slice(call.body()).ok()?;
        strip_delivery(&mut request);
        let fields = request.as_object_mut()?;
        // The caller's `model` is the route's name; its targets share one answer.
        fields.insert("model".to_owned(), client.table.route_name(route).into());
        fields.insert("dialect".to_owned(), call.dialect().as_str().into());
        fields.insert("purpose".to_owned(), call.purpose().as_str().into());
        // A route may come to mean another space; vectors kept of the old one are not given then.
        fields.insert("space".to_owned(), client.space(route).into());
        Some(Self {
            cache: cache.clone(),
            key: keyring.key(&options.tenant, &request),
            dialect: call.dialect(),
            purpose: call.purpose(),
        })
    }

    /// Keeps a whole answer, if it stands the quality look: what is kept may be given to many.
    pub(crate) async fn store(&self, body: Bytes, model: Option<&str>, now: Instant) {
        // Vectors were counted and measured when they came.
        if self.purpose == Purpose::Chat && !stands_the_look(self.dialect, &body) {
            return;
        }
        let model = model.unwrap_or_default();
        let entry = Entry::of_verified(body, self.dialect.as_str(), model, now);
        // Not being remembered is no failure of the call.
        let _stored = self.cache.insert(&self.key, entry).await;
    }

    /// The last good answer, of any permitted age.
    pub(crate) async fn last_good(&self, now: Instant) -> Option<Hit> {
        let reason = StaleReason::TargetsExhausted;
        self.cache.lookup_stale(&self.key, now, reason).await
    }
}

/// Whether an answer is neither empty nor looping, garbled or a refusal. One that cannot be read is
/// not kept.
fn stands_the_look(dialect: Dialect, body: &[u8]) -> bool {
    let Some(reply) = render::reply(dialect, body) else {
        return false;
    };
    let calls_tools = reply
        .parts
        .iter()
        .any(|part| matches!(part, chat::Part::ToolCall(_)));
    let text = reply.text();
    let answer = llm_quality::Answer::new(&text).with_finish(llm_quality::Finish::Stop);
    calls_tools || !llm_quality::Look::default().look(&answer).is_bad()
}

/// A key of this process alone: entries in memory need not be found by another.
pub(crate) fn keyring() -> Keyring {
    Keyring::new(&rand::random())
}
