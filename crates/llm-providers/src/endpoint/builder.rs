//! How an endpoint comes about: what it needs is collected, and checked once.

use super::Endpoint;
use crate::address::{self, escape};
use crate::catalog::{self, AZURE_API_VERSION, Auth, Entry, Layout};
use crate::credential::Credential;
use crate::embedding::{self, Embedder, Way};
use crate::model::{self, Model};
use crate::prefill::Prefill;
use crate::wire::Wire;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use llm_errors::Provider;
use secrecy::{ExposeSecret, SecretString};
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Output tokens asked for where the wire demands a number, the caller gave none, and nothing is known of the model.
pub const DEFAULT_MAX_TOKENS: u32 = 4_096;

/// The most asked for at Bedrock where the caller gave no limit: at admission the limit counts against the quota of tokens a
/// minute as if all of it were written, and what was not is given back only at the end
/// (<https://docs.aws.amazon.com/bedrock/latest/userguide/quotas-token-burndown.html>, read 2026-11-26). Said nothing, it is the most
/// that the model can write.
const BEDROCK_MAX_TOKENS: u32 = 8_192;

/// The most asked for where the answer is not streamed and the caller gave no limit. More is expected to take longer than
/// ten minutes, for which Anthropic's SDKs demand a stream (`_calculate_nonstreaming_timeout` in `anthropic-sdk-python`,
/// `src/anthropic/_base_client.py`: 128,000 tokens an hour, read 2026-11-26), and which no connection is sure to last.
const WHOLE_MAX_TOKENS: u32 = 21_333;

/// What to ask a known model for.
fn usual_max_tokens(provider: Provider, model: &Model) -> u32 {
    let most = model.max_output.unwrap_or(DEFAULT_MAX_TOKENS);
    let most = match model.context_window {
        Some(window) => most.min((window / 8).max(DEFAULT_MAX_TOKENS)),
        None => most,
    };
    match provider {
        Provider::Bedrock => most.min(BEDROCK_MAX_TOKENS),
        _ => most,
    }
    .max(1)
}

/// Collects what [`Endpoint`] needs; unset parts come from the provider's row in
/// [`catalog`](crate::catalog).
#[derive(Clone)]
#[must_use = "nothing is checked until `build` is called"]
pub struct EndpointBuilder {
    entry: Entry,
    model: String,
    wire: Option<Wire>,
    space: Option<Box<str>>,
    embedder: Option<&'static dyn Embedder>,
    base_url: Option<String>,
    region: Option<String>,
    project: Option<String>,
    key: Option<SecretString>,
    credential: Option<Arc<dyn Credential>>,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    default_max_tokens: Option<u32>,
    pub(crate) prefill: Option<Prefill>,
}

/// An endpoint cannot be built from what was given.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The provider has no public address, so a base URL must be given.
    #[error("provider `{0}` has no address of its own: give a base URL")]
    NoBaseUrl(Provider),
    /// No way to vectors of this model is known here.
    #[error("no embeddings of this model at provider `{0}` are known here")]
    NoEmbeddings(Provider),
    /// The base URL is not an absolute `http` or `https` URL, or has a user, a password or a
    /// query in it.
    #[error("the base URL {0}")]
    BadBaseUrl(&'static str),
    /// The provider has an address a region, so a region must be given, or a base URL.
    #[error("provider `{0}` has an address in each region: give a region")]
    NoRegion(Provider),
    /// The provider's addresses name a project.
    #[error("provider `{0}` has a project in its addresses: give a project")]
    NoProject(Provider),
    /// A region or a project holds characters that no such name has.
    #[error("the {0} holds characters that no such name has")]
    BadPlace(&'static str),
    /// The model's name is empty.
    #[error("the model's name is empty")]
    NoModel,
    /// A header's name or value holds characters that HTTP does not allow, or is one that the
    /// adapter sets itself.
    #[error("header `{0}` is not allowed or not well formed")]
    BadHeader(String),
    /// The credential holds characters that a header cannot carry, such as a line end.
    #[error("the credential holds characters that a header cannot carry")]
    BadCredential,
}

impl EndpointBuilder {
    pub(super) fn new(provider: Provider, model: String) -> Self {
        Self {
            entry: catalog::entry(provider),
            model,
            wire: None,
            space: None,
            embedder: None,
            base_url: None,
            region: None,
            project: None,
            key: None,
            credential: None,
            headers: Vec::new(),
            query: Vec::new(),
            default_max_tokens: None,
            prefill: None,
        }
    }

    /// Sets the address, up to and including the version: `https://host/v1`.
    /// Default: the provider's public one.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Sets the region, for providers that have an address in each: `eu-central-1` at Bedrock,
    /// `europe-west4` or `global` on Vertex.
    pub fn region(mut self, region: impl Into<String>) -> Self {
        self.region = Some(region.into());
        self
    }

    /// Sets the project in whose name a model on Vertex is called.
    pub fn project(mut self, project: impl Into<String>) -> Self {
        self.project = Some(project.into());
        self
    }

    /// Sets the key. Default: none is sent.
    pub fn credential(mut self, key: SecretString) -> Self {
        self.key = Some(key);
        self
    }

    /// Sets who authorises each request, in place of a fixed key: a signature of AWS, a token of
    /// Google. Targets may share one, and its token.
    pub fn authorized_by(mut self, credential: Arc<dyn Credential>) -> Self {
        self.credential = Some(credential);
        self
    }

    /// Sets the wire. Default: the provider's own. A provider that offers several wires at several
    /// addresses needs the other address as well.
    pub fn wire(mut self, wire: impl Into<Wire>) -> Self {
        self.wire = Some(wire.into());
        self
    }

    /// Makes it an endpoint for [`embedding`](crate::embedding)s, on the provider's own wire, or on OpenAI's where
    /// [`wire`](Self::wire) or the provider has that. `space` names what its vectors can be compared with: usually the model, and its dimensions where they are not its own.
    pub fn embeddings(mut self, space: impl Into<Box<str>>) -> Self {
        self.space = Some(space.into());
        self
    }

    /// Sets how the key travels. Default: as the provider wants it.
    pub const fn auth(mut self, auth: Auth) -> Self {
        self.entry.auth = auth;
        self
    }

    /// Adds a header to every request; one of the same name that the adapter would send itself is
    /// replaced.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds a query parameter; it is escaped. On Azure, `api-version` replaces the default.
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Sets how many output tokens to ask for where the caller gave no limit and the wire demands one, or, as at Bedrock,
    /// counts the most there can be against a quota. Default: the most that [the model](crate::model) is stated to write, at
    /// most an eighth of its window, so that long prompts still fit; at most 8,192 at Bedrock, and 21,333 where the answer
    /// is not streamed; of a model of which no page was read [`DEFAULT_MAX_TOKENS`].
    pub const fn default_max_tokens(mut self, tokens: u32) -> Self {
        self.default_max_tokens = Some(tokens);
        self
    }

    /// Checks everything and builds the endpoint.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] names what is missing or malformed.
    pub fn build(mut self) -> Result<Endpoint, EndpointError> {
        if self.model.trim().is_empty() {
            return Err(EndpointError::NoModel);
        }
        let own = catalog::wire(self.entry.provider, &self.model);
        self.entry.wire = self.wire.unwrap_or(own);
        if self.space.is_some() {
            let provider = self.entry.provider;
            match embedding::way(provider, &self.model, self.entry.wire) {
                Some(Way::OpenAi) => self.entry.wire = Wire::OpenAiChat,
                Some(Way::Native(embedder)) => self.embedder = Some(embedder),
                None => return Err(EndpointError::NoEmbeddings(provider)),
            }
        }
        let uri = self.address(false)?;
        let stream_uri = Some(self.address(true)?).filter(|own| *own != uri);
        let headers = self.header_map()?;
        let model_json = serde_json::to_vec(&self.model).unwrap_or_default();
        let prefill = self.prefill.unwrap_or_else(|| {
            let Entry { provider, wire, .. } = self.entry;
            Prefill::known(provider, wire, &self.model, uri.path())
        });
        let provider = self.entry.provider;
        let wished = self.default_max_tokens.map(|tokens| tokens.max(1));
        let known = || model::lookup(provider, &self.model);
        let usual = wished.or_else(|| Some(usual_max_tokens(provider, &known()?)));
        let default_max_tokens = match wished {
            Some(tokens) => [tokens; 2],
            None => {
                let usual = usual.unwrap_or(DEFAULT_MAX_TOKENS);
                [usual, usual.min(WHOLE_MAX_TOKENS)]
            }
        };
        Ok(Endpoint {
            provider: self.entry.provider,
            wire: self.entry.wire,
            space: self.space,
            embedder: self.embedder,
            model_json: model_json.into(),
            model: self.model.into(),
            uri,
            stream_uri,
            headers,
            credential: self.credential,
            layout: self.entry.layout,
            quirks: self.entry.quirks,
            default_max_tokens,
            quota_max_tokens: usual.filter(|_| provider == Provider::Bedrock),
            prefill,
        })
    }

    fn address(&self, stream: bool) -> Result<Uri, EndpointError> {
        let base = self.base()?;
        let base = base.as_str();
        let parsed: Uri = base
            .parse()
            .map_err(|_| EndpointError::BadBaseUrl("is not a URL"))?;
        if !matches!(parsed.scheme_str(), Some("http" | "https")) {
            return Err(EndpointError::BadBaseUrl(
                "must begin with http:// or https://",
            ));
        }
        if parsed
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(EndpointError::BadBaseUrl(
                "must not hold a user or password: give the key as the credential",
            ));
        }
        if parsed.query().is_some() {
            return Err(EndpointError::BadBaseUrl(
                "must not hold a query: give its parameters one by one",
            ));
        }

        let base = base.trim_end_matches('/');
        let mut address = match self.entry.layout {
            Layout::AzureDeployments
                if self.entry.wire == Wire::OpenAiChat && !base.ends_with("/v1") =>
            {
                self.azure_address(base)
            }
            // Responses are at Azure's newer address alone, where the body names the deployment
            // (<https://learn.microsoft.com/azure/foundry/openai/how-to/responses>, read 2026-11-26).
            Layout::AzureDeployments
                if self.entry.wire == Wire::OpenAiResponses && !base.ends_with("/v1") =>
            {
                let root = base.strip_suffix("/openai").unwrap_or(base);
                format!("{root}/openai/v1/responses")
            }
            Layout::VertexProject => self.vertex_address(base, stream)?,
            _ if self.space.is_some() => match self.embedder {
                Some(embedder) => embedder.address(base, &self.model),
                None => format!("{base}/embeddings"),
            },
            _ => {
                let target = self.entry.wire.target();
                target.address(base, &self.model, stream)
            }
        };
        for (name, value) in &self.query {
            address.push(if address.contains('?') { '&' } else { '?' });
            escape(name, &mut address);
            address.push('=');
            escape(value, &mut address);
        }
        address
            .parse()
            .map_err(|_| EndpointError::BadBaseUrl("is not a URL"))
    }

    /// The given address, or the provider's own for this wire and region.
    fn base(&self) -> Result<String, EndpointError> {
        if let Some(url) = &self.base_url {
            return Ok(url.clone());
        }
        let provider = self.entry.provider;
        let own = match self.entry.compatible_url {
            Some(url) if self.entry.wire == Wire::OpenAiChat => Some(url),
            _ => self.entry.base_url,
        };
        if let Some(url) = own {
            return Ok(url.to_owned());
        }
        match self.entry.layout {
            Layout::BedrockRegion => self.place_of_region().map(address::bedrock),
            Layout::VertexProject => self.place_of_region().map(address::vertex),
            Layout::Plain | Layout::AzureDeployments => Err(EndpointError::NoBaseUrl(provider)),
        }
    }

    fn place_of_region(&self) -> Result<&str, EndpointError> {
        let region = self.region.as_deref();
        let region = region.ok_or(EndpointError::NoRegion(self.entry.provider))?;
        place(region, "region")
    }

    fn vertex_address(&self, base: &str, stream: bool) -> Result<String, EndpointError> {
        let project = self.project.as_deref();
        let project = project.ok_or(EndpointError::NoProject(self.entry.provider))?;
        let project = place(project, "project")?;
        let region = self.place_of_region()?;
        let base = format!("{base}/projects/{project}/locations/{region}");
        Ok(match self.entry.wire {
            Wire::AnthropicMessages => address::claude_on_vertex(&base, &self.model, stream),
            Wire::OpenAiChat => format!("{base}/endpoints/openapi/chat/completions"),
            wire => {
                let base = format!("{base}/publishers/google");
                match self.embedder {
                    Some(embedder) => embedder.address(&base, &self.model),
                    None => wire.target().address(&base, &self.model, stream),
                }
            }
        })
    }

    fn azure_address(&self, base: &str) -> String {
        let root = base.strip_suffix("/openai").unwrap_or(base);
        let mut address = format!("{root}/openai/deployments/");
        escape(&self.model, &mut address);
        address.push_str(match self.space {
            Some(_) => "/embeddings",
            None => "/chat/completions",
        });
        if !self.query.iter().any(|(name, _)| name == "api-version") {
            let _ = write!(address, "?api-version={AZURE_API_VERSION}");
        }
        address
    }

    fn header_map(&self) -> Result<HeaderMap, EndpointError> {
        let mut headers = HeaderMap::with_capacity(4 + self.headers.len());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if self.entry.layout != Layout::VertexProject {
            self.entry.wire.target().add_headers(&mut headers);
        }
        if let Some(key) = &self.key {
            let key = key.expose_secret();
            let (name, text) = match self.entry.auth {
                Auth::Bearer => (AUTHORIZATION, format!("Bearer {key}")),
                Auth::Header(name) => (HeaderName::from_static(name), key.to_owned()),
            };
            let mut value =
                HeaderValue::try_from(text).map_err(|_| EndpointError::BadCredential)?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        for (name, value) in &self.headers {
            let bad = || EndpointError::BadHeader(name.clone());
            let parsed = HeaderName::try_from(name).map_err(|_| bad())?;
            if [HOST, ACCEPT, CONTENT_TYPE].contains(&parsed)
                || matches!(
                    parsed.as_str(),
                    "content-length" | "transfer-encoding" | "connection"
                )
            {
                return Err(bad());
            }
            let mut value = HeaderValue::try_from(value).map_err(|_| bad())?;
            value.set_sensitive(true);
            headers.insert(parsed, value);
        }
        Ok(headers)
    }
}

impl fmt::Debug for EndpointBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointBuilder")
            .field("provider", &self.entry.provider)
            .field("model", &self.model)
            .finish_non_exhaustive()
    }
}

/// A region's or a project's name, which goes into hosts and paths.
fn place<'a>(name: &'a str, what: &'static str) -> Result<&'a str, EndpointError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(EndpointError::BadPlace(what));
    }
    Ok(name)
}
