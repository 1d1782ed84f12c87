//! The demonstration: one outage, lived through twice at the same time by the same calls.
//!
//! Three simulated providers run on the loopback: a primary and a backup behind the gateway, and an equal primary
//! that a plain client calls directly, once a call, as a program without protection does. [`script`] says what breaks
//! when, [`drive`] makes the calls over real sockets, [`report`] puts the two outcomes side by side.

pub(crate) mod drive;
pub(crate) mod report;
pub(crate) mod script;
pub(crate) mod stage;
