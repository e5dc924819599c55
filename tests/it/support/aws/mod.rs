//! What stands for AWS: `moto` for IAM and STS, a Bedrock that verifies every signature by itself, and the real clients.

mod answers;
mod bedrock;
mod clients;
mod encoding;
mod event_stream;
mod instant;
mod moto;
mod sts;
mod verifier;
mod world;

pub(crate) use bedrock::{Bedrock, Failure};
pub(crate) use clients::{Client, MODEL, PROFILE_ARN};
pub(crate) use encoding::sha256_hex;
pub(crate) use instant::parse as unix_of;
pub(crate) use moto::{AccessKey, Hop, Moto, Session};
pub(crate) use sts::Sts;
pub(crate) use verifier::{Arrived, Fault, Key, Verified, Verifier};
pub(crate) use world::{SigningSetup, SigningWorld};
