//! The documentation's third entry, as it stands there.

use crate::support::{Placement, TokenSetup, Version, eventually};

const ENTRY: &str = "\
provider: custom-openai
auth_type: oidc
credential_ref: internal-llm-oidc
issuer: https://idp.internal.example.com
scopes:
  - llm:read
  - llm:invoke
refresh_policy: pre-expiry
";

#[test]
fn the_third_entry_of_the_documentation_works_as_it_stands() {
    for (placement, version) in [
        (Placement::Downstream, Version::Oldest),
        (Placement::Pair, Version::Newest),
        (Placement::ExtAuthz, Version::Newest),
    ] {
        let mut setup = TokenSetup::new();
        (setup.placement, setup.version) = (placement, version);
        setup.client("internal-llm-oidc", 5);
        let entry = ENTRY.replace("https://idp.internal.example.com", &setup.idp.issuer);
        setup.files.write("providers.d/internal.yaml", &entry);
        setup.others.push("custom-openai".to_owned());
        let world = setup.start();
        for _ in 0..3 {
            let answer = world.ask("custom-openai");
            assert_eq!((answer.status, &answer.json()["object"]), (200, &"chat.completion".into()));
            assert_eq!(answer.header("x-token-client").unwrap(), "internal-llm-oidc");
            assert_eq!(answer.header("x-token-scope").unwrap(), "llm:read llm:invoke");
        }
        // The caller's own token stayed behind.
        for seen in world.seen() {
            assert_eq!(seen.all("authorization").len(), 1);
            assert!(!seen.headers.iter().any(|(_, value)| value.contains(&world.caller)));
        }
        let exchanges = world.idp.exchanges("internal-llm-oidc");
        assert!(exchanges.iter().all(|one| one.grant == "client_credentials"), "{exchanges:?}");
        let rotated = eventually("the event", || world.rotations("custom-openai").into_iter().next());
        assert_eq!(rotated["scopes"], serde_json::json!(["llm:read", "llm:invoke"]));
        assert_eq!((&rotated["provider_kind"], &rotated["auth_type"]), (&"custom".into(), &"oidc".into()));
    }
}
