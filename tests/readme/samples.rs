//! What README.md shows as the program's words is what it says.

use std::fs;

use bouncer::config;

use super::text::blocks;

#[test]
fn the_fault_shown_is_the_programs_own() {
    let text = "\
listen: {grpc: 127.0.0.1:9002}
callers: {mtls: {trust_domains: [mesh.example]}}
providers:
  - {provider: openai, auth_type: api_key, credential_ref: openai}
  - {name: a, provider: openai, auth_type: aws_sigv4, credential_ref: a}
";
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(folder.path().join("bouncer.yaml"), text).unwrap();
    let faults = config::load(&folder.path().join("bouncer.yaml")).unwrap_err();
    let told = config::report::text(&faults).replace(&format!("{}/", folder.path().display()), "");
    assert!(blocks().iter().any(|block| block.text == told), "{told}");
}
