//! What holds for every filter of `deploy/`.

use super::deployed;
use super::text::read;

#[test]
fn no_filter_of_deploy_fails_open() {
    for file in deployed() {
        let text = read(&file);
        let open = ["failure_mode_allow: true", "failOpen: true", "fallbackToConfigured: true"];
        assert!(!open.iter().any(|open| text.contains(open)), "{file}");
        let filters = text.matches("v3.ExternalProcessor\n").count() + text.matches("v3.ExtAuthz\n").count();
        assert_eq!(text.matches("failure_mode_allow: false").count(), filters, "{file}");
    }
}

/// As `bedrock::unconnected` of the integration tests has it: Envoy ends by SIGSEGV else.
#[test]
fn no_filter_of_a_cluster_has_flow_control_of_its_stream() {
    let off = "envoy.reloadable_features.grpc_side_stream_flow_control: false";
    let mut seen = 0;
    for file in deployed() {
        let text = read(&file);
        let in_a_cluster = text.contains("upstream_codec");
        assert_eq!(text.contains(off), in_a_cluster, "{file}");
        seen += usize::from(in_a_cluster);
    }
    assert_eq!(seen, 3);
}
