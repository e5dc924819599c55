//! Every failure under a log of everything: no secret in the log, in an error, in a leg or in what `Debug` shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::stub::Log;
use super::testing::{Idp, material, of, outward};
use super::{
    BodyFormat, ClientAuth, Grant, Legs, OAuthGrant, OAuthSettings, OpenAiFederation, TokenFile, token_source,
};

const CLIENT_SECRET: &str = "canary-client:secret&1";
const REFRESH_TOKEN: &str = "canary-refresh-token-2";
const NEXT_REFRESH_TOKEN: &str = "canary-refresh-token-3";
const WORKLOAD_TOKEN: &str = "canary.workload.token-4";
const ACCESS_TOKEN: &str = "canary-access-token-5";

/// Answers of every kind of badness, with whatever was `sent` and obtained in them.
fn replies(sent: &[&str]) -> Vec<(u16, String)> {
    let mut replies = Vec::new();
    for sent in sent {
        for echo in [(*sent).to_owned(), format!("sent {sent}"), format!("sent {}…", &sent[..sent.len() - 3])]
        {
            let error = json!({"error": "invalid_client", "error_description": echo});
            replies.push((401, error.to_string()));
            replies
                .push((400, json!({"error": {"message": echo, "status": "INVALID_ARGUMENT"}}).to_string()));
            replies.push((400, json!({"error": echo}).to_string()));
            replies.push((503, echo));
        }
    }
    let more = [
        (200, r#"{"access_token":"AT","expires_in":-1,"token_type":"bearer"}"#),
        (200, r#"{"access_token":"AT","cnf":{"x5t#S256":"AT"}}"#),
        (200, r#"{"access_token":["AT"]}"#),
        (200, r#"{"access_token":"AT""#),
        (200, r#"{"access_token":"AT","scope":"llm:read"}"#),
        (302, "AT"),
        (500, "<html>AT</html>"),
        (200, r#"{"access_token":"AT","token_type":"DPoP","refresh_token":"RT"}"#),
        (200, r#"{"access_token":"AT ","refresh_token":"RT"}"#),
    ];
    let filled = |text: &str| text.replace("AT", ACCESS_TOKEN).replace("RT", NEXT_REFRESH_TOKEN);
    replies.extend(more.map(|(status, text)| (status, filled(text))));
    replies
}

#[tokio::test]
async fn t22_no_failure_shows_a_secret_anywhere() {
    let log = Log::capture();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, WORKLOAD_TOKEN).unwrap();
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let idp = Idp::start().await;
    let file = TokenFile { path, kind: "urn:ietf:params:oauth:token-type:jwt".to_owned() };
    let oauth = |client_auth, grant: &OAuthGrant, body| {
        Grant::OAuth(OAuthSettings { client_auth, grant: grant.clone(), body, ..idp.settings() })
    };
    let plain = OAuthGrant::ClientCredentials;
    let bearer = OAuthGrant::JwtBearer { assertion: file.clone() };
    let openai = Grant::OpenAi(OpenAiFederation {
        endpoint: idp.url("/"),
        subject: file,
        identity_provider_id: "idp".to_owned(),
        service_account_id: "sa".to_owned(),
    });
    let (id, secret) = (("client_id", "me"), ("client_secret", CLIENT_SECRET));
    let mut shown = String::new();
    for (grant, fields, sent) in [
        (oauth(None, &plain, BodyFormat::Form), &[id, secret][..], &[CLIENT_SECRET][..]),
        (oauth(Some(ClientAuth::Post), &plain, BodyFormat::Json), &[id, secret], &[CLIENT_SECRET]),
        (
            oauth(None, &plain, BodyFormat::Form),
            &[id, secret, ("refresh_token", REFRESH_TOKEN)],
            &[CLIENT_SECRET, REFRESH_TOKEN],
        ),
        (oauth(None, &plain, BodyFormat::Form), &[id, ("private_key", &key)], &[]),
        (oauth(None, &bearer, BodyFormat::Form), &[id, secret], &[CLIENT_SECRET, WORKLOAD_TOKEN]),
        (openai, &[], &[WORKLOAD_TOKEN]),
    ] {
        let (outward, settings, material) = (outward().0, of(grant), material(fields));
        let source = token_source(&settings, &material, &outward).unwrap();
        for (status, body) in replies(sent) {
            idp.says(&[(status, &body)]);
            let mut legs = Legs::default();
            match source.obtain(&mut legs).await {
                Ok(token) => shown += &format!("{token:?} {legs:?}"),
                Err(error) => {
                    tracing::warn!(%error, "token not refreshed");
                    shown += &format!("{error} {error:?} {legs:?} {}", error.code());
                }
            }
        }
        shown += &format!("{source:?} {settings:?} {material:?} {outward:?} {:?}", outward.refresh_tokens);
    }
    let log = log.text();
    for line in ["token not refreshed", "could not be stored", "good for less than was asked for"] {
        assert!(log.contains(line), "the log is captured: {line}");
    }
    let key = key.lines().nth(1).unwrap();
    let basic = STANDARD.encode("me:canary");
    for text in [&shown, &log] {
        for canary in ["canary", "client%3Asecret", key, basic.trim_end_matches('=')] {
            let at = text.find(canary);
            assert_eq!(
                at,
                None,
                "{}",
                at.map(|at| &text[at.saturating_sub(200)..at + 40]).unwrap_or_default()
            );
        }
    }
}
