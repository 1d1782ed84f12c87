//! What an attempt costs on this side of the socket.

#![expect(
    clippy::unwrap_used,
    reason = "a bench: whatever it does not expect ends it"
)]

mod canned;
mod request;
mod stream;

use criterion::{criterion_group, criterion_main};

criterion_group!(benches, request::requests, stream::streams);
criterion_main!(benches);
