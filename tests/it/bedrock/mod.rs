//! Bedrock: requests that are signed on the way.

mod authz_body;
mod body_memory;
mod buffered;
mod changed_body;
mod counterparts;
mod counterparts_sts;
mod misplaced;
mod placements;
mod streamed;
mod wiring;

use crate::support::aws::AccessKey;

/// The key of AWS's own examples.
fn example() -> AccessKey {
    AccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
    }
}
