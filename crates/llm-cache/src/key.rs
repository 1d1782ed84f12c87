//! What makes two requests the same.
//!
//! A key is BLAKE3, keyed with a secret of the installation, over the tenant and a canonical form of the request: objects
//! in the order of their names, every string and list with its length, numbers by value (`1` and `1.0` are one number).
//! A fast non-cryptographic hash would be quicker by microseconds and could be made to collide, which here means
//! reading another tenant's answer. The secret keeps someone who sees keys (in logs, in a shared store) from testing
//! guesses of a prompt against them.

use std::fmt;

use blake3::Hasher;
use serde_json::{Number, Value};

/// Top-level request fields that say how an answer is delivered, billed or attributed, not what it is.
///
/// From the request references of OpenAI (chat completions, responses) and Anthropic (messages), read 2026-11-23.
pub const DELIVERY_FIELDS: &[&str] = &[
    "background",
    "metadata",
    "prompt_cache_key",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "user",
];

/// Removes [`DELIVERY_FIELDS`] from a request's top level.
///
/// ```
/// let mut request = serde_json::json!({"model": "m", "stream": true, "messages": []});
/// llm_cache::strip_delivery(&mut request);
/// assert_eq!(request, serde_json::json!({"model": "m", "messages": []}));
/// ```
pub fn strip_delivery(request: &mut Value) {
    if let Value::Object(map) = request {
        map.retain(|name, _| !is_delivery(name));
    }
}

fn is_delivery(name: &str) -> bool {
    DELIVERY_FIELDS.binary_search(&name).is_ok()
}

/// The identity of one tenant's request: 256 bits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PromptKey([u8; 32]);

impl PromptKey {
    /// The raw bytes, for a store's own keys.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// A key read back from a store.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for PromptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PromptKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PromptKey({self})")
    }
}

/// Makes keys with one installation's secret.
///
/// ```
/// use llm_cache::Keyring;
/// use serde_json::json;
///
/// let keys = Keyring::new(&[7; 32]);
/// let request = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
/// let streamed = json!({"messages": [{"content": "hi", "role": "user"}], "model": "m", "stream": true});
/// assert_eq!(keys.key("alice", &request), keys.key("alice", &streamed));
/// assert_ne!(keys.key("alice", &request), keys.key("bob", &request));
/// ```
#[derive(Clone)]
pub struct Keyring {
    secret: [u8; 32],
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyring(..)")
    }
}

impl Keyring {
    /// A keyring with this secret. Gateways that share a store share the secret; any other change of it empties the cache.
    #[must_use]
    pub const fn new(secret: &[u8; 32]) -> Self {
        Self { secret: *secret }
    }

    /// The key of a tenant's request, leaving out its [`DELIVERY_FIELDS`].
    ///
    /// The caller puts everything into `request` that shapes an answer: model family, messages, tools, parameters.
    #[must_use]
    pub fn key(&self, tenant: &str, request: &Value) -> PromptKey {
        let mut hasher = Hasher::new_keyed(&self.secret);
        text(&mut hasher, b'T', tenant);
        match request {
            Value::Object(map) => object(
                &mut hasher,
                map.iter().filter(|(name, _)| !is_delivery(name)),
            ),
            other => value(&mut hasher, other),
        }
        PromptKey(*hasher.finalize().as_bytes())
    }
}

fn value(hasher: &mut Hasher, json: &Value) {
    match json {
        Value::Null => tag(hasher, b'n'),
        Value::Bool(false) => tag(hasher, b'f'),
        Value::Bool(true) => tag(hasher, b't'),
        Value::Number(n) => number(hasher, n),
        Value::String(s) => text(hasher, b's', s),
        Value::Array(items) => {
            length(hasher, b'a', items.len());
            items.iter().for_each(|item| value(hasher, item));
        }
        Value::Object(map) => object(hasher, map.iter()),
    }
}

/// Sorted here too, so that a build in which another crate turns on insertion-ordered maps keeps the same keys.
fn object<'a>(hasher: &mut Hasher, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut fields: Vec<_> = fields.collect();
    if !fields.is_sorted_by_key(|(name, _)| *name) {
        fields.sort_unstable_by_key(|(name, _)| *name);
    }
    length(hasher, b'o', fields.len());
    for (name, field) in fields {
        text(hasher, b'k', name);
        value(hasher, field);
    }
}

fn number(hasher: &mut Hasher, n: &Number) {
    /// Up to here every whole `f64` is one integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(n) = n.as_i64() {
        integer(hasher, i128::from(n));
    } else if let Some(n) = n.as_u64() {
        integer(hasher, i128::from(n));
    } else {
        let float = n.as_f64().unwrap_or(f64::NAN);
        if float.fract() == 0.0 && float.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            integer(hasher, float as i128);
        } else {
            tag(hasher, b'd');
            hasher.update(&float.to_bits().to_le_bytes());
        }
    }
}

fn integer(hasher: &mut Hasher, n: i128) {
    tag(hasher, b'i');
    hasher.update(&n.to_le_bytes());
}

fn text(hasher: &mut Hasher, kind: u8, text: &str) {
    length(hasher, kind, text.len());
    hasher.update(text.as_bytes());
}

fn length(hasher: &mut Hasher, kind: u8, length: usize) {
    tag(hasher, kind);
    hasher.update(&(length as u64).to_le_bytes());
}

fn tag(hasher: &mut Hasher, kind: u8) {
    hasher.update(&[kind]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn keys() -> Keyring {
        Keyring::new(&[1; 32])
    }

    #[test]
    fn the_list_of_delivery_fields_is_sorted() {
        assert!(DELIVERY_FIELDS.is_sorted());
    }

    #[test]
    fn anything_that_shapes_the_answer_changes_the_key() {
        let base =
            json!({"model": "m", "temperature": 0, "messages": [{"role": "user", "content": "a"}]});
        let key = keys().key("t", &base);
        for (path, other) in [
            ("/model", json!("n")),
            ("/temperature", json!(0.5)),
            ("/temperature", json!("0")),
            ("/temperature", json!(null)),
            ("/temperature", json!(false)),
            ("/messages/0/content", json!("b")),
            ("/messages/0/role", json!("system")),
            ("/messages", json!([])),
        ] {
            let mut changed = base.clone();
            *changed.pointer_mut(path).unwrap() = other;
            assert_ne!(keys().key("t", &changed), key, "{path}");
        }
        assert_ne!(Keyring::new(&[2; 32]).key("t", &base), key);
        assert_ne!(keys().key("u", &base), key);
    }

    #[test]
    fn only_the_top_level_is_stripped() {
        let with = json!({"tools": [{"store": 1}]});
        let without = json!({"tools": [{}]});
        assert_ne!(keys().key("t", &with), keys().key("t", &without));
    }

    #[test]
    fn numbers_are_one_by_value() {
        let pairs = [("1", "1.0"), ("0", "-0.0"), ("100", "1e2")];
        for (a, b) in pairs {
            let a: Value = serde_json::from_str(a).unwrap();
            let b: Value = serde_json::from_str(b).unwrap();
            assert_eq!(keys().key("t", &a), keys().key("t", &b));
        }
    }

    #[test]
    fn neither_key_nor_keyring_shows_a_secret() {
        assert_eq!(format!("{:?}", keys()), "Keyring(..)");
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[a-c]{0,3}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("[a-c]{0,2}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// Two requests share a key exactly when they are equal, numbers by value.
        #[test]
        fn keys_are_equal_exactly_when_requests_are(a in any_json(), b in any_json()) {
            let same_text = normal(&a) == normal(&b);
            prop_assert_eq!(keys().key("t", &a) == keys().key("t", &b), same_text);
        }

        /// Moving characters between tenant and prompt never makes two requests one.
        #[test]
        fn tenants_never_share(tenant_a in "[ab]{0,3}", tenant_b in "[ab]{0,3}", a in "[ab]{0,3}", b in "[ab]{0,3}") {
            let one = keys().key(&tenant_a, &Value::from(a.clone()));
            let two = keys().key(&tenant_b, &Value::from(b.clone()));
            prop_assert_eq!(one == two, tenant_a == tenant_b && a == b);
        }
    }

    /// A reference form: text with numbers written by value.
    fn normal(json: &Value) -> String {
        match json {
            Value::Number(n) if n.is_f64() => {
                let float = n.as_f64().unwrap();
                if float.fract() == 0.0 && float.abs() < 9e15 {
                    format!("{}", if float == 0.0 { 0.0 } else { float })
                } else {
                    format!("d{}", float.to_bits())
                }
            }
            Value::Array(items) => format!(
                "[{}]",
                items.iter().map(normal).collect::<Vec<_>>().join(",")
            ),
            Value::Object(map) => format!(
                "{{{}}}",
                map.iter()
                    .map(|(k, v)| format!("{k:?}:{}", normal(v)))
                    .collect::<Vec<_>>()
                    .join(",")
            ),
            other => other.to_string(),
        }
    }
}
