//! The shape of AWS's signature, version 4. Only the shape: the simulator knows no secret to compute it with.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>, read 2026-11-26:
//! `AWS4-HMAC-SHA256 Credential=ID/20261126/us-east-1/bedrock/aws4_request, SignedHeaders=host;x-amz-date, Signature=…`.
//! Bedrock also takes its own API keys as bearer tokens.

use http::{HeaderMap, HeaderValue};

use crate::voice::Problem;

const SCHEME: &str = "AWS4-HMAC-SHA256";

/// The id of the access key that a request is signed with.
pub(crate) fn access_key(authorization: &[u8]) -> Option<&[u8]> {
    let text = std::str::from_utf8(authorization).ok()?;
    let credential = field(text.strip_prefix(SCHEME)?, "Credential")?;
    credential.split('/').next().map(str::as_bytes)
}

/// Refuses a signature that AWS could not read; a request with another kind of credential, or none, is not this
/// function's business.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), Problem> {
    let text = headers
        .get(http::header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let Some(fields) = text.and_then(|text| text.strip_prefix(SCHEME)) else {
        return Ok(());
    };
    let date = headers.get("x-amz-date").map(HeaderValue::as_bytes);
    match wrong(fields, date) {
        None => Ok(()),
        Some(wrong) => Err(Problem::new(
            403,
            "IncompleteSignatureException",
            wrong.to_owned(),
        )),
    }
}

fn field<'a>(fields: &'a str, name: &str) -> Option<&'a str> {
    fields.split(',').find_map(|field| {
        let (found, value) = field.trim().split_once('=')?;
        (found == name).then_some(value)
    })
}

fn wrong(fields: &str, date: Option<&[u8]>) -> Option<&'static str> {
    // 20261126T070000Z
    let Some(date) = date.filter(|date| {
        date.len() == 16 && date.get(8) == Some(&b'T') && date.last() == Some(&b'Z')
    }) else {
        return Some(
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.",
        );
    };
    let credential = field(fields, "Credential").unwrap_or_default();
    let scope: Vec<&str> = credential.split('/').collect();
    let is_credential = match scope.as_slice() {
        [id, day, region, "bedrock", "aws4_request"] => {
            !id.is_empty()
                && !region.is_empty()
                && date.starts_with(day.as_bytes())
                && day.len() == 8
        }
        _ => false,
    };
    if !is_credential {
        return Some(
            "Credential should be scoped to a valid date, region and the service: 'bedrock'.",
        );
    }
    let signed = field(fields, "SignedHeaders").unwrap_or_default();
    if !["host", "x-amz-date"]
        .iter()
        .all(|name| signed.split(';').any(|found| found == *name))
    {
        return Some("'Host' and 'X-Amz-Date' must be in the signed headers.");
    }
    let signature = field(fields, "Signature").unwrap_or_default();
    let is_signature =
        signature.len() == 64 && signature.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_signature).then_some("Authorization header requires 'Signature' parameter.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &[u8] = b"20261126T070000Z";

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
        assert_eq!(wrong(&fields(good, names, &signature), Some(DATE)), None);
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
            assert!(wrong(&fields(credential, signed, signature), date).is_some());
        }
    }

    #[test]
    fn other_credentials_are_left_alone() {
        let mut headers = HeaderMap::new();
        assert!(check(&headers).is_ok());
        headers.insert("authorization", HeaderValue::from_static("Bearer key"));
        assert!(check(&headers).is_ok());
        headers.insert(
            "authorization",
            HeaderValue::from_static("AWS4-HMAC-SHA256 x"),
        );
        assert!(check(&headers).is_err());
    }
}
