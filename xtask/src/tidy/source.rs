//! Rules about files, read line by line. They are modest on purpose: a plain look at the code part of each line, with
//! comments, strings and the `tests` module at the end of a file left out where a rule is about production code.

use super::Finding;

/// No file is longer.
const MAX_LINES: usize = 600;

/// File endings that hold code, for the rules about length and left-overs.
const CODE: &[&str] = &[".rs", ".py", ".mjs", ".js", ".sh", ".css"];

/// All findings in one file. `path` is relative to the workspace's top folder, with forward slashes.
pub(super) fn findings(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    length(path, text, &mut findings);
    machine_paths(path, text, &mut findings);
    left_overs(path, text, &mut findings);
    if path.ends_with(".rs") {
        let code = production(text);
        unsafe_code(path, text, &mut findings);
        if is_production(path) {
            for rule in TOUCH {
                rule.check(path, &code, &mut findings);
            }
            error_statuses(path, &code, &mut findings);
        }
    }
    if path.contains("/tests/fixtures/") {
        fixture(path, text, &mut findings);
    }
    findings
}

/// A fixture holds something, and what calls itself JSON is; a broken reply stands in it as text.
fn fixture(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let json = path.ends_with(".json");
    if text.trim().is_empty() {
        findings.push(Finding::new(
            format!("{path}:1"),
            "an empty fixture proves nothing",
            "fill it with the reply it stands for, or delete it with the test that names it",
        ));
    } else if json && let Err(error) = serde_json::from_str::<serde_json::Value>(text) {
        findings.push(Finding::new(
            format!("{path}:{}", error.line()),
            format!("a fixture that is not JSON: {error}"),
            "mend it; a reply that is broken on purpose belongs into a string of it",
        ));
    }
}

fn length(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let lines = text.lines().count();
    if CODE.iter().any(|end| path.ends_with(end)) && lines > MAX_LINES {
        findings.push(Finding::new(
            format!("{path}:{lines}"),
            format!("{lines} lines; a file holds one idea in at most {MAX_LINES}"),
            "split it by idea (`foo.rs` and `foo/part.rs`), tests into `foo/tests.rs`",
        ));
    }
}

/// Where people's own folders are. Spelt in parts so that this file does not find itself.
const HOMES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

/// The folder this tree was checked out in, as it stood when this tool was built; `None` at the top of the file system,
/// whose name is in every path.
fn checkout() -> Option<&'static str> {
    let folder = env!("CARGO_MANIFEST_DIR").trim_end_matches("xtask");
    (folder.len() > 3).then_some(folder)
}

fn machine_paths(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in numbered(text) {
        for folder in HOMES.iter().copied().chain(checkout()) {
            let found = line.match_indices(folder).any(|(at, _)| {
                // `some/home/` is no absolute path, nor is the path of a URL.
                !line[..at]
                    .ends_with(|before: char| before.is_alphanumeric() || "._-".contains(before))
            });
            if found {
                findings.push(Finding::new(
                    format!("{path}:{number}"),
                    format!("a path of one machine: {folder}"),
                    "use a path relative to the workspace",
                ));
            }
        }
    }
}

/// Words that mean "not finished"; spelt in parts so that this file does not find itself.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
];

fn left_overs(path: &str, text: &str, findings: &mut Vec<Finding>) {
    if !CODE.iter().any(|end| path.ends_with(end)) && !path.ends_with(".toml") {
        return;
    }
    for (number, line) in numbered(text) {
        if UNFINISHED.iter().any(|word| line.contains(word)) {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "unfinished work is left in the code",
                "finish it, or describe it where work is planned",
            ));
        }
        if path.ends_with(".rs") && line.trim_start().starts_with(concat!("#[igno", "re")) {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "a test that is switched off",
                "make it pass, put it behind an environment variable if it is slow, or delete it",
            ));
        }
    }
}

fn unsafe_code(path: &str, text: &str, findings: &mut Vec<Finding>) {
    for (number, line) in numbered(text) {
        let code = code_of(line);
        let found = words(&code).any(|word| word == concat!("uns", "afe"));
        if found {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "code that the compiler cannot vouch for",
                "write it in safe Rust, or depend on a well-known crate that has it",
            ));
        }
    }
}

/// Something of the outer world that only some files may touch.
struct Touch {
    what: &'static str,
    /// Any of these in the code part of a line.
    signs: &'static [&'static str],
    /// Beginnings of the paths that may.
    may: &'static [&'static str],
    mend: &'static str,
}

const TOUCH: &[Touch] = &[
    Touch {
        what: "the environment or the arguments are read",
        signs: &[
            "env::var",
            "env::args",
            "env::current_dir",
            "env::set_var",
            "env::remove_var",
        ],
        may: &[
            "crates/llm-gateway/",
            "crates/llm-sim/src/main.rs",
            "xtask/",
        ],
        mend: "only the gateway reads them: take the value as an argument",
    },
    Touch {
        what: "a file is opened",
        signs: &[
            "std::fs",
            "tokio::fs",
            "File::open",
            "fs::read",
            "fs::write",
        ],
        may: &[
            "crates/llm-gateway/",
            "crates/llm-sim/",
            "crates/llm-cache/",
            "crates/llm-dedup/",
            "xtask/",
        ],
        mend: "only the gateway and the stores open files: take the content as an argument",
    },
    Touch {
        what: "a socket is opened",
        signs: &[
            "TcpStream",
            "TcpListener",
            "TcpSocket",
            "UdpSocket",
            "UnixStream",
            "UnixListener",
            "reqwest::",
            "hyper_util::client",
            "hyper::client",
        ],
        may: &[
            "crates/llm-providers/src/transport",
            "crates/llm-sim/",
            "crates/llm-gateway/",
            "crates/llm-cache/src/redis",
            "crates/llm-dedup/src/redis",
            "xtask/",
        ],
        mend: "go through the transport of llm-providers, or take the connection as an argument",
    },
];

impl Touch {
    fn check(&self, path: &str, code: &[(usize, String)], findings: &mut Vec<Finding>) {
        if self.may.iter().any(|beginning| path.starts_with(beginning)) {
            return;
        }
        for (number, line) in code {
            if let Some(sign) = self.signs.iter().find(|sign| line.contains(**sign)) {
                findings.push(Finding::new(
                    format!("{path}:{number}"),
                    format!("{} ({sign})", self.what),
                    self.mend,
                ));
            }
        }
    }
}

/// Names of `http::StatusCode`'s error constants that a server would answer with.
const ERROR_STATUSES: &[&str] = &[
    "BAD_REQUEST",
    "UNAUTHORIZED",
    "PAYMENT_REQUIRED",
    "FORBIDDEN",
    "NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "NOT_ACCEPTABLE",
    "REQUEST_TIMEOUT",
    "CONFLICT",
    "GONE",
    "LENGTH_REQUIRED",
    "PAYLOAD_TOO_LARGE",
    "URI_TOO_LONG",
    "UNSUPPORTED_MEDIA_TYPE",
    "UNPROCESSABLE_ENTITY",
    "TOO_MANY_REQUESTS",
    "INTERNAL_SERVER_ERROR",
    "NOT_IMPLEMENTED",
    "BAD_GATEWAY",
    "SERVICE_UNAVAILABLE",
    "GATEWAY_TIMEOUT",
];

/// Only `reply.rs` of the gateway turns an error into a status and a body.
fn error_statuses(path: &str, code: &[(usize, String)], findings: &mut Vec<Finding>) {
    let server = path.starts_with("crates/llm-gateway/src/");
    let may = path.starts_with("crates/llm-gateway/src/reply")
        // Readiness tells an orchestrator the state of the server: no error of a call.
        || path == "crates/llm-gateway/src/http/health.rs"
        || path.starts_with("crates/llm-gateway/src/demo")
        || path.starts_with("crates/llm-gateway/src/command/demo");
    if !server || may {
        return;
    }
    for (number, line) in code {
        // Comparing with a status constructs none.
        if line.contains("==") || line.contains("!=") {
            continue;
        }
        let named = line
            .split("StatusCode::")
            .skip(1)
            .filter_map(|rest| words(rest).next().map(str::to_owned))
            .any(|name| ERROR_STATUSES.contains(&name.as_str()));
        let numeric = [".status(4", ".status(5", "from_u16(4", "from_u16(5"]
            .iter()
            .any(|sign| line.contains(sign));
        if named || numeric {
            findings.push(Finding::new(
                format!("{path}:{number}"),
                "an error status is made outside reply.rs",
                "return the error and let crates/llm-gateway/src/reply.rs turn it into status and body",
            ));
        }
    }
}

/// Whether a Rust file is part of what ships, rather than a test, a bench or an example.
fn is_production(path: &str) -> bool {
    let mut parts = path.split('/');
    let in_source = match parts.next() {
        Some("crates") => parts.nth(1) == Some("src"),
        Some("xtask") => parts.next() == Some("src"),
        _ => false,
    };
    in_source && !path.ends_with("/tests.rs") && !path.contains("/tests/")
}

/// The code parts of a file's lines with their numbers, up to the `tests` module at its end.
fn production(text: &str) -> Vec<(usize, String)> {
    let mut lines = Vec::new();
    let mut all = numbered(text).peekable();
    while let Some((number, line)) = all.next() {
        if line.trim() == "#[cfg(test)]"
            && let Some((_, next)) = all.peek()
        {
            let next = next.trim();
            if next.starts_with("mod ") && next.ends_with('{') {
                break;
            }
        }
        lines.push((number, code_of(line)));
    }
    lines
}

/// A line without its comment and without what stands in string literals.
fn code_of(line: &str) -> String {
    let mut code = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '/' if chars.peek() == Some(&'/') => break,
            '"' => {
                code.push('"');
                while let Some(inside) = chars.next() {
                    match inside {
                        '\\' => {
                            chars.next();
                        }
                        '"' => break,
                        _ => {}
                    }
                }
                code.push('"');
            }
            // The character literal of a quote must not open a string.
            '\'' if chars.peek() == Some(&'"') => {
                chars.next();
            }
            _ => code.push(char),
        }
    }
    code
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !(char.is_alphanumeric() || char == '_'))
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        findings(path, text)
            .into_iter()
            .map(|finding| finding.place)
            .collect()
    }

    #[test]
    fn the_environment_is_found_outside_the_gateway_and_not_in_it() {
        let text = "fn f() {\n    let _ = std::env::var(\"X\");\n}\n";
        assert_eq!(
            places("crates/llm-router/src/plan.rs", text),
            ["crates/llm-router/src/plan.rs:2"]
        );
        assert!(places("crates/llm-gateway/src/config.rs", text).is_empty());
        assert!(places("crates/llm-sim/src/main.rs", text).is_empty());
        assert_eq!(places("crates/llm-sim/src/script.rs", text).len(), 1);
    }

    #[test]
    fn comments_strings_and_the_tests_module_do_not_count() {
        let text = "// std::env::var\nconst A: &str = \"TcpStream\";\n#[cfg(test)]\nmod tests {\n    use std::net::TcpStream;\n}\n";
        assert!(places("crates/llm-breaker/src/gate.rs", text).is_empty());
    }

    #[test]
    fn a_socket_outside_the_transport_is_found() {
        let text = "use tokio::net::TcpStream;\n";
        assert_eq!(places("crates/llm-providers/src/openai.rs", text).len(), 1);
        assert!(places("crates/llm-providers/src/transport.rs", text).is_empty());
        assert!(places("crates/llm-providers/tests/wire.rs", text).is_empty());
    }

    #[test]
    fn an_error_status_is_found_outside_reply_and_a_comparison_is_none() {
        let text = "fn f() { StatusCode::NOT_FOUND.into_response() }\n";
        assert_eq!(places("crates/llm-gateway/src/server.rs", text).len(), 1);
        assert!(places("crates/llm-gateway/src/reply.rs", text).is_empty());
        let compared = "fn f(s: StatusCode) -> bool { s == StatusCode::NOT_FOUND }\n";
        assert!(places("crates/llm-gateway/src/server.rs", compared).is_empty());
    }

    #[test]
    fn machine_paths_left_overs_and_switched_off_tests_are_found() {
        let machine = format!("see {}main/x\n", HOMES[0]);
        assert_eq!(places("docs/guide.md", &machine), ["docs/guide.md:1"]);
        assert!(places("docs/guide.md", &format!("net{}x", HOMES[0])).is_empty());
        let unfinished = format!("// {}: later\n", UNFINISHED[0]);
        assert_eq!(places("crates/llm-cache/src/key.rs", &unfinished).len(), 1);
        let off = format!("{}]\nfn t() {{}}\n", concat!("#[igno", "re"));
        assert_eq!(places("crates/llm-cache/tests/key.rs", &off).len(), 1);
    }

    #[test]
    fn a_fixture_is_not_empty_and_is_the_json_it_calls_itself() {
        let path = "crates/llm-errors/tests/fixtures/openai/case.json";
        assert!(places(path, "{\"status\": 429}").is_empty());
        assert_eq!(places(path, "{\n\"status\": }").len(), 1);
        assert_eq!(places(path, "\n").len(), 1);
    }

    #[test]
    fn a_file_of_600_lines_passes_and_one_more_does_not() {
        assert!(places("crates/llm-cache/src/key.rs", &"\n".repeat(600)).is_empty());
        assert_eq!(
            places("crates/llm-cache/src/key.rs", &"\n".repeat(601)).len(),
            1
        );
    }

    #[test]
    fn the_word_is_found_in_code_only() {
        let word = concat!("uns", "afe");
        assert_eq!(
            places(
                "crates/llm-cache/tests/key.rs",
                &format!("{word} {{ f() }}\n")
            )
            .len(),
            1
        );
        assert!(places("crates/llm-cache/src/key.rs", &format!("// {word}\n")).is_empty());
        assert!(
            places(
                "crates/llm-cache/src/key.rs",
                &format!("#![forbid({word}_code)]\n")
            )
            .is_empty()
        );
    }
}
