//! Plans in virtual time: what follows each failure, and what holds whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod beside;
mod choosing;
mod failover;
mod honesty;
mod laws;
mod overload;
mod table;
mod world;
