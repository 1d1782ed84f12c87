//! Which request goes where: paths, methods and what each answers.

mod ask;
mod call;
mod caller;
mod count;
mod explain;
mod foreign;
mod health;
mod model;
mod receive;

use crate::body::Body;
use crate::config::{Config, StickTo};
use crate::engine::{self, Client, Dialect, Strategy};
use crate::metrics::Metrics;
use crate::peer::Presence;
use crate::reply::{self, Outline, Problem};
use arc_swap::ArcSwap;
use http::header::{CONNECTION, ORIGIN};
use http::{HeaderMap, HeaderValue, Method, Request, Response};
use hyper::body::Incoming;
use llm_resilience::providers::Call;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::watch;

/// Everything a request needs, shared by all of them.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) client: Client,
    /// What the configuration in force says; replaced as one.
    present: ArcSwap<Present>,
    room: receive::Room,
    /// Whether metrics have a listener of their own.
    admin_apart: bool,
    /// Whether callers are on this machine alone.
    loopback: bool,
    /// Whether it is about to shut down.
    leaving: AtomicBool,
    /// Whether calls are refused for it.
    draining: AtomicBool,
    /// Whether what still runs is to end now.
    cut: watch::Sender<bool>,
}

/// What a reload replaces beside the engine's own state.
#[derive(Debug)]
pub(crate) struct Present {
    pub(crate) metrics: Arc<Metrics>,
    /// What callers may send as `model`, and what it means.
    names: HashMap<Box<str>, Arc<Named>>,
    /// The same names in the order of the configuration, for people.
    listed: Vec<String>,
    /// Web pages that may call.
    allowed_origins: Box<[String]>,
    /// Who may call.
    callers: caller::Callers,
}

/// What a name means.
#[derive(Debug)]
struct Named {
    route: Box<str>,
    /// What calls stick to a target by, where they do.
    stick_to: Option<StickTo>,
}

/// Which listener a request came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Face {
    /// The one for callers.
    Callers,
    /// The one for operators.
    Admin,
}

/// What a path stands for.
#[derive(Debug, PartialEq, Eq)]
enum Resource<'p> {
    Completion(Dialect),
    Embeddings,
    /// How many tokens a call has.
    Count(Dialect),
    /// Something that a provider keeps: a response, a conversation.
    Kept,
    Models,
    Model(&'p str),
    Health,
    Ready,
    Metrics,
    Explain(&'p str),
}

impl App {
    /// The state of a gateway that serves `client` as `config` says.
    pub(crate) fn new(config: &Config, client: Client, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            present: ArcSwap::from_pointee(Present::new(config, metrics, None)),
            room: receive::Room::new(&config.server),
            admin_apart: config.admin_listen.is_some(),
            loopback: config.listen.ip().is_loopback(),
            leaving: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            cut: watch::Sender::new(false),
        }
    }

    /// What the configuration in force says. A request keeps what it began with.
    pub(crate) fn present(&self) -> Arc<Present> {
        self.present.load_full()
    }

    /// Serves what `next` says from now on, in place of `before`. Calls under way end as they began; listeners and the
    /// limits of the server stay as they are.
    ///
    /// # Errors
    ///
    /// What cannot be built; then everything stays as it was.
    pub(crate) fn reload(&self, before: &Config, next: &Config) -> anyhow::Result<()> {
        let counts = Arc::new(self.present().metrics.following(next));
        engine::replace(&self.client, before, next, Arc::clone(&counts) as _)?;
        counts.forget_states();
        let before = self.present();
        let present = Present::new(next, counts, Some(&before.callers));
        self.present.store(Arc::new(present));
        Ok(())
    }

    /// Says that the gateway is about to shut down: it is no longer ready, and asks callers to connect elsewhere.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Says that the gateway is shutting down: no more calls are taken.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Ends the streams that still run, each in an error event.
    pub(crate) fn cut(&self) {
        self.cut.send_replace(true);
    }

    fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }
}

impl Present {
    /// What a name means to a caller.
    fn named(&self, name: &str, who: &caller::Who) -> Option<Arc<Named>> {
        let named = self.names.get(name);
        let named = named.filter(|named| who.may_ask(&named.route));
        named.map(Arc::clone)
    }

    fn new(config: &Config, metrics: Arc<Metrics>, before: Option<&caller::Callers>) -> Self {
        let mut names = HashMap::new();
        let mut listed = Vec::new();
        for route in &config.routes {
            let sticky = route.strategy == Some(Strategy::Sticky);
            let named = Arc::new(Named {
                route: route.name.as_str().into(),
                stick_to: sticky.then(|| route.stick_to.clone()),
            });
            for name in std::iter::once(&route.name).chain(&route.aliases) {
                names.insert(name.as_str().into(), Arc::clone(&named));
                listed.push(name.clone());
            }
        }
        Self {
            metrics,
            names,
            listed,
            allowed_origins: config.allowed_origins.as_slice().into(),
            callers: caller::Callers::new(config, before),
        }
    }
}

/// Answers one request. Dropping the future, as the server does when the caller hangs up, cancels the upstream call.
pub(crate) async fn handle(
    app: &App,
    face: Face,
    presence: Presence,
    request: Request<Incoming>,
) -> Response<Body> {
    let page = request.headers().get(ORIGIN).cloned();
    let page = page.filter(|page| foreign::is_allowed(page, &app.present().allowed_origins));
    let mut response = tokio::select! {
        biased;
        response = answer(app, face, &presence, request) => response,
        // Nobody reads it.
        () = presence.ended() => return Response::new(Body::whole("")),
    };
    if let Some(page) = page {
        foreign::let_read(response.headers_mut(), page);
    }
    if face == Face::Callers && app.is_leaving() {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}

async fn answer(
    app: &App,
    face: Face,
    presence: &Presence,
    request: Request<Incoming>,
) -> Response<Body> {
    let id = request_id(request.headers());
    let (resource, dialect) = match resource(request.uri().path()) {
        Some(Resource::Metrics | Resource::Explain(_))
            if app.admin_apart && face == Face::Callers =>
        {
            (None, Dialect::OpenAiChat)
        }
        Some(
            Resource::Completion(_)
            | Resource::Embeddings
            | Resource::Count(_)
            | Resource::Kept
            | Resource::Models
            | Resource::Model(_),
        ) if face == Face::Admin => (None, Dialect::OpenAiChat),
        Some(it @ (Resource::Completion(dialect) | Resource::Count(dialect))) => {
            (Some(it), dialect)
        }
        other => {
            let dialect = spoken(request.headers(), request.uri().path());
            (other, dialect)
        }
    };
    if face == Face::Callers
        && let Err(why) = foreign::check(
            request.headers(),
            request.uri(),
            app.loopback,
            &app.present().allowed_origins,
        )
    {
        return refuse(app, &Problem::Foreign(why), dialect, &id);
    }
    if foreign::is_preflight(&request) {
        return foreign::preflight(request.headers());
    }
    let who = match resource {
        // Whoever looks whether the gateway lives has no key.
        Some(Resource::Health | Resource::Ready) => caller::Who::default(),
        _ if face == Face::Admin => caller::Who::default(),
        _ => match app.present().callers.find(request.headers()) {
            Ok(who) => who,
            Err(problem) => return refuse(app, &problem, dialect, &id),
        },
    };
    let Some(resource) = resource else {
        let path = request.uri().path().to_owned();
        return refuse(app, &Problem::UnknownPath(path), dialect, &id);
    };
    let allowed = match resource {
        Resource::Completion(_) | Resource::Embeddings | Resource::Count(_) => "POST",
        _ => "GET",
    };
    let method = request.method();
    let fits = method.as_str() == allowed
        || (allowed == "GET" && method == Method::HEAD)
        || (matches!(resource, Resource::Explain(_)) && method == Method::POST)
        || resource == Resource::Kept;
    if !fits {
        return refuse(app, &Problem::WrongMethod(allowed), dialect, &id);
    }
    match resource {
        Resource::Completion(dialect) => {
            let parse = |body| Call::parse(dialect, body);
            let from = call::Caller {
                who: &who,
                presence,
                dialect,
                id: &id,
            };
            call::complete(app, from, parse, request).await
        }
        Resource::Embeddings => {
            let from = call::Caller {
                who: &who,
                presence,
                dialect: Dialect::OpenAiChat,
                id: &id,
            };
            call::complete(app, from, Call::embeddings, request).await
        }
        Resource::Count(dialect) => count::count(app, &who, request, dialect, &id).await,
        Resource::Kept => refuse(app, &Problem::NothingKept, dialect, &id),
        Resource::Models => model::list(app, &who, dialect, &id),
        Resource::Model(name) => {
            let name = name.to_owned();
            model::one(app, &who, dialect, &name, &id)
        }
        Resource::Health => health::alive(),
        Resource::Ready => health::ready(app, face),
        Resource::Metrics => health::metrics(app),
        Resource::Explain(name) => {
            let name = name.to_owned();
            explain::explain(app, &who, &name, request, dialect, &id).await
        }
    }
}

/// Counts and shapes a problem with a request.
fn refuse(app: &App, problem: &Problem, dialect: Dialect, id: &str) -> Response<Body> {
    let reason = Outline::reason(problem);
    app.present.load().metrics.rejected(reason);
    tracing::debug!(request_id = id, reason, "request refused");
    Outline::of_problem(problem).response(dialect, id)
}

/// What a path stands for. `/v1` in front may be there once, twice (a base URL that already had it) or not at all.
fn resource(path: &str) -> Option<Resource<'_>> {
    let mut rest = path;
    for _ in 0..2 {
        rest = rest
            .strip_prefix("/v1")
            .filter(|tail| tail.starts_with('/'))
            .unwrap_or(rest);
    }
    match rest.trim_end_matches('/') {
        "/chat/completions" => Some(Resource::Completion(Dialect::OpenAiChat)),
        "/embeddings" => Some(Resource::Embeddings),
        "/responses" => Some(Resource::Completion(Dialect::OpenAiResponses)),
        "/messages" => Some(Resource::Completion(Dialect::AnthropicMessages)),
        "/messages/count_tokens" => Some(Resource::Count(Dialect::AnthropicMessages)),
        "/responses/input_tokens" => Some(Resource::Count(Dialect::OpenAiResponses)),
        "/models" => Some(Resource::Models),
        "/healthz" => Some(Resource::Health),
        "/readyz" => Some(Resource::Ready),
        "/metrics" => Some(Resource::Metrics),
        "/conversations" => Some(Resource::Kept),
        other if other.starts_with("/responses/") || other.starts_with("/conversations/") => {
            Some(Resource::Kept)
        }
        other => {
            let after = |start: &str| other.strip_prefix(start).filter(|name| !name.is_empty());
            let model = after("/models/").map(Resource::Model);
            model.or_else(|| after("/explain/").map(Resource::Explain))
        }
    }
}

/// The dialect of a caller whose path does not tell it.
fn spoken(headers: &HeaderMap, path: &str) -> Dialect {
    if headers.contains_key("anthropic-version")
        || headers.contains_key("x-api-key")
        || path.contains("/messages")
    {
        Dialect::AnthropicMessages
    } else {
        Dialect::OpenAiChat
    }
}

/// The caller's own id for the request, where it is short and harmless; else a new one, sortable by time.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers
        .get(reply::REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let fits = |id: &&str| {
        (1..=128).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b))
    };
    given
        .filter(fits)
        .map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_with_and_without_their_version() {
        for path in [
            "/v1/chat/completions",
            "/chat/completions",
            "/v1/v1/chat/completions",
            "/v1/chat/completions/",
        ] {
            assert_eq!(
                resource(path),
                Some(Resource::Completion(Dialect::OpenAiChat)),
                "{path}"
            );
        }
        for path in ["/v1/messages", "/messages", "/v1/v1/messages"] {
            assert_eq!(
                resource(path),
                Some(Resource::Completion(Dialect::AnthropicMessages)),
                "{path}"
            );
        }
        assert_eq!(
            resource("/v1/responses"),
            Some(Resource::Completion(Dialect::OpenAiResponses))
        );
        assert_eq!(resource("/v1/embeddings"), Some(Resource::Embeddings));
        assert_eq!(
            resource("/v1/messages/count_tokens"),
            Some(Resource::Count(Dialect::AnthropicMessages))
        );
        for path in [
            "/v1/responses/resp_1",
            "/responses/resp_1/input_items",
            "/v1/responses/compact",
            "/v1/conversations",
        ] {
            assert_eq!(resource(path), Some(Resource::Kept), "{path}");
        }
        assert_eq!(resource("/v1/models"), Some(Resource::Models));
        assert_eq!(
            resource("/v1/models/openai/gpt"),
            Some(Resource::Model("openai/gpt"))
        );
        assert_eq!(resource("/healthz"), Some(Resource::Health));
        for path in [
            "/",
            "/v1",
            "/v1x/messages",
            "/v1/chat",
            "/v1/v1/v1/messages",
            "/models/",
        ] {
            assert!(
                matches!(resource(path), None | Some(Resource::Models)),
                "{path}"
            );
        }
    }

    #[test]
    fn a_callers_id_is_kept_only_if_it_is_harmless() {
        let with = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(reply::REQUEST_ID, value.parse().unwrap());
            request_id(&headers)
        };
        assert_eq!(with("abc-1.2:3"), "abc-1.2:3");
        assert_ne!(with("a b"), "a b");
        assert_ne!(with(&"x".repeat(129)), "x".repeat(129));
        assert_eq!(request_id(&HeaderMap::new()).len(), 36);
    }
}
