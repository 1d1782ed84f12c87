//! A good answer must hardly ever be called bad: false positives over the corpus of good answers.

use std::collections::BTreeMap;

use crate::corpus::good_answers;
use llm_quality::{Answer, Finding, Finish, Look, Severity};

/// Answers per kind.
const EACH: usize = 250;

#[test]
fn the_default_look_calls_fewer_than_one_good_answer_in_a_thousand_bad() {
    let look = Look::default();
    let good = good_answers(EACH);
    let mut table: BTreeMap<(Finding, Severity), (usize, &str)> = BTreeMap::new();
    let mut by_kind: BTreeMap<(&str, Finding), usize> = BTreeMap::new();
    let (mut bad, mut doubted) = (0, 0);
    for one in &good {
        let findings = look.look(&Answer::new(&one.text).with_finish(Finish::Stop));
        bad += usize::from(findings.is_bad());
        doubted += usize::from(findings.worst() == Some(Severity::Suspect));
        for (finding, severity) in findings.iter() {
            table.entry((finding, severity)).or_insert((0, &one.text)).0 += 1;
            if severity > Severity::Note {
                *by_kind.entry((one.kind, finding)).or_default() += 1;
            }
        }
    }
    println!(
        "{} good answers, {bad} called bad, {doubted} suspect",
        good.len()
    );
    for ((finding, severity), (n, first)) in &table {
        println!(
            "{finding} {severity}: {n}, such as {:?}",
            first.chars().take(160).collect::<String>()
        );
    }
    println!("{by_kind:?}");
    assert!(bad * 1000 < good.len(), "{bad} of {}", good.len());
    assert!(doubted * 100 < good.len(), "{doubted} of {}", good.len());
}

#[test]
fn without_a_finish_reason_fewer_than_one_in_a_hundred_is_bad() {
    let look = Look::default();
    let good = good_answers(EACH);
    let bad = good
        .iter()
        .filter(|one| look.look(&Answer::new(&one.text)).is_bad())
        .count();
    println!("{bad} of {} without a finish reason", good.len());
    assert!(bad * 100 < good.len(), "{bad} of {}", good.len());
}
