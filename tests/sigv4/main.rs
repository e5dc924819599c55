//! Signatures against what others say of them: the official suite, the official cases of clock skew, and botocore.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod clocks;
mod official;
mod requests;
mod second_opinion;
mod signing;
