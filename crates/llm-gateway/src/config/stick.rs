//! Reads `stick_to`: what calls of a route stick to a target by; and takes it from a call.

use super::reader::{Entries, Reader};
use crate::engine::Strategy;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName};
use std::hash::Hasher as _;

/// Bytes of a value that count.
const MOST: usize = 1024;

/// What calls of a route stick to a target by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StickTo {
    /// The key the caller sends.
    Key,
    /// The value of a header.
    Header(HeaderName),
}

impl StickTo {
    /// The number a call sticks by: a hash of the value's first bytes, the same in every process of one build. A call
    /// without the value has one of its own, from its id.
    pub(crate) fn number(&self, headers: &HeaderMap, id: &str) -> u64 {
        let value = match self {
            Self::Key => keys_of(headers).into_iter().flatten().next(),
            Self::Header(name) => headers.get(name).map(|value| value.as_bytes()),
        };
        let value = value.filter(|value| !value.is_empty());
        let bytes = value.unwrap_or(id.as_bytes());
        // Fixed keys, so that the processes behind one address agree.
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(bytes.get(..MOST).unwrap_or(bytes));
        hasher.finish()
    }
}

/// The keys a caller sends, by the two headers that may hold one.
pub(crate) fn keys_of(headers: &HeaderMap) -> [Option<&[u8]>; 2] {
    let keys = [headers.get(AUTHORIZATION), headers.get("x-api-key")];
    keys.map(|value| value.map(http::HeaderValue::as_bytes))
}

/// Reads what the calls of a route stick by.
pub(super) fn read(
    reader: &mut Reader<'_>,
    route: &Entries<'_, '_>,
    strategy: Option<Strategy>,
) -> StickTo {
    const NAME: &str = "stick_to";
    let Some(value) = route.get(NAME) else {
        return StickTo::Key;
    };
    let at = value.span().start;
    // A strategy that could not be read has its own fault.
    let other = strategy.is_some_and(|strategy| strategy != Strategy::Sticky);
    if other || route.get("strategy").is_none() {
        let mend = "write strategy = \"sticky\", or remove stick_to";
        let what = "only the strategy `sticky` uses it";
        reader.fault(at, route.path_of(NAME), what, mend);
    }
    let Some(text) = reader.text(route, NAME) else {
        return StickTo::Key;
    };
    if text == "key" {
        return StickTo::Key;
    }
    match HeaderName::try_from(text) {
        Ok(name) if text.len() <= super::target::LONGEST_NAME => {
            if matches!(name.as_str(), "authorization" | "x-api-key") {
                StickTo::Key
            } else {
                StickTo::Header(name)
            }
        }
        _ => {
            let what = "not the name of a header";
            let mend = "write \"key\" for the caller's key, or a header's name of up to 64 characters such as \"x-session-id\"";
            reader.fault(at, route.path_of(NAME), what, mend);
            StickTo::Key
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(of: &StickTo, headers: &[(&'static str, &str)], id: &str) -> u64 {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        of.number(&map, id)
    }

    #[test]
    fn the_same_key_is_the_same_number_whatever_the_id() {
        let of = |key, id| number(&StickTo::Key, &[("authorization", key)], id);
        assert_eq!(of("Bearer a", "1"), of("Bearer a", "2"));
        assert_ne!(of("Bearer a", "1"), of("Bearer b", "1"));
        let anthropic = |key, id| number(&StickTo::Key, &[("x-api-key", key)], id);
        assert_eq!(anthropic("a", "1"), anthropic("a", "2"));
    }

    #[test]
    fn without_the_value_each_call_goes_its_own_way() {
        let by = StickTo::Header(HeaderName::from_static("x-session-id"));
        let other = [("authorization", "Bearer a")];
        assert_ne!(number(&by, &other, "1"), number(&by, &other, "2"));
        let empty = [("x-session-id", "")];
        assert_ne!(number(&by, &empty, "1"), number(&by, &empty, "2"));
        let session = [("x-session-id", "s")];
        assert_eq!(number(&by, &session, "1"), number(&by, &session, "2"));
    }

    #[test]
    fn only_the_first_bytes_of_a_value_count() {
        let by = StickTo::Header(HeaderName::from_static("x-session-id"));
        let long = |end: &str| {
            let value = format!("{}{end}", "x".repeat(MOST));
            number(&by, &[("x-session-id", &value)], "1")
        };
        assert_eq!(long("a"), long("b"));
    }
}
