//! The list of the keys about those who call.

use super::{Key, Section, key};

/// These keys, in the order of the reference.
pub(super) const KEYS: &[Key] = &[
    key(
        Section::Caller,
        "key",
        "`{ env = ... }` or `{ file = ... }`",
        "required",
        "Where the caller's key is, of at least 16 characters. It comes in `authorization: Bearer KEY` or `x-api-key: KEY`, as SDKs send it.",
    ),
    key(
        Section::Caller,
        "old_key",
        "`{ env = ... }` or `{ file = ... }`",
        "none",
        "A further key that is accepted, while the caller changes over.",
    ),
    key(
        Section::Caller,
        "routes",
        "list of route names",
        "every route",
        "What it may ask for. It sees no other route.",
    ),
    key(
        Section::Caller,
        "rpm",
        "whole number, 1 to 1000000",
        "no limit",
        "Requests a minute, a sixth of them at once. What is beyond is answered 429 with `retry-after`. It is counted by this process alone, and over reloads.",
    ),
    key(
        Section::Caller,
        "concurrency",
        "whole number, 1 to 1000000",
        "no limit",
        "Calls under way at once, streams to their end. What is beyond is answered 429.",
    ),
    key(
        Section::Caller,
        "spend",
        "table",
        "no cap, no alert",
        "What an hour of its calls may cost over all routes and targets, by their `price`. It is counted by this process alone, and over reloads.",
    ),
];
