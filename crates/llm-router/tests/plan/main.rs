//! Plans in virtual time: what follows each failure, and what holds whatever happens.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may fail loudly"
)]

mod accounts;
mod aside;
mod bad;
mod beside;
mod breaks;
mod budget;
mod canary;
mod changes;
mod choosing;
mod edges;
mod failover;
mod flow;
mod honesty;
mod idle;
mod laws;
mod money;
mod outlook;
mod overload;
mod pacing;
mod quiet;
mod rescue;
mod rough;
mod scopes;
mod settings;
mod slow;
mod table;
mod thinking;
mod turns;
mod world;
