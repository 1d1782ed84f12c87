//! Writes addresses.

use std::fmt::Write as _;

/// Appends `text` with everything but unreserved characters escaped (RFC 3986, section 2.3).
pub(crate) fn escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// `text` as one segment of a path, or, where it has slashes, as several.
pub(crate) fn escape_path(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, segment) in text.split('/').enumerate() {
        if at > 0 {
            out.push('/');
        }
        escape(segment, &mut out);
    }
    out
}

/// Bedrock's address in a region
/// (<https://docs.aws.amazon.com/general/latest/gr/bedrock.html>, read 2026-11-26).
pub(crate) fn bedrock(region: &str) -> String {
    let domain = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://bedrock-runtime.{region}.{domain}")
}

/// Vertex's address in a region, in one of the two unions of regions, or in all of them
/// (<https://docs.cloud.google.com/vertex-ai/generative-ai/docs/learn/locations>, read 2026-11-26).
pub(crate) fn vertex(region: &str) -> String {
    match region {
        "global" => "https://aiplatform.googleapis.com/v1".to_owned(),
        "us" | "eu" => format!("https://aiplatform.{region}.rep.googleapis.com/v1"),
        _ => format!("https://{region}-aiplatform.googleapis.com/v1"),
    }
}

/// Where a Claude model on Vertex is called; `base` ends in the region
/// (<https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai>, read 2026-11-26).
pub(crate) fn claude_on_vertex(base: &str, model: &str, stream: bool) -> String {
    let mut address = format!("{base}/publishers/anthropic/models/");
    // A version follows an `@`, which may stand in a path.
    address.push_str(&escape_path(model).replace("%40", "@"));
    address.push_str(if stream {
        ":streamRawPredict"
    } else {
        ":rawPredict"
    });
    address
}
