//! Google's sources against servers that check what they get.

mod aws;
mod failures;
mod federation;

use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use serde_json::{Value, json};

use super::*;
use crate::base::{Clock as _, ManualClock, UnixTime};
use crate::token::stub::{Reply, Stub, material, obtain, outward};
use crate::token::{AnswerFault, AwsEnvironment};

const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
const NOW: UnixTime = UnixTime(1_800_000_000);
const TOKEN: &str = "ya29.token-canary";

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOW))
}

fn settings(metadata: &Url) -> GoogleSettings {
    GoogleSettings {
        scopes: vec![SCOPE.to_owned()],
        allowed_token_hosts: vec!["127.0.0.1".to_owned()],
        metadata: metadata.clone(),
        user_project: None,
        aws: AwsEnvironment::default(),
    }
}

fn of(
    settings: &GoogleSettings,
    clock: &Arc<ManualClock>,
    fields: &[(&'static str, &str)],
) -> Arc<dyn TokenSource> {
    source(settings, &material(fields), &outward(Arc::clone(clock) as _)).unwrap()
}

fn success(token: &str, expires_in: u64) -> Reply {
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    Reply::Json(
        200,
        json!({"access_token": token, "issued_token_type": issued, "token_type": "Bearer", "expires_in": expires_in}),
    )
}

fn service_account(server: &Stub, pem: &str) -> String {
    json!({"type": "service_account", "project_id": "p", "private_key_id": "kid-1", "private_key": pem,
        "client_email": "sa@p.iam.gserviceaccount.com", "token_uri": server.at("token").as_str()})
    .to_string()
}

fn rsa() -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()
}

#[tokio::test]
async fn a_service_account_s_key_signs_an_assertion_that_its_public_key_verifies() {
    let server = Stub::start(|_| success(TOKEN, 3_599)).await;
    let (key, clock) = (rsa(), clock());
    let file = service_account(&server, &key.serialize_pem());
    let source = of(&settings(&server.url), &clock, &[("service_account.json", &file)]);
    let (token, legs) = obtain(&source).await;
    let token = token.unwrap();
    assert_eq!(
        (token.bearer().unwrap().expose().as_str(), token.left(clock.now()).as_secs()),
        (TOKEN, 3_599)
    );
    let form = server.last().form();
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    assert_eq!(form.len(), 2);
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&[server.at("token").as_str()]);
    rules.validate_exp = false;
    let public = DecodingKey::from_rsa_der(key.public_key_raw());
    let jwt = jsonwebtoken::decode::<Value>(&form["assertion"], &public, &rules).unwrap();
    assert_eq!((jwt.header.kid.as_deref(), jwt.header.typ.as_deref()), (Some("kid-1"), Some("JWT")));
    assert_eq!(
        (&jwt.claims["iss"], &jwt.claims["scope"]),
        (&json!("sa@p.iam.gserviceaccount.com"), &json!(SCOPE))
    );
    let time = |name: &str| jwt.claims[name].as_u64().unwrap();
    assert!(time("iat") == NOW.0 && time("exp") > NOW.0 && time("exp") <= NOW.0 + 3_600);
    assert_eq!((source.name(), legs.iter().count()), ("service_account_key", 1));
}

#[tokio::test]
async fn the_metadata_server_is_told_apart_by_its_header_both_ways() {
    let flavored = |flavor: Option<&'static str>| {
        move |_: &_| {
            let lines = flavor.map(|flavor| ("metadata-flavor".to_owned(), flavor.to_owned()));
            let body = json!({"access_token": TOKEN, "expires_in": 245, "token_type": "Bearer"});
            Reply::Text(200, lines.into_iter().collect(), body.to_string())
        }
    };
    let server = Stub::start(flavored(Some("Google"))).await;
    let clock = clock();
    let source = of(&settings(&server.url), &clock, &[]);
    let token = obtain(&source).await.0.unwrap();
    assert_eq!(token.left(clock.now()).as_secs(), 245, "it caches: less than five minutes are usual");
    let seen = server.last();
    assert_eq!(seen.method, "GET");
    assert_eq!(seen.path, "/computeMetadata/v1/instance/service-accounts/default/token");
    assert_eq!((seen.header("metadata-flavor"), seen.query["scopes"].as_str()), (Some("Google"), SCOPE));
    for flavor in [None, Some("Other")] {
        server.answers(flavored(flavor));
        let (token, legs) = obtain(&source).await;
        assert_eq!(token.unwrap_err().kind, AnswerFault::NotMetadata.into());
        assert!(!legs.iter().next().unwrap().succeeded);
    }
}

#[test]
fn the_keys_of_the_secret_say_which_credential_it_is() {
    let base = Url::parse("http://metadata.google.internal").unwrap();
    let fault = |fields: &[(&'static str, &str)]| {
        source(&settings(&base), &material(fields), &outward(clock())).unwrap_err()
    };
    assert_eq!(of(&settings(&base), &clock(), &[]).name(), "metadata");
    let keys = "service_account.json, external_account.json";
    let both = [("service_account.json", "{}"), ("external_account.json", "{}")];
    assert_eq!(fault(&both), SecretFault::Several { name: "sp".to_owned(), keys });
    let neither = fault(&[("client_id", "x")]);
    assert_eq!(
        neither,
        SecretFault::NoKey { name: "sp".to_owned(), keys },
        "not the machine's identity instead"
    );
    let bad = |key, what| SecretFault::Key { name: "sp".to_owned(), key, what };
    assert_eq!(fault(&both[..1]), bad("service_account.json", KeyFault::Type("service_account")));
    assert_eq!(fault(&both[1..]), bad("external_account.json", KeyFault::Type("external_account")));
    let file = json!({"type": "service_account", "private_key_id": "k", "private_key": "canary",
        "client_email": "a@b.c", "token_uri": "https://oauth2.googleapis.com/token"});
    let found = fault(&[("service_account.json", &file.to_string())]);
    assert_eq!(found, bad("service_account.json", KeyFault::PrivateKey));
    assert!(!format!("{found} {found:?}").contains("canary"));
}
