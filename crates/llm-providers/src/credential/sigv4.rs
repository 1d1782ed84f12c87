//! AWS's signature, version 4: over method, path, query, headers and body of every request
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read
//! 2026-11-26).

use super::calendar::basic_time;
use super::{Credential, CredentialError};
use crate::transport::{HttpRequest, Transport};
use futures_util::future::BoxFuture;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use ring::{digest, hmac};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::{self, Write as _};
use std::time::SystemTime;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");

/// The keys of an AWS identity.
#[derive(Clone)]
pub struct AwsKeys {
    access_key_id: String,
    secret_access_key: SecretString,
    session_token: Option<SecretString>,
}

impl AwsKeys {
    /// A long-lived pair of keys.
    #[must_use]
    pub fn new(access_key_id: impl Into<String>, secret_access_key: SecretString) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key,
            session_token: None,
        }
    }

    /// Adds the session token that comes with temporary keys.
    #[must_use]
    pub fn session_token(mut self, token: SecretString) -> Self {
        self.session_token = Some(token);
        self
    }
}

/// Shows no part of any key.
impl fmt::Debug for AwsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsKeys").finish_non_exhaustive()
    }
}

/// Signs requests with AWS's signature, version 4.
#[derive(Debug, Clone)]
pub struct AwsCredential {
    keys: AwsKeys,
    region: String,
    service: String,
}

impl AwsCredential {
    /// Signs for `service` (`bedrock`) in `region`.
    #[must_use]
    pub fn new(keys: AwsKeys, region: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            keys,
            region: region.into(),
            service: service.into(),
        }
    }

    fn sign(&self, request: &mut HttpRequest, now: SystemTime) -> Result<(), CredentialError> {
        let malformed = |_| CredentialError::Malformed;
        let time = basic_time(now);
        let stamp = HeaderValue::try_from(time.as_str()).map_err(malformed)?;
        request.headers.insert(DATE, stamp);
        if let Some(token) = &self.keys.session_token {
            let mut token = HeaderValue::try_from(token.expose_secret()).map_err(malformed)?;
            token.set_sensitive(true);
            request.headers.insert(SESSION_TOKEN, token);
        }
        let signed = signed_headers(&request.uri, &request.headers)?;
        let value = self.authorization(request, &signed, &time)?;
        let mut value = HeaderValue::try_from(value).map_err(|_| CredentialError::Malformed)?;
        value.set_sensitive(true);
        request.headers.insert(AUTHORIZATION, value);
        Ok(())
    }

    fn authorization(
        &self,
        request: &HttpRequest,
        signed: &[(String, String)],
        time: &str,
    ) -> Result<String, CredentialError> {
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut canonical = format!("{}\n", request.method);
        canonical_path(request.uri.path(), &mut canonical);
        canonical.push('\n');
        canonical_query(request.uri.query().unwrap_or_default(), &mut canonical);
        canonical.push('\n');
        for (name, value) in signed {
            let _ = writeln!(canonical, "{name}:{value}");
        }
        let _ = write!(canonical, "\n{names}\n");
        hex(hash(&request.body).as_ref(), &mut canonical);

        let date = time.get(..8).ok_or(CredentialError::Malformed)?;
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let mut to_sign = format!("{ALGORITHM}\n{time}\n{scope}\n");
        hex(hash(canonical.as_bytes()).as_ref(), &mut to_sign);

        let first = format!("AWS4{}", self.keys.secret_access_key.expose_secret());
        let mut key = hmac::Key::new(hmac::HMAC_SHA256, first.as_bytes());
        for step in [date, &self.region, &self.service, "aws4_request"] {
            let tag = hmac::sign(&key, step.as_bytes());
            key = hmac::Key::new(hmac::HMAC_SHA256, tag.as_ref());
        }
        let mut out = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={names}, Signature=",
            self.keys.access_key_id
        );
        hex(hmac::sign(&key, to_sign.as_bytes()).as_ref(), &mut out);
        Ok(out)
    }
}

impl Credential for AwsCredential {
    fn authorize<'a>(
        &'a self,
        request: &'a mut HttpRequest,
        _transport: &'a dyn Transport,
        now: SystemTime,
    ) -> BoxFuture<'a, Result<(), CredentialError>> {
        Box::pin(async move { self.sign(request, now) })
    }
}

/// The headers that are signed, sorted: the host, and all of AWS's own. Others may be changed on the
/// way.
fn signed_headers(
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<Vec<(String, String)>, CredentialError> {
    let mut signed = Vec::with_capacity(4);
    let host = match headers.get(HOST) {
        Some(host) => host.to_str().map_err(|_| CredentialError::Malformed)?,
        None => uri.authority().map_or("", http::uri::Authority::as_str),
    };
    // A port that goes without saying is not in the header that is sent.
    let usual = match uri.scheme_str() {
        Some("https") => ":443",
        _ => ":80",
    };
    let host = host.strip_suffix(usual).unwrap_or(host);
    signed.push(("host".to_owned(), host.to_owned()));
    for name in headers.keys() {
        if !name.as_str().starts_with("x-amz-") {
            continue;
        }
        let mut values = Vec::new();
        for value in headers.get_all(name) {
            let value = value.to_str().map_err(|_| CredentialError::Malformed)?;
            values.push(value.split_whitespace().collect::<Vec<_>>().join(" "));
        }
        signed.push((name.as_str().to_owned(), values.join(",")));
    }
    signed.sort_unstable();
    Ok(signed)
}

/// The path as it is sent, each segment escaped once more: every service but S3 wants that.
fn canonical_path(path: &str, out: &mut String) {
    if path.is_empty() {
        out.push('/');
    }
    for (at, segment) in path.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        crate::address::escape(segment, out);
    }
}

/// The parameters as they are sent, sorted.
fn canonical_query(query: &str, out: &mut String) {
    let mut pairs: Vec<(&str, &str)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .collect();
    pairs.sort_unstable();
    for (at, (name, value)) in pairs.into_iter().enumerate() {
        let _ = write!(out, "{}{name}={value}", if at > 0 { "&" } else { "" });
    }
}

fn hash(bytes: &[u8]) -> digest::Digest {
    digest::digest(&digest::SHA256, bytes)
}

fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes {
        let _ = write!(out, "{byte:02x}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Method;
    use std::time::{Duration, UNIX_EPOCH};

    /// A request of AWS's public test suite, signed with the keys that it gives
    /// (<https://github.com/awslabs/aws-c-auth/tree/main/tests/aws-signing-test-suite/v4>).
    fn signature(
        method: Method,
        uri: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> String {
        let keys = AwsKeys::new(
            "AKIDEXAMPLE",
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
        );
        let credential = AwsCredential::new(keys, "us-east-1", "service");
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_str(value).unwrap());
        }
        let uri = format!("https://example.amazonaws.com{uri}");
        let body = body.to_owned().into();
        let connect = Duration::from_secs(1);
        let mut request = HttpRequest::new(uri.parse().unwrap(), map, body, connect);
        request.method = method;
        let now = UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        credential.sign(&mut request, now).unwrap();
        let value = request.headers.get(AUTHORIZATION).unwrap();
        assert!(value.is_sensitive());
        value.to_str().unwrap().to_owned()
    }

    fn expect(names: &str, signature: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
             SignedHeaders={names}, Signature={signature}"
        )
    }

    #[test]
    fn the_public_test_suite_is_met() {
        assert_eq!(
            signature(Method::GET, "/", &[], ""),
            expect(
                "host;x-amz-date",
                "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
            ),
            "get-vanilla"
        );
        assert_eq!(
            signature(Method::POST, "/", &[], ""),
            expect(
                "host;x-amz-date",
                "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"
            ),
            "post-vanilla"
        );
        assert_eq!(
            signature(Method::GET, "/?Param2=value2&Param1=value1", &[], ""),
            expect(
                "host;x-amz-date",
                "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
            ),
            "get-vanilla-query-order-key-case"
        );
    }

    #[test]
    fn neither_debug_nor_an_error_shows_a_key() {
        let keys = AwsKeys::new("AKIDEXAMPLE", "secret".into()).session_token("secret".into());
        let credential = AwsCredential::new(keys, "us-east-1", "bedrock");
        let shown = format!("{credential:?} {}", CredentialError::Malformed);
        assert!(!shown.contains("secret") && !shown.contains("AKID"));
    }

    #[test]
    fn an_escaped_path_is_escaped_once_more() {
        let mut out = String::new();
        canonical_path("/model/anthropic.claude%3A0/converse", &mut out);
        assert_eq!(out, "/model/anthropic.claude%253A0/converse");
    }
}
