//! A good answer must hardly ever be called bad: false positives over the corpus of good answers.

use std::collections::BTreeMap;

use crate::bank::{BANKS, Dice};
use crate::corpus::good_answers;
use llm_quality::{Answer, Finding, Finish, JsonForm, Look, Severity};

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

/// The checks that need to know what was asked for.
#[test]
fn what_was_asked_for_is_hardly_ever_missed_in_good_answers() {
    use llm_quality::Language as L;
    // The languages of the bank of sentences, in its order.
    let languages = [
        L::English,
        L::German,
        L::French,
        L::Spanish,
        L::Portuguese,
        L::Italian,
        L::Russian,
        L::Chinese,
        L::Japanese,
        L::Korean,
        L::Arabic,
        L::Hindi,
        L::Hebrew,
        L::Polish,
    ];
    assert_eq!(languages.len(), BANKS.len());
    let (mut texts, mut wrong) = (0, 0);
    for (language, (gap, sentences)) in languages.into_iter().zip(BANKS) {
        let look = Look::builder().language(language).build().unwrap();
        for seed in 0..EACH {
            let mut dice = Dice::new(seed as u64 + 1);
            let count = 2 + dice.below(5);
            let text = dice.shuffled(sentences, count).join(gap);
            let findings = look.look(&Answer::new(&text).with_finish(Finish::Stop));
            texts += 1;
            wrong += usize::from(findings.contains(Finding::WrongLanguage));
        }
    }
    println!("wrong_language: {wrong} of {texts}");
    assert!(wrong * 1000 < texts, "{wrong} of {texts}");

    let looks = [JsonForm::Bare, JsonForm::Fenced].map(|form| {
        let builder = Look::builder().json(form).min_chars(2);
        builder.build().unwrap()
    });
    let good = good_answers(EACH);
    let json: Vec<_> = good.iter().filter(|one| one.kind == "json").collect();
    assert_eq!(json.len(), EACH);
    for one in json {
        for look in &looks {
            let findings = look.look(&Answer::new(&one.text).with_finish(Finish::Stop));
            assert!(!findings.is_bad(), "{findings:?}: {}", one.text);
        }
    }
}
