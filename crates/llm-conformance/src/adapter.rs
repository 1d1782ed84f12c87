//! What is tested: anything that takes a caller's request and comes back with an answer in the caller's dialect.

use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use llm_providers::{
    Call, Dialect, Endpoint, EndpointError, Exchange, Failure, ReqwestTransport, Windows, exchange,
};
use std::fmt;
use std::time::{Duration, SystemTime};

/// One call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Ask {
    /// The caller's dialect, in which the answer is due.
    pub caller: Dialect,
    /// The request's body, in that dialect.
    pub body: Bytes,
    /// Where the provider is, as `http://127.0.0.1:9001`.
    pub provider: String,
}

/// What came of a call.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The body in the caller's dialect; of a stream, all of it.
    pub body: Bytes,
    /// Names of what could not be carried.
    pub dropped: Vec<String>,
    /// Why there is no answer, or why it broke off: a stable name such as `unsupported_feature`.
    pub failed: Option<String>,
}

/// An adapter under test. Implement it for a codec, a client library or a gateway of your own; for an
/// [`Endpoint`] there is [`EndpointAdapter`].
pub trait Adapter: Send + Sync {
    /// Its name, after which its golden files are called.
    fn name(&self) -> &str;

    /// The model's name that the provider must be asked for.
    fn model(&self) -> &str;

    /// The dialect it speaks to the provider, if that is one callers speak too: a caller of the same dialect must have
    /// its body passed on untouched but for the model's name. Default: none.
    fn dialect(&self) -> Option<Dialect> {
        None
    }

    /// Makes one call, without retries.
    fn call(&self, ask: Ask) -> BoxFuture<'_, Answer>;
}

/// How an [`Endpoint`] is made for the provider's address.
type Build = dyn Fn(&str) -> Result<Endpoint, EndpointError> + Send + Sync;

/// An [`Endpoint`] under test, called by [`exchange`].
pub struct EndpointAdapter {
    name: String,
    build: Box<Build>,
    transport: ReqwestTransport,
}

/// The model's name every [`EndpointAdapter`] must give its endpoint.
pub const MODEL: &str = "model-under-test";

/// The calendar's time of every call, seconds since 1970: what an answer says of its age is the same in every run.
const NOW: u64 = 1_796_000_000;

impl EndpointAdapter {
    /// Tests the endpoint that `build` makes for a provider's root address (without `/v1`). Its model must be [`MODEL`].
    ///
    /// # Errors
    ///
    /// [`TransportBuildError`](llm_providers::TransportBuildError) where no HTTP client can be built.
    pub fn try_new(
        name: impl Into<String>,
        build: impl Fn(&str) -> Result<Endpoint, EndpointError> + Send + Sync + 'static,
    ) -> Result<Self, llm_providers::TransportBuildError> {
        Ok(Self {
            name: name.into(),
            build: Box::new(build),
            transport: ReqwestTransport::try_new()?,
        })
    }

    async fn exchange(&self, ask: Ask) -> Answer {
        let endpoint = match (self.build)(&ask.provider) {
            Ok(endpoint) => endpoint,
            Err(error) => return Answer::failed(format!("endpoint: {error}")),
        };
        let call = match Call::parse(ask.caller, ask.body) {
            Ok(call) => call,
            Err(bad) => return Answer::failed(format!("request: {bad}")),
        };
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(NOW);
        match exchange(&self.transport, &endpoint, &call, &Windows::default(), now).await {
            Ok(Exchange::Whole(whole)) => Answer {
                body: whole.body.clone(),
                dropped: owned(&whole.facts.dropped),
                failed: None,
            },
            Ok(Exchange::Stream(mut stream)) => {
                let mut body = BytesMut::new();
                let mut failed = None;
                while let Some(item) = stream.next().await {
                    match item {
                        Ok(bytes) => body.extend_from_slice(&bytes),
                        Err(failure) => failed = Some(kind(&failure)),
                    }
                }
                Answer {
                    body: body.freeze(),
                    dropped: owned(&stream.facts().dropped),
                    failed,
                }
            }
            Err(failure) => Answer::failed(kind(&failure)),
        }
    }
}

impl Adapter for EndpointAdapter {
    fn name(&self) -> &str {
        &self.name
    }

    fn model(&self) -> &str {
        MODEL
    }

    fn dialect(&self) -> Option<Dialect> {
        // Any address will do: the dialect does not depend on it. What would be refused is no dialect of the caller's.
        (self.build)("http://127.0.0.1:1")
            .ok()
            .filter(|endpoint| !endpoint.is_closed())
            .and_then(|endpoint| endpoint.wire().dialect())
    }

    fn call(&self, ask: Ask) -> BoxFuture<'_, Answer> {
        self.exchange(ask).boxed()
    }
}

impl fmt::Debug for EndpointAdapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointAdapter")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Answer {
    /// No answer at all.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self {
            failed: Some(why.into()),
            ..Self::default()
        }
    }
}

fn kind(failure: &Failure) -> String {
    failure.verdict.kind.as_str().to_owned()
}

fn owned(names: &[&'static str]) -> Vec<String> {
    let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
