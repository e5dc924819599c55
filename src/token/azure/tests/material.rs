//! Which credential a secret is, and what it may not be.

use super::*;

fn fault(fields: &[(&'static str, &str)]) -> Option<SecretFault> {
    let settings = settings(&Url::parse("https://login.microsoftonline.com").unwrap());
    source(&settings, &material(fields), &outward(Arc::new(SystemClock))).err()
}

fn name(fields: &[(&'static str, &str)]) -> &'static str {
    of(&settings(&Url::parse("https://login.microsoftonline.com").unwrap()), fields).name()
}

#[test]
fn the_keys_of_the_secret_say_which_credential_it_is() {
    let pair = pair();
    let app = [("tenant_id", "t"), ("client_id", "app-1")];
    let with = |more: &[(&'static str, &str)]| name(&[&app[..], more].concat());
    assert_eq!(with(&[("client_secret", "s")]), "client_credentials");
    assert_eq!(with(&[("certificate", &pair.certificate), ("private_key", &pair.key)]), "client_certificate");
    assert_eq!(with(&[("federated_token_file", "/var/run/token")]), "workload_identity");
    assert_eq!(name(&[("client_id", "mi-1")]), "managed_identity");
    assert_eq!(name(&[]), "managed_identity");
}

#[test]
fn half_a_credential_is_told_of_and_never_another_identity() {
    let pair = pair();
    let no = |keys| SecretFault::NoKey { name: "sp".to_owned(), keys };
    let several = SecretFault::Several { name: "sp".to_owned(), keys: PROOFS };
    let bad = |key, what| SecretFault::Key { name: "sp".to_owned(), key, what };
    let (tenant, client, secret) = (("tenant_id", "t"), ("client_id", "app-1"), ("client_secret", "canary"));
    let (certificate, key) = (("certificate", pair.certificate.as_str()), ("private_key", pair.key.as_str()));
    for (fields, expected) in [
        (vec![tenant, client], no(PROOFS)),
        (vec![tenant], no(PROOFS)),
        (vec![client, secret], no("tenant_id")),
        (vec![tenant, secret], no("client_id")),
        (vec![tenant, client, certificate], no("private_key")),
        (vec![tenant, client, key], no("certificate")),
        (vec![tenant, client, secret, certificate, key], several.clone()),
        (vec![tenant, client, secret, ("federated_token_file", "/t")], several),
        (vec![tenant, client, ("federated_token_file", "t")], bad("federated_token_file", KeyFault::Path)),
        (
            vec![tenant, client, certificate, ("private_key", "canary")],
            SecretFault::PrivateKey { name: "sp".to_owned() },
        ),
        (
            vec![tenant, client, ("certificate", "canary"), key],
            SecretFault::Certificate { name: "sp".to_owned() },
        ),
        (vec![("tenant_id", "../x"), client, secret], bad("tenant_id", KeyFault::Tenant)),
        (vec![("tenant_id", ".."), client, secret], bad("tenant_id", KeyFault::Tenant)),
        (vec![("tenant_id", "t?x"), client, secret], bad("tenant_id", KeyFault::Tenant)),
        (vec![tenant, ("client_id", "a&b"), secret], bad("client_id", KeyFault::ClientId)),
        (vec![("client_id", "a b")], bad("client_id", KeyFault::ClientId)),
    ] {
        let found = fault(&fields).unwrap();
        assert_eq!(found, expected);
        assert!(!format!("{found} {found:?}").contains("canary"));
    }
}

#[test]
fn a_managed_identity_has_one_resource() {
    let base = Url::parse("https://login.microsoftonline.com").unwrap();
    for scopes in [vec![], vec![SCOPE.to_owned(), "https://ai.azure.com/.default".to_owned()]] {
        let settings = AzureSettings { scopes, ..settings(&base) };
        let fault = source(&settings, &material(&[]), &outward(Arc::new(SystemClock))).unwrap_err();
        assert_eq!(fault, SecretFault::OneScope);
    }
}
