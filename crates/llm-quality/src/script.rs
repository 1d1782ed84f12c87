//! Which writing system a letter belongs to, coarsely: by Unicode block, nothing from the tables of single characters.

/// A writing system, or a family of blocks that are written together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Hebrew,
    Arabic,
    /// Devanagari and the scripts of India beside it.
    Devanagari,
    Indic,
    Thai,
    Georgian,
    Ethiopic,
    Khmer,
    Hangul,
    Kana,
    Han,
}

impl Script {
    pub(crate) const COUNT: usize = 15;

    /// Chinese, Japanese and Korean letters stand side by side without a gap, and take Latin words between them.
    pub(crate) const fn is_cjk(self) -> bool {
        matches!(self, Self::Han | Self::Kana | Self::Hangul)
    }

    /// Returns the script of a letter; `None` for everything that is none.
    pub(crate) const fn of(ch: char) -> Option<Self> {
        let code = ch as u32;
        Some(match code {
            0x41..=0x5A | 0x61..=0x7A => Self::Latin,
            0..=0xBF | 0xD7 | 0xF7 => return None,
            0xC0..=0x24F | 0x1E00..=0x1EFF => Self::Latin,
            0x370..=0x3FF | 0x1F00..=0x1FFF => Self::Greek,
            0x400..=0x52F => Self::Cyrillic,
            0x531..=0x58F => Self::Armenian,
            0x5D0..=0x5F4 => Self::Hebrew,
            0x620..=0x64A | 0x66E..=0x6D3 | 0x6FA..=0x6FF | 0x750..=0x77F => Self::Arabic,
            0x900..=0x963 | 0x966..=0x97F => Self::Devanagari,
            0x980..=0xDFF => Self::Indic,
            0xE01..=0xE30 | 0xE40..=0xE4E => Self::Thai,
            0x10A0..=0x10FF => Self::Georgian,
            0x1100..=0x11FF | 0x3130..=0x318F | 0xAC00..=0xD7A3 => Self::Hangul,
            0x1200..=0x137F => Self::Ethiopic,
            0x1780..=0x17FF => Self::Khmer,
            0x3041..=0x3096 | 0x30A1..=0x30FA | 0x30FC => Self::Kana,
            0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0x20000..=0x2FA1F => Self::Han,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_know_their_script_and_marks_have_none() {
        for (ch, script) in [
            ('a', Script::Latin),
            ('ß', Script::Latin),
            ('λ', Script::Greek),
            ('ж', Script::Cyrillic),
            ('ה', Script::Hebrew),
            ('م', Script::Arabic),
            ('ह', Script::Devanagari),
            ('ท', Script::Thai),
            ('한', Script::Hangul),
            ('カ', Script::Kana),
            ('語', Script::Han),
        ] {
            assert_eq!(Script::of(ch), Some(script), "{ch}");
            assert!((script as usize) < Script::COUNT);
        }
        for ch in ['1', '×', '→', '。', '😀', '\u{FFFD}', ' '] {
            assert_eq!(Script::of(ch), None, "{ch}");
        }
    }
}
