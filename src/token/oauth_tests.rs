//! What each grant sends, and what becomes of its answers.

use std::fs;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Value, json};

use super::super::testing::{GOOD, HOUR, Idp, NOW, material, obtain, of, outward};
use super::super::{
    BodyFormat, ClientAuth, Fault, Grant, MaterialFault, TokenEndpoint, TokenFile, token_source,
};
use super::*;
use crate::outbound::OutboundError;

const SECRET: [(&str, &str); 2] = [("client_id", "me"), ("client_secret", "correct horse")];

fn source(
    settings: OAuthSettings,
    fields: &[(&'static str, &str)],
    outward: &Outward,
) -> Arc<dyn TokenSource> {
    token_source(&of(Grant::OAuth(settings)), &material(fields), outward).unwrap()
}

fn pairs(form: &[(&str, &str)]) -> Vec<(String, String)> {
    form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(folder: &tempfile::TempDir, name: &str, content: &str) -> TokenFile {
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    TokenFile { path, kind: "urn:ietf:params:oauth:token-type:jwt".to_owned() }
}

#[tokio::test]
async fn client_credentials_are_asked_for_with_everything_that_is_configured() {
    let idp = Idp::start().await;
    idp.says(&[(200, GOOD)]);
    let settings = OAuthSettings {
        audience: Some("https://api.example".to_owned()),
        resource: vec![idp.url("/a").into(), idp.url("/b").into()],
        extra: vec![("tenant".to_owned(), "ä b".to_owned())],
        ..idp.settings()
    };
    let (outward, _) = outward();
    let token = obtain(&*source(settings, &SECRET, &outward)).await.unwrap();
    assert_eq!((token.bearer().unwrap().expose().as_str(), token.left(outward.clock.now())), ("good", HOUR));
    assert_eq!(token.scopes, ["llm:read", "llm:invoke"]);
    let asked = idp.last();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/token"));
    assert_eq!(asked.header("accept"), Some("application/json"));
    assert_eq!(asked.header("authorization"), Some("Basic bWU6Y29ycmVjdCtob3JzZQ=="));
    let (a, b) = (idp.url("/a"), idp.url("/b"));
    assert_eq!(
        asked.pairs(),
        pairs(&[
            ("grant_type", "client_credentials"),
            ("scope", "llm:read llm:invoke"),
            ("audience", "https://api.example"),
            ("resource", a.as_str()),
            ("resource", b.as_str()),
            ("tenant", "ä b"),
        ])
    );
}

#[tokio::test]
async fn a_body_may_be_json() {
    let idp = Idp::start().await;
    idp.says(&[(200, GOOD)]);
    let settings = OAuthSettings {
        body: BodyFormat::Json,
        client_auth: Some(ClientAuth::Post),
        resource: vec![idp.url("/a").into()],
        ..idp.settings()
    };
    obtain(&*source(settings, &SECRET, &outward().0)).await.unwrap();
    let asked = idp.last();
    assert_eq!(asked.header("authorization"), None, "never both ways at once");
    assert_eq!(
        asked.json(),
        json!({
            "grant_type": "client_credentials", "scope": "llm:read llm:invoke", "resource": idp.url("/a").as_str(),
            "client_id": "me", "client_secret": "correct horse",
        })
    );
}

#[tokio::test]
async fn a_client_with_a_key_signs_a_new_assertion_for_every_exchange() {
    let idp = Idp::start().await;
    idp.says(&[(200, GOOD)]);
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = key.serialize_pem();
    let fields = [("client_id", "me"), ("private_key", &*pem), ("key_id", "k1")];
    let source = source(idp.settings(), &fields, &outward().0);
    let mut seen = Vec::new();
    for _ in 0..2 {
        obtain(&*source).await.unwrap();
        let asked = idp.last();
        let kind = asked.field("client_assertion_type").unwrap();
        assert_eq!(kind, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
        let jwt = asked.field("client_assertion").unwrap();
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_audience(&[idp.url("/token").as_str()]);
        rules.validate_exp = false;
        let public = DecodingKey::from_ec_der(key.public_key_raw());
        let claims = jsonwebtoken::decode::<Value>(&jwt, &public, &rules).unwrap().claims;
        assert_eq!(jsonwebtoken::decode_header(&jwt).unwrap().kid.as_deref(), Some("k1"));
        assert_eq!(
            (&claims["iss"], &claims["sub"], &claims["iat"]),
            (&json!("me"), &json!("me"), &json!(NOW.0))
        );
        assert!(claims["exp"].as_u64().unwrap() - NOW.0 <= 300);
        seen.push(claims["jti"].as_str().unwrap().to_owned());
    }
    assert_ne!(seen[0], seen[1]);
}

#[tokio::test]
async fn a_token_exchange_presents_whom_it_is_for_and_who_acts() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    idp.says(&[(200, GOOD)]);
    let (subject, actor) = (file(&folder, "subject", "s.s.s\n"), file(&folder, "actor", "a.a.a"));
    let grant = OAuthGrant::TokenExchange { subject, actor: Some(actor) };
    let source = source(OAuthSettings { grant, ..idp.settings() }, &[], &outward().0);
    obtain(&*source).await.unwrap();
    assert_eq!(
        idp.last().pairs(),
        pairs(&[
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("subject_token", "s.s.s"),
            ("actor_token_type", "urn:ietf:params:oauth:token-type:jwt"),
            ("actor_token", "a.a.a"),
            ("scope", "llm:read llm:invoke"),
        ])
    );
    assert_eq!(source.name(), "token_exchange");
}

#[tokio::test]
async fn t19_the_workload_s_token_is_read_again_for_every_exchange() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    idp.says(&[(200, GOOD)]);
    let assertion = file(&folder, "token", "first");
    let path = assertion.path.clone();
    let settings = OAuthSettings { grant: OAuthGrant::JwtBearer { assertion }, ..idp.settings() };
    let source = source(settings, &SECRET, &outward().0);
    for token in ["first", "second"] {
        fs::write(&path, token).unwrap();
        obtain(&*source).await.unwrap();
        let asked = idp.last();
        assert_eq!(asked.field("assertion").as_deref(), Some(token));
        let grant = asked.field("grant_type").unwrap();
        assert_eq!(grant, "urn:ietf:params:oauth:grant-type:jwt-bearer");
        assert!(asked.header("authorization").unwrap().starts_with("Basic "));
    }
    fs::remove_file(&path).unwrap();
    let error = obtain(&*source).await.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Material(MaterialFault::File { .. })), "{error}");
    assert_eq!(idp.asked().len(), 2);
}

#[tokio::test]
async fn t02_what_was_refused_is_presented_once_more_only_where_the_file_has_another_token() {
    let (idp, folder) = (Idp::start().await, tempfile::tempdir().unwrap());
    let refusal = (400, r#"{"error":"invalid_grant"}"#);
    let assertion = file(&folder, "token", "old");
    let settings =
        OAuthSettings { grant: OAuthGrant::JwtBearer { assertion: assertion.clone() }, ..idp.settings() };
    let (outward, _) = outward();
    let grant = OAuth::new(&settings, &of(Grant::OAuth(settings.clone())), &material(&[]), outward).unwrap();
    idp.says(&[refusal, (200, GOOD)]);
    assert!(grant.exchange(&mut Legs::default()).await.is_err());
    assert_eq!(idp.asked().len(), 1, "the same again would be refused again");
    // The kubelet replaces the file between the reading and the refusal.
    idp.says(&[refusal, (200, GOOD)]);
    let old = vec![Secret::new("older".to_owned())];
    assert!(grant.present_or_again(&[&assertion.path], old, &mut Legs::default()).await.is_ok());
    assert_eq!(idp.last().field("assertion").as_deref(), Some("old"));
}

#[tokio::test]
async fn discovery_leads_to_the_endpoint_and_is_believed_for_an_hour() {
    let idp = Idp::start().await;
    let document =
        |to: &str| json!({"issuer": idp.origin, "token_endpoint": idp.url(to).as_str()}).to_string();
    let (outward, clock) = outward();
    let endpoint = TokenEndpoint::Of { issuer: idp.origin.clone() };
    let source = source(OAuthSettings { endpoint, ..idp.settings() }, &SECRET, &outward);
    let paths = || idp.asked().iter().map(|asked| asked.path.clone()).collect::<Vec<_>>();
    let well_known = "/.well-known/openid-configuration";
    idp.says(&[(200, &document("/one")), (200, GOOD)]);
    let mut legs = Legs::default();
    source.obtain(&mut legs).await.unwrap();
    assert_eq!(legs.iter().map(|leg| leg.name).collect::<Vec<_>>(), ["discovery", "token endpoint"]);
    obtain(&*source).await.unwrap();
    assert_eq!(paths(), [well_known, "/one", "/one"]);
    clock.advance(HOUR);
    idp.says(&[(200, &document("/two")), (200, GOOD)]);
    obtain(&*source).await.unwrap();
    assert_eq!(paths()[3..], [well_known, "/two"]);
    // It moved: the first exchange finds out, the second one looks.
    idp.says(&[(404, ""), (200, &document("/three")), (200, GOOD)]);
    assert!(obtain(&*source).await.is_err());
    obtain(&*source).await.unwrap();
    assert_eq!(paths()[5..], ["/two", well_known, "/three"]);
    // The document cannot be had: what it said last still holds.
    clock.advance(HOUR);
    idp.says(&[(503, ""), (200, GOOD)]);
    obtain(&*source).await.unwrap();
    assert_eq!(paths()[8..], [well_known, "/three"]);
}

#[tokio::test]
async fn t14_a_document_of_another_issuer_or_with_a_plain_endpoint_is_refused() {
    let idp = Idp::start().await;
    let issuer = idp.origin.clone();
    let good = idp.url("/token").to_string();
    for (named, endpoint, expected) in [
        (format!("{issuer}/"), json!(good), OutboundError::IssuerMismatch),
        (issuer.to_uppercase(), json!(good), OutboundError::IssuerMismatch),
        ("https://other.example".to_owned(), json!(good), OutboundError::IssuerMismatch),
        (issuer.clone(), json!("http://idp.example/token"), OutboundError::InsecureTokenEndpoint),
        (issuer.clone(), json!("https://169.254.169.254/"), OutboundError::InsecureTokenEndpoint),
        (issuer.clone(), json!("https://u:p@idp.example/"), OutboundError::InsecureTokenEndpoint),
        (issuer.clone(), json!(null), OutboundError::InsecureTokenEndpoint),
        (issuer.clone(), json!(7), OutboundError::Document),
    ] {
        let document = json!({"issuer": named, "token_endpoint": endpoint}).to_string();
        idp.says(&[(200, &document), (200, GOOD)]);
        let settings =
            OAuthSettings { endpoint: TokenEndpoint::Of { issuer: issuer.clone() }, ..idp.settings() };
        let error = obtain(&*source(settings, &SECRET, &outward().0)).await.unwrap_err();
        assert_eq!((error.leg, &error.kind), ("discovery", &expected.into()), "{document}");
    }
    assert!(idp.asked().iter().all(|asked| asked.method.as_str() == "GET"), "no secret was sent");
}

#[tokio::test]
async fn t14_a_token_of_another_issuer_is_refused() {
    use base64::Engine as _;
    let idp = Idp::start().await;
    let document = json!({"issuer": idp.origin, "token_endpoint": idp.url("/token").as_str()}).to_string();
    for (iss, fits) in
        [(json!(idp.origin), true), (json!("https://other.example"), false), (json!(null), true)]
    {
        let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json!({"iss": iss}).to_string());
        let answer = json!({"access_token": format!("e30.{claims}.c2ln"), "expires_in": 60}).to_string();
        idp.says(&[(200, &document), (200, &answer)]);
        let endpoint = TokenEndpoint::Of { issuer: idp.origin.clone() };
        let settings = OAuthSettings { endpoint, ..idp.settings() };
        let mut legs = Legs::default();
        let result = source(settings, &SECRET, &outward().0).obtain(&mut legs).await;
        assert_eq!(
            result.as_ref().err().map(|error| &error.kind),
            (!fits).then_some(&AnswerFault::Issuer.into())
        );
        assert_eq!(legs.iter().last().unwrap().succeeded, fits);
    }
}

#[test]
fn entra_names_the_same_tenant_by_another_host() {
    let issuer = "https://login.microsoftonline.com/72f988bf/v2.0";
    assert!(is_of(issuer, issuer));
    assert!(is_of(issuer, "https://sts.windows.net/72f988bf/"));
    assert!(!is_of(issuer, "https://sts.windows.net/other/"));
    assert!(!is_of("https://idp.example/72f988bf/v2.0", "https://sts.windows.net/72f988bf/"));
}

#[tokio::test]
async fn a_secret_that_lacks_something_is_no_source() {
    let idp = Idp::start().await;
    let settings = of(Grant::OAuth(idp.settings()));
    let fault = token_source(&settings, &material(&[("client_id", "me")]), &outward().0).unwrap_err();
    assert!(fault.to_string().contains("client_secret, private_key"), "{fault}");
    let fault = token_source(&settings, &Material::default(), &outward().0).unwrap_err();
    assert!(matches!(fault, SecretFault::NoSecret { .. }), "{fault}");
}

#[tokio::test]
async fn a_file_of_tls_that_is_missing_is_named() {
    let idp = Idp::start().await;
    let mut settings = of(Grant::OAuth(idp.settings()));
    settings.tls.ca = Some("ca-that-is-missing.crt".into());
    let source = token_source(&settings, &material(&SECRET), &outward().0).unwrap();
    let error = obtain(&*source).await.unwrap_err();
    assert!(error.to_string().ends_with("ca-that-is-missing.crt"), "{error}");
    assert_eq!(error.fault(), Fault::Operator);
}
