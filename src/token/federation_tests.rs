//! The two dialects, member by member (PROVIDERS sections 2.1 and 2.2).

use serde_json::json;

use super::super::testing::{GOOD, Idp, obtain, of, outward};
use super::super::{Grant, Material, SourceErrorKind, TokenFile, token_source};
use super::*;

fn file(folder: &tempfile::TempDir) -> TokenFile {
    let path = folder.path().join("token");
    std::fs::write(&path, "w.l.t\n").unwrap();
    TokenFile { path, kind: "urn:ietf:params:oauth:token-type:jwt".to_owned() }
}

#[tokio::test]
async fn openai_gets_its_json_without_client_or_scope() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    idp.says(&[(
        200,
        r#"{"access_token":"t","expires_in":3600,"token_type":"bearer","issued_token_type":"x"}"#,
    )]);
    let settings = OpenAiFederation {
        endpoint: idp.url("/oauth/token"),
        subject: file(&folder),
        identity_provider_id: "idp_1".to_owned(),
        service_account_id: "sa_1".to_owned(),
    };
    let source = token_source(&of(Grant::OpenAi(settings)), &Material::default(), &outward().0).unwrap();
    assert_eq!(obtain(&*source).await.unwrap().bearer().unwrap().expose(), "t");
    let asked = idp.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/oauth/token"));
    assert_eq!((asked.header("authorization"), asked.header("anthropic-beta")), (None, None));
    assert_eq!(
        asked.json(),
        json!({
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "subject_token": "w.l.t",
            "identity_provider_id": "idp_1", "service_account_id": "sa_1",
        })
    );
    assert_eq!((source.name(), source.origin().as_str()), ("openai_federation", idp.origin.as_str()));
}

#[tokio::test]
async fn anthropic_gets_its_json_and_both_flags() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    idp.says(&[(200, GOOD)]);
    let text = str::to_owned;
    let mut settings = AnthropicFederation {
        endpoint: idp.url("/v1/oauth/token"),
        assertion: file(&folder),
        federation_rule_id: text("fdrl_1"),
        organization_id: text("00000000-0000-0000-0000-000000000001"),
        service_account_id: None,
        workspace_id: None,
    };
    let mut expected = json!({
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "w.l.t",
        "federation_rule_id": "fdrl_1", "organization_id": "00000000-0000-0000-0000-000000000001",
    });
    for more in [false, true] {
        if more {
            (settings.service_account_id, settings.workspace_id) =
                (Some(text("svac_1")), Some(text("default")));
            (expected["service_account_id"], expected["workspace_id"]) = (json!("svac_1"), json!("default"));
        }
        let grant = Grant::Anthropic(settings.clone());
        obtain(&*token_source(&of(grant), &Material::default(), &outward().0).unwrap()).await.unwrap();
        let asked = idp.last();
        assert_eq!(asked.json(), expected);
        let flags = asked.header("anthropic-beta");
        assert_eq!(flags, Some("oauth-2025-04-20,oidc-federation-2026-04-01"));
    }
}

#[tokio::test]
async fn a_refusal_is_told_without_the_workload_s_token() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    let subject = file(&folder);
    std::fs::write(&subject.path, "eyJhbGciOiJub25lIn0.hunter2hunter2.x").unwrap();
    let settings = OpenAiFederation {
        endpoint: idp.url("/"),
        subject,
        identity_provider_id: String::new(),
        service_account_id: String::new(),
    };
    let source = token_source(&of(Grant::OpenAi(settings)), &Material::default(), &outward().0).unwrap();
    for (said, shown) in [
        ("no mapping for subject system:serviceaccount:a:b", true),
        ("bad token eyJhbGciOiJub25lIn0.hunter2hunter2.x", false),
        ("bad payload hunter2hunter2", false),
    ] {
        let body =
            json!({"error": {"type": "invalid_request_error", "code": "invalid_grant", "message": said}});
        idp.says(&[(401, &body.to_string())]);
        let error = obtain(&*source).await.unwrap_err();
        assert!(matches!(error.kind, SourceErrorKind::OAuth { status: 401, .. }));
        assert_eq!(error.to_string().contains(said), shown, "{error}");
    }
}
