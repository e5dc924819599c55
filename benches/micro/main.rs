//! `cargo bench --bench micro [NAME]`: the parts of a decision, each alone. See benches/README.md.
#![allow(clippy::expect_used, reason = "a benchmark ends where its surroundings are missing")]

use criterion::Criterion;

#[allow(dead_code, reason = "the provider's answer is not looked at here")]
#[path = "../../src/loadtest/chat.rs"]
mod chat;
mod jwt;
mod pipeline;
mod policy;
mod sigv4;
mod wire;
mod world;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    wire::bench(&mut criterion);
    jwt::bench(&mut criterion);
    policy::bench(&mut criterion);
    pipeline::bench(&mut criterion);
    sigv4::bench(&mut criterion);
    criterion.final_summary();
}
