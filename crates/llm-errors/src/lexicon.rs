//! The words that rules speak of: every known word has a small number, variants share one.

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
    terms: Terms,
}

/// Terms in scripts without spaces, by the bytes they begin with: each with the number of the
/// word it stands for, the longest first, so that it wins over its own beginning.
#[derive(Clone)]
struct Terms(Vec<Vec<(Box<[u8]>, u16)>>);

impl Terms {
    /// Characters share their first two bytes with 63 others.
    const BUCKETS: usize = 1024;

    fn bucket(bytes: &[u8]) -> usize {
        match bytes {
            [first, second, ..] => usize::from(first & 0xf) << 6 | usize::from(second & 0x3f),
            _ => 0,
        }
    }

    fn get(&self, term: &[u8]) -> Option<u16> {
        let bucket = self.0.get(Self::bucket(term))?;
        let known = bucket.iter().find(|(known, _)| **known == *term);
        known.map(|(_, number)| *number)
    }

    fn insert(&mut self, term: &[u8], number: u16) {
        if let Some(bucket) = self.0.get_mut(Self::bucket(term)) {
            bucket.push((term.into(), number));
            bucket.sort_by_key(|(term, _)| std::cmp::Reverse(term.len()));
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
            terms: Terms(vec![Vec::new(); Terms::BUCKETS]),
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
    pub(crate) fn term(&self, bytes: &[u8]) -> Option<(u16, usize)> {
        let bucket = self.terms.0.get(Terms::bucket(bytes) % Terms::BUCKETS)?;
        if bucket.is_empty() {
            return None;
        }
        let known = bucket.iter().find(|(term, _)| bytes.starts_with(term));
        known.map(|(term, number)| (*number, term.len()))
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
        let slot = Self::slot(key);
        let entry = self.slots.get(slot).copied().unwrap_or_default();
        if (entry ^ key) >> 16 == 0 {
            return entry as u16;
        }
        if entry == 0 {
            return UNKNOWN;
        }
        self.find_behind(key, slot)
    }

    /// The number of the word with this key, whose slot is taken by another.
    #[cold]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the number is the low 16 bits of the slot"
    )]
    fn find_behind(&self, key: u64, mut slot: usize) -> u16 {
        loop {
            slot = (slot + 1) % Self::SLOTS;
            match self.slots.get(slot) {
                Some(&entry) if entry != 0 => {
                    if (entry ^ key) >> 16 == 0 {
                        return entry as u16;
                    }
                }
                _ => return UNKNOWN,
            }
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
    let len = rest.len();
    // loads that overlap read the same bytes to the same places
    let last = if let (Some(head), Some(tail)) = (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        u32::from_le_bytes(*head) as u64 | (u32::from_le_bytes(*tail) as u64) << (8 * len - 32)
    } else if let (Some(head), Some(tail)) = (rest.first_chunk::<2>(), rest.last_chunk::<2>()) {
        u16::from_le_bytes(*head) as u64 | (u16::from_le_bytes(*tail) as u64) << (8 * len - 16)
    } else if let Some(only) = rest.first() {
        *only as u64
    } else {
        return mix(mixed, 0);
    };
    mix(mixed, last | CASE & ((1 << (8 * len)) - 1))
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
