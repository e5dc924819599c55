//! AWS Signature Version 4 over what Envoy will really send
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

mod canonical_request;
mod clocks;
mod keys;
mod sign;

pub use canonical_request::{
    CanonicalRequest, ShownRequest, StringToSign, amz_date, shown_header, shown_query,
};
pub use clocks::{ClockReading, ClockSkews, ClockVerdict};
pub use keys::AwsKeys;
pub use sign::{Signed, Signer, SigningError, SigningSettings};
