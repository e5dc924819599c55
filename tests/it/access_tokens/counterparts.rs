//! The identity provider and the provider by themselves: whatever fails here is not bouncer's doing.

use serde_json::{Value, json};

use crate::support::{
    Answer, Certificates, Idp, Issuer, Llm, ProviderEnvoy, Request, Version, eventually, send,
};

#[test]
fn the_provider_takes_tokens_of_its_issuer_and_tells_which() {
    let idp = Idp::start();
    idp.add_workload("worker", &workload("a-secret-of-its-own"));
    for version in [Version::Oldest, Version::Newest] {
        let provider = ProviderEnvoy::start(version, &[Llm::with_tokens("llm", &idp)]);
        let token = token(&idp, "client_id=worker&client_secret=a-secret-of-its-own").json();
        let token = token["access_token"].as_str().unwrap();
        let answer = ask(&provider, token);
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("x-token-client").unwrap(), "worker");
        assert_eq!(answer.header("x-token-scope").unwrap(), "llm:read");
        assert!(answer.header("x-token-id").is_some_and(|id| id.len() > 20));
        let seen = provider.origin.take();
        assert_eq!(seen[0].all("authorization"), [format!("Bearer {token}")]);
        assert_eq!(seen[0].all("x-token-sub"), ["worker"]);
        let end: f64 = seen[0].all("x-token-exp")[0].parse().unwrap();
        assert!(end > seen[0].at && end <= seen[0].at + 5.0);

        assert_eq!(ask(&provider, "wrong").status, 401);
        assert_eq!(ask(&provider, &idp.token("alice")).status, 403, "another audience");
        assert_eq!(ask(&provider, &Idp::start().token_for("alice", "llm")).status, 401, "another issuer");
        eventually("the end of a token", || (ask(&provider, token).status == 401).then_some(()));
        assert_eq!(ask(&provider, &idp.token_for("alice", "llm")).status, 200);
    }
}

#[test]
fn the_identity_provider_comes_back_as_it_was() {
    let idp = Idp::start();
    idp.add_workload("worker", &workload("a-secret-of-its-own"));
    let provider = ProviderEnvoy::start(Version::Newest, &[Llm::with_tokens("llm", &idp)]);
    let form = "client_id=worker&client_secret=a-secret-of-its-own";
    token(&idp, form);
    idp.stop();
    idp.start_again();
    let token = token(&idp, form).json();
    assert_eq!(ask(&provider, token["access_token"].as_str().unwrap()).status, 200);
    assert_eq!(idp.tokens_issued("worker"), 2);
    idp.hang();
    idp.go_on();
    assert_eq!(idp.token("alice").split('.').count(), 3);
}

#[test]
fn a_rotation_of_keys_in_three_steps_costs_the_provider_nothing() {
    let idp = Idp::start();
    let provider = ProviderEnvoy::start(Version::Newest, &[Llm::with_tokens("llm", &idp)]);
    let before = idp.token_for("alice", "llm");
    idp.announce_keys();
    let fetched = idp.count("jwks");
    eventually("the new keys at the provider", || (idp.count("jwks") > fetched).then_some(()));
    assert_eq!(kid(&before), kid(&idp.token_for("alice", "llm")));
    idp.sign_with_announced_keys();
    let after = idp.token_for("alice", "llm");
    assert_ne!(kid(&before), kid(&after));
    assert_eq!((ask(&provider, &before).status, ask(&provider, &after).status), (200, 200));
    idp.drop_old_keys();
    eventually("the end of the old keys", || (ask(&provider, &before).status == 401).then_some(()));
    assert_eq!(ask(&provider, &after).status, 200);
}

#[test]
fn the_identity_provider_knows_who_may_exchange_what() {
    let (idp, issuer) = (Idp::start(), Issuer::start());
    idp.trust(&issuer.url(), &format!("{}/jwks", issuer.url()));
    idp.add_workload("worker", &workload("a-secret-of-its-own"));
    let client = "client_id=worker&client_secret=a-secret-of-its-own&scope=llm:read";
    let bearer = |token: &str| {
        let form =
            format!("{client}&grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion={token}");
        post(&idp, &form)
    };
    let exchange = |token: &str| {
        let form = format!(
            "{client}&grant_type=urn:ietf:params:oauth:grant-type:token-exchange&subject_token={token}\
             &subject_token_type=urn:ietf:params:oauth:token-type:jwt"
        );
        post(&idp, &form)
    };
    let own = issuer.token(&json!({"aud": idp.issuer, "sub": "pod"}));
    assert_eq!(claims(bearer(&own).json()["access_token"].as_str().unwrap())["sub"], "pod");
    let exchanged = exchange(&own).json();
    assert_eq!(claims(exchanged["access_token"].as_str().unwrap())["sub"], "pod");
    assert_eq!(exchanged["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token");
    for wrong in [
        issuer.token(&json!({"sub": "pod"})),
        issuer.token(&json!({"aud": idp.issuer, "exp": 1})),
        Issuer::start().token(&json!({"aud": idp.issuer})),
        "x".to_owned(),
    ] {
        assert_eq!(bearer(&wrong).json()["error"], "invalid_grant");
        assert_eq!(exchange(&wrong).json()["error"], "invalid_request");
    }
}

#[test]
fn a_refresh_token_is_taken_once() {
    let idp = Idp::start();
    idp.add_workload("worker", &workload("a-secret-of-its-own"));
    let first = idp.refresh_token("worker", "llm:read");
    let with = |refresh: &str| {
        let form = format!(
            "client_id=worker&client_secret=a-secret-of-its-own&grant_type=refresh_token&refresh_token={refresh}"
        );
        post(&idp, &form).json()
    };
    let second = with(&first);
    assert!(second["access_token"].is_string());
    let second = second["refresh_token"].as_str().unwrap();
    assert_ne!(first, second);
    // Whoever shows it again has stolen it or lost the new one: the whole family is over.
    assert_eq!(with(&first)["error"], "invalid_grant");
    assert_eq!(with(second)["error"], "invalid_grant");
}

#[test]
fn a_client_that_shows_a_certificate_gets_a_token_that_is_bound_to_it() {
    let certificates = Certificates::new();
    certificates.client("worker", &["spiffe://mesh.example/worker"]);
    let idp = Idp::start_with_tls(certificates.path());
    for (id, bound) in [("bound", true), ("free", false)] {
        let metadata = json!({
            "token_endpoint_auth_method": "tls_client_auth",
            "tls_client_auth_san_uri": "spiffe://mesh.example/worker",
            "tls_client_certificate_bound_access_tokens": bound,
        });
        idp.add_workload(
            id,
            &json!({"scope": "llm:read", "resource": "urn:bouncer:llm", "metadata": metadata}),
        );
    }
    let address = idp.tls.as_ref().unwrap().rsplit_once(':').unwrap().1;
    let address = crate::support::local(address.parse().unwrap());
    let ask = |id: &str| {
        let form = format!("grant_type=client_credentials&client_id={id}");
        let request = Request::post("/token", form)
            .header("host", "localhost")
            .header("content-type", "application/x-www-form-urlencoded");
        certificates.connect("worker", address).send(&request).unwrap().json()
    };
    assert!(claims(ask("bound")["access_token"].as_str().unwrap())["cnf"]["x5t#S256"].is_string());
    assert!(claims(ask("free")["access_token"].as_str().unwrap())["cnf"].is_null());
    // Without a certificate there is no token.
    assert_eq!(post(&idp, "grant_type=client_credentials&client_id=free").json()["error"], "invalid_client");
}

fn workload(secret: &str) -> Value {
    json!({
        "ttl": 5, "scope": "llm:read", "resource": "urn:bouncer:llm",
        "metadata": {"client_secret": secret, "token_endpoint_auth_method": "client_secret_post"},
    })
}

fn token(idp: &Idp, client: &str) -> Answer {
    post(idp, &format!("grant_type=client_credentials&scope=llm:read&{client}"))
}

fn post(idp: &Idp, form: &str) -> Answer {
    let request = Request::post("/token", form)
        .header("host", idp.address.to_string())
        .header("content-type", "application/x-www-form-urlencoded");
    send(idp.address, &request)
}

fn ask(provider: &ProviderEnvoy, token: &str) -> Answer {
    let request = Request::post("/v1/chat/completions", "{}").header("host", "x").bearer(token);
    send(provider.address("llm"), &request)
}

fn kid(token: &str) -> Value {
    part(token, 0)["kid"].clone()
}

fn claims(token: &str) -> Value {
    part(token, 1)
}

fn part(token: &str, n: usize) -> Value {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
}
