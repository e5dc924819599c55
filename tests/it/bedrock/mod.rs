//! Bedrock: requests that are signed on the way.

mod attempts;
mod authz_body;
mod body_memory;
mod buffered;
mod chain;
mod changed_body;
mod clients;
mod clock;
mod counterparts;
mod counterparts_sts;
mod example;
mod explained;
mod hosts;
mod identities;
mod misplaced;
mod placements;
mod refusals;
mod rotation;
mod streamed;
mod unconnected;
mod wiring;

use serde_json::{Value, json};

use self::wiring::{VERSIONS, full_duplex};
use crate::support::aws::AccessKey;
use crate::support::{Placement, Version};

/// ext_authz sees no responses and no attempts.
const EXT_PROC: [Placement; 3] = [Placement::Downstream, Placement::Upstream, Placement::Pair];

/// The key of AWS's own examples.
fn example() -> AccessKey {
    AccessKey {
        id: "AKIDEXAMPLE".to_owned(),
        secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
        token: None,
    }
}

/// A user's key that is nobody else's.
fn user(name: &str) -> AccessKey {
    AccessKey {
        id: format!("AKIA{name}"),
        secret: format!("secret-of-{name}-and-of-nobody-else"),
        token: None,
    }
}

fn everywhere() -> impl Iterator<Item = (Version, Placement)> {
    VERSIONS.into_iter().flat_map(|version| EXT_PROC.map(|placement| (version, placement)))
}

/// Every virtual host of the front.
fn virtual_hosts(config: &mut Value) -> &mut Vec<Value> {
    let manager = &mut config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    manager["route_config"]["virtual_hosts"].as_array_mut().unwrap()
}

/// The filter is told who vouches for the provider.
fn with_tls_version(filter: &mut Value) {
    filter["response_attributes"] = json!(["response.code_details", "upstream.tls_version"]);
}
