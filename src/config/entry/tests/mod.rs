//! Entries whose credential is a token: those of the documentation, the matrix, the machine's own identity.

mod aws;
mod aws_roles;
mod ways;

use std::path::Path;
use std::time::Duration;

use crate::base::Fault;
use crate::cache::{Policy, RefreshPolicy};
use crate::config::environment::Environment;
use crate::config::read::from_text_in;
use crate::config::{Config, CredentialSettings, Feedback, ProviderEntry};
use crate::provider::{AuthType, ProviderKind};
use crate::token::{
    AzureSettings, AzureWorkload, BodyFormat, ClientTls, Grant, OAuthGrant, OAuthSettings, TokenEndpoint,
    TokenSettings,
};

/// The three entries of the documentation, as they stand there.
const AZURE: &str = "provider: azure-openai
auth_type: azure_ad
credential_ref: azure-openai-sp
scopes:
  - https://cognitiveservices.azure.com/.default
mfa_required: false
refresh_policy: pre-expiry
";
const BEDROCK: &str = "provider: bedrock
auth_type: aws_sigv4
credential_ref: bedrock-irsa-role
mfa_required: true
audit_on_rotate: true
";
const INTERNAL: &str = "provider: custom-openai
auth_type: oidc
credential_ref: internal-llm-oidc
issuer: https://idp.internal.example.com
scopes:
  - llm:read
  - llm:invoke
refresh_policy: pre-expiry
";

fn read_in(entry: &str, environment: Environment) -> Result<Config, Vec<Fault>> {
    let callers = "callers: {jwt: [{issuer: https://a.example, audiences: [a]}]}";
    let entry: Vec<String> = entry.lines().map(|line| format!("    {line}")).collect();
    let text = format!("listen: {{grpc: 127.0.0.1:1}}\n{callers}\nproviders:\n  -\n{}\n", entry.join("\n"));
    from_text_in(Path::new("/etc/bouncer/bouncer.yaml"), &text, environment)
}

fn read(entry: &str) -> ProviderEntry {
    let mut config = read_in(entry, Environment::default()).unwrap();
    assert_eq!(config.warnings, [], "{entry}");
    config.providers.remove(0)
}

fn faults(entry: &str, environment: Environment) -> Vec<(String, String)> {
    let faults = read_in(entry, environment).unwrap_err();
    faults.into_iter().map(|fault| (fault.path, fault.what)).collect()
}

fn token(entry: &ProviderEntry) -> &TokenSettings {
    match &entry.credential {
        CredentialSettings::Token(settings) => settings,
        CredentialSettings::ApiKey { .. } => panic!("a token"),
    }
}

fn oauth(endpoint: TokenEndpoint, grant: OAuthGrant) -> OAuthSettings {
    OAuthSettings {
        endpoint,
        grant,
        client_auth: None,
        scopes: vec![],
        audience: None,
        resource: vec![],
        extra: vec![],
        body: BodyFormat::Form,
    }
}

fn of(issuer: &str) -> TokenEndpoint {
    TokenEndpoint::Of { issuer: issuer.to_owned() }
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

#[test]
fn the_documentations_first_entry_is_entra_with_a_secret() {
    let entry = read(AZURE);
    assert_eq!(
        (&*entry.provider.name, entry.provider.kind, entry.provider.auth),
        ("azure-openai", ProviderKind::AzureOpenAi, AuthType::AzureAd)
    );
    assert!(entry.provider.mfa.is_none() && entry.audit_on_rotate);
    assert_eq!(entry.feedback, Feedback::Answer);
    let expected = TokenSettings {
        secret: Some("azure-openai-sp".to_owned()),
        grant: Grant::Azure(AzureSettings {
            authority: "https://login.microsoftonline.com".parse().unwrap(),
            scopes: texts(&["https://cognitiveservices.azure.com/.default"]),
            managed_identity: "http://169.254.169.254/metadata/identity/oauth2/token".parse().unwrap(),
            workload: None,
        }),
        policy: Policy { refresh: RefreshPolicy::PreExpiry, margin: Duration::from_secs(300) },
        tls: ClientTls::default(),
    };
    assert_eq!(token(&entry), &expected);
}

#[test]
fn the_documentations_third_entry_is_client_credentials_through_discovery() {
    let entry = read(INTERNAL);
    assert_eq!(
        (&*entry.provider.name, entry.provider.kind, entry.provider.auth),
        ("custom-openai", ProviderKind::Custom, AuthType::Oidc)
    );
    let expected = TokenSettings {
        secret: Some("internal-llm-oidc".to_owned()),
        grant: Grant::OAuth(OAuthSettings {
            scopes: texts(&["llm:read", "llm:invoke"]),
            ..oauth(of("https://idp.internal.example.com"), OAuthGrant::ClientCredentials)
        }),
        policy: Policy::default(),
        tls: ClientTls::default(),
    };
    assert_eq!(token(&entry), &expected);
}

fn aks(but: &'static str) -> Environment {
    Environment::from(move |name| {
        let value = match name {
            "AZURE_CLIENT_ID" => "client",
            "AZURE_TENANT_ID" => "tenant",
            "AZURE_FEDERATED_TOKEN_FILE" => "/var/run/azure/token",
            "AZURE_AUTHORITY_HOST" => "https://login.microsoftonline.us/",
            "AWS_REGION" => "eu-west-1",
            _ => return None,
        };
        (name != but).then(|| value.into())
    })
}

#[test]
fn an_azure_entry_without_a_secret_has_the_identity_of_its_pod() {
    let ambient = "provider: azure-openai\nauth_type: azure_ad";
    let azure = |entry: &str, environment| {
        let entry = read_in(entry, environment).unwrap().providers.remove(0);
        let Grant::Azure(azure) = &token(&entry).grant else { panic!("Entra") };
        azure.clone()
    };
    let pods = azure(ambient, aks(""));
    let workload = AzureWorkload {
        tenant_id: "tenant".to_owned(),
        client_id: "client".to_owned(),
        token_file: "/var/run/azure/token".into(),
    };
    assert_eq!(pods.workload, Some(workload));
    assert_eq!(pods.authority.as_str(), "https://login.microsoftonline.us/");
    assert_eq!(pods.scopes, ["https://cognitiveservices.azure.us/.default"]);
    assert_eq!(azure(ambient, aks("AZURE_FEDERATED_TOKEN_FILE")).workload, None);
    // What the entry says goes before what the environment says.
    let said = azure(&format!("{ambient}\nazure_ad: {{authority_host: https://login.example.com}}"), aks(""));
    assert_eq!(said.authority.as_str(), "https://login.example.com/");
    let with_secret = azure(AZURE, aks(""));
    assert_eq!(with_secret.workload, None);
    assert_eq!(with_secret.authority.as_str(), "https://login.microsoftonline.com/");
}

#[test]
fn half_of_a_pods_identity_is_a_fault_and_so_is_a_bad_authority_of_it() {
    let ambient = "provider: azure-openai\nauth_type: azure_ad";
    for but in ["AZURE_CLIENT_ID", "AZURE_TENANT_ID"] {
        let (path, what) = faults(ambient, aks(but)).remove(0);
        assert_eq!(path, "providers[0].credential_ref");
        assert!(what.contains("AZURE_FEDERATED_TOKEN_FILE"), "{what}");
    }
    let bad = Environment::from(|name| {
        (name == "AZURE_AUTHORITY_HOST").then(|| "http://login.example.com/?secret-value".into())
    });
    let faults = faults(ambient, bad);
    assert_eq!(faults[0].0, "providers[0].azure_ad.authority_host");
    assert_eq!(faults[0].1, "$AZURE_AUTHORITY_HOST has a query in it");
}

#[test]
fn google_knows_what_the_environment_says_of_aws() {
    let entry = read_in("provider: vertex\nauth_type: oidc", aks("")).unwrap().providers.remove(0);
    let Grant::Google(google) = &token(&entry).grant else { panic!("Google") };
    assert_eq!(google.aws.region.as_deref(), Some("eu-west-1"));
}

#[test]
fn a_provider_takes_the_auth_types_of_the_matrix_and_no_others() {
    for kind in ["openai", "azure-openai", "anthropic", "bedrock", "vertex", "custom-a"] {
        for auth in AuthType::ALL {
            let known = ProviderKind::parse(kind).unwrap().auth_types();
            let needs = match (auth, kind) {
                (AuthType::OAuth2 | AuthType::Oidc, "vertex") => "",
                (AuthType::OAuth2, _) => "\ntoken_endpoint: https://idp.example.com/token",
                (AuthType::Oidc, _) => "\nissuer: https://idp.example.com",
                (AuthType::AzureAd, _) => "\nscopes: [https://a.example/.default]",
                (AuthType::AwsSigV4, "custom-a") => "\naws: {service: execute-api}",
                _ => "",
            };
            let text = format!("provider: {kind}\nauth_type: {auth}\ncredential_ref: a{needs}");
            match read_in(&text, Environment::default()) {
                Ok(config) => assert!(known.contains(&auth) && config.warnings.is_empty(), "{text}"),
                Err(faults) => {
                    assert!(!known.contains(&auth), "{text}: {faults:?}");
                    assert_eq!(faults[0].path, "providers[0].auth_type", "{text}");
                    let allowed = faults[0].allowed.clone().unwrap();
                    assert!(known.iter().all(|auth| allowed.contains(auth.as_str())), "{text}: {allowed}");
                }
            }
        }
    }
}

#[test]
fn refusals_of_a_static_key_are_looked_at_where_the_entry_says_so() {
    let key = "provider: openai\nauth_type: api_key\ncredential_ref: a";
    assert_eq!(read(key).feedback, Feedback::Off);
    assert_eq!(read(&format!("{key}\nfeedback: answer")).feedback, Feedback::Answer);
    // A word of YAML 1.1's booleans stays the word it is.
    assert_eq!(read(&format!("{AZURE}feedback: off")).feedback, Feedback::Off);
}
