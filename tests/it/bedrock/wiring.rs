//! What bodies depend on: pieces of Envoy's configuration, sizes, and the requests themselves.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::aws::{MODEL, SigningSetup, SigningWorld};
use crate::support::{Cluster, Host, Placement, Route, Version, field};

pub(super) const KIB: usize = 1 << 10;
pub(super) const MIB: usize = 1 << 20;

/// A host whose requests go to Bedrock with an API key.
pub(super) const KEYED: &str = "keyed.llm.example";
pub(super) const API_KEY: &str = "bedrock-api-key-of-these-tests";

pub(super) const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];

pub(super) const PROMPT: &str = r#"{"messages":[{"role":"user","content":[{"text":"hello"}]}]}"#;

pub(super) fn converse() -> String {
    format!("/model/{MODEL}/converse")
}

/// Bytes that are no text and no pattern of a buffer's size.
pub(super) fn bytes(length: usize) -> Vec<u8> {
    let mut state: u32 = 0x9e37_79b9;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// A world of one placement with these limits.
pub(super) fn limited(placement: Placement, version: Version, limits: Value) -> SigningSetup {
    let mut setup = SigningSetup::new(placement, version);
    setup.configure = Box::new(move |config, _| {
        config["limits"] = limits;
        // As in every world, but for the cases of room, where who waits longer finds some.
        if config["limits"]["body_memory"].is_null() && config["limits"]["patience"].is_null() {
            config["limits"]["patience"] = json!("3s");
        }
    });
    setup
}

/// Beside the entry that signs, one with an API key, behind the same filter.
pub(super) fn beside_an_api_key(mut setup: SigningSetup) -> SigningSetup {
    let configure = setup.configure;
    setup.configure = Box::new(|config, files| {
        configure(config, files);
        files.write_secret("keyed", "api_key", API_KEY);
        config["providers"].as_array_mut().unwrap().push(json!({
            "name": "keyed", "provider": "bedrock", "auth_type": "api_key", "credential_ref": "keyed",
            "match": {"cluster": ["keyed"]},
        }));
    });
    setup.front = Box::new(|front| {
        let address = front.clusters[0].hosts[0].address;
        let named = front.placement == Placement::ExtAuthz;
        front.routes.push(Route {
            domain: KEYED.to_owned(),
            cluster: "keyed".to_owned(),
            provider: named.then(|| "keyed".to_owned()),
            ..Route::default()
        });
        let hosts = vec![Host { address, provider: None }];
        front.clusters.push(Cluster { name: "keyed".to_owned(), hosts, ..Cluster::default() });
    });
    setup
}

/// The HTTP connection manager.
pub(super) fn manager(config: &mut Value) -> &mut Value {
    &mut config["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"]
}

/// How much Envoy buffers, on either side.
pub(super) fn buffer(config: &mut Value, bytes: usize) {
    config["listeners"][0]["per_connection_buffer_limit_bytes"] = json!(bytes);
    for cluster in config["clusters"].as_array_mut().unwrap() {
        if cluster["name"] != "bouncer" {
            cluster["per_connection_buffer_limit_bytes"] = json!(bytes);
        }
    }
}

/// ext_authz's `with_request_body`.
pub(super) fn with_request_body(config: &mut Value, body: Value) {
    manager(config)["http_filters"][0]["typed_config"]["with_request_body"] = body;
}

/// FULL_DUPLEX_STREAMED as Envoy wants it. The half that only authenticates sees no body.
pub(super) fn full_duplex(filter: &mut Value) {
    if filter["metadata_options"]["receiving_namespaces"].is_null() {
        filter["processing_mode"]["request_body_mode"] = json!("FULL_DUPLEX_STREAMED");
        filter["processing_mode"]["request_trailer_mode"] = json!("SEND");
    }
}

/// The messages that Envoy has sent to bouncer, over all filters.
pub(super) fn messages(world: &SigningWorld) -> u64 {
    let sent = |(name, value): (String, u64)| name.ends_with("ext_proc.stream_msgs_sent").then_some(value);
    world.front.counters().into_iter().filter_map(sent).sum()
}

/// Waits for a refusal that says this.
pub(super) fn tells(world: &SigningWorld, text: &str) {
    let said = |line: &str| {
        let cause = field(line, "cause").or_else(|| field(line, "message"))?;
        cause.contains(text).then_some(())
    };
    world.bouncer.process.wait_for(text, said);
}

/// Waits until no stream is open.
pub(super) fn ends_every_stream(world: &SigningWorld) {
    crate::support::eventually("the end of every stream", || {
        (world.bouncer.metric("bouncer_streams_active", &[]) == 0.0).then_some(())
    });
}

/// Fields of `/proc/<pid>/status` of bouncer, in KiB: `VmRSS`, `VmHWM`.
pub(super) fn memory(world: &SigningWorld) -> HashMap<String, usize> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", world.bouncer.process.id())).unwrap();
    let fields = status.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().strip_suffix(" kB")?.parse().ok()?))
    });
    fields.collect()
}
