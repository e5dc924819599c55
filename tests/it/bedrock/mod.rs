//! Bedrock: requests that are signed on the way.

mod chain;
mod clients;
mod counterparts;
mod counterparts_sts;
mod example;
mod identities;
mod placements;

use crate::support::aws::AccessKey;

/// The key of AWS's own examples.
fn example() -> AccessKey {
    AccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
    }
}
