//! AWS's signature, version 4: its form, and the signature itself where the script knows the secret.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>, read 2026-11-26:
//! `AWS4-HMAC-SHA256 Credential=ID/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=…`.
//! Bedrock also takes its own API keys as bearer tokens. Times are not compared: a signature of any day will do.

mod sha256;

use http::request::Parts;
use http::{HeaderMap, HeaderValue};

use crate::voice::Problem;

const SCHEME: &str = "AWS4-HMAC-SHA256";

/// The id of the access key that a request is signed with.
pub(crate) fn access_key(authorization: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(authorization).ok()?;
    let credential = field(text.strip_prefix(SCHEME)?, "Credential")?;
    credential.split('/').next().map(str::as_bytes)
}

/// A signature of good form.
#[derive(Debug)]
pub(crate) struct Signature<'a> {
    /// The id of the access key.
    pub id: &'a str,
    day: &'a str,
    region: &'a str,
    date: &'a str,
    headers: &'a str,
    value: &'a str,
}

impl<'a> Signature<'a> {
    /// Reads the signature of a request; `None` if it has another kind of credential, or none.
    pub(crate) fn read(headers: &'a HeaderMap) -> Result<Option<Self>, Problem> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(fields) = text("authorization").and_then(|text| text.strip_prefix(SCHEME)) else {
            return Ok(None);
        };
        parse(fields, text("x-amz-date"))
            .map(Some)
            .map_err(|wrong| Problem::new(403, "IncompleteSignatureException", wrong.to_owned()))
    }

    /// Whether the request was signed with this secret.
    pub(crate) fn is_by(&self, secret: &str, parts: &Parts, body: &[u8]) -> bool {
        let scope = format!("{}/{}/bedrock/aws4_request", self.day, self.region);
        let hashed = sha256::hex(&sha256::digest(self.canonical(parts, body).as_bytes()));
        let text = format!("{SCHEME}\n{}\n{scope}\n{hashed}", self.date);
        let mut key = sha256::hmac(format!("AWS4{secret}").as_bytes(), self.day.as_bytes());
        for part in [self.region, "bedrock", "aws4_request"] {
            key = sha256::hmac(&key, part.as_bytes());
        }
        sha256::hex(&sha256::hmac(&key, text.as_bytes())) == self.value
    }

    /// The request as it was signed. The path is encoded once more than it was sent.
    fn canonical(&self, parts: &Parts, body: &[u8]) -> String {
        let mut query: Vec<String> = parts
            .uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|field| !field.is_empty())
            .map(|field| {
                if field.contains('=') {
                    field.to_owned()
                } else {
                    format!("{field}=")
                }
            })
            .collect();
        query.sort();
        let headers: String = self
            .headers
            .split(';')
            .map(|name| {
                let values: Vec<String> = parts
                    .headers
                    .get_all(name)
                    .iter()
                    .map(|value| {
                        let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
                        text.split_whitespace().collect::<Vec<_>>().join(" ")
                    })
                    .collect();
                format!("{name}:{}\n", values.join(","))
            })
            .collect();
        let unsigned = parts.headers.get("x-amz-content-sha256");
        let payload = match unsigned.map(HeaderValue::as_bytes) {
            Some(b"UNSIGNED-PAYLOAD") => "UNSIGNED-PAYLOAD".to_owned(),
            _ => sha256::hex(&sha256::digest(body)),
        };
        format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            parts.method,
            encoded(parts.uri.path()),
            query.join("&"),
            self.headers
        )
    }
}

/// What AWS says of a signature that is not the one it calculated.
pub(crate) fn mismatch() -> Problem {
    Problem::new(
        403,
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.".to_owned(),
    )
}

fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.split(',').find_map(|field| {
        let (found, value) = field.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

fn parse<'a>(fields: &'a str, date: Option<&'a str>) -> Result<Signature<'a>, &'static str> {
    // 20261126T070000Z
    let is_date = |date: &&str| {
        date.len() == 16 && date.ends_with('Z') && date.as_bytes().get(8) == Some(&b'T')
    };
    let Some(date) = date.filter(is_date) else {
        return Err(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        );
    };
    let credential = field(fields, "Credential").unwrap_or_default();
    let scope: Vec<&str> = credential.split('/').collect();
    let (id, day, region) = match scope.as_slice() {
        [id, day, region, "bedrock", "aws4_request"]
            if !id.is_empty() && !region.is_empty() && day.len() == 8 && date.starts_with(day) =>
        {
            (*id, *day, *region)
        }
        _ => {
            return Err(
                "Credential should be scoped to a valid date, region and the service: 'bedrock'.",
            );
        }
    };
    let headers = field(fields, "SignedHeaders").unwrap_or_default();
    if !["host", "x-amz-date"]
        .iter()
        .all(|name| headers.split(';').any(|found| found == *name))
    {
        return Err("'Host' and 'X-Amz-Date' must be in the signed headers.");
    }
    let value = field(fields, "Signature").unwrap_or_default();
    if value.len() != 64 || !value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err("Authorization header requires 'Signature' parameter.");
    }
    Ok(Signature {
        id,
        day,
        region,
        date,
        headers,
        value,
    })
}

/// Percent-encodes all but the slash and what RFC 3986 leaves unreserved.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 8);
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "20261126T070000Z";

    fn fields(credential: &str, signed: &str, signature: &str) -> String {
        format!(" Credential={credential}, SignedHeaders={signed}, Signature={signature}")
    }

    #[test]
    fn a_signature_is_read_and_its_faults_are_named() {
        let (good, names, signature) = (
            "AKID/20261126/us-east-1/bedrock/aws4_request",
            "content-type;host;x-amz-date",
            "a".repeat(64),
        );
        let whole = format!("{SCHEME}{}", fields(good, names, &signature));
        assert_eq!(access_key(whole.as_bytes()), Some(&b"AKID"[..]));
        let read = fields(good, names, &signature);
        assert_eq!(parse(&read, Some(DATE)).unwrap().id, "AKID");
        for (credential, signed, signature, date) in [
            (good, names, signature.as_str(), None),
            (
                "AKID/20261125/us-east-1/bedrock/aws4_request",
                names,
                &signature,
                Some(DATE),
            ),
            (
                "AKID/20261126/us-east-1/s3/aws4_request",
                names,
                &signature,
                Some(DATE),
            ),
            (good, "content-type", &signature, Some(DATE)),
            (good, names, "short", Some(DATE)),
        ] {
            assert!(parse(&fields(credential, signed, signature), date).is_err());
        }
    }

    #[test]
    fn other_credentials_are_left_alone() {
        let mut headers = HeaderMap::new();
        assert!(Signature::read(&headers).unwrap().is_none());
        headers.insert("authorization", HeaderValue::from_static("Bearer key"));
        assert!(Signature::read(&headers).unwrap().is_none());
        headers.insert(
            "authorization",
            HeaderValue::from_static("AWS4-HMAC-SHA256 x"),
        );
        assert!(Signature::read(&headers).is_err());
    }
}
