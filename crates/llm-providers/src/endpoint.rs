//! Where one target is reached: address, key, wire and the model's name there.

mod builder;

pub use self::builder::{DEFAULT_MAX_TOKENS, EndpointBuilder, EndpointError};

use crate::anthropic::VERTEX_VERSION;
use crate::call::{Call, Purpose};
use crate::catalog::Layout;
use crate::credential::Credential;
use crate::embedding::Embedder;
use crate::openai::Quirks;
use crate::prefill::Prefill;
use crate::wire::Wire;
use bytes::Bytes;
use http::{HeaderMap, Uri};
use llm_errors::Provider;
use std::fmt;
use std::sync::Arc;

/// Where one target is reached. Everything a request needs is worked out once, here.
#[derive(Clone)]
pub struct Endpoint {
    provider: Provider,
    wire: Wire,
    space: Option<Box<str>>,
    /// How its vectors are asked for, where that is not OpenAI's way.
    embedder: Option<&'static dyn Embedder>,
    model: Box<str>,
    model_json: Box<[u8]>,
    uri: Uri,
    /// Where streamed answers have an address of their own.
    stream_uri: Option<Uri>,
    headers: HeaderMap,
    credential: Option<Arc<dyn Credential>>,
    layout: Layout,
    quirks: Quirks,
    /// Of an answer that is streamed, and of one that is not.
    default_max_tokens: [u32; 2],
    quota_max_tokens: Option<u32>,
    pub(crate) prefill: Prefill,
}

impl Endpoint {
    /// Starts an endpoint for `model`, as `provider` names it.
    ///
    /// ```
    /// use llm_errors::Provider;
    /// use llm_providers::Endpoint;
    ///
    /// let endpoint = Endpoint::builder(Provider::Groq, "llama-3.3-70b-versatile")
    ///     .credential("gsk_example".into())
    ///     .build()?;
    /// assert_eq!(endpoint.host(), "api.groq.com");
    /// # Ok::<(), llm_providers::EndpointError>(())
    /// ```
    pub fn builder(provider: Provider, model: impl Into<String>) -> EndpointBuilder {
        EndpointBuilder::new(provider, model.into())
    }

    /// Whose words its failures are written in.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.provider
    }

    /// The wire it speaks.
    #[must_use]
    pub const fn wire(&self) -> Wire {
        self.wire
    }

    /// What it is for.
    #[must_use]
    pub const fn purpose(&self) -> Purpose {
        match self.space {
            Some(_) => Purpose::Embeddings,
            None => Purpose::Chat,
        }
    }

    /// The space of its vectors, where it is for embeddings: vectors of two spaces cannot be compared.
    #[must_use]
    pub fn space(&self) -> Option<&str> {
        self.space.as_deref()
    }

    /// The model's name there.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The server's host name, for spans and metrics.
    #[must_use]
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }

    /// The server's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        let plain = self.uri.scheme_str() == Some("http");
        self.uri.port_u16().unwrap_or(if plain { 80 } else { 443 })
    }

    /// The body of a call in the same dialect: only the model's name is another. On Vertex, where the
    /// name is in the address, the version that Vertex asks for stands in its place.
    pub(crate) fn body_of(&self, call: &Call) -> Bytes {
        if self.on_vertex() && self.wire == Wire::AnthropicMessages {
            let field = format!("\"anthropic_version\":\"{VERTEX_VERSION}\"");
            call.body_with_field(field.as_bytes())
        } else {
            call.body_for(&self.model_json)
        }
    }

    /// Whether a conversation in which tools were called must bring the model's reasoning.
    pub(crate) fn wants_thoughts(&self) -> bool {
        self.wire == Wire::OpenAiChat && self.quirks.for_model(&self.model).thoughts_return
    }

    /// Whether it speaks OpenAI's chat dialect and refuses what it does not know of it ([`Quirks::closed`]), so that even
    /// a request of that dialect is changed where it would be refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.wire == Wire::OpenAiChat && self.quirks.closed
    }

    pub(crate) const fn embedder(&self) -> Option<&'static dyn Embedder> {
        self.embedder
    }

    pub(crate) fn credential(&self) -> Option<&dyn Credential> {
        self.credential.as_deref()
    }

    pub(crate) fn on_vertex(&self) -> bool {
        self.layout == Layout::VertexProject
    }

    pub(crate) fn uri(&self, stream: bool) -> &Uri {
        let own = self.stream_uri.as_ref().filter(|_| stream);
        own.unwrap_or(&self.uri)
    }

    pub(crate) const fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    pub(crate) const fn quirks(&self) -> Quirks {
        self.quirks
    }

    pub(crate) const fn quota_max_tokens(&self) -> Option<u32> {
        self.quota_max_tokens
    }

    pub(crate) const fn default_max_tokens(&self, stream: bool) -> u32 {
        let [streamed, whole] = self.default_max_tokens;
        if stream { streamed } else { whole }
    }
}

/// Shows host and path, never the key, a header's value or the query.
impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("provider", &self.provider)
            .field("wire", &self.wire)
            .field("model", &self.model)
            .field("host", &self.host())
            .field("port", &self.port())
            .field("path", &self.uri.path())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
