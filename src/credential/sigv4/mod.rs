//! AWS Signature Version 4 over what Envoy will really send
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>).

mod canonical;
mod canonical_request;
mod clocks;
mod endpoint;
mod explain;
mod keys;
mod scope;
mod sign;

pub use canonical_request::{
    CanonicalRequest, ShownRequest, StringToSign, amz_date, shown_header, shown_query,
};
pub use clocks::{ClockReading, ClockSkews, ClockVerdict, wrong_clock};
pub use endpoint::{
    AwsHost, BEDROCK_RUNTIME, aws_host, aws_partition, default_host, is_valid_region, signing_name,
};
pub use explain::Explanation;
pub use keys::AwsKeys;
pub use sign::{Signed, Signer, SigningError, SigningSettings, access_key_id_of};
