//! What is wrong must be seen: answers of the corpus, each with one defect put in.

use crate::bank::{BANKS, Dice};
use crate::corpus::prose;
use llm_quality::{Answer, Finding, Finish, JsonForm, Look, ToolCall};

const EACH: usize = 300;

/// How many of `EACH` spoilt answers are found to be so, badly.
#[expect(clippy::print_stdout, reason = "the figures are for the manual")]
fn caught(finding: Finding, finish: Option<Finish>, spoil: impl Fn(&mut Dice) -> String) -> usize {
    let look = Look::default();
    let n = (0..EACH)
        .filter(|&seed| {
            let text = spoil(&mut Dice::new(seed as u64 + 77));
            let answer = Answer::new(&text);
            let answer = finish.map_or(answer, |finish| answer.with_finish(finish));
            look.look(&answer).severity(finding) == Some(llm_quality::Severity::Bad)
        })
        .count();
    println!("{finding}: {n} of {EACH}");
    n
}

#[test]
fn a_sentence_said_over_and_over_is_caught() {
    let n = caught(Finding::Repetitive, Some(Finish::Length), |dice| {
        let (gap, bank) = BANKS[dice.below(BANKS.len())];
        format!(
            "{}{gap}{}",
            prose(dice),
            format!("{}{gap}", dice.pick(bank)).repeat(40)
        )
    });
    assert_eq!(n, EACH);
}

#[test]
fn a_paragraph_said_over_and_over_is_caught() {
    let n = caught(Finding::Repetitive, Some(Finish::Stop), |dice| {
        format!("{}\n\n", prose(dice)).repeat(12)
    });
    assert_eq!(n, EACH);
}

#[test]
fn text_read_in_the_wrong_encoding_is_caught() {
    let n = caught(Finding::Garbled, Some(Finish::Stop), |dice| {
        // Latin-1, the decoder that never fails. Plain ASCII survives it, so English is left out.
        let (gap, bank) = BANKS[1 + dice.below(BANKS.len() - 1)];
        dice.shuffled(bank, 6)
            .join(gap)
            .bytes()
            .map(char::from)
            .collect()
    });
    assert!(n * 100 >= EACH * 99, "{n}");
}

#[test]
fn characters_cut_in_half_are_caught() {
    let n = caught(Finding::Garbled, Some(Finish::Stop), |dice| {
        let (gap, bank) = BANKS[1 + dice.below(BANKS.len() - 1)];
        let text = dice.shuffled(bank, 6).join(gap);
        // Each chunk of the stream was decoded by itself.
        text.as_bytes()
            .chunks(7)
            .map(String::from_utf8_lossy)
            .collect()
    });
    assert!(n * 100 >= EACH * 80, "{n}");
}

#[test]
fn a_broken_end_is_seen_as_often_as_can_be_told() {
    let look = Look::default();
    let (mut seen, mut bad) = (0, 0);
    for seed in 0..EACH {
        let mut dice = Dice::new(seed as u64 + 5);
        let text = format!("{} {}", prose(&mut dice), BANKS[0].1[dice.below(11)]);
        let at = text.len() - 2 - dice.below(40);
        let cut: String = text
            .char_indices()
            .take_while(|&(index, _)| index < at)
            .map(|(_, ch)| ch)
            .collect();
        let findings = look.look(&Answer::new(&cut));
        seen += usize::from(findings.contains(Finding::MidSentence));
        bad += usize::from(findings.is_bad());
    }
    println!("mid_sentence without finish reason: {seen} of {EACH} seen, {bad} bad");
    assert!(seen * 100 > EACH * 15, "{seen}");
}

#[test]
fn the_finish_reason_and_the_fields_are_believed() {
    let look = Look::default();
    let found = |answer: Answer<'_>, finding| {
        look.look(&answer).severity(finding) == Some(llm_quality::Severity::Bad)
    };
    assert!(found(
        Answer::new("It goes like th").with_finish(Finish::Length),
        Finding::CutOff
    ));
    assert!(found(
        Answer::new("").with_refusal("I can't do that."),
        Finding::Refusal
    ));
    assert!(found(
        Answer::new("").with_finish(Finish::ContentFilter),
        Finding::Refusal
    ));
    assert!(found(
        Answer::new("Half an ans").with_finish(Finish::Refusal),
        Finding::Refusal
    ));
    for nothing in ["", " \n\t", "\u{200B}\u{FEFF}", "\0"] {
        assert!(
            found(
                Answer::new(nothing).with_finish(Finish::Stop),
                Finding::Empty
            ),
            "{nothing:?}"
        );
    }
    let call = [ToolCall::new("weather", "{\"city\":\"Oslo\"}")];
    let answer = Answer::new("")
        .with_finish(Finish::ToolUse)
        .with_tool_calls(&call);
    assert!(look.look(&answer).is_clean());
    let call = [ToolCall::new("weather", "{\"city\":\"Os")];
    assert!(found(
        Answer::new("").with_tool_calls(&call),
        Finding::ToolCallInvalid
    ));
}

#[test]
fn floors_forms_and_wishes_are_kept() -> Result<(), llm_quality::BuildError> {
    let look = Look::builder().min_chars(20).json(JsonForm::Bare).build()?;
    assert!(
        look.look(&Answer::new("{\"a\": 1}"))
            .contains(Finding::TooShort)
    );
    assert!(
        look.look(&Answer::new("{\"name\": \"long enough\"}"))
            .is_clean()
    );
    assert!(
        look.look(&Answer::new("{\"name\": \"long enough\""))
            .contains(Finding::InvalidJson)
    );
    let relaxed = Look::builder()
        .without(Finding::TooShort)
        .min_chars(20)
        .build()?;
    assert!(relaxed.look(&Answer::new("short")).is_clean());
    let weak = Look::builder()
        .at_most(Finding::CutOff, llm_quality::Severity::Note)
        .build()?;
    assert!(
        !weak
            .look(&Answer::new("yes").with_finish(Finish::Length))
            .is_bad()
    );
    Ok(())
}

#[test]
fn the_callers_measure_is_asked_last_and_only_about_good_answers()
-> Result<(), llm_quality::BuildError> {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    struct Fixed(f32, AtomicUsize);
    impl llm_quality::Similarity for Fixed {
        fn similarity(&self, _: &str, _: &str) -> Option<f32> {
            self.1.fetch_add(1, Ordering::Relaxed);
            Some(self.0)
        }
    }
    for (near, off_topic) in [(0.1, true), (0.9, false), (f32::NAN, false)] {
        let measure = Arc::new(Fixed(near, AtomicUsize::new(0)));
        let look = Look::builder().similarity(measure.clone(), 0.3).build()?;
        let answer = Answer::new("Bread needs flour.").with_question("How do locks work?");
        assert_eq!(look.look(&answer).contains(Finding::OffTopic), off_topic);
        assert_eq!(measure.1.load(Ordering::Relaxed), 1);
        let _ = look.look(&answer.with_finish(Finish::Length));
        let _ = look.look(&Answer::new("Bread needs flour."));
        assert_eq!(measure.1.load(Ordering::Relaxed), 1);
        assert!(Look::builder().similarity(measure, 1.5).build().is_err());
    }
    Ok(())
}
