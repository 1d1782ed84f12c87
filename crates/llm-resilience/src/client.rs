//! The client: one call in, one answer out, whatever fails between.

use crate::answer::{Answer, Body};
use crate::builder::{BuildError, ClientBuilder};
use crate::degrade::Degraded;
use crate::drive;
use crate::error::Error;
use crate::look::Quality;
use crate::observe::Observer;
use crate::options::CallOptions;
use crate::rewrite::Rewrite;
use crate::schema::Schemas;
use arc_swap::ArcSwap;
use llm_cache::{Cache, Keyring};
use llm_providers::{Call, Endpoint, Estimate, Hold, Transport, chat, embedding};
use llm_router::{Request, RouteId, Table, TargetId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Calls large language models and survives their failures. Cheap to clone; all clones share
/// health, limits and cache.
#[derive(Debug, Clone)]
pub struct Client(Arc<ArcSwap<Inner>>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) table: Arc<Table>,
    pub(crate) upstreams: Box<[Upstream]>,
    pub(crate) degraded: Box<[Box<[Degraded]>]>,
    pub(crate) qualities: Box<[(Quality, Hold)]>,
    pub(crate) schemas: Arc<Schemas>,
    pub(crate) rewrites: Box<[Option<Arc<dyn Rewrite>>]>,
    pub(crate) spaces: Box<[Option<Box<str>>]>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) cache: Option<(Cache, Keyring)>,
    pub(crate) observers: Box<[Arc<dyn Observer>]>,
    pub(crate) token_estimate: Estimate,
    pub(crate) seeds: AtomicU64,
}

/// What is behind a target of the table, at the same index.
#[derive(Debug)]
pub(crate) struct Upstream {
    pub(crate) endpoint: Endpoint,
}

impl Client {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(inner)))
    }

    /// Starts a description.
    #[must_use]
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    /// Sends a request built in Rust to the route its model names, and waits for the whole answer.
    ///
    /// # Errors
    ///
    /// [`Error`] where nothing, not even a degraded answer, could be given.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the upstream call; it may have been executed and billed.
    pub async fn chat(&self, mut request: chat::Request) -> Result<(chat::Reply, Answer), Error> {
        request.stream = false;
        let call = Call::from_chat(request).map_err(Error::bad_request)?;
        let route = call.model().to_owned();
        let answer = self.send(&route, call, CallOptions::default()).await?;
        let reply = answer.reply()?;
        Ok((reply, answer))
    }

    /// Asks for embeddings, of the route that the request's model names.
    ///
    /// All targets of such a route answer in one space, or the client could not have been built.
    ///
    /// # Errors
    ///
    /// [`Error`] where no vectors, not even kept ones, could be given.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the upstream call; it may have been executed and billed.
    pub async fn embed(
        &self,
        request: &embedding::Request,
    ) -> Result<(embedding::Reply, Answer), Error> {
        let call = Call::from_embedding(request).map_err(Error::bad_request)?;
        let route = call.model().to_owned();
        let answer = self.send(&route, call, CallOptions::default()).await?;
        let reply = match &answer.body {
            Body::Whole(body) => embedding::decode_reply(body),
            Body::Stream(_) => None,
        };
        Ok((reply.ok_or_else(Error::unreadable)?, answer))
    }

    /// Sends a call to the route `route`.
    ///
    /// A streamed call resolves at its first content, so every failure before that is retried or
    /// failed over unseen.
    ///
    /// # Errors
    ///
    /// [`Error`] where nothing, not even a degraded answer, could be given.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the answer's stream, cancels the upstream call at once and ends
    /// all retries; the call may have been executed and billed.
    pub async fn send(
        &self,
        route: &str,
        call: Call,
        options: CallOptions,
    ) -> Result<Answer, Error> {
        let inner = self.0.load_full();
        let route = inner.table.route(route).ok_or_else(Error::unknown_route)?;
        drive::send(inner, route, call, options).await
    }

    /// What the router is asked for `call` on the route `route`, with the present table: give both to
    /// [`Table::explain`] to learn why each target would win or lose that very call.
    ///
    /// # Errors
    ///
    /// [`Error`] where there is no such route, or it has none of the targets that the options ask for.
    pub fn demand(
        &self,
        route: &str,
        call: &Call,
        options: &CallOptions,
    ) -> Result<(Arc<Table>, RouteId, Request), Error> {
        let inner = self.0.load();
        let route = inner.table.route(route).ok_or_else(Error::unknown_route)?;
        let request = drive::demand(&inner, route, call, options)?;
        Ok((Arc::clone(&inner.table), route, request))
    }

    /// Replaces targets and routes for every clone, without losing a call or what was learnt: calls
    /// under way end as they began; targets, credentials, providers and routes that stay the same
    /// keep their health and budgets. Cache and transport stay unless `next` brings its own.
    ///
    /// # Errors
    ///
    /// [`BuildError`] as for [`ClientBuilder::build`]; then everything stays as it was.
    pub fn replace(&self, next: ClientBuilder) -> Result<(), BuildError> {
        let before = self.0.load_full();
        self.0.store(Arc::new(next.build_after(Some(&before))?));
        Ok(())
    }

    /// The route called `name`, of the present table.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<RouteId> {
        self.0.load().table.route(name)
    }

    /// Targets, routes and their health, as they are now.
    #[must_use]
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.0.load().table)
    }

    /// The endpoint behind a target.
    #[must_use]
    pub fn endpoint(&self, target: TargetId) -> Option<Endpoint> {
        let inner = self.0.load();
        let upstream = inner.upstreams.get(target.index())?;
        Some(upstream.endpoint.clone())
    }
}

impl Inner {
    /// A seed that no other request of this client has.
    pub(crate) fn next_seed(&self) -> u64 {
        // The golden ratio's odd fraction walks all of u64 before it repeats.
        self.seeds
            .fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
    }

    /// What of `call` a target's wire cannot carry.
    pub(crate) fn lost(&self, target: TargetId, call: &Call) -> Option<Vec<&'static str>> {
        let upstream = self.upstreams.get(target.index())?;
        Some(upstream.endpoint.cannot_carry(call))
    }

    /// What answers of a route are looked at for.
    pub(crate) fn quality(&self, route: RouteId) -> Option<&Quality> {
        let (quality, _) = self.qualities.get(route.index())?;
        Some(quality)
    }

    /// How much of a stream is held back on a route.
    pub(crate) fn hold(&self, route: RouteId) -> Hold {
        let found = self.qualities.get(route.index());
        found.map_or(Hold::default(), |(_, hold)| *hold)
    }

    /// Who rewrites what was refused on a route.
    pub(crate) fn rewrite(&self, route: RouteId) -> Option<&dyn Rewrite> {
        self.rewrites.get(route.index())?.as_deref()
    }

    /// The space of a route's vectors, where it is for embeddings.
    pub(crate) fn space(&self, route: RouteId) -> Option<&str> {
        self.spaces.get(route.index())?.as_deref()
    }

    /// The last resorts of a route.
    pub(crate) fn degraded(&self, route: RouteId) -> &[Degraded] {
        self.degraded.get(route.index()).map_or(&[], |steps| steps)
    }
}

/// Tokio's clock, which tests can pause, as the instant the pure parts take.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
