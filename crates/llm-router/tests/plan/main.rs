//! Plans in virtual time: what follows each failure, and what holds whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail loudly"
)]

mod beside;
mod failover;
mod laws;
mod world;
