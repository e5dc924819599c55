//! AWS Signature Version 4 over what Envoy will really send
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

mod clocks;
mod keys;
mod sign;

pub use clocks::{ClockReading, ClockSkews, ClockVerdict};
pub use keys::AwsKeys;
pub use sign::{Signed, Signer, SigningError, SigningSettings};
