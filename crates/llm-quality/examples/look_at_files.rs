//! Looks at text files as if they were answers: `cargo run --example look_at_files -- README.md notes/*.txt`.
//!
//! Prints what was found in which file, then the totals. Run it over texts of your own kind to learn how often the defaults are wrong.
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::collections::BTreeMap;

use llm_quality::{Answer, Finding, Finish, Look, Severity};

/// A usual length of an answer: long files are looked at piece by piece, parted at empty lines.
const PIECE_BYTES: usize = 4_000;

fn main() {
    let look = Look::default();
    let mut totals: BTreeMap<(Severity, Finding), usize> = BTreeMap::new();
    let (mut files, mut pieces, mut bytes, mut bad, mut suspect) = (0, 0, 0, 0, 0);
    for path in std::env::args().skip(1) {
        // Files that are not UTF-8 are no answers.
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        files += 1;
        for piece in pieces_of(&text) {
            pieces += 1;
            bytes += piece.len();
            let findings = look.look(&Answer::new(piece).with_finish(Finish::Stop));
            bad += usize::from(findings.is_bad());
            suspect += usize::from(findings.worst() == Some(Severity::Suspect));
            for (finding, severity) in findings.iter() {
                *totals.entry((severity, finding)).or_default() += 1;
            }
            if findings.worst() >= Some(Severity::Suspect) {
                println!("{path}: {findings}");
            }
        }
    }
    println!("{files} files, {pieces} pieces, {bytes} bytes: {bad} bad, {suspect} suspect");
    for ((severity, finding), n) in totals {
        println!("{finding} {severity}: {n}");
    }
}

fn pieces_of(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > PIECE_BYTES {
        let cut = rest
            .match_indices("\n\n")
            .map(|(at, _)| at)
            .find(|&at| at >= PIECE_BYTES)
            .unwrap_or(rest.len());
        let (piece, after) = rest.split_at(cut);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces.retain(|piece| !piece.trim().is_empty());
    pieces
}
