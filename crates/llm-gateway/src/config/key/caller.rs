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
];
