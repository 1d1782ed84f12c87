//! The list of the keys of tables inside a route.

use super::super::{Key, Section, key};

/// Every such key, in the order of the reference.
pub(crate) const NESTED: &[Key] = &[
    key(
        Section::Member,
        "target",
        "target name",
        "required",
        "The target. A member without further keys may be written as its name alone.",
    ),
    key(
        Section::Member,
        "weight",
        "whole number, 0 or more",
        "`1`",
        "Its share of the tier's traffic relative to the other members; 0 is never chosen.",
    ),
    key(
        Section::Member,
        "less_restrictive",
        "`true` or `false`",
        "`false`",
        "Whether it may be asked after a content filter or a refusal elsewhere. Without such a member a refusal is the answer.",
    ),
    key(
        Section::Windows,
        "connect",
        "duration",
        "`\"2s\"`",
        "To connect.",
    ),
    key(
        Section::Windows,
        "first_token",
        "duration",
        "`\"10s\"`",
        "To the first token of a stream. Headers and keep-alives do not count. A call of a target that nobody can stand in for is cut off then only if the target answers others as usual; one that has grown slow, or is not known yet, is waited for until the deadline.",
    ),
    key(
        Section::Windows,
        "idle",
        "duration",
        "`\"30s\"`",
        "Between two tokens of a stream.",
    ),
    key(
        Section::Windows,
        "whole",
        "duration",
        "`\"120s\"`",
        "To the end of an answer that is not streamed; the deadline shortens it.",
    ),
    key(
        Section::HoldBack,
        "tokens",
        "whole number, 1 to 1000",
        "no limit",
        "At most so many tokens, of some four bytes. Of two limits the first that is met counts.",
    ),
    key(
        Section::HoldBack,
        "time",
        "duration, up to `\"60s\"`",
        "no limit",
        "At most so long, counted from the first token.",
    ),
    key(
        Section::Degraded,
        "mode",
        "`\"cached\"`, `\"static\"` or `\"message\"`",
        "required",
        "An earlier answer to the same prompt; a text of yours in place of the answer; or an honest message that there is none.",
    ),
    key(
        Section::Degraded,
        "text",
        "text",
        "required but for `cached`",
        "What to answer.",
    ),
    key(
        Section::Degraded,
        "when",
        "text",
        "any prompt",
        "For `static`: only where the user's last message contains these words, whatever their case.",
    ),
    key(
        Section::Degraded,
        "contact",
        "text",
        "none",
        "For `message`: where a person can be reached; added to the text.",
    ),
];
