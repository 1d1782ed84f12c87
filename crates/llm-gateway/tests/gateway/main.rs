//! The real binary over real sockets, against simulated providers: what the caller saw, and what the providers received.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

mod bad_input;
mod breaker;
#[cfg(unix)]
mod callers;
mod choosing;
mod command_line;
mod counting;
mod embeddings;
mod everything_down;
mod hanging_up;
mod logging;
mod machine;
mod operation;
mod policy;
#[cfg(unix)]
mod reload;
mod responses;
mod rough_caller;
mod rough_provider;
mod schema;
mod settings;
mod side_effects;
mod support;
mod survives_failures;
mod thinking;
mod tokens;
