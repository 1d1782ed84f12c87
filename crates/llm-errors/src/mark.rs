//! Words that the reading of waits and limits asks for by itself.

use crate::lexicon::Lexicon;
use crate::presence::Presence;

/// The numbers of those words.
#[derive(Clone)]
pub(crate) struct Marks {
    pub(crate) limit: u16,
    pub(crate) and: u16,
    pub(crate) last: u16,
    pub(crate) until: u16,
    pub(crate) per: u16,
    pub(crate) maximum: u16,
    pub(crate) half: u16,
    pub(crate) retry: u16,
    pub(crate) after: u16,
    pub(crate) wait: u16,
    pub(crate) during: u16,
    pub(crate) midnight: u16,
    pub(crate) utc: [u16; 2],
    /// Words that lead to a wait: in, after, for, within.
    pub(crate) lead: Words,
    /// Words that make it one: retry, again, wait, reset, available.
    pub(crate) cause: Words,
    /// Words behind which a number is the status of a reply, and others behind which it may be.
    pub(crate) status: Presence,
    pub(crate) report: Presence,
    /// How the phrases begin that stand behind a status: 429 Too Many Requests.
    pub(crate) phrase: Presence,
    /// What is counted, so that a number before it is no status.
    pub(crate) counted: Presence,
    /// Numbers that are spelt out.
    counts: [(u16, u64); 12],
    /// Units of time, each with its milliseconds.
    units: [(u16, u64); 5],
}

/// A few words, of which is asked often.
#[derive(Clone)]
pub(crate) struct Words {
    set: Presence,
    list: [u16; 6],
}

impl Words {
    fn new(list: [u16; 6]) -> Self {
        Self {
            set: set(&list),
            list,
        }
    }

    /// Is the word one of them?
    #[inline]
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "asked in the way of a slice"
    )]
    pub(crate) const fn contains(&self, word: &u16) -> bool {
        self.set.has(*word)
    }
}

/// The set of these words.
fn set(words: &[u16]) -> Presence {
    let mut set = Presence::none();
    for word in words {
        set.add(*word);
    }
    set
}

/// What the number of a word stands for in a table.
fn value(table: &[(u16, u64)], wanted: u16) -> Option<u64> {
    let known = table.iter().find(|(word, _)| *word == wanted);
    known.map(|(_, value)| *value)
}

impl Marks {
    pub(crate) fn new(lexicon: &mut Lexicon) -> Self {
        let mut word = |word| lexicon.add(word);
        Self {
            limit: word("limit"),
            and: word("and"),
            last: word("last"),
            until: word("until"),
            per: word("per"),
            maximum: word("maximum"),
            half: word("half"),
            retry: word("retry"),
            after: word("after"),
            wait: word("wait"),
            during: word("for"),
            midnight: word("midnight"),
            utc: ["utc", "gmt"].map(&mut word),
            lead: Words::new(["in", "after", "for", "within", "wait", "about"].map(&mut word)),
            cause: Words::new(
                ["retry", "again", "wait", "reset", "available", "try"].map(&mut word),
            ),
            status: set(&["status", "code", "http", "status_code"].map(&mut word)),
            report: set(&[
                "error",
                "exception",
                "fail",
                "returned",
                "with",
                "got",
                "received",
            ]
            .map(&mut word)),
            phrase: set(&[
                "too",
                "unauthorized",
                "forbidden",
                "bad",
                "service",
                "internal",
                "payment",
                "gateway",
            ]
            .map(&mut word)),
            counted: set(
                &["token", "request", "character", "byte", "image", "pages"].map(&mut word)
            ),
            counts: [
                ("a", 1),
                ("an", 1),
                ("one", 1),
                ("two", 2),
                ("three", 3),
                ("four", 4),
                ("five", 5),
                ("ten", 10),
                ("fifteen", 15),
                ("twenty", 20),
                ("thirty", 30),
                ("sixty", 60),
            ]
            .map(|(name, count)| (word(name), count)),
            units: [
                ("ms", 1),
                ("second", 1_000),
                ("minute", 60_000),
                ("hour", 3_600_000),
                ("day", 86_400_000),
            ]
            .map(|(name, millis)| (word(name), millis)),
        }
    }

    /// The number of the second among the units.
    pub(crate) const SECOND: usize = 1;

    /// Milliseconds in a unit of time.
    pub(crate) fn unit_millis(&self, unit: u16) -> Option<u64> {
        value(&self.units, unit)
    }

    /// The number of a unit of time.
    pub(crate) fn unit_number(&self, unit: u16) -> Option<usize> {
        self.units.iter().position(|(word, _)| *word == unit)
    }

    /// Milliseconds in the unit with this number.
    pub(crate) fn unit(&self, number: usize) -> u64 {
        self.units.get(number).map_or(0, |(_, millis)| *millis)
    }

    /// The number that a word spells.
    pub(crate) fn count(&self, word: u16) -> Option<u64> {
        value(&self.counts, word)
    }

    /// May a text of these words hold a unit of time with a number in words, and ask for a wait?
    pub(crate) fn may_count(&self, text: &Presence) -> bool {
        text.has_any(&self.cause.list)
            && self.units.iter().any(|(unit, _)| text.has(*unit))
            && self.counts.iter().any(|(count, _)| text.has(*count))
    }
}
