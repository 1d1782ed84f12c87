//! When a caller is told to come back.

use super::{SHOULD_RETRY, put as put_text};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};
use std::hash::{DefaultHasher, Hasher as _};
use std::time::Duration;

const RETRY_AFTER_MS: HeaderName = HeaderName::from_static("retry-after-ms");

/// The longest `Retry-After` that the official SDKs of OpenAI and Anthropic wait for
/// (`_calculate_retry_timeout` in openai-python and anthropic-sdk-python, read 2026-11-23).
const LONGEST_HEEDED: Duration = Duration::from_secs(60);
/// All callers are told the same instant, and their SDKs keep to it to the millisecond: they would come back as one, to a
/// target that is just being tried. So each is told up to this part more of its wait, never less.
const SPREAD: f64 = 0.25;

/// Sets the headers about another try; `should` is what SDKs are told about it, where it is not left to them.
pub(super) fn put(
    headers: &mut HeaderMap,
    wait: Option<Duration>,
    should: Option<bool>,
    request_id: &str,
) {
    if let Some(wait) = wait {
        let told = spread(wait, request_id);
        // Whole seconds, rounded up: a caller who comes back then is not early.
        let seconds = told.as_millis().div_ceil(1000);
        put_text(headers, RETRY_AFTER, &seconds.to_string());
        let millis = told.as_micros().div_ceil(1000);
        put_text(headers, RETRY_AFTER_MS, &millis.to_string());
    }
    // SDKs pass over a longer wait and come back after their own short one, too early to be of use.
    let too_long = wait.is_some_and(|wait| wait > LONGEST_HEEDED);
    if let Some(should) = if too_long { Some(false) } else { should } {
        let text = if should { "true" } else { "false" };
        headers.insert(SHOULD_RETRY, HeaderValue::from_static(text));
    }
}

/// A little more than `wait`, by the request's id; no more than SDKs heed where `wait` is not.
fn spread(wait: Duration, request_id: &str) -> Duration {
    let mut hasher = DefaultHasher::new();
    hasher.write(request_id.as_bytes());
    let upper = u32::try_from(hasher.finish() >> 32).unwrap_or(u32::MAX);
    let part = f64::from(upper) / f64::from(u32::MAX);
    let longer = wait.mul_f64(1.0 + SPREAD * part);
    if wait <= LONGEST_HEEDED {
        longer.min(LONGEST_HEEDED)
    } else {
        longer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_who_are_refused_together_do_not_come_back_together() {
        let wait = Duration::from_secs(20);
        let mut told: Vec<_> = (0..100)
            .map(|nth| spread(wait, &format!("request {nth}")))
            .collect();
        told.sort_unstable();
        assert!(told[0] >= wait && told[99] <= wait * 5 / 4, "{told:?}");
        assert!(told[99] - told[0] > Duration::from_secs(4), "{told:?}");
        told.dedup();
        assert!(told.len() > 90, "{}", told.len());
    }

    #[test]
    fn a_wait_that_sdks_heed_stays_one_that_they_heed() {
        for nth in 0..100 {
            let id = nth.to_string();
            assert_eq!(spread(LONGEST_HEEDED, &id), LONGEST_HEEDED);
            let longer = LONGEST_HEEDED + Duration::from_secs(1);
            assert!(spread(longer, &id) >= longer);
        }
    }
}
