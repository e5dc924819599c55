//! Every way in which a client shows itself to a real identity provider.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::{Certificates, Idp, TokenEndpoint, TokenSetup, TokenWorld, eventually, workload};

#[test]
fn secrets_of_any_spelling_arrive_as_they_are() {
    // RFC 6749 appendix A: whatever is printable in ASCII. oidc-provider takes no more.
    let id = "id:with %+&=?#/ in it";
    for (auth, method) in [("basic", "client_secret_basic"), ("post", "client_secret_post")] {
        let mut setup = TokenSetup::new();
        let secret = format!(":%+ &=\"'<>\\~{}%41", setup.new_secret());
        setup.secrets.add(&secret);
        setup.idp.add_workload(id, &workload(600, &secret, method));
        setup.files.write_secret("odd", "client_id", id);
        setup.files.write_secret("odd", "client_secret", &format!("{secret}\n"));
        setup.entries.push(entry("odd", &setup.idp, json!({"client_auth": auth})));
        let world = setup.start();
        assert_eq!(world.ask("odd").header("x-token-client").unwrap(), id);
        assert_eq!(shown(&world, id), [method]);
    }
}

/// Appendix B: form-encoded, then base64. What lies beyond ASCII is UTF-8 first.
#[test]
fn what_is_not_ascii_arrives_form_encoded() {
    let endpoint = TokenEndpoint::start();
    let mut setup = TokenSetup::new();
    setup.files.write_secret("odd", "client_id", "é:%+ &=");
    setup.files.write_secret("odd", "client_secret", "sécret:%+ &=");
    setup.secrets.add("sécret:%+ &=");
    setup.secrets.add("s%C3%A9cret");
    setup.entries.push(json!({
        "name": "odd", "provider": "custom", "auth_type": "oauth2", "credential_ref": "odd",
        "token_endpoint": endpoint.url(), "refresh_policy": "proactive",
    }));
    let _world = setup.start();
    eventually("an exchange", || (endpoint.exchanges() > 0).then_some(()));
    let shown = endpoint.clients().concat();
    let shown = STANDARD.decode(shown.strip_prefix("Basic ").unwrap()).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert_eq!(shown, "%C3%A9%3A%25%2B+%26%3D:s%C3%A9cret%3A%25%2B+%26%3D");
}

#[test]
fn a_client_signs_with_its_own_key() {
    let mut setup = TokenSetup::new();
    for key in ["RS256", "ES256"] {
        let name = key.to_lowercase();
        let key = setup.idp.add_workload(&name, &keyed(key)).unwrap();
        key.lines().filter(|line| !line.starts_with("---")).for_each(|line| setup.secrets.add(line));
        setup.files.write_secret(&name, "client_id", &name);
        setup.files.write_secret(&name, "private_key", &key);
        // What the secret holds says how.
        setup.entries.push(entry(&name, &setup.idp, json!({})));
    }
    let world = setup.start();
    for name in ["rs256", "es256"] {
        assert_eq!(world.ask(name).header("x-token-client").unwrap(), name);
        assert_eq!(shown(&world, name), ["private_key_jwt"]);
    }
}

#[test]
fn a_client_shows_its_certificate_and_a_token_that_is_bound_to_it_is_refused_with_a_sentence() {
    let certificates = Certificates::new();
    certificates.client("worker", &["spiffe://mesh.example/worker"]);
    let mut setup = TokenSetup::of(Idp::start_with_tls(certificates.path()));
    for (name, bound) in [("free", false), ("bound", true)] {
        let metadata = json!({
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_uri": "spiffe://mesh.example/worker",
            "tls_client_certificate_bound_access_tokens": bound,
        });
        let client = json!({"scope": "llm:read", "resource": "urn:bouncer:llm", "metadata": metadata});
        setup.idp.add_workload(name, &client);
        setup.files.write_secret(name, "client_id", name);
        let folder = certificates.path();
        setup.entries.push(json!({
            "name": name, "provider": "custom", "auth_type": "oauth2", "credential_ref": name,
            "token_endpoint": format!("{}/token", setup.idp.tls.as_ref().unwrap()),
            "client_auth": "tls_client_auth", "scopes": ["llm:read"],
            "tls": {
                "ca": folder.join("ca.pem"), "certificate": folder.join("worker.pem"),
                "private_key": folder.join("worker.key"),
            },
        }));
    }
    let world = setup.start();
    assert_eq!(world.ask("free").header("x-token-client").unwrap(), "free");
    assert_eq!(shown(&world, "free"), ["tls_client_auth"]);

    assert_eq!(world.ask("bound").status, 503);
    let sentence = "the token is bound to our certificate (cnf)";
    eventually("the sentence", || world.bouncer.process.text().contains(sentence).then_some(()));
    let failure = eventually("its record", || world.failures("bound").first().cloned());
    assert_eq!(failure["error"], "unusable_answer");
    assert!(world.seen().iter().all(|seen| seen.llm == "free"));
}

fn entry(name: &str, idp: &Idp, changes: Value) -> Value {
    let mut entry = json!({
        "name": name, "provider": "custom", "auth_type": "oidc", "credential_ref": name,
        "issuer": idp.issuer, "scopes": ["llm:read"],
    });
    for (key, value) in changes.as_object().unwrap() {
        entry[key] = value.clone();
    }
    entry
}

fn keyed(key: &str) -> Value {
    json!({
        "key": key, "ttl": 600, "scope": "llm:read", "resource": "urn:bouncer:llm",
        "metadata": {"token_endpoint_auth_method": "private_key_jwt"},
    })
}

/// How the client showed itself at each exchange.
fn shown(world: &TokenWorld, client: &str) -> Vec<String> {
    world.idp.exchanges(client).into_iter().map(|one| one.auth).collect()
}
