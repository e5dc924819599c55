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
mod wiring;

use serde_json::{Value, json};

use crate::support::aws::AccessKey;
use crate::support::{Placement, Version};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

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

/// Bodies in pieces that are sent back. The half that only authenticates sees none.
fn full_duplex(filter: &mut Value) {
    if filter["metadata_options"]["receiving_namespaces"].is_null() {
        filter["processing_mode"]["request_body_mode"] = json!("FULL_DUPLEX_STREAMED");
        filter["processing_mode"]["request_trailer_mode"] = json!("SEND");
    }
}

/// The filter is told who vouches for the provider.
fn with_tls_version(filter: &mut Value) {
    filter["response_attributes"] = json!(["response.code_details", "upstream.tls_version"]);
}
