//! What the simulated provider is and how it fails: a [`Script`].

mod fault;
mod file;
mod rule;
mod span;

use std::time::Duration;

pub use fault::{At, Blank, CutEnd, Fault, Garbling, Reply};
pub use rule::{Finish, Pace, Rule};

pub(crate) use rule::Moment;

/// The most rules in one script.
pub const MAX_RULES: usize = 1_000;
/// The longest text or body in a script, in bytes.
pub const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most words an answer made from the seed may have.
pub const MAX_WORDS: usize = 100_000;

/// A provider's character: how it answers when well, whom it lets in, and an ordered list of [`Rule`]s by which it
/// fails. The first rule that matches a call decides it; a call that no rule matches is answered well.
///
/// A script is plain data: it may be read from TOML ([`Script::from_toml`]), built in Rust ([`Script::builder`]), and
/// given to several simulators. All counting happens in the simulator.
///
/// ```
/// use std::time::Duration;
/// use llm_sim::{Fault, Preset, Rule, Script};
///
/// // The same script twice.
/// let built = Script::builder()
///     .rule(Rule::new().model("gpt-5-mini").calls(1..=3).preset(Preset::RateLimit).retry_after(Duration::from_secs(7)))
///     .rule(Rule::new().rate(0.1).fault(Fault::Hang(None)))
///     .build()?;
/// let read = Script::from_toml(r#"
///     [[rule]]
///     model = "gpt-5-mini"
///     calls = "1..3"
///     preset = "rate_limit"
///     retry_after = "7s"
///
///     [[rule]]
///     rate = 0.1
///     hang = "forever"
/// "#)?;
/// assert_eq!(built, read);
/// # Ok::<(), llm_sim::ScriptError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Script {
    pub(crate) rules: Vec<Rule>,
    pub(crate) text: Option<String>,
    pub(crate) words: usize,
    pub(crate) pace: Pace,
    pub(crate) models: Vec<String>,
    pub(crate) require_key: bool,
    pub(crate) keys: Vec<String>,
    pub(crate) context_window: Option<u64>,
    pub(crate) refuse_prefill: bool,
    pub(crate) limits: Option<Limits>,
}

impl Default for Script {
    fn default() -> Self {
        Self::healthy()
    }
}

impl Script {
    /// A provider in perfect health: answers everything at once, in 24 words.
    #[must_use]
    pub const fn healthy() -> Self {
        Self {
            rules: Vec::new(),
            text: None,
            words: 24,
            pace: Pace::NONE,
            models: Vec::new(),
            require_key: false,
            keys: Vec::new(),
            context_window: None,
            refuse_prefill: false,
            limits: None,
        }
    }

    /// Starts a script in Rust.
    pub const fn builder() -> ScriptBuilder {
        ScriptBuilder {
            script: Self::healthy(),
        }
    }

    /// Reads a script from TOML; the crate's README lists every key.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] if the text is not TOML, names an unknown key, or holds a value that makes no sense; the message
    /// names the line.
    pub fn from_toml(text: &str) -> Result<Self, ScriptError> {
        file::read(text)
    }

    fn check(&self) -> Result<(), String> {
        if self.rules.len() > MAX_RULES {
            return Err(format!(
                "{} rules; at most {MAX_RULES} are allowed",
                self.rules.len()
            ));
        }
        self.pace.check()?;
        if self.words > MAX_WORDS {
            return Err(format!(
                "words = {}; at most {MAX_WORDS} are allowed",
                self.words
            ));
        }
        if self
            .text
            .as_ref()
            .is_some_and(|text| text.len() > MAX_TEXT_BYTES)
        {
            return Err(format!("text is longer than {MAX_TEXT_BYTES} bytes"));
        }
        if self.keys.iter().any(String::is_empty) || self.models.iter().any(String::is_empty) {
            return Err("an empty name in `models` or `keys`".to_owned());
        }
        if let Some(limits) = &self.limits {
            if limits.rpm == Some(0) || limits.concurrency == Some(0) {
                return Err(
                    "a limit of 0 would refuse every call; use a rule with a preset for that"
                        .to_owned(),
                );
            }
            if limits.rpm.is_none() && limits.concurrency.is_none() {
                return Err("[limits] needs `rpm`, `concurrency` or both".to_owned());
            }
        }
        Ok(())
    }
}

/// Builds a [`Script`]; see there for an example.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct ScriptBuilder {
    script: Script,
}

impl ScriptBuilder {
    /// Appends a rule. Order matters: the first that matches decides.
    pub fn rule(mut self, rule: Rule) -> Self {
        self.script.rules.push(rule);
        self
    }

    /// Fixes the text of every good answer. Default: prose made from the seed and the prompt.
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.script.text = Some(text.into());
        self
    }

    /// Sets the length of made-up answers in words; one word is one token and one stream chunk. Default 24.
    pub const fn words(mut self, words: usize) -> Self {
        self.script.words = words;
        self
    }

    /// Sets how fast good answers come. Default: as fast as the machine can.
    pub const fn pace(mut self, pace: Pace) -> Self {
        self.script.pace = pace;
        self
    }

    /// Lists the models there are; a call for another one is refused. Default: every model exists.
    pub fn models<I, S>(mut self, models: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.script.models = models.into_iter().map(Into::into).collect();
        self
    }

    /// Refuses calls without a key. Default: no key is needed.
    pub const fn require_key(mut self) -> Self {
        self.script.require_key = true;
        self
    }

    /// Refuses calls without one of these keys. Default: any key, or none, will do. A key of AWS is the id of an access key,
    /// or id and secret as `id:secret`: then signatures are calculated and compared.
    pub fn keys<I, S>(mut self, keys: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<String>,
    {
        self.script.keys = keys.into_iter().map(Into::into).collect();
        self.script.require_key = true;
        self
    }

    /// Sets the longest prompt in tokens (words); a longer one is refused as too long. Default: no limit.
    pub const fn context_window(mut self, tokens: u64) -> Self {
        self.script.context_window = Some(tokens);
        self
    }

    /// Refuses a conversation that ends with the beginning of the answer, as newer models do. Default: the model goes on
    /// from there.
    pub const fn refuse_prefill(mut self) -> Self {
        self.script.refuse_prefill = true;
        self
    }

    /// Sets rate limits. Default: none.
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.script.limits = Some(limits);
        self
    }

    /// Checks the script.
    ///
    /// # Errors
    ///
    /// [`ScriptError`] names the first rule (counted from 1) or setting that makes no sense.
    pub fn build(self) -> Result<Script, ScriptError> {
        for (index, rule) in self.script.rules.iter().enumerate() {
            rule.check()
                .map_err(|wrong| ScriptError::new(format!("rule {}: {wrong}", index + 1)))?;
        }
        self.script.check().map_err(ScriptError::new)?;
        Ok(self.script)
    }
}

/// Rate limits as providers have them: a token bucket that refills steadily, and a cap on calls in progress.
///
/// A call beyond them is answered 429 with `retry-after` and the provider's own limit headers, all true: a caller that
/// waits as told is let in (if nobody else took the place).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Requests a minute; also the size of a burst after a quiet minute.
    pub rpm: Option<u32>,
    /// Calls in progress at one time.
    pub concurrency: Option<u32>,
    /// What shares one limit.
    pub per: LimitScope,
}

impl Limits {
    /// No limit yet, counted per key.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rpm: None,
            concurrency: None,
            per: LimitScope::Key,
        }
    }

    /// Sets requests a minute.
    #[must_use]
    pub const fn rpm(mut self, rpm: u32) -> Self {
        self.rpm = Some(rpm);
        self
    }

    /// Sets calls in progress at one time.
    #[must_use]
    pub const fn concurrency(mut self, concurrency: u32) -> Self {
        self.concurrency = Some(concurrency);
        self
    }

    /// Sets what shares one limit.
    #[must_use]
    pub const fn per(mut self, per: LimitScope) -> Self {
        self.per = per;
        self
    }
}

/// What shares one rate limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum LimitScope {
    /// Each API key has its own.
    #[default]
    Key,
    /// Each model has its own, under each key.
    Model,
    /// The whole provider has one.
    All,
}

/// A script that makes no sense. `Display` names the place and the mend; its wording is not stable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScriptError {
    message: String,
}

impl ScriptError {
    pub(crate) const fn new(message: String) -> Self {
        Self { message }
    }
}

/// The longest duration in a script; whoever wants longer wants `forever`.
pub(crate) const MAX_WAIT: Duration = Duration::from_secs(3_600);

#[cfg(test)]
mod tests;
