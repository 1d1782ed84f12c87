//! The text of an answer: plain English sentences made from a seed, and their division into stream chunks.

use crate::seed::Numbers;

const OPENERS: [&str; 8] = [
    "In short,",
    "As a rule,",
    "On most days",
    "Seen from above,",
    "By the evening",
    "After the rain",
    "For now",
    "Once a year",
];
const SUBJECTS: [&str; 12] = [
    "the old harbour",
    "a careful reader",
    "the night train",
    "our small workshop",
    "the northern road",
    "a patient gardener",
    "the mountain village",
    "her first map",
    "the quiet library",
    "a passing ship",
    "the stone bridge",
    "their tall clock",
];
const VERBS: [&str; 10] = [
    "keeps",
    "remembers",
    "carries",
    "follows",
    "welcomes",
    "outlasts",
    "mirrors",
    "needs",
    "measures",
    "surprises",
];
const OBJECTS: [&str; 12] = [
    "the morning light.",
    "every traveller.",
    "a simple plan.",
    "the slow river.",
    "its own echo.",
    "seven bright lamps.",
    "the first snow.",
    "an honest answer.",
    "the long way home.",
    "a handful of seeds.",
    "the changing tide.",
    "one good question.",
];

/// Writes `words` words of prose; the same state gives the same text.
pub(crate) fn write(numbers: &mut Numbers, words: usize) -> String {
    let mut text = String::with_capacity(words.saturating_mul(7));
    let mut written = 0;
    'sentences: while written < words {
        let opener = numbers.pick(&OPENERS);
        let subject = numbers.pick(&SUBJECTS);
        let verb = numbers.pick(&VERBS);
        let object = numbers.pick(&OBJECTS);
        for part in [opener, subject, verb, object].into_iter().flatten() {
            for word in part.split(' ') {
                if written == words {
                    break 'sentences;
                }
                if !text.is_empty() {
                    text.push(' ');
                }
                text.push_str(word);
                written += 1;
            }
        }
    }
    if !text.is_empty() && !text.ends_with('.') {
        while text.ends_with(',') {
            text.pop();
        }
        text.push('.');
    }
    text
}

/// Counts words: what this simulator calls tokens.
pub(crate) fn count(text: &str) -> u64 {
    u64::try_from(text.split_whitespace().count()).unwrap_or(u64::MAX)
}

/// Divides a text into stream chunks, one word each with the white space before it; joined they are the text again.
pub(crate) fn chunks(text: &str) -> Vec<&str> {
    let mut chunks = Vec::with_capacity(text.len() / 5 + 1);
    let mut rest = text;
    while !rest.is_empty() {
        let word = rest
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(rest.len());
        let length = rest
            .get(word..)
            .and_then(|tail| tail.find(char::is_whitespace))
            .map_or(rest.len(), |n| word + n);
        let (chunk, tail) = rest.split_at(length);
        chunks.push(chunk);
        rest = tail;
    }
    chunks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_exactly_the_words_asked_for() {
        for words in [1, 2, 7, 24, 300] {
            let text = write(&mut Numbers::new(5), words);
            assert_eq!(count(&text), words as u64, "{text}");
            assert!(text.ends_with('.'), "{text}");
        }
        assert_eq!(write(&mut Numbers::new(5), 0), "");
    }

    #[test]
    fn chunks_join_to_the_text() {
        for text in [
            "",
            " ",
            "one",
            "one two",
            "  a\n\nb  c  ",
            "é ü 你好 世界",
            "trailing ",
        ] {
            assert_eq!(chunks(text).concat(), text);
        }
        assert_eq!(chunks("one two"), ["one", " two"]);
    }
}
