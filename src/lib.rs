//! bouncer: the server that Envoy asks before a request goes to an LLM provider.
//!
//! A request takes one straight way; each stage is one module and hands a proof to the next:
//!
//! ```text
//! Envoy ──gRPC──> serve ─> envoy/ext_proc or envoy/ext_authz: bytes -> request::RequestView
//!                             │  pipeline::run
//!    provider::Catalog::find  │  whose request is it                      Provider
//!    identity::Callers        │  who calls                                VerifiedPrincipal
//!    policy::evaluate         │  may they, and was it MFA                 Permit
//!    token::Store             │  the provider's credential, as it is held Credential
//!    credential::attach       ▼  caller's headers off, provider's on      HeaderMutation
//!                          envoy/*/response: Outcome -> bytes
//! ```
//!
//! Envoy's two services stand directly on hyper (`envoy/grpc`); health and reflection have tonic's layers. Beyond
//! `limits.max_active` a stream is refused at the door (`envoy/local`), and where too many wait already, nobody else does
//! (`envoy/waiting`).
//!
//! `pipeline::run` waits for nothing. Where a key set or a token is missing it says so: the request waits for it outside, once
//! for each and within `limits.patience`, and is decided again. So does one whose credential is a signature of AWS
//! (`credential/sigv4`) and whose body Envoy has not shown yet: `envoy/ext_proc/exchange` asks for it once there is room. With
//! ext_proc the stream may stay open for the headers of the provider's answer: `envoy/ext_proc/feedback` renews the token that
//! a 401 was about, and learns the clock that a signature was refused for.
//!
//! Beside it, in the background, each credential is kept fresh and every change of it recorded:
//!
//! ```text
//! secrets ──> token::TokenSource ──> cache::Entry: one exchange for all, the last good one kept ──> token::Store
//!    key, assertion   │ outbound            ▲                 │ cache::Observer
//!                     ▼                     │ due             ▼
//!             identity provider      cache::Refresher    app/rotations: log, telemetry, audit
//! ```
//!
//! The modules are floors, lowest first: each imports only from those above it in this list (`tests/tidy.rs` checks).

pub mod base;
pub mod request;
pub mod identity;
pub mod policy;
pub mod provider;
pub mod credential;
pub mod cache;
pub mod secrets;
pub mod outbound;
pub mod token;
pub mod audit;
pub mod config;
pub mod pipeline;
pub mod telemetry;
pub mod envoy;
pub mod admin;
pub mod serve;
pub mod app;
pub mod loadtest;
pub mod demo;
pub mod cli;
