//! HTTP for operators: alive, ready and why not, metrics. Answers hold no secret and no token.

mod server;

pub use server::{Readiness, Standing, serve};
