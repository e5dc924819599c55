//! AWS Signature Version 4 over what Envoy will really send
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

mod canonical;
mod clocks;
mod endpoint;
mod keys;
mod scope;
mod sign;

pub use clocks::{ClockReading, ClockSkews, ClockVerdict};
pub use endpoint::{
    AwsHost, BEDROCK_RUNTIME, aws_host, default_host, is_valid_host, is_valid_region, is_valid_service,
};
pub use keys::AwsKeys;
pub use sign::{Signed, Signer, SigningError, SigningSettings, access_key_id_of};
