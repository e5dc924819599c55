//! Each way to a token, as `tests/fixtures/config/good-tokens` says it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{oauth, of, read, texts, token};
use crate::cache::{Policy, RefreshPolicy};
use crate::config::environment::Environment;
use crate::config::read::load_in;
use crate::config::{Config, Feedback, ProviderEntry};
use crate::token::{
    AnthropicFederation, AwsEnvironment, BodyFormat, ClientAuth, ClientIdentity, ClientTls, GoogleSettings,
    Grant, OAuthGrant, OAuthSettings, OpenAiFederation, TokenEndpoint, TokenFile, TokenSettings,
};

const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

fn fixture() -> (PathBuf, Config) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/config/good-tokens");
    let config = load_in(&folder.join("bouncer.yaml"), Environment::default()).unwrap();
    (folder, config)
}

fn named<'c>(config: &'c Config, name: &str) -> &'c ProviderEntry {
    config.providers.iter().find(|entry| &*entry.provider.name == name).unwrap()
}

fn file(path: impl Into<PathBuf>, kind: &str) -> TokenFile {
    TokenFile { path: path.into(), kind: kind.to_owned() }
}

fn at(url: &str) -> TokenEndpoint {
    TokenEndpoint::At(url.parse().unwrap())
}

#[test]
fn client_credentials_say_what_they_may() {
    let (folder, config) = fixture();
    let little = token(named(&config, "openai"));
    let grant = oauth(at("https://idp.example.com/token"), OAuthGrant::ClientCredentials);
    assert_eq!(little.grant, Grant::OAuth(grant));
    let entry = named(&config, "oauth2-full");
    assert_eq!((entry.feedback, entry.audit_on_rotate), (Feedback::Observe, false));
    let expected = TokenSettings {
        secret: Some("internal-llm".to_owned()),
        grant: Grant::OAuth(OAuthSettings {
            client_auth: Some(ClientAuth::TlsClientAuth),
            scopes: texts(&["llm:read", "llm:invoke"]),
            audience: Some("https://llm.example.com".to_owned()),
            // Not with a slash behind it, as the parser of URLs would write it.
            resource: texts(&["https://llm.example.com", "urn:example:llm"]),
            extra: vec![
                ("organization".to_owned(), "org one".to_owned()),
                ("tenant".to_owned(), "a".to_owned()),
            ],
            body: BodyFormat::Json,
            ..oauth(at("http://127.0.0.1:8080/token"), OAuthGrant::ClientCredentials)
        }),
        policy: Policy { refresh: RefreshPolicy::Proactive, margin: Duration::from_secs(120) },
        tls: ClientTls {
            ca: Some(folder.join("ca.crt")),
            identity: Some(ClientIdentity {
                certificate: folder.join("client.crt"),
                private_key: "/etc/client.key".into(),
            }),
        },
    };
    assert_eq!(token(entry), &expected);
}

#[test]
fn token_exchange_takes_the_pods_own_token_or_what_is_named() {
    let (folder, config) = fixture();
    let little = token(named(&config, "exchange"));
    let grant = OAuthGrant::TokenExchange { subject: file(SERVICE_ACCOUNT, JWT), actor: None };
    let expected = OAuthSettings {
        resource: texts(&["https://llm.example.com"]),
        ..oauth(of("https://idp.example.com"), grant)
    };
    assert_eq!((&little.secret, &little.grant), (&None, &Grant::OAuth(expected)));
    let entry = named(&config, "exchange-full");
    assert_eq!(entry.feedback, Feedback::Off);
    let grant = OAuthGrant::TokenExchange {
        subject: file(folder.join("subject.jwt"), "urn:ietf:params:oauth:token-type:id_token"),
        actor: Some(file("/run/actor.jwt", "urn:example:token-type:actor")),
    };
    let expected = OAuthSettings {
        client_auth: Some(ClientAuth::Basic),
        // Compared with the discovery document code point by code point: the slash stays.
        ..oauth(of("https://idp.example.com/realms/a/"), grant)
    };
    assert_eq!(token(entry).secret.as_deref(), Some("exchange"));
    assert_eq!(token(entry).grant, Grant::OAuth(expected));
}

#[test]
fn a_jwt_bearer_grant_takes_the_pods_own_token() {
    let (_, config) = fixture();
    let settings = token(named(&config, "bearer"));
    let grant = OAuthGrant::JwtBearer { assertion: file(SERVICE_ACCOUNT, JWT) };
    let expected = OAuthSettings {
        client_auth: Some(ClientAuth::None),
        ..oauth(at("https://idp.example.com/token"), grant)
    };
    assert_eq!((&settings.secret, &settings.grant), (&None, &Grant::OAuth(expected)));
    assert_eq!(settings.policy.refresh, RefreshPolicy::Lazy);
}

#[test]
fn the_vendors_federations_know_their_own_endpoints() {
    let (_, config) = fixture();
    let openai = OpenAiFederation {
        endpoint: "https://auth.openai.com/oauth/token".parse().unwrap(),
        subject: file(SERVICE_ACCOUNT, "urn:ietf:params:oauth:token-type:id_token"),
        identity_provider_id: "idp_1".to_owned(),
        service_account_id: "sa_1".to_owned(),
    };
    assert_eq!(token(named(&config, "openai-federation")).grant, Grant::OpenAi(openai));
    let anthropic = AnthropicFederation {
        endpoint: "http://127.0.0.1:8081/v1/oauth/token".parse().unwrap(),
        assertion: file("/run/anthropic.jwt", JWT),
        federation_rule_id: "fdrl_1".to_owned(),
        organization_id: "6e1c2fb4-0000-4000-8000-000000000000".to_owned(),
        service_account_id: Some("svac_1".to_owned()),
        workspace_id: Some("default".to_owned()),
    };
    assert_eq!(token(named(&config, "anthropic-federation")).grant, Grant::Anthropic(anthropic));
    let little =
        "provider: anthropic\nauth_type: oidc\nfederation: {federation_rule_id: a, organization_id: b}";
    let little = read(little);
    let Grant::Anthropic(little) = &token(&little).grant else { panic!("Anthropic's") };
    assert_eq!(little.endpoint.as_str(), "https://api.anthropic.com/v1/oauth/token");
    assert_eq!((&little.service_account_id, &little.workspace_id), (&None, &None));
}

#[test]
fn entra_knows_the_scope_of_azure_openai_in_its_cloud() {
    let (_, config) = fixture();
    for (name, authority, scope, managed_identity) in [
        (
            "azure-machine",
            "https://login.microsoftonline.com/",
            "https://cognitiveservices.azure.com/.default",
            "http://169.254.169.254/metadata/identity/oauth2/token",
        ),
        (
            "azure-government",
            "https://login.microsoftonline.us/",
            "https://cognitiveservices.azure.us/.default",
            "http://127.0.0.1:8082/token",
        ),
        (
            "azure-custom",
            "https://login.microsoftonline.com/",
            "api://llm/.default",
            "http://169.254.169.254/metadata/identity/oauth2/token",
        ),
    ] {
        let Grant::Azure(azure) = &token(named(&config, name)).grant else { panic!("{name}") };
        assert_eq!(azure.authority.as_str(), authority, "{name}");
        assert_eq!(azure.scopes, [scope], "{name}");
        assert_eq!(azure.managed_identity.as_str(), managed_identity, "{name}");
    }
}

#[test]
fn google_has_defaults_for_everything() {
    let (folder, config) = fixture();
    let settings = token(named(&config, "vertex"));
    let expected = GoogleSettings {
        scopes: texts(&["https://www.googleapis.com/auth/cloud-platform"]),
        allowed_token_hosts: vec![],
        metadata: "http://metadata.google.internal".parse().unwrap(),
        user_project: None,
        aws: AwsEnvironment::default(),
    };
    assert_eq!((&settings.secret, &settings.grant), (&None, &Grant::Google(expected.clone())));
    let settings = token(named(&config, "vertex-full"));
    let expected = GoogleSettings {
        scopes: texts(&["https://www.googleapis.com/auth/aiplatform"]),
        allowed_token_hosts: texts(&["sts.example.com", "localhost"]),
        metadata: "http://127.0.0.1:8083".parse().unwrap(),
        user_project: Some("billing-1".to_owned()),
        ..expected
    };
    assert_eq!(settings.secret.as_deref(), Some("vertex"));
    assert_eq!(settings.grant, Grant::Google(expected));
    assert_eq!(settings.tls, ClientTls { ca: Some(folder.join("ca.crt")), identity: None });
}
