//! The whole thing, for real: callers' tokens from `oidc-provider`, Envoy (oldest and newest) in the middle, bouncer
//! beside it, and a provider that is an Envoy with `api_key_auth`. `scripts/tools.sh` installs what is needed; a missing
//! program fails the tests.
#![allow(clippy::disallowed_methods, reason = "deadlines of tests are real time")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "tests"
)]

mod access_tokens;
mod attempts;
mod audit;
mod authz_protocol;
mod bedrock;
mod bodies;
mod certificates;
mod commands;
mod counterparts;
mod decisions;
mod failover;
mod feedback;
mod feedback_protocol;
mod feedback_tokens;
mod health;
mod http2;
mod key_sets;
mod lifecycle;
mod limits;
mod loadtest;
mod outage;
mod overload;
mod peers;
mod protocol;
mod records;
mod reload;
mod role_chain;
mod rotation;
mod sdks;
mod selection;
mod sigv4_command;
mod smuggling;
mod support;
mod token_command;
