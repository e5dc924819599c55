//! The provider takes a token no more before its end: the issuer dropped the key that signed it.

use serde_json::json;

use crate::support::{Placement, TokenSetup, Version, eventually};

#[test]
fn a_revoked_token_is_renewed_once_and_its_caller_is_not_blamed() {
    for (placement, version) in
        [(Placement::Downstream, Version::Oldest), (Placement::Upstream, Version::Newest)]
    {
        let mut setup = TokenSetup::new();
        (setup.placement, setup.version) = (placement, version);
        setup.entry("llm", 600, &json!({}));
        let world = setup.start();
        assert_eq!(world.ask("llm").status, 200);
        world.idp.revoke_keys();
        // Until the provider has noticed, the token is good.
        let answer = eventually("the refusal", || {
            let answer = world.ask("llm");
            (answer.status != 200).then_some(answer)
        });
        assert_eq!((answer.status, &answer.json()["error"]["code"]), (503, &json!("credential_unavailable")));
        assert!(answer.header("www-authenticate").is_none(), "that is the provider's word to us");
        eventually("the new token", || (world.rotations("llm").len() == 2).then_some(()));
        assert_eq!(world.ask("llm").status, 200);
        assert_eq!(world.rotations("llm")[1]["reason"], "upstream_rejected");
        assert_eq!(world.idp.exchanges("llm").len(), 2);
        let label = ["provider=\"llm\"", "status=\"401\""];
        assert!(world.bouncer.metric("bouncer_upstream_rejections_total", &label) >= 1.0);
    }
}
