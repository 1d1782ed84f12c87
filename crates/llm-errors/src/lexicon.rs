//! The words that rules speak of: every known word has a small number, variants share one.

use crate::address::RETIRED;
use crate::window::{few, window};

/// The number of a word that no rule knows.
pub(crate) const UNKNOWN: u16 = 0;
/// The number of any numeral; its value is kept beside the text.
pub(crate) const NUMBER: u16 = 1;
/// The end of a sentence, which gaps in patterns do not cross.
pub(crate) const STOP: u16 = 2;
/// Something in quotes: a name, a parameter or an echo, whose words must not count.
pub(crate) const QUOTED: u16 = 3;

/// Groups of words that mean the same to every rule; the data of `dialects/words.txt`.
const GROUPS: &str = include_str!("../dialects/words.txt");

/// A growing table from words to numbers, with open addressing.
#[derive(Clone)]
pub(crate) struct Lexicon {
    /// The upper 48 bits of a key and the number; 0 is free.
    slots: Box<[u64; Self::SLOTS]>,
    next: u16,
    /// A word has digits in it: then other digits may be another word.
    pub(crate) numbered: bool,
    terms: Terms,
    /// What `>` stands for.
    pub(crate) gt: u16,
    /// The page to which an address leads that tells of retired models.
    pub(crate) retired: u16,
    pub(crate) second: u16,
    /// Words behind which a provider's own name stands in quotes.
    pub(crate) named: [u16; 2],
    /// Words that tell a span from an hour of the day.
    pub(crate) spanning: [u16; 4],
    /// Names of what is reported in quotes, and the word that leads to them.
    pub(crate) reports: [u16; 4],
    pub(crate) with: u16,
}

/// Terms in scripts without spaces, by their first character: each with the number of the word it
/// stands for, the longest first, so that it wins over its own beginning.
#[derive(Clone)]
struct Terms(Vec<Vec<Term>>);

#[derive(Clone)]
struct Term {
    /// Its first eight bytes, as far as it has them.
    head: u64,
    /// The bytes of `head` that it has.
    mask: u64,
    bytes: Box<[u8]>,
    number: u16,
}

impl Terms {
    const BUCKETS: usize = 4096;

    /// Where the terms stand that begin with the character at the start of `head`.
    const fn bucket(head: u64) -> usize {
        let bytes = if head & 0xff < 0xe0 {
            0xffff
        } else {
            0xff_ffff
        };
        ((head & bytes).wrapping_mul(0x9e37_79b1) >> 12) as usize % Self::BUCKETS
    }

    fn get(&self, term: &[u8]) -> Option<u16> {
        let bucket = self.0.get(Self::bucket(window(term, 0)?))?;
        let known = bucket.iter().find(|known| *known.bytes == *term);
        known.map(|known| known.number)
    }

    fn insert(&mut self, bytes: &[u8], number: u16) {
        let Some(head) = window(bytes, 0) else { return };
        let mask = u64::MAX >> (64 - 8 * bytes.len().clamp(1, 8));
        if let Some(bucket) = self.0.get_mut(Self::bucket(head)) {
            bucket.push(Term {
                head: head & mask,
                mask,
                bytes: bytes.into(),
                number,
            });
            bucket.sort_by_key(|term| std::cmp::Reverse(term.bytes.len()));
        }
    }
}

impl Lexicon {
    /// Slots in the table; a power of two, several times the number of words.
    const SLOTS: usize = 8192;
    /// Numbers that are given out.
    pub(crate) const WORDS: usize = 2048;

    /// The table with the built-in groups.
    pub(crate) fn new() -> Self {
        let mut lexicon = Self {
            slots: Box::new([0; Self::SLOTS]),
            next: QUOTED + 1,
            numbered: false,
            terms: Terms(vec![Vec::new(); Terms::BUCKETS]),
            gt: UNKNOWN,
            retired: UNKNOWN,
            second: UNKNOWN,
            named: [UNKNOWN; 2],
            spanning: [UNKNOWN; 4],
            reports: [UNKNOWN; 4],
            with: UNKNOWN,
        };
        for line in GROUPS.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut number = None;
            for word in line.split_whitespace() {
                let number = *number.get_or_insert_with(|| lexicon.add(word));
                if word.is_ascii() {
                    lexicon.insert(hash(word.as_bytes()), number);
                } else {
                    lexicon.terms.insert(word.as_bytes(), number);
                }
            }
        }
        lexicon.gt = lexicon.add("gt");
        lexicon.retired = lexicon.add(RETIRED);
        lexicon.second = lexicon.add("second");
        lexicon.named = ["metric", "limit"].map(|word| lexicon.add(word));
        lexicon.spanning = ["in", "after", "within", "wait"].map(|word| lexicon.add(word));
        lexicon
    }

    /// The number of `word` (in lower case), giving it a new one where it has none.
    pub(crate) fn add(&mut self, word: &str) -> u16 {
        if !word.is_ascii() {
            if let Some(number) = self.terms.get(word.as_bytes()) {
                return number;
            }
            let number = self.fresh();
            self.terms.insert(word.as_bytes(), number);
            return number;
        }
        // digits count in a parameter's name alone
        self.numbered |= word.contains('_') && word.bytes().any(|byte| byte.is_ascii_digit());
        let key = hash(word.as_bytes());
        let known = self.find(key);
        if known != UNKNOWN {
            return known;
        }
        let number = self.fresh();
        self.insert(key, number);
        number
    }

    /// The number of the word with these bytes in lower case, or [`UNKNOWN`].
    pub(crate) fn number(&self, word: &[u8]) -> u16 {
        self.find(hash(word))
    }

    /// The term with which `bytes` begins, in a script without spaces: number and length.
    #[inline]
    pub(crate) fn term(&self, bytes: &[u8]) -> Option<(u16, usize)> {
        let head = window(bytes, 0)?;
        let bucket = self.terms.0.get(Terms::bucket(head))?;
        let known = bucket.iter().find(|term| {
            head & term.mask == term.head
                && (term.bytes.len() <= 8 || bytes.starts_with(&term.bytes))
        });
        known.map(|term| (term.number, term.bytes.len()))
    }

    /// Looks up what no rule needs to speak of; called once all rules are read.
    pub(crate) fn settle(&mut self) {
        self.reports =
            ["message", "error", "reason", "detail"].map(|word| self.number(word.as_bytes()));
        self.with = self.number(b"with");
    }

    /// How many numbers are in use.
    pub(crate) const fn len(&self) -> usize {
        self.next as usize
    }

    fn fresh(&mut self) -> u16 {
        let number = self.next;
        // The table is full long before numbers run out: a word too many is simply unknown.
        if self.len() >= Self::WORDS {
            return UNKNOWN;
        }
        self.next += 1;
        number
    }

    fn insert(&mut self, key: u64, number: u16) {
        if number == UNKNOWN {
            return;
        }
        let tag = key & !0xffff;
        let mut slot = Self::slot(key);
        while let Some(entry) = self.slots.get_mut(slot) {
            if *entry == 0 || *entry & !0xffff == tag {
                *entry = tag | u64::from(number);
                return;
            }
            slot = (slot + 1) % Self::SLOTS;
        }
    }

    /// The number of the word with this key, or [`UNKNOWN`].
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the number is the low 16 bits of the slot"
    )]
    #[inline(always)]
    pub(crate) fn find(&self, key: u64) -> u16 {
        let mut slot = Self::slot(key);
        loop {
            let entry = self.slots.get(slot).copied().unwrap_or_default();
            if (entry ^ key) >> 16 == 0 {
                return entry as u16;
            }
            if entry == 0 {
                return UNKNOWN;
            }
            slot = (slot + 1) % Self::SLOTS;
        }
    }

    const fn slot(key: u64) -> usize {
        (key >> 51) as usize
    }
}

/// The key of a word, whatever its case: eight letters after eight are mixed in, and at last what
/// is left, be it nothing.
#[inline]
pub(crate) const fn hash(word: &[u8]) -> u64 {
    let mut mixed = 0;
    let mut rest = word;
    while let Some((eight, more)) = rest.split_first_chunk::<8>() {
        mixed = mix(mixed, u64::from_le_bytes(*eight) | CASE);
        rest = more;
    }
    if rest.is_empty() {
        return mix(mixed, 0);
    }
    let letters = few(rest);
    mix(mixed, letters | CASE & ((1 << (8 * rest.len())) - 1))
}

/// The bit that makes a capital letter a small one, in eight bytes.
pub(crate) const CASE: u64 = 0x2020_2020_2020_2020;

/// Adds eight letters to a key.
#[inline]
pub(crate) const fn mix(mixed: u64, letters: u64) -> u64 {
    (mixed.rotate_left(23) ^ letters).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The key of a word, built byte by byte.
pub(crate) struct WordKey {
    mixed: u64,
    pending: u64,
    /// Bits of `pending` in use.
    bits: u32,
    len: u32,
}

impl WordKey {
    pub(crate) const fn new() -> Self {
        Self {
            mixed: 0,
            pending: 0,
            bits: 0,
            len: 0,
        }
    }

    /// Adds a byte; letters of either case are the same.
    #[inline]
    pub(crate) fn push(&mut self, byte: u8) {
        self.pending |= u64::from(byte | 0x20) << (self.bits & 63);
        self.bits += 8;
        if self.bits == 64 {
            self.mixed = mix(self.mixed, self.pending);
            self.pending = 0;
            self.bits = 0;
            self.len += 8;
        }
    }

    pub(crate) const fn len(&self) -> u32 {
        self.len + self.bits / 8
    }

    pub(crate) const fn finish(self) -> u64 {
        mix(self.mixed, self.pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_share_a_number_and_strangers_have_none() {
        let mut lexicon = Lexicon::new();
        let exceed = lexicon.number(b"exceed");
        assert_ne!(exceed, UNKNOWN);
        assert_eq!(lexicon.number(b"exceeded"), exceed);
        assert_eq!(lexicon.number(b"zyzzyva"), UNKNOWN);
        let fresh = lexicon.add("zyzzyva");
        assert_eq!(lexicon.number(b"zyzzyva"), fresh);
        assert_eq!(
            lexicon.term("余额不足。".as_bytes()).map(|(_, len)| len),
            Some(6)
        );
    }
}
