//! The list of the keys about calls beside those that are needed.

use super::{Key, Section, key};

/// These keys, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    key(
        Section::Budget,
        "percent",
        "whole number, 0 to 100",
        "`20`; of a route `15`",
        "Repeated calls for a hundred.",
    ),
    key(
        Section::Budget,
        "reserve",
        "whole number, 0 to 1000000",
        "`10`",
        "In store at the beginning, and after a reload that changed these numbers; at most `most`.",
    ),
    key(
        Section::Budget,
        "most",
        "whole number, 1 to 1000000",
        "`100`; of a route `20`",
        "In store at the most, after a long good time.",
    ),
    key(
        Section::Hedging,
        "percentile",
        "whole number, 1 to 99",
        "`90`",
        "After what percentile of the times to the first token, or to the whole answer, the second target is asked.",
    ),
    key(
        Section::Hedging,
        "samples",
        "whole number, 1 to 10000",
        "`100`",
        "From how many recent calls on that is known.",
    ),
    key(
        Section::Hedging,
        "floor",
        "duration",
        "`\"50ms\"`",
        "Never before this.",
    ),
    key(
        Section::Hedging,
        "percent",
        "whole number, 0 to 100",
        "`10`",
        "Second calls for a hundred that succeed; where both prices are known, also what they may cost in percent of what those did.",
    ),
    key(
        Section::Hedging,
        "most",
        "whole number, 1 to 1000000",
        "`20`",
        "In store at the most.",
    ),
];
