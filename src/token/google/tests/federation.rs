//! Workload identity federation, leg by leg.

use super::*;
use crate::token::stub::Seen;

pub(super) const AUDIENCE: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x";
const IAM: &str = "/v1/projects/-/serviceAccounts/sa@p.iam.gserviceaccount.com:generateAccessToken";

pub(super) fn file(server: &Stub, source: Value) -> Value {
    json!({"type": "external_account", "audience": AUDIENCE, "token_url": server.at("v1/token").as_str(),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source})
}

/// With a service account on top.
pub(super) fn impersonating(server: &Stub, source: Value, lifetime: u64) -> String {
    let mut file = file(server, source);
    file["service_account_impersonation_url"] = json!(server.at(IAM).as_str());
    file["service_account_impersonation"] = json!({"token_lifetime_seconds": lifetime});
    file.to_string()
}

/// Both services of Google: what was federated counts up, and is good for an impersonation if `is_good` says so.
pub(super) fn google(
    expires_in: u64,
    expire_time: &'static str,
    is_good: impl Fn(&str) -> bool + Send + Sync + 'static,
) -> impl Fn(&Seen) -> Reply + Send + Sync {
    let count = std::sync::atomic::AtomicU32::new(0);
    move |seen| match seen.path.as_str() {
        "/v1/token" => {
            let number = 1 + count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            success(&format!("federated-canary-{number}"), expires_in)
        }
        IAM => {
            let bearer = seen.header("authorization").unwrap().strip_prefix("Bearer ").unwrap();
            if is_good(bearer) {
                Reply::Json(200, json!({"accessToken": TOKEN, "expireTime": expire_time}))
            } else {
                let error = json!({"code": 401, "message": "no", "status": "UNAUTHENTICATED"});
                Reply::Json(401, json!({"error": error}))
            }
        }
        _ => Reply::Json(404, json!({})),
    }
}

fn paths(server: &Stub) -> Vec<String> {
    server.seen().into_iter().map(|seen| seen.path).collect()
}

#[tokio::test]
async fn a_token_of_a_file_is_exchanged_for_one_of_google_s() {
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = folder.path().join("token");
    let file = file(&server, json!({"file": path})).to_string();
    let source = of(&settings(&server.url), &clock, &[("external_account.json", &file)]);
    for content in ["subject-1\n", "subject-2"] {
        std::fs::write(&path, content).unwrap();
        let token = obtain(&source).await.0.unwrap();
        assert_eq!(
            (token.bearer().unwrap().expose().as_str(), token.left(clock.now()).as_secs()),
            (TOKEN, 3_600)
        );
        let form = server.last().form();
        let expected = [
            ("audience", AUDIENCE),
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("requested_token_type", "urn:ietf:params:oauth:token-type:access_token"),
            ("scope", SCOPE),
            ("subject_token", content.trim()),
            ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ];
        assert!(form.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(expected), "{form:?}");
    }
    assert_eq!((source.name(), server.seen().len()), ("workload_identity_federation", 2));
}

#[tokio::test]
async fn a_token_of_a_url_is_taken_out_of_its_json() {
    let server = Stub::start(|seen| match seen.path.as_str() {
        "/subject" => Reply::Json(200, json!({"access_token": "subject-canary", "x": 1})),
        _ => success(TOKEN, 3_600),
    })
    .await;
    let url = json!({"url": server.at("subject?a=b").as_str(), "headers": {"Metadata": "True"},
        "format": {"type": "json", "subject_token_field_name": "access_token"}});
    let file = file(&server, url).to_string();
    let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
    let (token, legs) = obtain(&source).await;
    token.unwrap();
    let seen = server.seen();
    assert_eq!((seen[0].header("metadata"), seen[0].query["a"].as_str()), (Some("True"), "b"));
    assert_eq!(seen[1].form()["subject_token"], "subject-canary");
    assert_eq!(legs.iter().map(|leg| leg.name).collect::<Vec<_>>(), [SUBJECT, STS]);
    server.answers(|_| Reply::Json(200, json!({"token": "x"})));
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!((error.leg, error.kind), (SUBJECT, AnswerFault::NoSubject.into()));
}

#[tokio::test]
async fn a_service_account_is_impersonated_with_what_was_federated() {
    // An hour after NOW; the file asks for ten minutes.
    let server = Stub::start(google(3_600, "2027-01-15T09:00:00Z", |_| true)).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-1").unwrap();
    let file = impersonating(&server, json!({"file": path}), 600);
    let source = of(&settings(&server.url), &clock, &[("external_account.json", &file)]);
    let (token, legs) = obtain(&source).await;
    let token = token.unwrap();
    assert_eq!(token.bearer().unwrap().expose(), TOKEN);
    let left = token.left(clock.now()).as_secs();
    assert_eq!(left, 600, "where our clock is behind theirs, what was asked for is the most");
    let seen = server.seen();
    assert_eq!(seen[0].form()["scope"], "https://www.googleapis.com/auth/cloud-platform");
    assert_eq!(seen[1].header("content-type"), Some("application/json"));
    assert_eq!(
        serde_json::from_str::<Value>(&seen[1].body).unwrap(),
        json!({"scope": [SCOPE], "lifetime": "600s"})
    );
    assert_eq!(seen[1].header("authorization"), Some("Bearer federated-canary-1"));
    let legs: Vec<_> = legs.iter().map(|leg| (leg.name, leg.lives.map(|lives| lives.as_secs()))).collect();
    assert_eq!(legs, [(STS, Some(3_600)), (IMPERSONATION, Some(600))], "each leg has its own end");
}

#[tokio::test]
async fn what_was_federated_is_used_again_while_it_lives_well() {
    let server = Stub::start(google(100, "2027-01-15T08:10:00Z", |_| true)).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-1").unwrap();
    let file = impersonating(&server, json!({"file": path}), 600);
    let source = of(&settings(&server.url), &clock, &[("external_account.json", &file)]);
    let mut bearers = Vec::new();
    for _ in 0..5 {
        obtain(&source).await.0.unwrap();
        bearers.push(server.last().header("authorization").unwrap().replace("Bearer federated-canary-", ""));
        clock.advance(Duration::from_secs(30));
    }
    assert_eq!(bearers, ["1", "1", "2", "2", "3"]);
    assert_eq!(paths(&server).iter().filter(|path| *path == "/v1/token").count(), 3);
}

#[tokio::test]
async fn what_was_federated_and_is_refused_is_replaced_once() {
    let server = Stub::start(google(3_600, "2027-01-15T09:00:00Z", |_| true)).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-1").unwrap();
    let file = impersonating(&server, json!({"file": path}), 600);
    let source = of(&settings(&server.url), &clock, &[("external_account.json", &file)]);
    obtain(&source).await.0.unwrap();
    // From now on the first one is revoked.
    let again = google(3_600, "2027-01-15T09:00:00Z", |bearer| bearer.ends_with("-2"));
    let skipped = std::sync::atomic::AtomicBool::new(false);
    server.answers(move |seen| {
        if seen.path == "/v1/token" && !skipped.swap(true, std::sync::atomic::Ordering::Relaxed) {
            let _the_first = again(seen);
        }
        again(seen)
    });
    let (token, legs) = obtain(&source).await;
    token.unwrap();
    let legs: Vec<_> = legs.iter().map(|leg| (leg.name, leg.succeeded)).collect();
    assert_eq!(legs, [(IMPERSONATION, false), (STS, true), (IMPERSONATION, true)]);
    // All of them are: one more is tried, not a row of them.
    server.answers(google(3_600, "2027-01-15T09:00:00Z", |_| false));
    let (token, legs) = obtain(&source).await;
    assert_eq!(token.unwrap_err().status(), Some(401));
    assert_eq!(legs.iter().count(), 3);
}

#[tokio::test]
async fn a_date_that_is_none_or_is_over_is_not_used() {
    let server = Stub::start(|_| success(TOKEN, 3_600)).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), clock());
    let path = folder.path().join("token");
    std::fs::write(&path, "subject-1").unwrap();
    let file = impersonating(&server, json!({"file": path}), 600);
    let source = of(&settings(&server.url), &clock, &[("external_account.json", &file)]);
    for (date, fault) in [
        ("2027-01-15T08:00:00Z", AnswerFault::Over),
        ("2020-01-01T00:00:00Z", AnswerFault::Over),
        ("soon", AnswerFault::Life),
        ("", AnswerFault::Life),
        ("2027-01-15", AnswerFault::Life),
    ] {
        server.answers(google(3_600, date, |_| true));
        let (token, legs) = obtain(&source).await;
        let error = token.unwrap_err();
        assert_eq!((error.leg, &error.kind), (IMPERSONATION, &fault.into()), "{date}");
        assert!(!legs.iter().last().unwrap().succeeded);
        assert_eq!(error.hint().is_some(), fault == AnswerFault::Over);
    }
}
