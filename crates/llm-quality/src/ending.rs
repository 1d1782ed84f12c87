//! Does the text break off? Judged by its last KiB alone.
//!
//! Lists, headings, tables, single words and verses rightly end without a full stop, so the lack of one says little. What says much: an
//! open code fence, a comma, bracket or conjunction as the last thing said.

/// How surely a text broke off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Broken {
    /// A long sentence among punctuated ones, without its end.
    Perhaps,
    /// Something was opened and not closed, or announced and not said.
    Surely,
}

/// Bytes kept of the end.
pub(crate) const TAIL: usize = 1024;

/// Last words that want another. None of them ends a sentence in ordinary prose, in any of the languages here.
const HANGING: &[&str] = &[
    // English
    "the",
    "an",
    "of",
    "and",
    "because",
    "which",
    "their",
    "its",
    "your",
    "my",
    "whose",
    "than",
    "into",
    // German
    "der",
    "und",
    "oder",
    "weil",
    "dass",
    "ein",
    "eine",
    "einen",
    "einem",
    "einer",
    "des",
    "dem",
    "zum",
    "zur",
    "für",
    // French, Spanish, Portuguese, Italian, Dutch
    "le",
    "les",
    "du",
    "et",
    "ou",
    "une",
    "dans",
    "avec",
    "pour",
    "el",
    "los",
    "las",
    "para",
    "porque",
    "um",
    "uma",
    "il",
    "gli",
    "che",
    "nel",
    "della",
    "het",
    "een",
    "voor",
    // Russian
    "и",
    "в",
    "на",
    "для",
    "с",
    "или",
    "потому",
];

/// Judges the end. `tail` is at most the last [`TAIL`] bytes, `fence_open` whether a code block was left open.
pub(crate) fn judge(tail: &str, fence_open: bool) -> Option<Broken> {
    if fence_open {
        return Some(Broken::Surely);
    }
    let tail = tail.trim_end();
    let line = tail.rsplit('\n').next().unwrap_or(tail).trim();
    let last = line.chars().next_back()?;
    if !is_prose(line) {
        return None;
    }
    if matches!(
        last,
        ',' | ':'
            | '('
            | '['
            | '{'
            | '–'
            | '—'
            | '“'
            | '«'
            | '„'
            | '，'
            | '、'
            | '：'
            | '（'
            | '「'
            | '،'
            | '&'
            | '='
    ) {
        // A colon may introduce what is not text; a stream that ends with a comma never does.
        return Some(if matches!(last, ':' | '：' | '—' | '–' | '«' | '=') {
            Broken::Perhaps
        } else {
            Broken::Surely
        });
    }
    if !last.is_alphanumeric() {
        return None;
    }
    let word = line
        .rsplit(|ch: char| !ch.is_alphanumeric())
        .next()
        .unwrap_or(line);
    if is_item(line) {
        return None;
    }
    // A short line may be a title or a retort: "Not the one you think of". Not lower-cased: `OF`, `Y` and `A` are answers, labels and grades.
    if HANGING.contains(&word) && line.len() >= 40 {
        return Some(Broken::Surely);
    }
    let words = line.split_whitespace().count();
    let punctuated = [". ", "? ", "! "].iter().any(|end| line.contains(end));
    (words >= 14 && punctuated && last.is_lowercase()).then_some(Broken::Perhaps)
}

/// A line of at least five words that are mostly letters, or eight letters of a script that does not part its words.
fn is_prose(line: &str) -> bool {
    let (mut letters, mut others, mut wide, mut spaces) = (0usize, 0usize, 0usize, 0usize);
    for ch in line.chars() {
        match ch {
            ' ' => spaces += 1,
            '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' => wide += 1,
            _ if ch.is_alphabetic() => letters += 1,
            _ => others += 1,
        }
    }
    let enough = wide >= 8 || spaces >= 4 && letters >= 15;
    enough
        && (letters + wide) >= 4 * others
        && !line.starts_with(['|', '#', '<', '{', '[', '$', '/'])
}

/// A bullet, a number, a quote: lines that need no full stop.
fn is_item(line: &str) -> bool {
    line.starts_with(['-', '*', '+', '•', '>', '–', '‣'])
        || line.starts_with(|ch: char| ch.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hanging_ends_are_seen() {
        for broken in [
            "The server answers with an error when the client,",
            "You can solve this by setting the value (",
            "This happens because the cache is cleared before the",
            "Das geht am besten mit einem neuen Schlüssel und",
            "Le serveur répond avec une erreur quand le client et",
            "服务器没有响应，因为配置文件中的，",
            "Это происходит, когда сервер не отвечает и",
        ] {
            assert_eq!(judge(broken, false), Some(Broken::Surely), "{broken}");
        }
        assert_eq!(
            judge(
                "This is one sentence. This is the second of them and it goes on until it simply sto",
                false
            ),
            Some(Broken::Perhaps)
        );
    }

    #[test]
    fn good_ends_are_left_alone() {
        for good in [
            "",
            "42",
            "Paris",
            "The answer is Paris.",
            "Is it what you were looking for?",
            "- keep it short\n- and use a cache to keep things quick for the",
            "| a | b |\n| - | - |\n| 1 | 2 |",
            "a,b,c\n1,2,",
            "Shall I compare thee to a summer's day?\nThou art more lovely and more temperate",
            "He wrote it (all of it) \"by hand\"",
            "And so it goes 😀",
            "これで完了です。",
            "aGVsbG8gd29ybGQ=",
            "x = y * z + w;",
            "Not the one you think of",
            "**Your grade for this term paper is A**",
        ] {
            assert_eq!(judge(good, false), None, "{good}");
        }
    }
}
