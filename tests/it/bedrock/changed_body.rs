//! Something behind bouncer changes what was signed: Bedrock refuses it, and the operator reads why.

use serde_json::json;

use super::wiring::PROMPT;
use super::wiring::{VERSIONS, converse, full_duplex};
use crate::support::aws::{Fault, SigningSetup};
use crate::support::{Placement, Request, field};

/// Appends to the body.
const LUA: &str = r#"
function envoy_on_request(handle)
  local body = handle:body()
  body:setBytes(body:getBytes(0, body:length()) .. " ")
end
"#;

#[test]
fn a_body_that_is_changed_behind_bouncer_is_refused_and_both_sides_are_told() {
    for version in VERSIONS {
        for (placement, duplex) in
            [(Placement::Downstream, false), (Placement::Upstream, false), (Placement::Downstream, true)]
        {
            let mut setup = SigningSetup::new(placement, version);
            if duplex {
                setup.filter = |filter| {
                    full_duplex(filter);
                    // Envoy takes no override in this mode.
                    filter["processing_mode"]["response_header_mode"] = json!("SEND");
                };
            }
            setup.front = Box::new(|front| {
                front.behind.push(json!({"name": "envoy.filters.http.lua", "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
                    "default_source_code": {"inline_string": LUA},
                }}));
            });
            let world = setup.start();
            let answer = world.ask(Request::post(&converse(), PROMPT));
            let calls = world.bedrock.take();
            let context = format!("{placement:?} {version:?} {duplex}: {answer:?}");
            assert!(matches!(calls[0].verdict, Err(Fault::Signature { .. })), "{context}");
            assert_eq!((calls[0].status, calls[0].body_length), (403, PROMPT.len() + 1), "{context}");
            // The caller's own request was fine.
            assert_eq!(answer.status, 502, "{context}");
            assert!(!answer.text().contains("Canonical"), "{context}");
            world.bouncer.process.wait_for("what was signed", |line| {
                let told = field(line, "action")?;
                told.contains("what arrived is not what was signed").then_some(())
            });
        }
    }
}
