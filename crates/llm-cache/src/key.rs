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
        let mut sink = Sink::new(&self.secret);
        text(&mut sink, b'T', tenant);
        match request {
            Value::Object(map) => {
                object(&mut sink, map.iter().filter(|(name, _)| !is_delivery(name)));
            }
            other => value(&mut sink, other),
        }
        sink.finish()
    }
}

/// Gathers the small pieces of the canonical form: the hash is several times faster on few large ones.
struct Sink {
    hasher: Hasher,
    buffer: Vec<u8>,
}

/// The most that is gathered; a longer piece is hashed where it lies.
const GATHER_MAX: usize = 16 << 10;

impl Sink {
    fn new(secret: &[u8; 32]) -> Self {
        Self {
            hasher: Hasher::new_keyed(secret),
            buffer: Vec::with_capacity(1 << 10),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > GATHER_MAX {
            self.hasher.update(&self.buffer);
            self.buffer.clear();
            if bytes.len() > GATHER_MAX {
                self.hasher.update(bytes);
                return;
            }
        }
        self.buffer.extend_from_slice(bytes);
    }

    fn finish(mut self) -> PromptKey {
        self.hasher.update(&self.buffer);
        PromptKey(*self.hasher.finalize().as_bytes())
    }
}

fn value(sink: &mut Sink, json: &Value) {
    match json {
        Value::Null => tag(sink, b'n'),
        Value::Bool(false) => tag(sink, b'f'),
        Value::Bool(true) => tag(sink, b't'),
        Value::Number(n) => number(sink, n),
        Value::String(s) => text(sink, b's', s),
        Value::Array(items) => {
            length(sink, b'a', items.len());
            items.iter().for_each(|item| value(sink, item));
        }
        Value::Object(map) => object(sink, map.iter()),
    }
}

/// Sorted here too, so that a build in which another crate turns on insertion-ordered maps keeps the same keys.
fn object<'a>(sink: &mut Sink, fields: impl Iterator<Item = (&'a String, &'a Value)>) {
    let mut fields: Vec<_> = fields.collect();
    if !fields.is_sorted_by_key(|(name, _)| *name) {
        fields.sort_unstable_by_key(|(name, _)| *name);
    }
    length(sink, b'o', fields.len());
    for (name, field) in fields {
        text(sink, b'k', name);
        value(sink, field);
    }
}

fn number(sink: &mut Sink, n: &Number) {
    /// Up to here every whole `f64` is one integer.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Some(n) = n.as_i64() {
        integer(sink, i128::from(n));
    } else if let Some(n) = n.as_u64() {
        integer(sink, i128::from(n));
    } else {
        let float = n.as_f64().unwrap_or(f64::NAN);
        if float.fract() == 0.0 && float.abs() <= EXACT {
            #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
            integer(sink, float as i128);
        } else {
            tag(sink, b'd');
            sink.write(&float.to_bits().to_le_bytes());
        }
    }
}

fn integer(sink: &mut Sink, n: i128) {
    tag(sink, b'i');
    sink.write(&n.to_le_bytes());
}

fn text(sink: &mut Sink, kind: u8, text: &str) {
    length(sink, kind, text.len());
    sink.write(text.as_bytes());
}

fn length(sink: &mut Sink, kind: u8, length: usize) {
    tag(sink, kind);
    sink.write(&(length as u64).to_le_bytes());
}

fn tag(sink: &mut Sink, kind: u8) {
    sink.write(&[kind]);
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
    fn long_prompts_are_hashed_whole() {
        for length in [GATHER_MAX - 200, GATHER_MAX, GATHER_MAX + 1, 5 * GATHER_MAX] {
            let request = |last: char| json!({"a": 1, "prompt": format!("{}{last}", "x".repeat(length)), "z": [1, 2]});
            assert_eq!(
                keys().key("t", &request('a')),
                keys().key("t", &request('a'))
            );
            assert_ne!(
                keys().key("t", &request('a')),
                keys().key("t", &request('b'))
            );
        }
        // However the text is cut into pieces, it is the same text that is hashed.
        let (mut one, mut many) = (Sink::new(&[1; 32]), Sink::new(&[1; 32]));
        let text = vec![7u8; 3 * GATHER_MAX];
        one.write(&text);
        text.chunks(1000).for_each(|piece| many.write(piece));
        assert_eq!(one.finish(), many.finish());
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
