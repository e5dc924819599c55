//! The sources of Microsoft Entra against a server that checks what it gets.

mod failures;
mod material;

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};
use url::Url;

use super::*;
use crate::base::{Clock as _, SystemClock};
use crate::token::stub::{Reply, Stub, material, obtain, outward};

const SCOPE: &str = "https://cognitiveservices.azure.com/.default";
const TOKEN: &str = "eyJ.token.canary";

fn settings(authority: &Url) -> AzureSettings {
    AzureSettings {
        authority: authority.clone(),
        scopes: vec![SCOPE.to_owned()],
        managed_identity: authority.clone(),
        workload: None,
    }
}

fn of(settings: &AzureSettings, fields: &[(&'static str, &str)]) -> Arc<dyn TokenSource> {
    source(settings, &material(fields), &outward(Arc::new(SystemClock))).unwrap()
}

/// As the vendor's page shows it; `ext_expires_in` is no life.
fn success() -> Reply {
    Reply::Json(
        200,
        json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 86_400, "refresh_in": 1_800, "access_token": TOKEN}),
    )
}

struct Pair {
    certificate: String,
    key: String,
}

fn pair() -> Pair {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let certificate =
        CertificateParams::new(vec!["app.example".to_owned()]).unwrap().self_signed(&key).unwrap();
    Pair { certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Header and claims of an assertion whose signature the certificate's public key verifies.
fn verified(assertion: &str, certificate: &str) -> (Value, Value) {
    let der = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    webpki::EndEntityCert::try_from(&der)
        .unwrap()
        .verify_signature(
            webpki::aws_lc_rs::RSA_PSS_2048_8192_SHA256_LEGACY_KEY,
            signed.as_bytes(),
            &bytes(signature),
        )
        .unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let header: Value = serde_json::from_slice(&bytes(header)).unwrap();
    assert_eq!(header["x5t#S256"], json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, &der))));
    (header, serde_json::from_slice(&bytes(claims)).unwrap())
}

#[tokio::test]
async fn t23_a_client_secret_stands_in_the_body_as_a_form_writes_it() {
    let server = Stub::start(|_| success()).await;
    let fields = [("tenant_id", "tenant-1"), ("client_id", "app-1"), ("client_secret", "a:%+ &=é~canary")];
    let source = of(&settings(&server.url), &fields);
    let (token, legs) = obtain(&source).await;
    let token = token.unwrap();
    assert_eq!(token.bearer().unwrap().expose(), TOKEN);
    let left = token.left(SystemClock.now()).as_secs();
    assert!((3_590..=3_600).contains(&left), "{left}: ext_expires_in is no life");
    assert_eq!(token.refresh_in.map(|hint| hint.as_secs()), Some(1_800));
    let seen = server.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/tenant-1/oauth2/v2.0/token"));
    assert!(seen.query.is_empty() && seen.header("authorization").is_none());
    let form = seen.form();
    let form: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(
        form,
        [
            ("client_id", "app-1"),
            ("client_secret", "a:%+ &=é~canary"),
            ("grant_type", "client_credentials"),
            ("scope", SCOPE)
        ]
    );
    assert!(seen.body.contains("client_secret=a%3A%25%2B+%26%3D%C3%A9%7Ecanary"), "{}", seen.body);
    let legs: Vec<_> = legs.iter().map(|leg| (leg.name, leg.succeeded, leg.lives.is_some())).collect();
    assert_eq!(legs, [("token endpoint", true, true)]);
    assert_eq!(
        (source.name(), source.origin().as_str()),
        ("client_credentials", &server.url.as_str()[..server.url.as_str().len() - 1])
    );
}

#[tokio::test]
async fn a_sovereign_cloud_s_authority_keeps_its_path() {
    let server = Stub::start(|_| success()).await;
    for authority in ["adfs", "adfs/"] {
        let mut settings = settings(&server.url);
        settings.authority = server.at(authority);
        let fields = [("tenant_id", "t.example"), ("client_id", "app-1"), ("client_secret", "s")];
        obtain(&of(&settings, &fields)).await.0.unwrap();
        assert_eq!(server.last().path, "/adfs/t.example/oauth2/v2.0/token");
    }
}

#[tokio::test]
async fn refresh_in_never_lies_beyond_the_end() {
    let long = json!({"token_type": "Bearer", "expires_in": 60, "refresh_in": 4_000, "access_token": TOKEN});
    let server = Stub::start(move |_| Reply::Json(200, long.clone())).await;
    let app = [("tenant_id", "t"), ("client_id", "app-1"), ("client_secret", "s")];
    for fields in [&app[..], &[]] {
        let token = obtain(&of(&settings(&server.url), fields)).await.0.unwrap();
        assert!(token.refresh_in.unwrap().as_secs() <= 60);
    }
}

#[tokio::test]
async fn a_certificate_signs_an_assertion_that_its_public_key_verifies() {
    let server = Stub::start(|_| success()).await;
    let (own, other) = (pair(), pair());
    // The first one of a chain is the application's.
    let chain = format!("{}{}", own.certificate, other.certificate);
    let fields = [
        ("tenant_id", "t"),
        ("client_id", "app-1"),
        ("certificate", chain.as_str()),
        ("private_key", &own.key),
    ];
    let source = of(&settings(&server.url), &fields);
    let mut ids = Vec::new();
    for _ in 0..2 {
        obtain(&source).await.0.unwrap();
        let form = server.last().form();
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        assert!(!form.contains_key("client_secret") && form["client_id"] == "app-1");
        let (header, claims) = verified(&form["client_assertion"], &own.certificate);
        assert_eq!((&header["alg"], &header["typ"]), (&json!("PS256"), &json!("JWT")));
        assert_eq!(claims["aud"], json!(server.at("t/oauth2/v2.0/token").as_str()));
        assert_eq!((&claims["iss"], &claims["sub"]), (&json!("app-1"), &json!("app-1")));
        let time = |name: &str| claims[name].as_u64().unwrap();
        let now = SystemClock.now().unix.0;
        assert!(time("nbf") <= now && time("iat") <= now && time("exp") > now);
        assert!(time("exp") - time("nbf") <= 600, "ten minutes at most");
        ids.push(claims["jti"].as_str().unwrap().to_owned());
    }
    assert_ne!(ids[0], ids[1], "each assertion is for one use");
    assert_eq!(source.name(), "client_certificate");
}

#[tokio::test]
async fn t19_a_federated_token_is_read_anew_each_time() {
    let server = Stub::start(|_| success()).await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let fields =
        [("tenant_id", "t"), ("client_id", "app-1"), ("federated_token_file", path.to_str().unwrap())];
    let source = of(&settings(&server.url), &fields);
    for content in ["canary-1\n", "canary-2"] {
        std::fs::write(&path, content).unwrap();
        obtain(&source).await.0.unwrap();
        let form = server.last().form();
        assert_eq!(form["client_assertion"], content.trim());
        assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    }
    std::fs::remove_file(&path).unwrap();
    let error = obtain(&source).await.0.unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert_eq!(server.seen().len(), 2, "without a token nobody is asked");
}

#[tokio::test]
async fn t19_a_federated_token_that_was_replaced_meanwhile_is_tried_once_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let (kubelet, refused) = (path.clone(), json!({"error": "invalid_client"}));
    let server = Stub::start(move |seen| match seen.form()["client_assertion"].as_str() {
        "new" => success(),
        _ => {
            std::fs::write(&kubelet, "new").unwrap();
            Reply::Json(401, refused.clone())
        }
    })
    .await;
    let fields =
        [("tenant_id", "t"), ("client_id", "app-1"), ("federated_token_file", path.to_str().unwrap())];
    let source = of(&settings(&server.url), &fields);
    std::fs::write(&path, "old").unwrap();
    let (token, legs) = obtain(&source).await;
    assert!(token.is_ok());
    assert_eq!(legs.iter().map(|leg| leg.succeeded).collect::<Vec<_>>(), [false, true]);
    server.answers(|_| Reply::Json(401, json!({"error": "invalid_client"})));
    assert!(obtain(&source).await.0.is_err());
    assert_eq!(server.seen().len(), 3, "the same file is not tried twice");
}

#[tokio::test]
async fn an_aks_pod_s_environment_is_its_identity_where_no_secret_is_named() {
    let server = Stub::start(|_| success()).await;
    let folder = tempfile::tempdir().unwrap();
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "canary").unwrap();
    let workload =
        AzureWorkload { tenant_id: "t-env".to_owned(), client_id: "app-env".to_owned(), token_file };
    let settings = AzureSettings { workload: Some(workload), ..settings(&server.url) };
    obtain(&of(&settings, &[])).await.0.unwrap();
    let seen = server.last();
    assert_eq!(seen.path, "/t-env/oauth2/v2.0/token");
    assert_eq!(
        (seen.form()["client_id"].as_str(), seen.form()["client_assertion"].as_str()),
        ("app-env", "canary")
    );
    assert_eq!(
        of(&settings, &[("client_id", "mi-1")]).name(),
        "managed_identity",
        "a secret is not overruled"
    );
}

#[tokio::test]
async fn a_managed_identity_is_asked_of_the_machine() {
    let soon = SystemClock.now().unix.0 + 600;
    let answer = json!({"access_token": TOKEN, "refresh_token": "", "expires_in": "3599",
        "expires_on": soon.to_string(), "not_before": "1506480273",
        "resource": "https://cognitiveservices.azure.com", "token_type": "Bearer"});
    let server = Stub::start(move |_| Reply::Json(200, answer.clone())).await;
    for (fields, client_id) in [(&[][..], None), (&[("client_id", "mi-1")], Some("mi-1"))] {
        let source = of(&settings(&server.url), fields);
        let token = obtain(&source).await.0.unwrap();
        let left = token.left(SystemClock.now()).as_secs();
        assert!(
            (590..=600).contains(&left),
            "{left}: expires_on is seconds as a text, and the earlier end counts"
        );
        let seen = server.last();
        assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/metadata/identity/oauth2/token"));
        assert_eq!(seen.header("metadata"), Some("true"));
        assert_eq!(seen.query["api-version"], "2018-02-01");
        assert_eq!(seen.query["resource"], "https://cognitiveservices.azure.com", "a resource, not a scope");
        assert_eq!(seen.query.get("client_id").map(String::as_str), client_id);
        assert!(!seen.query.contains_key("scope") && seen.body.is_empty());
    }
    let mut settings = settings(&server.url);
    settings.managed_identity = server.at("stand-in/token");
    obtain(&of(&settings, &[])).await.0.unwrap();
    assert_eq!(server.last().path, "/stand-in/token", "as it is configured");
}
