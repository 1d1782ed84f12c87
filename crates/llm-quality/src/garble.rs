//! Is this text at all? Signs of bytes that went through the wrong decoder, or of a model that lost its way between alphabets.
//!
//! | sign | weight | where |
//! |---|---|---|
//! | replacement character U+FFFD | 2 | everywhere |
//! | UTF-8 that was read as Windows-1252 (`Ã©`, `â€™`), GBK's `锟斤拷` | 2 | outside code |
//! | control characters (but tab, line ends, form feed, escape), private use, noncharacters | 1 | outside code |
//! | words glued together from three pairs of alphabets | – | outside code |
//!
//! The first sequence behind an opening quotation mark is not counted: it is likely an example of mojibake, and real mojibake goes on.
//! Weights are added up over windows of 256 to 512 characters, so that a stream that goes wrong late is seen too.

use crate::script::Script;

/// Characters in half a window.
const BLOCK: u32 = 256;
/// Weight in a window that makes the text bad.
const BAD_IN_WINDOW: u32 = 8;
/// Letters of one alphabet directly behind those of another.
const GLUED: u32 = 6;
const GLUED_PAIRS: u32 = 3;
/// Letters per glued place, at most.
const GLUED_EVERY: u32 = 60;

#[derive(Debug, Clone)]
pub(crate) struct Garble {
    /// Mojibake begun: continuation characters still missing, the bytes so far as a scalar value, and how many were wanted.
    missing: u8,
    scalar: u32,
    chars: u64,
    total: u64,
    in_block: u32,
    this: u32,
    before: u32,
    previous: Option<Script>,
    /// What was glued to what: a bit for each script of the first, by the second.
    pairs: [u16; Script::COUNT],
    glued: u32,
    letters_since: u32,
    bad: bool,
    kuns: u8,
    /// The character before was an opening quote, and so is the mojibake begun there: an example, as far as can be told.
    quoted: bool,
    after_quote: bool,
}

impl Garble {
    pub(crate) const fn new() -> Self {
        Self {
            missing: 0,
            scalar: 0,
            chars: 0,
            total: 0,
            in_block: 0,
            this: 0,
            before: 0,
            previous: None,
            pairs: [0; Script::COUNT],
            glued: 0,
            letters_since: 0,
            bad: false,
            kuns: 0,
            quoted: false,
            after_quote: false,
        }
    }

    /// Is it bad already, whatever comes?
    pub(crate) const fn is_bad(&self) -> bool {
        self.bad
    }

    /// Is it bad, now that the text has ended? Short texts are judged by their density.
    pub(crate) const fn is_bad_at_end(&self) -> bool {
        self.bad || self.total >= 4 && self.total * 100 >= self.chars
    }

    pub(crate) const fn is_suspect(&self) -> bool {
        self.total >= 4
    }

    #[inline]
    pub(crate) fn push(&mut self, ch: char, in_code: bool) {
        self.chars += 1;
        self.in_block += 1;
        if self.in_block == BLOCK {
            self.in_block = 0;
            self.before = self.this;
            self.this = 0;
        }
        if ch.is_ascii() {
            self.missing = 0;
            self.after_quote = matches!(ch, '"' | '\'' | '|');
            if ch.is_ascii_alphabetic() {
                if self.previous != Some(Script::Latin) {
                    self.letter(Script::Latin, in_code);
                }
                self.letters_since += u32::from(self.glued > 0);
            } else {
                self.previous = None;
                if ch.is_ascii_control()
                    && !in_code
                    && !matches!(ch, '\t' | '\n' | '\r' | '\x0C' | '\x1B')
                {
                    self.hit(1);
                }
            }
            return;
        }
        self.beyond_ascii(ch, in_code);
    }

    fn beyond_ascii(&mut self, ch: char, in_code: bool) {
        if ch == char::REPLACEMENT_CHARACTER {
            self.hit(2);
        } else if !in_code {
            if matches!(ch, '\u{80}'..='\u{9F}' | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}')
                && self.missing == 0
            {
                self.hit(1);
            }
            self.mojibake(ch);
            // What U+FFFD looks like after a round through GBK.
            self.kuns = match (self.kuns, ch) {
                (_, '锟') => 1,
                (1, '斤') => 2,
                (2, '拷') => {
                    self.hit(2);
                    0
                }
                _ => 0,
            };
        }
        self.after_quote = matches!(ch, '“' | '‘' | '«' | '„') && self.missing == 0;
        match Script::of(ch) {
            Some(script) => {
                if self.previous != Some(script) {
                    self.letter(script, in_code);
                }
                self.letters_since += u32::from(self.glued > 0);
            }
            None => self.previous = None,
        }
    }

    fn mojibake(&mut self, ch: char) {
        if self.missing > 0
            && let Some(byte) = windows_1252_continuation(ch)
        {
            self.scalar = self.scalar << 6 | u32::from(byte & 0x3F);
            self.missing -= 1;
            if self.missing == 0 && is_usual(self.scalar) && !self.quoted {
                self.hit(2);
            }
            return;
        }
        self.quoted = self.after_quote;
        let code = ch as u32;
        (self.missing, self.scalar) = match code {
            0xC2..=0xDF => (1, code & 0x1F),
            0xE0..=0xEF => (2, code & 0x0F),
            0xF0..=0xF4 => (3, code & 0x07),
            _ => (0, 0),
        };
    }

    #[expect(clippy::indexing_slicing, reason = "there is one row for each script")]
    fn letter(&mut self, script: Script, in_code: bool) {
        let before = self.previous.replace(script);
        let Some(before) = before else { return };
        let usual = matches!(
            (before, script),
            (Script::Latin, Script::Greek) | (Script::Greek, Script::Latin)
        ) || before.is_cjk() && script.is_cjk()
            || before.is_cjk() && script == Script::Latin
            || before == Script::Latin && script.is_cjk();
        if usual || in_code {
            return;
        }
        self.pairs[script as usize] |= 1 << before as u16;
        self.glued += 1;
        let pairs: u32 = self.pairs.iter().map(|row| row.count_ones()).sum();
        // Latin glued to one other alphabet and back makes two pairs; prefixes of Hebrew and Arabic do that.
        if self.glued >= GLUED
            && pairs >= GLUED_PAIRS
            && self.letters_since <= self.glued * GLUED_EVERY
        {
            self.bad = true;
        }
    }

    const fn hit(&mut self, weight: u32) {
        self.total += weight as u64;
        self.this += weight;
        if self.this + self.before >= BAD_IN_WINDOW {
            self.bad = true;
        }
    }
}

/// The byte from 80 to BF that Windows-1252 (or Latin-1) shows as this character.
const fn windows_1252_continuation(ch: char) -> Option<u8> {
    Some(match ch {
        '\u{80}'..='\u{BF}' => (ch as u32 & 0xFF) as u8,
        '€' => 0x80,
        '‚' => 0x82,
        'ƒ' => 0x83,
        '„' => 0x84,
        '…' => 0x85,
        '†' => 0x86,
        '‡' => 0x87,
        'ˆ' => 0x88,
        '‰' => 0x89,
        'Š' => 0x8A,
        '‹' => 0x8B,
        'Œ' => 0x8C,
        'Ž' => 0x8E,
        '‘' => 0x91,
        '’' => 0x92,
        '“' => 0x93,
        '”' => 0x94,
        '•' => 0x95,
        '–' => 0x96,
        '—' => 0x97,
        '˜' => 0x98,
        '™' => 0x99,
        'š' => 0x9A,
        '›' => 0x9B,
        'œ' => 0x9C,
        'ž' => 0x9E,
        'Ÿ' => 0x9F,
        _ => return None,
    })
}

/// Would somebody have written this character? Keeps `É”` and `ß“`, capitals before a closing quote, from looking like mojibake.
const fn is_usual(scalar: u32) -> bool {
    matches!(scalar,
        0xA0..=0x17F | 0x370..=0x3FF | 0x400..=0x45F | 0x5D0..=0x5EA | 0x600..=0x6FF | 0x900..=0xE7F | 0x1E00..=0x1EFF
        | 0x2010..=0x203A | 0x20AC | 0x2122 | 0x2190..=0x2BFF | 0x3000..=0x9FFF | 0xAC00..=0xD7A3 | 0xFE0F
        | 0xFF00..=0xFFEF | 0x1F000..=0x1FAFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Garble {
        let mut garble = Garble::new();
        text.chars().for_each(|ch| garble.push(ch, false));
        garble
    }

    /// Reads the bytes as Windows-1252, as a wrong decoder does.
    fn misread(text: &str) -> String {
        text.bytes()
            .map(|byte| {
                (0x80..=0xBF)
                    .contains(&byte)
                    .then(|| {
                        "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
                            .chars()
                            .find(|&ch| windows_1252_continuation(ch) == Some(byte))
                    })
                    .flatten()
                    .unwrap_or(char::from(byte))
            })
            .collect()
    }

    #[test]
    fn misread_text_of_many_languages_is_bad() {
        for good in [
            "Der Schlüssel für die Tür hängt im Flur über der Kommode.",
            "L’été dernier, nous avons passé des journées très agréables à l’étranger.",
            "La canción que más me gustó está en el último álbum del año.",
            "Сервер не ответил вовремя, поэтому запрос был повторён.",
            "サーバーが応答しませんでした。もう一度お試しください。",
            "服务器没有响应，请稍后再试。",
            "It’s “fine” — don’t worry, it’s not what they’d say.",
        ] {
            assert!(!after(good).is_suspect(), "{good}");
            let wrong = misread(good);
            assert!(after(&wrong).is_bad_at_end(), "{wrong}");
        }
    }

    #[test]
    fn replacement_and_control_characters_are_bad_in_numbers() {
        assert!(after("Der Schl\u{FFFD}ssel f\u{FFFD}r die T\u{FFFD}r").is_bad_at_end());
        assert!(after("a\u{0}b\u{1}c\u{2}d\u{3}").is_bad_at_end());
        assert!(!after("The character � is called replacement character.").is_suspect());
        assert!(after("锟斤拷锟斤拷 烫烫烫").is_bad_at_end());
    }

    #[test]
    fn glued_alphabets_are_bad_and_prefixes_are_not() {
        assert!(
            after("The resultатов of theการ analysisمن showedש that возможноthe पूर्णa endт was не")
                .is_bad()
        );
        for good in [
            "ה-API של המערכת, הAPI הזה והJSON שלו, הHTTP והTCP והUDP והSSH והTLS",
            "ال API والـJSON والـHTTP والـTCP",
            "使用Rust编写的API可以返回JSON格式的数据",
            "RustでHTTPサーバーを書く。한국어와日本語とEnglish",
            "The step Δx is 5μm, so λx and σy follow.",
            "English: hello\nРусский: привет\nالعربية: مرحبا\nไทย: สวัสดี\nעברית: שלום\nहिन्दी: नमस्ते",
        ] {
            assert!(!after(good).is_bad(), "{good}");
        }
    }
}
