//! Does the text go round in a circle? Exact loops, found as they grow, in bounded memory.
//!
//! A loop is a text that equals itself, shifted by one period. Wherever the last sixteen bytes were seen before, the distance is taken
//! as the supposed period; from there on each byte is compared with the one a period earlier. The first byte that differs ends it.
//! Whether an equal stretch is a loop depends on what stands in it: a row of dashes may be long, a paragraph said four times may not.
//!
//! Near loops (the same few sentences in changing order) are seen by another sign: nearly every stretch of the last four KiB had been
//! seen before. That is no more than a suspicion, for tables and logs come near it.

/// How many bytes back a repetition is seen. Longer circles are not noticed.
const RING: usize = 4096;
const MAX_PERIOD: u32 = 4000;
/// How many equal bytes make it worth supposing a period.
const GRAM: usize = 16;
const SLOTS: usize = 4096;
const MUL: u32 = 0x9E37_79B1;
/// `MUL` to the power of `GRAM`, to take the oldest byte out of the rolling hash.
const MUL_GRAM: u32 = {
    let mut power = 1u32;
    let mut i = 0;
    while i < GRAM {
        power = power.wrapping_mul(MUL);
        i += 1;
    }
    power
};

/// Nearly all of this many bytes in a row must have been seen before.
const NEAR_BLOCK: u32 = 1024;
const NEAR_BLOCKS: usize = 4;
/// Of `NEAR_BLOCK`, per block.
const NEAR_SEEN: u32 = 983;

/// A loop that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Repetition {
    /// Bytes from one turn to the next.
    pub period_bytes: usize,
    /// Where the first turn begins, in bytes from the start of the text. Up to sixteen bytes late.
    pub starts_at_byte: u64,
}

/// What one turn of the circle consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stuff {
    /// White space only: a model in JSON mode that does not find its end.
    Blank,
    /// Neither letters nor digits: rules, table lines, bars.
    Marks,
    /// At least as many digits as letters: matrices of zeros, byte arrays.
    Digits,
    Text,
}

impl Stuff {
    /// How many bytes of exact repetition, first turn included, are too many.
    const fn too_long(self, period: u32) -> u32 {
        let (floor, turns) = match self {
            Self::Blank => (512, 8),
            Self::Marks => (1536, 8),
            Self::Digits => (2048, 8),
            Self::Text if period <= 4 => (1024, 8),
            Self::Text if period <= 64 => (512, 8),
            Self::Text if period <= 256 => (512, 6),
            Self::Text => (512, 4),
        };
        let turned = period * turns;
        if turned > floor { turned } else { floor }
    }
}

#[derive(Clone)]
struct Memory {
    ring: [u8; RING],
    /// Where each sixteen bytes were last seen: the low half of the position after them.
    last: [u32; SLOTS],
}

#[derive(Clone)]
pub(crate) struct Loops {
    memory: Box<Memory>,
    at: u64,
    hash: u32,
    /// The supposed period; zero for none.
    period: u32,
    /// How many bytes in a row equalled the one a period earlier.
    equal: u32,
    stuff: Option<Stuff>,
    found: Option<Repetition>,
    seen: u32,
    in_block: u32,
    near_blocks: usize,
    near: bool,
}

impl Loops {
    pub(crate) fn new() -> Self {
        Self {
            memory: Box::new(Memory {
                ring: [0; RING],
                last: [0; SLOTS],
            }),
            at: 0,
            hash: 0,
            period: 0,
            equal: 0,
            stuff: None,
            found: None,
            seen: 0,
            in_block: 0,
            near_blocks: 0,
            near: false,
        }
    }

    pub(crate) const fn found(&self) -> Option<Repetition> {
        self.found
    }

    pub(crate) const fn is_near(&self) -> bool {
        self.near
    }

    /// Reads on. Does nothing more once a loop was found.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if self.found.is_some() {
                return;
            }
            self.byte(byte);
        }
    }

    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "every index is taken modulo the length"
    )]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "positions wrap; distances are checked"
    )]
    fn byte(&mut self, byte: u8) {
        let here = self.at as usize;
        let oldest = self.memory.ring[here.wrapping_sub(GRAM) % RING];
        if self.period != 0 {
            if byte == self.memory.ring[here.wrapping_sub(self.period as usize) % RING] {
                self.equal = self.equal.saturating_add(1);
            } else {
                self.period = 0;
                self.stuff = None;
            }
        }
        self.memory.ring[here % RING] = byte;
        self.at += 1;
        let old = if self.at > GRAM as u64 {
            u32::from(oldest) + 1
        } else {
            0
        };
        self.hash = self
            .hash
            .wrapping_mul(MUL)
            .wrapping_add(u32::from(byte) + 1)
            .wrapping_sub(MUL_GRAM.wrapping_mul(old));
        self.in_block += 1;
        if self.at >= GRAM as u64 {
            let slot = (self.hash.wrapping_mul(0x85EB_CA6B) >> 20) as usize % SLOTS;
            let distance = (self.at as u32).wrapping_sub(self.memory.last[slot]);
            self.memory.last[slot] = self.at as u32;
            if self.period != 0 {
                self.seen += 1;
                self.judge();
            } else if self.at > u64::from(distance) && self.is_equal_at(distance) {
                self.seen += 1;
                self.period = distance;
                self.equal = GRAM as u32;
                self.judge();
            }
        }
        if self.in_block == NEAR_BLOCK {
            self.block();
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "every index is taken modulo the length"
    )]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the low bits are used"
    )]
    fn is_equal_at(&self, distance: u32) -> bool {
        if distance == 0 || distance > MAX_PERIOD || self.at < u64::from(distance) + GRAM as u64 {
            return false;
        }
        let end = self.at as usize;
        (1..=GRAM).all(|back| {
            let here = end.wrapping_sub(back);
            self.memory.ring[here % RING]
                == self.memory.ring[here.wrapping_sub(distance as usize) % RING]
        })
    }

    #[inline]
    fn judge(&mut self) {
        let long = self.equal.saturating_add(self.period);
        // Less than the least of all limits: what the turn consists of need not be known yet.
        if long < 512 || self.equal / 3 < self.period {
            return;
        }
        let stuff = match self.stuff {
            Some(stuff) => stuff,
            None => {
                let stuff = self.stuff_of_turn();
                self.stuff = Some(stuff);
                stuff
            }
        };
        if long >= stuff.too_long(self.period) {
            self.found = Some(Repetition {
                period_bytes: self.period as usize,
                starts_at_byte: self.at.saturating_sub(u64::from(long)),
            });
        }
    }

    #[cold]
    #[expect(
        clippy::indexing_slicing,
        reason = "every index is taken modulo the length"
    )]
    #[expect(
        clippy::cast_possible_truncation,
        reason = "only the low bits are used"
    )]
    fn stuff_of_turn(&self) -> Stuff {
        let (mut letters, mut digits, mut marks) = (0u32, 0u32, 0u32);
        let mut turn = Vec::with_capacity(self.period as usize);
        for back in (1..=self.period as usize).rev() {
            turn.push(self.memory.ring[(self.at as usize).wrapping_sub(back) % RING]);
        }
        // Twice, so that a character cut by the period's end stands whole in the middle.
        let twice = turn.repeat(2);
        for ch in String::from_utf8_lossy(&twice).chars() {
            match ch {
                '0'..='9' => digits += 1,
                '\u{FFFD}' => {}
                _ if ch.is_alphabetic() => letters += 1,
                _ if ch.is_whitespace() => {}
                _ => marks += 1,
            }
        }
        match (letters, digits, marks) {
            (0, 0, 0) => Stuff::Blank,
            (0, 0, _) => Stuff::Marks,
            _ if digits >= letters => Stuff::Digits,
            _ => Stuff::Text,
        }
    }

    fn block(&mut self) {
        if self.seen >= NEAR_SEEN {
            self.near_blocks += 1;
            self.near |= self.near_blocks >= NEAR_BLOCKS;
        } else {
            self.near_blocks = 0;
        }
        self.seen = 0;
        self.in_block = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(text: &str) -> Loops {
        let mut loops = Loops::new();
        loops.push(text.as_bytes());
        loops
    }

    #[test]
    fn loops_of_every_period_are_found_and_measured() {
        let unit = |n: usize| -> String {
            let mut state = 12_345_u32;
            (0..n)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    char::from(b'a' + u8::try_from((state >> 24) % 26).unwrap())
                })
                .collect()
        };
        for period in [1, 2, 3, 7, 16, 40, 65, 200, 257, 900, 3999] {
            let text = format!(
                "A sentence that is not part of it. {}",
                unit(period).repeat(2000 / period + 9)
            );
            let found = after(&text)
                .found()
                .unwrap_or_else(|| panic!("period {period}"));
            assert_eq!(found.period_bytes, period);
            let start = usize::try_from(found.starts_at_byte).unwrap();
            assert!(
                (35..=35 + GRAM).contains(&start),
                "period {period}: {start}"
            );
        }
    }

    #[test]
    fn a_short_repetition_is_no_loop() {
        for text in [
            "na ".repeat(60),
            "| --- ".repeat(60),
            "=".repeat(400),
            "0, ".repeat(600),
            "0x00, ".repeat(300),
            "We shall overcome, we shall overcome,\n".repeat(3),
            " ".repeat(400),
        ] {
            assert_eq!(after(&text).found(), None, "{text}");
        }
    }

    #[test]
    fn endless_white_space_is_a_loop() {
        assert!(
            after(&format!("{{\"a\":{}", "\n".repeat(700)))
                .found()
                .is_some()
        );
        assert!(
            after(&format!("{{\"a\":{}", " \t".repeat(400)))
                .found()
                .is_some()
        );
    }

    #[test]
    fn the_same_sentences_in_changing_order_are_near() {
        let lines = [
            "I will now check the file again to be sure. ",
            "Let me look at the code once more before going on. ",
            "Wait, that does not seem right, I have to think. ",
        ];
        let mut state = 7u32;
        let text: String = (0..300)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                lines[(state >> 16) as usize % 3]
            })
            .collect();
        assert!(after(&text).is_near());
    }

    #[test]
    fn memory_is_bounded() {
        assert!(size_of::<Memory>() <= 20 * 1024 + 512);
        assert!(size_of::<Loops>() <= 128);
    }
}
