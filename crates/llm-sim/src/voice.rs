//! How a provider says that something is wrong: statuses, kinds, words, bodies, headers. One file a provider.

mod anthropic;
mod aws;
mod cohere;
mod google;
mod ollama;
mod openai;

use std::time::Duration;

use bytes::Bytes;

use crate::limit::Allowance;
use crate::preset::Preset;
use crate::wire::Family;

/// Response headers beside the usual ones.
pub(crate) type Headers = Vec<(&'static str, String)>;

/// One provider's voice. All of it is pure.
pub(crate) trait Voice: Sync {
    /// A typical error.
    fn preset(&self, preset: Preset, model: &str) -> Problem;

    /// The prompt is longer than the model's context window, both in tokens.
    fn context_length(&self, limit: u64, asked: u64) -> Problem;

    /// There is no such model.
    fn unknown_model(&self, model: &str) -> Problem;

    /// The request has no key.
    fn missing_key(&self) -> Problem;

    /// A field that must be there is not.
    fn missing_field(&self, field: &'static str) -> Problem {
        Problem::invalid(format!("Missing required parameter: '{field}'.")).param(field)
    }

    /// The true rate limit is hit: so many requests a minute, or so many at once.
    fn limited(&self, model: &str, hit: Hit) -> Problem;

    /// The kind that goes with a bare status.
    fn kind(&self, status: u16) -> &'static str;

    /// The body of an error reply.
    fn body(&self, problem: &Problem, request_id: &str) -> Bytes;

    /// The response header in which the provider names the request, if it does.
    fn request_id_header(&self) -> Option<&'static str>;

    /// What is left of a limit, as headers. `unix` is the calendar's time in seconds, for providers that date the reset.
    fn limit_headers(&self, _allowance: Allowance, _unix: u64) -> Headers {
        Vec::new()
    }

    /// Whether a reply that refuses a call for its rate has those headers, too.
    fn limits_a_refusal(&self) -> bool {
        true
    }

    /// Headers that come with an error.
    fn error_headers(&self, _problem: &Problem) -> Headers {
        Vec::new()
    }

    /// Whether a stated wait goes into the header `retry-after`; if not, it is in the body.
    fn has_retry_after(&self) -> bool {
        true
    }
}

/// Which limit a call has hit.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Hit {
    /// So many requests a minute; the next one is let in after this wait.
    Rpm(u32, Duration),
    /// So many calls in progress.
    Concurrency(u32),
}

impl Family {
    /// Who speaks.
    pub(crate) const fn voice(self) -> &'static dyn Voice {
        match self {
            Self::OpenAi => &openai::OpenAi,
            Self::Anthropic => &anthropic::Anthropic,
            Self::Google => &google::Google { is_vertex: false },
            Self::Vertex => &google::Google { is_vertex: true },
            Self::Aws => &aws::Aws,
            Self::Cohere => &cohere::Cohere,
            Self::Ollama => &ollama::Ollama,
        }
    }
}

impl Preset {
    /// Says the error as `family` would.
    pub(crate) fn problem(self, family: Family, model: &str) -> Problem {
        if self == Self::Html {
            return Problem {
                html: true,
                ..Problem::new(502, "", String::new())
            };
        }
        family.voice().preset(self, model)
    }
}

/// An error before it is put into a provider's shape.
#[derive(Debug)]
pub(crate) struct Problem {
    pub status: u16,
    /// What the provider calls it; bare names of another provider's are understood as "by the status".
    pub kind: &'static str,
    /// A finer name, where the provider has one.
    pub code: Option<&'static str>,
    pub param: Option<&'static str>,
    pub message: String,
    /// The stated wait, for providers that put it into the body.
    pub retry_after: Option<Duration>,
    html: bool,
}

impl Problem {
    pub(crate) const fn new(status: u16, kind: &'static str, message: String) -> Self {
        Self {
            status,
            kind,
            code: None,
            param: None,
            message,
            retry_after: None,
            html: false,
        }
    }

    pub(crate) const fn code(mut self, code: &'static str) -> Self {
        self.code = Some(code);
        self
    }

    pub(crate) const fn param(mut self, param: &'static str) -> Self {
        self.param = Some(param);
        self
    }

    pub(crate) const fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The caller's own mistake.
    pub(crate) const fn invalid(message: String) -> Self {
        Self::new(400, "invalid_request_error", message)
    }

    /// A status of the script's choice, in the words and kind the provider uses for it.
    pub(crate) fn of_status(family: Family, status: u16) -> Self {
        let reason = http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason());
        Self::new(
            status,
            family.voice().kind(status),
            reason.unwrap_or("Simulated error").to_owned(),
        )
    }

    pub(crate) const fn is_json(&self) -> bool {
        !self.html
    }

    pub(crate) const fn content_type(&self) -> &'static str {
        if self.html {
            "text/html; charset=UTF-8"
        } else {
            "application/json"
        }
    }

    /// The body of an error reply.
    pub(crate) fn body(&self, family: Family, request_id: &str) -> Bytes {
        if self.html {
            return Bytes::from_static(HTML.as_bytes());
        }
        family.voice().body(self, request_id)
    }
}

/// What a proxy at the edge sends when the provider behind it is gone.
pub(crate) const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>simulated edge</center>\r\n</body>\r\n</html>\r\n";

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_preset_has_the_shape_of_its_wire() {
        for preset in Preset::ALL {
            for family in Family::ALL {
                let problem = preset.problem(family, "m");
                assert!((400..=599).contains(&problem.status), "{preset:?}");
                let body = problem.body(family, "req_1");
                if preset == Preset::Html {
                    assert!(body.starts_with(b"<html>"));
                    continue;
                }
                let json: Value = serde_json::from_slice(&body).unwrap();
                let told = ["/error/message", "/message", "/error"]
                    .into_iter()
                    .find_map(|place| json.pointer(place)?.as_str());
                assert!(
                    told.is_some_and(|text| !text.is_empty()),
                    "{preset:?} {json}"
                );
                assert_eq!(
                    json["type"] == "error",
                    family == Family::Anthropic,
                    "{preset:?}"
                );
            }
        }
    }

    #[test]
    fn every_status_has_a_body_everywhere() {
        for family in Family::ALL {
            for status in 400..=599 {
                let problem = Problem::of_status(family, status);
                assert!(!problem.kind.is_empty(), "{family:?} {status}");
                assert!(serde_json::from_slice::<Value>(&problem.body(family, "r")).is_ok());
            }
        }
    }
}
