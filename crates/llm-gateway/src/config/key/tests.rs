use super::*;
use crate::config::Config;
use crate::config::secret::World;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- keys: begin -->\n";
const END: &str = "<!-- keys: end -->";

fn docs(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(file)
}

#[test]
fn every_key_stands_once_in_its_section() {
    for (section, _) in Section::ALL {
        let all: Vec<_> = names(section).collect();
        let mut unique = all.clone();
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), all.len(), "{section:?}");
        assert!(!all.is_empty(), "{section:?}");
    }
}

/// Set `LLM_UPDATE_DOCS` to write the tables instead of comparing them.
#[test]
fn the_reference_holds_exactly_these_keys() {
    let path = docs("configuration.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text
        .split_once(BEGIN)
        .expect("the mark where the tables begin");
    let (found, after) = rest.split_once(END).expect("the mark where the tables end");
    if std::env::var_os("LLM_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", reference())).unwrap();
        return;
    }
    assert_eq!(
        found,
        reference(),
        "run this test with LLM_UPDATE_DOCS=1 to write the tables"
    );
}

#[derive(Debug)]
struct AnyKey;

impl World for AnyKey {
    fn variable(&self, _: &str) -> Option<String> {
        Some("key".to_owned())
    }
    fn file(&self, _: &Path) -> std::io::Result<String> {
        Ok("key".to_owned())
    }
}

#[test]
fn the_example_is_valid_and_gives_no_warning() {
    let path = docs("examples/gateway.toml");
    let config = Config::load(&path, &AnyKey).unwrap();
    assert_eq!(crate::config::walk::warnings(&config), Vec::<String>::new());
}
