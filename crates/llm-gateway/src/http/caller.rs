//! Whose request it is, and what he may ask for.

mod account;
mod limit;

pub(super) use self::limit::Slot;

use self::account::Account;
use self::limit::Limits;
use super::Present;
use crate::config::{Config, keys_of};
use crate::metrics::Metrics;
use crate::reply::Problem;
use http::HeaderMap;
use llm_resilience::Observer;
use secrecy::ExposeSecret as _;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, LazyLock};

/// What stands for a key: 128 bits under secrets of this process. To look it up tells nothing of the key, however the time
/// is measured that it takes.
type Print = [u64; 2];

/// Those who may call, where the configuration names them.
#[derive(Debug, Default)]
pub(super) struct Callers {
    by_key: HashMap<Print, Arc<Caller>>,
}

/// One of them.
#[derive(Debug)]
struct Caller {
    name: Arc<str>,
    /// Every route, where none is named.
    routes: Option<Box<[Box<str>]>>,
    limits: Arc<Limits>,
    account: Arc<Account>,
}

/// Whose request it is: one of those, or anyone's where nobody is named.
#[derive(Debug, Clone, Default)]
pub(super) struct Who(Option<Arc<Caller>>);

impl Callers {
    /// Those of `config`. Who was known `before`, and has the same limits, has used of them what he has used.
    pub(super) fn new(config: &Config, before: Option<&Self>) -> Self {
        let mut by_key = HashMap::new();
        for caller in &config.callers {
            let routes = caller.routes.as_ref();
            let mut known = before.into_iter().flat_map(|before| before.by_key.values());
            let known = known.find(|known| *known.name == *caller.name);
            let account = Account::new(caller, known.map(|known| &*known.account));
            let kept = known.filter(|known| known.limits.are_of(caller));
            let limits = kept.map(|known| Arc::clone(&known.limits));
            let known = Arc::new(Caller {
                name: caller.name.as_str().into(),
                routes: routes.map(|all| all.iter().map(|name| name.as_str().into()).collect()),
                limits: limits.unwrap_or_else(|| Arc::new(Limits::new(caller))),
                account: Arc::new(account),
            });
            for key in &caller.keys {
                by_key.insert(print(key.expose_secret().as_bytes()), Arc::clone(&known));
            }
        }
        Self { by_key }
    }

    /// Whose key the headers hold.
    ///
    /// # Errors
    ///
    /// Nobody's, though one is asked for.
    pub(super) fn find(&self, headers: &HeaderMap) -> Result<Who, Problem> {
        if self.by_key.is_empty() {
            return Ok(Who(None));
        }
        let mut keys = keys_of(headers).into_iter().flatten();
        let known = keys.find_map(|key| self.by_key.get(&print(bare(key))));
        match known {
            Some(known) => Ok(Who(Some(Arc::clone(known)))),
            None => Err(Problem::UnknownKey),
        }
    }
}

impl Who {
    /// The name of the caller, if callers have names.
    pub(super) fn name(&self) -> Option<&Arc<str>> {
        Some(&self.0.as_ref()?.name)
    }

    /// Takes leave for a call, as long as the slot is held.
    ///
    /// # Errors
    ///
    /// The limit of the caller's that is reached.
    pub(super) fn enter(&self) -> Result<Slot, Problem> {
        let Some(caller) = &self.0 else {
            return Ok(Slot::default());
        };
        caller.account.enter()?;
        caller.limits.enter()
    }

    /// Who is told what a call of this caller cost, if callers have names.
    pub(super) fn bill(&self, metrics: &Arc<Metrics>) -> Option<Arc<dyn Observer>> {
        Some(self.0.as_ref()?.account.bill(metrics))
    }

    /// Whether a route is there for this caller.
    pub(super) fn may_ask(&self, route: &str) -> bool {
        let routes = self.0.as_ref().and_then(|caller| caller.routes.as_ref());
        routes.is_none_or(|routes| routes.iter().any(|name| **name == *route))
    }

    /// The names that are served to this caller, in the order of the configuration.
    pub(super) fn served<'p>(&self, present: &'p Present) -> impl Iterator<Item = &'p str> {
        let listed = present.listed.iter().map(String::as_str);
        listed.filter(|name| {
            let named = present.names.get(*name);
            named.is_some_and(|named| self.may_ask(&named.route))
        })
    }

    /// Whose answers the request may be given: those to this caller or, where callers have no names, to whoever holds the
    /// same keys. Answers are never shared between tenants.
    ///
    /// The keys' bytes, text or not, go no further than here.
    pub(super) fn tenant(&self, headers: &HeaderMap) -> Box<str> {
        if let Some(name) = self.name() {
            return format!("caller {name}").into();
        }
        let keys = keys_of(headers);
        if keys.iter().all(Option::is_none) {
            return Box::default();
        }
        let prints = keys.map(|key| key.map_or([0; 2], print));
        let words = prints.concat();
        let words = words.iter().map(|word| format!("{word:016x}"));
        words.collect::<String>().into()
    }
}

fn print(key: &[u8]) -> Print {
    static SECRETS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    SECRETS.each_ref().map(|secret| secret.hash_one(key))
}

/// A key without the scheme before it.
fn bare(value: &[u8]) -> &[u8] {
    const SCHEME: &[u8] = b"bearer ";
    let key = match value.split_at_checked(SCHEME.len()) {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case(SCHEME) => key,
        _ => value,
    };
    key.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn headers(all: &[(&'static str, &[u8])]) -> HeaderMap {
        let all = all.iter();
        all.map(|(name, value)| {
            let value = HeaderValue::from_bytes(value).unwrap();
            (name.parse().unwrap(), value)
        })
        .collect()
    }

    #[test]
    fn a_tenant_is_known_by_its_keys_but_not_the_keys() {
        let of = |all: &[(&'static str, &[u8])]| Who::default().tenant(&headers(all));
        let bearer = |key: &'static [u8]| of(&[("authorization", key)]);
        assert_eq!(bearer(b"Bearer a"), bearer(b"Bearer a"));
        assert_ne!(bearer(b"Bearer a"), bearer(b"Bearer b"));
        assert_ne!(bearer(b"Bearer \xff"), bearer(b"Bearer \xfe"), "no text");
        assert!(!bearer(b"Bearer secret").contains("secret"));
        assert_eq!(&*of(&[]), "");
        // A proxy in front may add one that all have in common.
        let behind = |key| of(&[("authorization", b"Basic x"), ("x-api-key", key)]);
        assert_ne!(behind(b"a"), behind(b"b"));
    }

    #[test]
    fn the_scheme_is_no_part_of_a_key() {
        for value in ["Bearer k", "bearer  k", "k", " k "] {
            assert_eq!(bare(value.as_bytes()), b"k", "{value}");
        }
        assert_eq!(bare(b"Basic k"), b"Basic k");
    }
}
