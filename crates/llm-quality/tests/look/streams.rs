//! A growing look finds what a look finds, however the text is split, and nothing makes either panic.

use crate::bank::Dice;
use crate::corpus::good_answers;
use llm_quality::{Answer, Finding, Findings, Finish, Language, Look, ToolCall};
use proptest::prelude::*;

fn grown(look: &Look, text: &str, dice: &mut Dice, most: usize) -> Findings {
    let mut growing = look.growing();
    let mut rest = text;
    let mut before = Findings::default();
    while !rest.is_empty() {
        let mut at = (1 + dice.below(most)).min(rest.len());
        while !rest.is_char_boundary(at) {
            at += 1;
        }
        let (chunk, after) = rest.split_at(at);
        let now = growing.push(chunk);
        assert!(
            now.worst() >= before.worst(),
            "an early finding was taken back"
        );
        before = now;
        rest = after;
    }
    let end = growing.finish(Some(Finish::Stop));
    for (finding, severity) in before.iter() {
        assert!(end.severity(finding) >= Some(severity));
    }
    end
}

fn look() -> Look {
    Look::builder()
        .min_chars(3)
        .language(Language::English)
        .build()
        .unwrap_or_default()
}

#[test]
fn every_split_of_the_corpus_finds_the_same() {
    let look = look();
    for (nth, one) in good_answers(4).iter().enumerate() {
        let mut dice = Dice::new(nth as u64 + 1);
        let broken = format!(
            "{}{}",
            one.text,
            "And again, and again. ".repeat(dice.below(40))
        );
        for text in [&one.text, &broken] {
            let whole = look.look(&Answer::new(text).with_finish(Finish::Stop));
            for most in [1, 9, 5000] {
                assert_eq!(
                    grown(&look, text, &mut dice, most),
                    whole,
                    "{}: {text}",
                    one.kind
                );
            }
        }
    }
}

#[test]
fn what_stands_beside_the_text_is_told_to_the_stream() {
    let look = Look::default();
    let mut growing = look.growing();
    growing.tool_call();
    assert!(growing.finish(Some(Finish::ToolUse)).is_clean());
    let mut growing = look.growing();
    growing.refusal();
    assert!(
        growing
            .finish(Some(Finish::Stop))
            .contains(Finding::Refusal)
    );
    assert!(look.growing().finish(None).contains(Finding::Empty));
}

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("```".to_owned()),
        Just("```rust\n".to_owned()),
        Just("\n".to_owned()),
        Just("`".to_owned()),
        Just("Ã©â€™".to_owned()),
        Just("\u{FFFD}\u{0}".to_owned()),
        Just("I'm sorry, but I can't help with that. ".to_owned()),
        Just("{\"a\": [1, ".to_owned()),
        Just("the результатов その".to_owned()),
        "[a-z ,.:]{0,40}",
        "\\PC{0,20}",
        any::<String>(),
    ];
    (proptest::collection::vec((piece, 1usize..60), 0..12)).prop_map(|pieces| {
        pieces
            .into_iter()
            .map(|(piece, times)| piece.repeat(times))
            .collect()
    })
}

proptest! {
    #[test]
    fn any_text_and_any_split_give_the_same(text in pieces(), seed in 1u64.., most in 1usize..200) {
        let look = look();
        let whole = look.look(&Answer::new(&text).with_finish(Finish::Stop));
        prop_assert_eq!(grown(&look, &text, &mut Dice::new(seed), most), whole);
    }

    #[test]
    fn nothing_panics(text in any::<String>(), name in any::<String>(), arguments in any::<String>(), refusal in any::<String>()) {
        let calls = [ToolCall::new(&name, &arguments)];
        for form in [llm_quality::JsonForm::Bare, llm_quality::JsonForm::Fenced] {
            let look = Look::builder().json(form).language(Language::Japanese).build().unwrap();
            let _ = look.look(&Answer::new(&text));
            let _ = look.look(&Answer::new(&text).with_refusal(&refusal).with_tool_calls(&calls));
        }
    }
}

#[test]
fn public_types_can_cross_threads() {
    fn crosses<T: Send + Sync + 'static>() {}
    crosses::<Look>();
    crosses::<llm_quality::GrowingLook>();
    crosses::<Findings>();
    assert_eq!(size_of::<Findings>(), 6);
}
