//! The line from end to end, without a wire: what each kind of request comes to.

use std::sync::Arc;

use super::*;
use crate::base::{Clock as _, FingerprintKey, ManualClock, Secret};
use crate::cache::Handle;
use crate::config::OnNoProvider;
use crate::credential::{ApiKey, AwsKeys, Signer};
use crate::identity::testing::{ISSUER, NOW, issuer, key_set, p256};
use crate::identity::{Algorithm, Callers, CallersSettings, CertificateSource, MtlsSettings, TrustDomain};
use crate::pipeline::Code;
use crate::policy::MfaRule;
use crate::provider::{AuthType, Catalog, Glob, Match, ProviderKind};
use crate::request::{EnvoyFacts, Headers, PeerFacts, RequestError};
use crate::token::{Slot, Store, Unavailable};

const KEY: &str = "sk-the-providers-own";

/// Two providers: `chat` for everybody, `chat-mfa` with MFA; a certificate of `mesh` is a workload.
fn snapshot(on_no_provider: OnNoProvider, path_prefix: Option<&str>) -> Snapshot {
    let provider = |name: &str, mfa: Option<MfaRule>| Provider {
        name: Arc::from(name),
        kind: ProviderKind::OpenAi,
        auth: AuthType::ApiKey,
        mfa,
        matches: Match { cluster: vec![Glob::new(name).unwrap()], ..Match::default() },
    };
    let rule = MfaRule { amr: vec!["mfa".into()], acr_values: vec![], max_age: None };
    let mut providers = vec![provider("chat", None), provider("chat-mfa", Some(rule))];
    providers[0].matches.path_prefix.extend(path_prefix.map(str::to_owned));
    let callers = Callers::new(CallersSettings {
        jwt: vec![issuer()],
        mtls: Some(MtlsSettings {
            from: CertificateSource::Attributes,
            trust_domains: vec![TrustDomain::parse("mesh").unwrap()],
        }),
        max_token: 16 << 10,
        verified_tokens: 100,
    });
    let jwk = format!(r#"{},"kid":"k1""#, p256().material());
    callers.issuers()[0].keys.store(Some(Arc::new(key_set(&[jwk]))));
    let handles = providers.iter().map(|provider| {
        let handle = Handle::default();
        let key =
            ApiKey { key: Secret::new(KEY.to_owned()), organization: None, project: None, expires_at: None };
        put(&handle, &key, provider.kind);
        Slot::Fixed(Arc::new(handle))
    });
    Snapshot {
        generation: 1,
        tokens: Store::new(handles.collect::<Vec<_>>(), fingerprints()),
        feedback: Box::default(),
        catalog: Catalog::new(providers).unwrap(),
        credential_headers: callers.token_headers().to_vec(),
        callers: Arc::new(callers),
        clocks: Arc::default(),
        max_body: 16 << 20,
        on_no_provider,
    }
}

/// A request to be made: what differs from case to case.
#[derive(Clone, Copy)]
struct Asked<'a> {
    cluster: Option<&'a str>,
    path: &'a str,
    lines: &'a [(&'a str, &'a str)],
    spiffe: Option<&'a str>,
    upstream: bool,
    half: Half,
}

const ASKED: Asked<'static> = Asked {
    cluster: Some("chat"),
    path: "/v1/chat/completions",
    lines: &[],
    spiffe: None,
    upstream: false,
    half: Half::Whole,
};

fn now(unix: UnixTime) -> Now {
    ManualClock::at(unix).now()
}

fn fingerprints() -> FingerprintKey {
    FingerprintKey::new(&Secret::new(b"a key of tests".to_vec()))
}

fn put(handle: &Handle<Credential>, key: &ApiKey, kind: ProviderKind) {
    let credential = key.credential(kind, &kind.api_key_placement()).unwrap();
    let id = credential.fingerprint(&fingerprints());
    handle.put(Held::new(credential, id, None));
}

fn view(asked: Asked<'_>) -> RequestView<'_> {
    let pseudo = [(":method", "POST"), (":authority", "llm.example"), (":path", asked.path)];
    let headers: Headers<'_> =
        pseudo.iter().chain(asked.lines).map(|(name, value)| (*name, value.as_bytes())).collect();
    let peer = PeerFacts { mtls: asked.spiffe.map(|_| true), uri_san: asked.spiffe, ..PeerFacts::default() };
    let envoy =
        EnvoyFacts { cluster: asked.cluster, peer, upstream: asked.upstream, ..EnvoyFacts::default() };
    RequestView::new(headers, envoy, asked.half).unwrap()
}

fn bearer(amr: &str, kid: &str) -> String {
    let header = format!(r#"{{"alg":"ES256","kid":"{kid}"}}"#);
    let claims = format!(
        r#"{{"iss":"{ISSUER}","aud":"llm-gateway","sub":"alice","exp":{},"amr":{amr}}}"#,
        NOW.0 + 600
    );
    format!("Bearer {}", p256().token(Algorithm::Es256, &header, &claims))
}

#[track_caller]
fn attached(outcome: Result<Outcome<'_>, Wait>) {
    let Ok(Outcome::Attach { mutation, .. }) = outcome else { panic!("{outcome:?}") };
    let set: Vec<_> = mutation.set.iter().map(|line| (&*line.name, line.value.wire())).collect();
    assert_eq!(set, [(b"authorization".as_slice(), format!("Bearer {KEY}").as_bytes())]);
}

#[track_caller]
fn refused(outcome: Result<Outcome<'_>, Wait>, cause: impl Into<Cause>) {
    let Ok(Outcome::Refuse(refusal)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.cause, cause.into());
}

#[test]
fn a_known_caller_gets_the_key_and_loses_the_token() {
    let (snapshot, token) = (snapshot(OnNoProvider::Deny, None), bearer("[]", "k1"));
    let lines = [("authorization", token.as_str()), ("X_Api_Key", "mine"), ("user-agent", "curl")];
    let view = view(Asked { lines: &lines, ..ASKED });
    let outcome = run(&snapshot, &view, now(NOW), Patience::Fresh);
    let Ok(Outcome::Attach { mutation, .. }) = &outcome else { panic!("{outcome:?}") };
    assert!(
        mutation.remove.contains(&b"X_Api_Key".as_slice())
            && !mutation.remove.contains(&b"user-agent".as_slice())
    );
    attached(outcome);
}

#[test]
fn nobody_gets_nothing() {
    let snapshot = snapshot(OnNoProvider::Deny, None);
    refused(run(&snapshot, &view(ASKED), now(NOW), Patience::Fresh), IdentityError::Missing);
}

#[test]
fn mfa_is_asked_of_people_and_never_of_workloads() {
    let snapshot = snapshot(OnNoProvider::Deny, None);
    let (weak, strong) = (bearer(r#"["pwd"]"#, "k1"), bearer(r#"["mfa"]"#, "k1"));
    let asked = Asked { cluster: Some("chat-mfa"), ..ASKED };
    let lines = [("authorization", weak.as_str())];
    let asked_weakly = view(Asked { lines: &lines, ..asked });
    let Ok(Outcome::Refuse(refusal)) = run(&snapshot, &asked_weakly, now(NOW), Patience::Fresh) else {
        panic!()
    };
    assert_eq!(refusal.cause.code(), Code::InsufficientUserAuthentication);
    assert!(refusal.www_authenticate().unwrap().contains("insufficient_user_authentication"));
    let lines = [("authorization", strong.as_str())];
    attached(run(&snapshot, &view(Asked { lines: &lines, ..asked }), now(NOW), Patience::Fresh));
    let workload = view(Asked { spiffe: Some("spiffe://mesh/app"), ..asked });
    let Ok(Outcome::Refuse(refusal)) = run(&snapshot, &workload, now(NOW), Patience::Fresh) else { panic!() };
    assert_eq!((refusal.cause.code(), refusal.www_authenticate()), (Code::MfaNotPossible, None));
}

#[test]
fn a_retry_in_a_single_upstream_filter_serves_certificates_only() {
    let snapshot = snapshot(OnNoProvider::Deny, None);
    let own = format!("Bearer {KEY}");
    let lines = [("authorization", own.as_str())];
    let retry = Asked { lines: &lines, upstream: true, ..ASKED };
    refused(run(&snapshot, &view(retry), now(NOW), Patience::Fresh), Cause::RetryWithoutFacts);
    let workload = view(Asked { spiffe: Some("spiffe://mesh/app"), ..retry });
    attached(run(&snapshot, &workload, now(NOW), Patience::Fresh));
}

#[test]
fn our_own_token_on_a_retry_is_never_taken_for_the_callers() {
    // A provider may trust the very issuer that callers come from: what we attached would then verify.
    let (snapshot, token) = (snapshot(OnNoProvider::Deny, None), bearer("[]", "k1"));
    let key = ApiKey {
        key: Secret::new(token.trim_start_matches("Bearer ").to_owned()),
        organization: None,
        project: None,
        expires_at: None,
    };
    let kind = ProviderKind::OpenAi;
    put(snapshot.tokens.slot(0).unwrap().handle(), &key, kind);
    let lines = [("authorization", token.as_str())];
    let retry = view(Asked { lines: &lines, upstream: true, ..ASKED });
    refused(run(&snapshot, &retry, now(NOW), Patience::Fresh), Cause::RetryWithoutFacts);
}

#[test]
fn after_a_failover_the_first_providers_key_is_known_too() {
    let snapshot = snapshot(OnNoProvider::Deny, None);
    let kind = ProviderKind::OpenAi;
    // The second would even verify.
    for authorization in ["Bearer sk-another".to_owned(), bearer(r#"["mfa"]"#, "k1")] {
        let other = ApiKey {
            key: Secret::new(authorization.trim_start_matches("Bearer ").to_owned()),
            organization: None,
            project: None,
            expires_at: None,
        };
        put(snapshot.tokens.slot(1).unwrap().handle(), &other, kind);
        let lines = [("authorization", authorization.as_str())];
        let retry = view(Asked { lines: &lines, upstream: true, ..ASKED });
        refused(run(&snapshot, &retry, now(NOW), Patience::Fresh), Cause::RetryWithoutFacts);
        // It may be renewed between the two attempts.
        let newer = ApiKey { key: Secret::new("sk-newer".to_owned()), ..other };
        put(snapshot.tokens.slot(1).unwrap().handle(), &newer, kind);
        refused(run(&snapshot, &retry, now(NOW), Patience::Fresh), Cause::RetryWithoutFacts);
    }
}

#[test]
fn a_caller_who_knows_the_key_is_still_nobody() {
    let snapshot = snapshot(OnNoProvider::Deny, None);
    let own = format!("Bearer {KEY}");
    let lines = [("authorization", own.as_str())];
    let outcome = run(&snapshot, &view(Asked { lines: &lines, ..ASKED }), now(NOW), Patience::Fresh);
    let Ok(Outcome::Refuse(refusal)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(refusal.cause.code(), Code::InvalidToken);
}

#[test]
fn the_halves_together_decide_as_the_whole() {
    let (snapshot, token) = (snapshot(OnNoProvider::Deny, None), bearer("[]", "k1"));
    let lines = [("authorization", token.as_str())];
    let asked = view(Asked { lines: &lines, half: Half::Downstream, cluster: None, ..ASKED });
    let outcome = run(&snapshot, &asked, now(NOW), Patience::Fresh);
    let Ok(Outcome::Verified { facts, mutation }) = outcome else { panic!("{outcome:?}") };
    assert_eq!(mutation.remove.as_slice(), [b"authorization"]);
    assert!(mutation.set.is_empty());

    // The attempt shows nothing of the caller's; a header cannot stand in for the facts.
    let mut attempt = view(Asked { lines: &lines, half: Half::Upstream, upstream: true, ..ASKED });
    refused(run(&snapshot, &attempt, now(NOW), Patience::Fresh), IdentityError::NoFacts);
    attempt.envoy.verified = Some(facts);
    attached(run(&snapshot, &attempt, now(NOW), Patience::Fresh));
    let late = UnixTime(NOW.0 + 3_600);
    refused(run(&snapshot, &attempt, now(late), Patience::Fresh), IdentityError::StaleFacts);
}

#[test]
fn keys_that_may_come_are_waited_for_once() {
    let (snapshot, token) = (snapshot(OnNoProvider::Deny, None), bearer("[]", "k2"));
    let lines = [("authorization", token.as_str())];
    let view = view(Asked { lines: &lines, ..ASKED });
    assert!(matches!(run(&snapshot, &view, now(NOW), Patience::Fresh), Err(Wait::KeySet { issuer: 0 })));
    refused(run(&snapshot, &view, now(NOW), Patience::Keys), IdentityError::UnknownKey { issuer: 0 });
    snapshot.callers.issuers()[0].keys.store(None);
    refused(run(&snapshot, &view, now(NOW), Patience::Spent), IdentityError::NoKeySet { issuer: 0 });
}

#[test]
fn who_finds_too_many_waiting_is_refused_and_whoever_need_not_wait_is_served() {
    let warm = snapshot(OnNoProvider::Deny, None);
    let mut cold = snapshot(OnNoProvider::Deny, None);
    cold.tokens = Store::new([Slot::Fixed(Arc::default())], fingerprints());
    let (known, unknown) = (bearer("[]", "k1"), bearer("[]", "k2"));
    let (known, unknown) = ([("authorization", known.as_str())], [("authorization", unknown.as_str())]);
    let (known, unknown) = (view(Asked { lines: &known, ..ASKED }), view(Asked { lines: &unknown, ..ASKED }));
    attached(run(&warm, &known, now(NOW), Patience::Crowded));
    refused(run(&warm, &unknown, now(NOW), Patience::Crowded), Cause::Crowded);
    refused(run(&cold, &known, now(NOW), Patience::Crowded), Cause::Crowded);
    assert_eq!((Cause::Crowded.code(), Cause::Crowded.code().status()), (Code::Overloaded, 503));
}

#[test]
fn nobodys_requests_are_denied_or_left_alone_as_configured() {
    let asked = Asked { cluster: Some("elsewhere"), ..ASKED };
    let deny = snapshot(OnNoProvider::Deny, None);
    refused(run(&deny, &view(asked), now(NOW), Patience::Fresh), Cause::NoProvider);
    let pass = snapshot(OnNoProvider::Pass, None);
    assert!(matches!(run(&pass, &view(asked), now(NOW), Patience::Fresh), Ok(Outcome::Pass)));
}

#[test]
fn a_path_with_two_readings_passes_only_where_no_path_is_read() {
    let ambiguous = RequestError::Path(crate::request::PathError::Segment);
    let asked = Asked { cluster: Some("elsewhere"), path: "//v1/chat", ..ASKED };
    let pass = snapshot(OnNoProvider::Pass, None);
    assert!(matches!(run(&pass, &view(asked), now(NOW), Patience::Fresh), Ok(Outcome::Pass)));
    let reads_paths = snapshot(OnNoProvider::Pass, Some("/v1/"));
    refused(run(&reads_paths, &view(asked), now(NOW), Patience::Fresh), ambiguous);
    let ours = Asked { cluster: Some("chat"), ..asked };
    refused(run(&pass, &view(ours), now(NOW), Patience::Fresh), ambiguous);
}

#[test]
fn an_escaped_slash_is_taken_by_those_whose_paths_have_one() {
    let token = bearer("[]", "k1");
    let lines = [("authorization", token.as_str())];
    let asked = Asked { path: "/model/arn%2Fx/converse", lines: &lines, ..ASKED };
    let refusal = RequestError::Path(crate::request::PathError::Slash);
    let with = |kind, auth| {
        let mut snapshot = snapshot(OnNoProvider::Deny, None);
        let mut providers = snapshot.catalog.providers().to_vec();
        (providers[0].kind, providers[0].auth) = (kind, auth);
        snapshot.catalog = Catalog::new(providers).unwrap();
        snapshot
    };
    for (kind, auth, taken) in [
        (ProviderKind::OpenAi, AuthType::ApiKey, false),
        (ProviderKind::Custom, AuthType::OAuth2, false),
        (ProviderKind::Custom, AuthType::AwsSigV4, true),
        (ProviderKind::Bedrock, AuthType::ApiKey, true),
    ] {
        let snapshot = with(kind, auth);
        let view = view(asked);
        let outcome = run(&snapshot, &view, now(NOW), Patience::Fresh);
        if taken { attached(outcome) } else { refused(outcome, refusal) }
    }
    // The downstream half does not know yet whose it is; nobody's with a prefix in the game it is not.
    let elsewhere = Asked { cluster: None, ..asked };
    let deny = snapshot(OnNoProvider::Deny, None);
    let downstream = view(Asked { half: Half::Downstream, ..elsewhere });
    assert!(matches!(run(&deny, &downstream, now(NOW), Patience::Fresh), Ok(Outcome::Verified { .. })));
    refused(run(&deny, &view(elsewhere), now(NOW), Patience::Fresh), Cause::NoProvider);
    let reads_paths = snapshot(OnNoProvider::Pass, Some("/v1/"));
    refused(run(&reads_paths, &view(elsewhere), now(NOW), Patience::Fresh), refusal);
}

#[test]
fn a_signature_on_a_retry_is_ours_and_never_passes_as_nobodys() {
    let mut snapshot = snapshot(OnNoProvider::Pass, None);
    let keys = AwsKeys {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: Secret::new("s".to_owned()),
        session_token: None,
    };
    let signer = Signer::new(keys, None, Arc::default());
    let signing = Handle::default();
    let credential = Credential::Signer(Box::new(signer));
    let id = credential.fingerprint(&fingerprints());
    signing.put(Held::new(credential, id, None));
    snapshot.tokens =
        Store::new([Slot::Fixed(Arc::new(signing)), Slot::Fixed(Arc::default())], fingerprints());
    let signature = |id: &str| {
        format!(
            "AWS4-HMAC-SHA256 Credential={id}/20260101/us-east-1/bedrock/aws4_request, SignedHeaders=host, Signature=0"
        )
    };
    let (own, other) = (signature("AKIDEXAMPLE"), signature("AKIDOTHER"));
    // Keys are renewed between two attempts: the id of the earlier ones may be known no more.
    for authorization in [&own, &other] {
        let lines = [("authorization", authorization.as_str())];
        let retry = Asked { lines: &lines, upstream: true, ..ASKED };
        refused(run(&snapshot, &view(retry), now(NOW), Patience::Fresh), Cause::RetryWithoutFacts);
        let workload = view(Asked { spiffe: Some("spiffe://mesh/app"), ..retry });
        let outcome = run(&snapshot, &workload, now(NOW), Patience::Fresh);
        assert!(
            !matches!(&outcome, Ok(Outcome::Refuse(refusal)) if refusal.cause == Cause::RetryWithoutFacts)
        );
    }
    let nobodys = |authorization: &str| {
        let lines = [("authorization", authorization)];
        let view = view(Asked { lines: &lines, cluster: Some("elsewhere"), ..ASKED });
        matches!(run(&snapshot, &view, now(NOW), Patience::Fresh), Ok(Outcome::Pass))
    };
    assert!(!nobodys(&own) && nobodys(&other));
}

#[test]
fn without_a_usable_credential_nothing_passes() {
    let (mut snapshot, token) = (snapshot(OnNoProvider::Deny, None), bearer("[]", "k1"));
    snapshot.tokens = Store::new([Slot::Fixed(Arc::default()), Slot::Fixed(Arc::default())], fingerprints());
    let lines = [("authorization", token.as_str())];
    let view = view(Asked { lines: &lines, ..ASKED });
    refused(run(&snapshot, &view, now(NOW), Patience::Fresh), Unavailable::Never);
}
