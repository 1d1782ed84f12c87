//! Who may call.

use super::*;

/// Long keys, and a short one.
#[derive(Debug)]
struct LongKeys;

impl World for LongKeys {
    fn variable(&self, name: &str) -> Option<String> {
        match name {
            "SHORT" => Some("short".to_owned()),
            "NONE" => None,
            // Two variables may hold one key.
            "SAME" | "A" => Some("key-of-a-0123456789".to_owned()),
            other => Some(format!("key-of-{other}-0123456789")),
        }
    }
    fn file(&self, _: &Path) -> std::io::Result<String> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn read(callers: &str) -> Result<Config, Faults> {
    let text = format!(
        "{callers}\n[targets.a]\nprovider = \"vllm\"\nmodel = \"m\"\n[routes.chat]\naliases = [\"gpt\"]\ntiers = [[\"a\"]]"
    );
    Config::parse("t", &text, &LongKeys)
}

#[test]
fn callers_are_read_and_their_keys_never_shown() {
    let config = read(
        "[callers.one]\nkey = { env = \"A\" }\nold_key = { env = \"B\" }\nroutes = [\"gpt\"]\nrpm = 600\nconcurrency = 8\n[callers.two]\nkey = { env = \"C\" }",
    )
    .unwrap();
    let [one, two] = &config.callers[..] else {
        panic!("{:?}", config.callers)
    };
    assert_eq!((one.name.as_str(), one.keys.len()), ("one", 2));
    assert_eq!(one.routes.as_deref(), Some(&["chat".to_owned()][..]));
    assert_eq!((one.rpm, one.concurrency), (Some(600), Some(8)));
    assert!(two.routes.is_none() && two.rpm.is_none());
    assert!(!format!("{config:?}").contains("0123456789"));
    assert!(read("").unwrap().callers.is_empty());
}

#[test]
fn every_fault_names_place_and_mend() {
    for (callers, told) in [
        (
            "[callers]",
            "t:1:1: callers: no caller is defined\n    mend: add a table [callers.NAME]",
        ),
        (
            "[callers.one]",
            "callers.one.key: missing\n    mend: add key = { env = \"NAME\" }",
        ),
        (
            "[callers.one]\nkey = \"sk-0123456789abcdef\"",
            "t:2:7: callers.one.key: a key does not belong in this file",
        ),
        (
            "[callers.one]\nkey = { env = \"NONE\" }",
            "the environment variable NONE is not set",
        ),
        (
            "[callers.one]\nkey = { env = \"SHORT\" }",
            "a key of fewer than 16 characters, which can be guessed\n    mend: make one with `openssl rand -hex 24`",
        ),
        (
            "[callers.one]\nkey = { env = \"A\" }\n[callers.two]\nkey = { env = \"SAME\" }",
            "t:4:7: callers.two.key: the same key as another one of `one`",
        ),
        (
            "[callers.one]\nkey = { env = \"A\" }\nold_key = { env = \"A\" }",
            "callers.one.old_key: the same key as another one of `one`",
        ),
        (
            "[callers.one]\nkey = { env = \"A\" }\nroutes = [\"chta\"]",
            "callers.one.routes: no route is called `chta`\n    mend: did you mean `chat`?",
        ),
        (
            "[callers.one]\nkey = { env = \"A\" }\nroutes = []",
            "callers.one.routes: no route\n    mend: name one, or remove the key",
        ),
        (
            "[callers.one]\nkey = { env = \"A\" }\nrmp = 5",
            "callers.one.rmp: unknown key\n    mend: did you mean `rpm`?",
        ),
    ] {
        let faults = read(callers).unwrap_err();
        assert_eq!(faults.list.len(), 1, "{faults}");
        assert!(faults.to_string().contains(told), "{faults}\n{told}");
        assert!(!faults.to_string().contains("0123456789"), "{faults}");
    }
}

#[test]
fn a_gateway_open_to_everyone_is_warned_of() {
    let told = |top: &str| {
        let warnings = walk::warnings(&read(top).unwrap());
        warnings
            .iter()
            .any(|line| line.starts_with("listen: other machines"))
    };
    assert!(told("listen = \"0.0.0.0:8080\""));
    assert!(!told("listen = \"127.0.0.1:8080\""));
    assert!(!told(
        "listen = \"0.0.0.0:8080\"\n[callers.one]\nkey = { env = \"A\" }"
    ));
}
