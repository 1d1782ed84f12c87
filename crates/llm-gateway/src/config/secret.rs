//! Where keys come from: the environment or a file, never the configuration itself.

use secrecy::SecretString;
use std::path::Path;

/// The largest key file that is read; a key is far shorter.
const LONGEST: u64 = 64 << 10;

/// What the configuration needs of the world around it. Tests give their own.
pub(crate) trait World {
    /// The value of an environment variable, if it is set and valid text.
    fn variable(&self, name: &str) -> Option<String>;
    /// The text of a file.
    fn file(&self, path: &Path) -> std::io::Result<String>;
}

/// A world without anything, for tests.
#[cfg(test)]
#[derive(Debug)]
pub(crate) struct Nothing;

#[cfg(test)]
impl World for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

/// The real process: its environment and its files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process;

impl World for Process {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where the environment is read"
    )]
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> std::io::Result<String> {
        use std::io::Read as _;
        let mut text = String::new();
        let file = std::fs::File::open(path)?;
        file.take(LONGEST + 1).read_to_string(&mut text)?;
        if text.len() as u64 > LONGEST {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "longer than 64 KiB",
            ));
        }
        Ok(text)
    }
}

/// Where the configuration says a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// An environment variable.
    Env(String),
    /// A file.
    File(String),
}

/// Why there is no key where the configuration says there is one: what is wrong, and the mend.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) what: String,
    pub(crate) mend: String,
}

impl Source {
    /// A label for the key: where it is from, never what it is.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Env(name) => format!("env:{name}"),
            Self::File(path) => format!("file:{path}"),
        }
    }

    /// Fetches the key. Space around it is dropped; what cannot be sent in a header is refused.
    pub(crate) fn fetch(&self, world: &dyn World) -> Result<SecretString, Missing> {
        self.fetch_as(world, clean)
    }

    /// Fetches a document of several lines, such as the file of a service account.
    pub(crate) fn fetch_document(&self, world: &dyn World) -> Result<SecretString, Missing> {
        self.fetch_as(world, |text| Ok(SecretString::from(text)))
    }

    fn fetch_as(
        &self,
        world: &dyn World,
        clean: impl Fn(&str) -> Result<SecretString, &'static str>,
    ) -> Result<SecretString, Missing> {
        if let Self::Env(text) | Self::File(text) = self
            && looks_like_a_key(text)
        {
            return Err(Missing {
                what: "a key itself seems to stand where its source belongs".to_owned(),
                mend: "put the key into an environment variable and write its name: { env = \"NAME\" }; \
                       change the key if this file was shared"
                    .to_owned(),
            });
        }
        match self {
            Self::Env(name) => {
                let mend = format!(
                    "export {name}=... before starting, or name another source: {{ file = \"/run/secrets/key\" }}"
                );
                match world.variable(name) {
                    None => Err(Missing {
                        what: format!("the environment variable {name} is not set"),
                        mend,
                    }),
                    Some(value) => clean(&value).map_err(|why| Missing {
                        what: format!("the environment variable {name} {why}"),
                        mend,
                    }),
                }
            }
            Self::File(path) => {
                let mend = format!(
                    "put the key, alone, into {path} and let this user read it, or name another source: {{ env = \"...\" }}"
                );
                match world.file(Path::new(path)) {
                    Err(error) => Err(Missing {
                        what: format!("the key file {path} cannot be read: {error}"),
                        mend,
                    }),
                    Ok(text) => clean(&text).map_err(|why| Missing {
                        what: format!("the key file {path} {why}"),
                        mend,
                    }),
                }
            }
        }
    }
}

/// Whether somebody has likely pasted a key where the name of its source belongs. It is then not repeated.
fn looks_like_a_key(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    let mixed =
        text.bytes().any(|b| b.is_ascii_lowercase()) && text.bytes().any(|b| b.is_ascii_digit());
    text.len() >= 20 && plain && mixed
}

fn clean(value: &str) -> Result<SecretString, &'static str> {
    let value = value.trim();
    if value.is_empty() {
        Err("is empty")
    } else if value.bytes().any(|b| !(b' '..=b'~').contains(&b)) {
        Err("holds more than one line, or characters that no key has")
    } else {
        Ok(SecretString::from(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[derive(Debug)]
    struct Fixed(&'static str);

    impl World for Fixed {
        fn variable(&self, name: &str) -> Option<String> {
            (name == "KEY").then(|| self.0.to_owned())
        }
        fn file(&self, path: &Path) -> std::io::Result<String> {
            if path == Path::new("/key") {
                Ok(self.0.to_owned())
            } else {
                Err(std::io::ErrorKind::NotFound.into())
            }
        }
    }

    #[test]
    fn a_key_is_trimmed_and_never_shown() {
        let key = Source::File("/key".into())
            .fetch(&Fixed("  sk-secret\n"))
            .unwrap();
        assert_eq!(key.expose_secret(), "sk-secret");
        assert!(!format!("{key:?}").contains("sk-secret"));
    }

    #[test]
    fn a_missing_key_names_its_source_and_mend() {
        let missing = Source::Env("OTHER".into()).fetch(&Fixed("x")).unwrap_err();
        assert_eq!(missing.what, "the environment variable OTHER is not set");
        assert!(missing.mend.starts_with("export OTHER="));
        let missing = Source::File("/none".into()).fetch(&Fixed("x")).unwrap_err();
        assert!(missing.what.contains("/none"), "{missing:?}");
    }

    #[test]
    fn a_key_in_the_place_of_its_source_is_not_repeated() {
        let pasted = "gsk_abcDEF0123456789abcdef";
        for source in [Source::Env(pasted.into()), Source::File(pasted.into())] {
            let missing = source.fetch(&Fixed("x")).unwrap_err();
            assert!(!format!("{missing:?}").contains(pasted), "{missing:?}");
        }
        assert!(!looks_like_a_key("A_VERY_LONG_VARIABLE_NAME_2"));
        assert!(!looks_like_a_key("/run/secrets/some-long-name-2"));
    }

    #[test]
    fn a_broken_key_is_refused_without_showing_it() {
        for bad in ["", "  \n", "sk-one\nsk-two", "sk-\u{e9}"] {
            let missing = Source::Env("KEY".into()).fetch(&Fixed(bad)).unwrap_err();
            assert!(!missing.what.contains("sk-"), "{missing:?}");
        }
    }
}
