//! Keys of AWS: static ones, those of the platform, and roles assumed one after the other
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>).

mod chain;

pub use chain::{Chain, Hop};

use std::sync::Arc;

use super::{AwsSettings, Material, Outward, SecretFault, TokenSource};

/// The source of `settings`, with `material` from the secret that they name.
pub(super) fn source(
    settings: &AwsSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    let _ = (settings, outward);
    Err(material.lacks("access_key_id with secret_access_key, or role_arn"))
}
