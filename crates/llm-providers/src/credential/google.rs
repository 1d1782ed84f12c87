//! Google's access tokens: a service account's, or the machine's own.
//!
//! A service account signs a statement with its private key and trades it for a token
//! (<https://developers.google.com/identity/protocols/oauth2/service-account>); a machine in Google's
//! cloud asks its metadata server
//! (<https://docs.cloud.google.com/compute/docs/access/authenticate-workloads>). Both read 2026-11-26.

use super::token::{Token, TokenCache};
use super::{Credential, CredentialError};
use crate::base64;
use crate::transport::{HttpRequest, Transport};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde::Deserialize;
use serde_json::json;
use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a token is good for: everything that the account may do.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// Where statements are traded, if the account's file does not say.
const TOKEN_URI: &str = "https://oauth2.googleapis.com/token";
const METADATA_URI: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
/// How long a statement is good for: the longest that is accepted.
const STATEMENT: Duration = Duration::from_secs(3_600);
/// How long a connection to whoever gives out tokens may take.
const CONNECT: Duration = Duration::from_secs(3);
/// The longest answer of theirs that is read, in bytes.
const MAX_ANSWER: usize = 64 << 10;

/// Authorises requests to Google's cloud with a token, which is fetched when the first is needed and
/// renewed five minutes before it runs out.
pub struct GoogleCredential {
    source: Source,
    tokens: TokenCache,
}

enum Source {
    Account(Box<Account>),
    Machine { uri: Uri },
}

struct Account {
    email: String,
    key_id: String,
    key: RsaKeyPair,
    token_uri: Uri,
}

/// The file that Google's console makes for a service account.
#[derive(Deserialize)]
struct AccountFile {
    client_email: String,
    private_key: String,
    #[serde(default)]
    private_key_id: String,
    token_uri: Option<String>,
}

impl GoogleCredential {
    /// A service account, from the JSON file that Google's console made for it.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Malformed`] where it is no such file, or its key is none.
    pub fn service_account(json: &[u8]) -> Result<Self, CredentialError> {
        let file: AccountFile =
            serde_json::from_slice(json).map_err(|_| CredentialError::Malformed)?;
        let key = PrivatePkcs8KeyDer::from_pem_slice(file.private_key.as_bytes())
            .map_err(|_| CredentialError::Malformed)?;
        let key = RsaKeyPair::from_pkcs8(key.secret_pkcs8_der())
            .map_err(|_| CredentialError::Malformed)?;
        let token_uri = file.token_uri.as_deref().unwrap_or(TOKEN_URI);
        Ok(Self::of(Source::Account(Box::new(Account {
            email: file.client_email,
            key_id: file.private_key_id,
            key,
            token_uri: token_uri.parse().map_err(|_| CredentialError::Malformed)?,
        }))))
    }

    /// The account of the machine in Google's cloud on which this runs.
    #[must_use]
    pub fn machine() -> Self {
        Self::of(Source::Machine {
            uri: Uri::from_static(METADATA_URI),
        })
    }

    /// The same with another metadata server: one in a test, or an emulator.
    ///
    /// # Errors
    ///
    /// [`CredentialError::Malformed`] where `uri` is none.
    pub fn machine_at(uri: &str) -> Result<Self, CredentialError> {
        let uri = uri.parse().map_err(|_| CredentialError::Malformed)?;
        Ok(Self::of(Source::Machine { uri }))
    }

    fn of(source: Source) -> Self {
        Self {
            source,
            tokens: TokenCache::default(),
        }
    }

    async fn fetch(
        &self,
        transport: &dyn Transport,
        now: SystemTime,
    ) -> Result<Token, CredentialError> {
        let request = match &self.source {
            Source::Account(account) => account.request(now)?,
            Source::Machine { uri } => machine_request(uri.clone()),
        };
        let response = transport
            .send(request)
            .await
            .map_err(CredentialError::Unreachable)?;
        if response.status != 200 {
            return Err(CredentialError::Refused(response.status));
        }
        let mut body = response.body;
        let mut answer = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(CredentialError::Unreachable)?;
            if answer.len() + chunk.len() > MAX_ANSWER {
                return Err(CredentialError::Unreadable);
            }
            answer.extend_from_slice(&chunk);
        }
        read_token(&answer, now)
    }
}

/// Shows whose account it is, never a key or a token.
impl fmt::Debug for GoogleCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = match self.source {
            Source::Account(_) => "service account",
            Source::Machine { .. } => "machine",
        };
        f.debug_struct("GoogleCredential")
            .field("source", &source)
            .finish_non_exhaustive()
    }
}

impl Credential for GoogleCredential {
    fn authorize<'a>(
        &'a self,
        request: &'a mut HttpRequest,
        transport: &'a dyn Transport,
        now: SystemTime,
    ) -> BoxFuture<'a, Result<(), CredentialError>> {
        Box::pin(async move {
            let header = self.tokens.get(now, self.fetch(transport, now)).await?;
            request.headers.insert(AUTHORIZATION, header);
            Ok(())
        })
    }

    fn refused(&self, authorization: &HeaderValue, now: SystemTime) -> bool {
        self.tokens.refused(authorization, now)
    }
}

impl Account {
    /// The request that trades a statement for a token.
    fn request(&self, now: SystemTime) -> Result<HttpRequest, CredentialError> {
        let statement = self.statement(now)?;
        let body = format!(
            "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={statement}"
        );
        let mut headers = HeaderMap::new();
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        headers.insert(CONTENT_TYPE, form);
        Ok(HttpRequest::new(
            self.token_uri.clone(),
            headers,
            body.into(),
            CONNECT,
        ))
    }

    /// A signed statement (JWT, RFC 7519) of who asks, for what and until when.
    fn statement(&self, now: SystemTime) -> Result<String, CredentialError> {
        let issued = now
            .duration_since(UNIX_EPOCH)
            .map_err(|_| CredentialError::Malformed)?;
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let claims = json!({
            "iss": self.email,
            "scope": SCOPE,
            "aud": self.token_uri.to_string(),
            "iat": issued.as_secs(),
            "exp": issued.as_secs() + STATEMENT.as_secs(),
        });
        let mut statement = String::new();
        base64::url(header.to_string().as_bytes(), &mut statement);
        statement.push('.');
        base64::url(claims.to_string().as_bytes(), &mut statement);
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                statement.as_bytes(),
                &mut signature,
            )
            .map_err(|_| CredentialError::Malformed)?;
        statement.push('.');
        base64::url(&signature, &mut statement);
        Ok(statement)
    }
}

fn machine_request(uri: Uri) -> HttpRequest {
    let mut headers = HeaderMap::new();
    headers.insert(
        HeaderName::from_static("metadata-flavor"),
        HeaderValue::from_static("Google"),
    );
    let mut request = HttpRequest::new(uri, headers, Bytes::new(), CONNECT);
    request.method = Method::GET;
    request
}

#[derive(Deserialize)]
struct TokenAnswer<'a> {
    access_token: &'a str,
    expires_in: u64,
}

fn read_token(answer: &[u8], now: SystemTime) -> Result<Token, CredentialError> {
    let answer: TokenAnswer<'_> =
        serde_json::from_slice(answer).map_err(|_| CredentialError::Unreadable)?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", answer.access_token))
        .map_err(|_| CredentialError::Unreadable)?;
    header.set_sensitive(true);
    Ok(Token {
        header,
        until: now + Duration::from_secs(answer.expires_in.min(86_400)),
    })
}
