//! What a caller's headers ask for beyond the body: limits of its own, and which targets it wants.
//!
//! A caller can only narrow what the route allows: a longer deadline, more attempts or a higher cost than the route's are
//! taken as the route's. What cannot be read is refused, never ignored: a caller who asks for a region must not be served
//! from another one by a slip of the pen.

use crate::config::{duration, micros};
use crate::engine::{Filter, Policy, Spend};
use crate::reply::{Problem, STRICT};
use http::{HeaderMap, HeaderName};
use llm_resilience::CallOptions;
use std::hash::Hasher as _;
use std::time::Duration;

/// Names or tags in one header.
const MOST: usize = 64;

const DEADLINE: &str = "x-llm-deadline";
const PATIENCE: &str = "x-llm-patience";
const ATTEMPTS: &str = "x-llm-max-attempts";
const CALLS: &str = "x-llm-max-calls";
const COST: &str = "x-llm-max-cost";
const ONLY: &str = "x-llm-only";
const NEVER: &str = "x-llm-never";
const TAGS: &str = "x-llm-tags";
const NO_FALLBACK: &str = "x-llm-no-fallback";
const STICK_TO: &str = "x-llm-stick-to";

/// Puts what the headers ask for into `options`.
///
/// # Errors
///
/// The first header that cannot be read, and how it is written.
pub(super) fn put(
    headers: &HeaderMap,
    policy: &Policy,
    options: &mut CallOptions,
) -> Result<(), Problem> {
    let ask = Ask(headers);
    let deadline = ask.duration(DEADLINE, Duration::from_millis(1))?;
    options.deadline = deadline.map(|asked| asked.min(policy.deadline));
    options.thinking_deadline = deadline.map(|asked| asked.min(policy.thinking_deadline));
    options.patience = ask
        .duration(PATIENCE, Duration::ZERO)?
        .map(|asked| asked.min(policy.patience));
    options.attempts = ask.count(ATTEMPTS)?.map(|asked| asked.min(policy.attempts));
    options.max_calls = ask.count(CALLS)?.map(|asked| asked.min(policy.max_sends));
    options.max_cost = ask.cost()?;
    let mut targets = Filter::default();
    targets.only = ask.names(ONLY)?;
    targets.never = ask.names(NEVER)?;
    for tag in ask.names(TAGS)? {
        match tag.strip_prefix('!') {
            Some(unwanted) => targets.without_tags.push(unwanted.into()),
            None => targets.tags.push(tag),
        }
    }
    targets.no_fallback = ask.flag(NO_FALLBACK)?;
    options.targets = targets;
    if let Some(text) = ask.text(STICK_TO)? {
        // Fixed keys, so that the processes behind one address agree.
        let mut hasher = std::hash::DefaultHasher::new();
        hasher.write(text.as_bytes());
        options.stick_to = hasher.finish().max(1);
    }
    Ok(())
}

/// Whether the caller wants all or nothing.
///
/// # Errors
///
/// The header cannot be read.
pub(super) fn is_strict(headers: &HeaderMap) -> Result<bool, Problem> {
    match Ask(headers).text(STRICT)? {
        None | Some("0" | "false") => Ok(false),
        Some("1" | "true") => Ok(true),
        Some(_) => Err(bad(STRICT, "write true, or leave the header out")),
    }
}

struct Ask<'a>(&'a HeaderMap);

impl<'a> Ask<'a> {
    /// The value of a header, which may be there once.
    fn text(&self, name: &'static str) -> Result<Option<&'a str>, Problem> {
        let mut values = self.0.get_all(HeaderName::from_static(name)).iter();
        let Some(value) = values.next() else {
            return Ok(None);
        };
        if values.next().is_some() {
            return Err(bad(name, "send it once"));
        }
        match value.to_str().map(str::trim) {
            Ok(text) if !text.is_empty() => Ok(Some(text)),
            _ => Err(bad(name, "send a text, or leave the header out")),
        }
    }

    fn duration(&self, name: &'static str, least: Duration) -> Result<Option<Duration>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match duration(text).filter(|asked| *asked >= least) {
            Some(asked) => Ok(Some(asked)),
            None => Err(bad(name, "write a duration such as 250ms, 5s or 1m30s")),
        }
    }

    fn count(&self, name: &'static str) -> Result<Option<u8>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse().ok().filter(|count| (1..=100).contains(count)) {
            Some(count) => Ok(Some(count)),
            None => Err(bad(name, "write a whole number from 1 to 100")),
        }
    }

    fn cost(&self) -> Result<Option<Spend>, Problem> {
        let Some(text) = self.text(COST)? else {
            return Ok(None);
        };
        match micros(text) {
            Ok(sum) => Ok(Some(Spend(sum))),
            Err(_) => Err(bad(
                COST,
                "write US dollars with at most six decimals, such as 0.05",
            )),
        }
    }

    fn names(&self, name: &'static str) -> Result<Vec<Box<str>>, Problem> {
        let Some(text) = self.text(name)? else {
            return Ok(Vec::new());
        };
        let names: Vec<Box<str>> = text.split(',').map(|part| part.trim().into()).collect();
        let whole = names.iter().all(|one| !matches!(&**one, "" | "!"));
        if whole && names.len() <= MOST {
            Ok(names)
        } else {
            Err(bad(name, "write one to 64 names with commas between them"))
        }
    }

    fn flag(&self, name: &'static str) -> Result<bool, Problem> {
        match self.text(name)? {
            None | Some("0") => Ok(false),
            Some("1") => Ok(true),
            Some(_) => Err(bad(name, "write 1, or leave the header out")),
        }
    }
}

fn bad(name: &'static str, mend: &'static str) -> Problem {
    Problem::BadHeader { name, mend }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(all: &[(&'static str, &str)]) -> Result<CallOptions, Problem> {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        let mut options = CallOptions::default();
        put(&headers, &Policy::interactive(), &mut options).map(|()| options)
    }

    #[test]
    fn what_is_asked_for_reaches_the_engine_within_the_routes_limits() {
        let options = asked(&[
            (DEADLINE, "5s"),
            (PATIENCE, "0s"),
            (ATTEMPTS, "1"),
            (CALLS, "100"),
            (COST, "0.05"),
            (ONLY, "a, b"),
            (NEVER, "c"),
            (TAGS, "eu,!cheap"),
            (NO_FALLBACK, "1"),
            (STICK_TO, "session"),
        ])
        .unwrap();
        assert_eq!(options.deadline, Some(Duration::from_secs(5)));
        assert_eq!(options.patience, Some(Duration::ZERO));
        assert_eq!((options.attempts, options.max_calls), (Some(1), Some(8)));
        assert_eq!(options.max_cost, Some(Spend(50_000)));
        assert_eq!(options.targets.only, ["a".into(), "b".into()]);
        assert_eq!(options.targets.never, ["c".into()]);
        assert_eq!(options.targets.tags, ["eu".into()]);
        assert_eq!(options.targets.without_tags, ["cheap".into()]);
        assert!(options.targets.no_fallback);
        assert_ne!(options.stick_to, 0);
        let long = asked(&[(DEADLINE, "10m")]).unwrap();
        assert_eq!(long.deadline, Some(Policy::interactive().deadline));
        let thinking = |asks: &str| asked(&[(DEADLINE, asks)]).unwrap().thinking_deadline;
        assert_eq!(thinking("5s"), Some(Duration::from_secs(5)));
        assert_eq!(thinking("2m"), Some(Duration::from_secs(120)));
        assert_eq!(
            thinking("1h"),
            Some(Policy::interactive().thinking_deadline)
        );
        assert!(asked(&[]).unwrap().targets.is_none());
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        for (name, value) in [
            (DEADLINE, "5"),
            (DEADLINE, "0s"),
            (PATIENCE, "-1s"),
            (ATTEMPTS, "0"),
            (CALLS, "many"),
            (COST, "1e-3"),
            (ONLY, "a,,b"),
            (TAGS, "!"),
            (NO_FALLBACK, "yes"),
            (STICK_TO, " "),
        ] {
            match asked(&[(name, value)]) {
                Err(Problem::BadHeader { name: told, .. }) => assert_eq!(told, name),
                other => panic!("{name}: {value}: {other:?}"),
            }
        }
        assert!(asked(&[(ONLY, "a"), (ONLY, "b")]).is_err());
    }
}
