//! Each way in which a machine has an identity, with an environment and files of the test's own.

use std::collections::HashMap;
use std::sync::Arc;

use aws_types::os_shim_internal::{Env, Fs};
use serde_json::json;

use super::*;
use crate::token::SourceErrorKind;
use crate::token::aws::testing::{
    self, FakeSts, NOW, ROLE_A, ROLE_B, USER_ID, USER_KEY, clock, keys, outward,
};
use crate::token::aws::{CONTAINER, INSTANCE, STS};
use crate::token::stub::{Log, Reply, Seen, Stub, obtain};

/// Nothing is asked of this machine's own metadata service, whatever there is.
const OFF: (&str, &str) = ("AWS_EC2_METADATA_DISABLED", "true");

fn ambient(
    sts: Option<&FakeSts>,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Arc<dyn TokenSource> {
    let settings = AwsSettings {
        name: "bedrock-prod".to_owned(),
        signing: Default::default(),
        sts_endpoint: sts.map(|sts| sts.stub.url.clone()),
        roles: Vec::new(),
        web_identity: None,
    };
    let mut all: HashMap<_, _> =
        [("HOME", "/nowhere")].into_iter().chain(variables.iter().copied()).collect();
    all.entry("AWS_REGION").or_insert(testing::REGION);
    let env =
        all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect::<HashMap<_, _>>();
    let machine = Machine { fakes: Some((Env::from(env), Fs::from_slice(files))) };
    Arc::new(Ambient::new(&settings, None, None, &outward(&clock())).on(machine))
}

/// The keys, and in how many seconds they end by the calendar.
fn found(token: Result<Token, SourceError>) -> (AwsKeys, Option<u64>) {
    let token = token.unwrap();
    let left = token.expiry.map(|expiry| expiry.unix().since(NOW).as_secs());
    let TokenValue::Keys { keys, .. } = token.value else { panic!("keys") };
    (keys, left)
}

fn fault(source: Result<Token, SourceError>) -> SourceErrorKind {
    source.unwrap_err().kind
}

/// What both services say of a role's keys.
fn role_keys(end: UnixTime) -> Reply {
    let keys = json!({"Code": "Success", "AccessKeyId": "ASIA1", "SecretAccessKey": "secret-1", "Token": "session-1",
        "Expiration": end.rfc3339()});
    Reply::Json(200, keys)
}

#[tokio::test]
async fn keys_of_the_environment_do_not_end() {
    let variables = [("AWS_ACCESS_KEY_ID", USER_ID), ("AWS_SECRET_ACCESS_KEY", USER_KEY), OFF];
    let (token, legs) = obtain(&ambient(None, &variables, &[])).await;
    assert_eq!((found(token), legs.iter().count()), ((keys(USER_ID, USER_KEY, None), None), 0));
}

#[tokio::test]
async fn keys_of_a_profile_are_read_and_temporary_ones_are_read_again_later() {
    let own = "[default]\naws_access_key_id = AKIA0\naws_secret_access_key = other\n[prod]\naws_access_key_id = \
               AKIDEXAMPLE\naws_secret_access_key = prod-key\naws_session_token = prod-session\n";
    let files = [("/etc/aws/credentials", own)];
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", "/etc/aws/credentials"), OFF];
    assert_eq!(
        found(obtain(&ambient(None, &variables, &files)).await.0),
        (keys("AKIA0", "other", None), None)
    );
    let variables = [variables[0], ("AWS_PROFILE", "prod"), OFF];
    let expected = keys(USER_ID, "prod-key", Some("prod-session"));
    assert_eq!(
        found(obtain(&ambient(None, &variables, &files)).await.0),
        (expected, Some(UNSAID.as_secs() + 1))
    );
}

#[tokio::test]
async fn a_profile_s_role_is_assumed_through_our_own_client() {
    let sts = FakeSts::start().await;
    let config = format!(
        "[profile base]\naws_access_key_id = {USER_ID}\naws_secret_access_key = {USER_KEY}\n[profile prod]\n\
                          role_arn = {ROLE_A}\nsource_profile = base\n"
    );
    let files = [("/etc/aws/config", config.as_str())];
    let url = sts.stub.url.to_string();
    let variables = [
        ("AWS_CONFIG_FILE", "/etc/aws/config"),
        ("AWS_PROFILE", "prod"),
        ("AWS_ENDPOINT_URL_STS", &*url),
        OFF,
    ];
    // It is the SDK that signs here, by the machine's own clock and as it writes headers.
    sts.stub.answers(|_| {
        Reply::Text(
            200,
            Vec::new(),
            testing::answer("AssumeRole", "ASIA1", "secret-1", UnixTime(NOW.0 + 900)),
        )
    });
    let (token, legs) = obtain(&ambient(None, &variables, &files)).await;
    assert_eq!(found(token), (keys("ASIA1", "secret-1", Some("session-1")), Some(900)));
    assert_eq!(legs.iter().map(|leg| (leg.name, leg.succeeded)).collect::<Vec<_>>(), [(STS, true)]);
    assert!(sts.stub.last().header("authorization").unwrap().contains(USER_ID));
}

#[tokio::test]
async fn irsa_goes_to_the_entry_s_sts() {
    let sts = FakeSts::start().await;
    sts.stub.answers(|_| {
        let end = UnixTime(NOW.0 + 900);
        Reply::Text(200, Vec::new(), testing::answer("AssumeRoleWithWebIdentity", "ASIA1", "secret-1", end))
    });
    let variables = [("AWS_ROLE_ARN", ROLE_B), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), OFF];
    let (token, legs) = obtain(&ambient(Some(&sts), &variables, &[("/token", "eyJ.pod.token")])).await;
    assert_eq!(found(token), (keys("ASIA1", "secret-1", Some("session-1")), Some(900)));
    let form = sts.stub.last().form();
    assert_eq!((form["RoleArn"].as_str(), form["WebIdentityToken"].as_str()), (ROLE_B, "eyJ.pod.token"));
    assert_eq!(legs.iter().map(|leg| leg.lives).collect::<Vec<_>>(), [Some(Duration::from_secs(900))]);
    sts.stub.answers(|_| {
        Reply::Text(400, Vec::new(), "<Error><Code>IDPCommunicationError</Code></Error>".to_owned())
    });
    let error = obtain(&ambient(Some(&sts), &variables, &[("/token", "eyJ.pod.token")])).await.0.unwrap_err();
    assert_eq!(
        (error.leg, error.code(), sts.stub.seen().len()),
        (STS, "IDPCommunicationError", 2),
        "{error}"
    );
    // The next one in the chain is not asked: this one was named.
    assert_eq!(
        fault(obtain(&ambient(Some(&sts), &variables, &[])).await.0),
        MaterialFault::AwsIdentity.into()
    );
}

#[tokio::test]
async fn a_container_s_service_is_asked_with_the_token_in_its_file() {
    let agent = Stub::start(|_| role_keys(UnixTime(NOW.0 + 900))).await;
    let url = agent.at("v1/credentials").to_string();
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", url.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
        OFF,
    ];
    let source = ambient(None, &variables, &[("/token", "pod-token")]);
    let (token, legs) = obtain(&source).await;
    assert_eq!(found(token), (keys("ASIA1", "secret-1", Some("session-1")), Some(900)));
    let seen = agent.last();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("GET", "/v1/credentials"));
    assert_eq!(
        (seen.header("authorization"), seen.header("accept")),
        (Some("pod-token"), Some("application/json"))
    );
    assert_eq!(legs.iter().map(|leg| (leg.name, leg.succeeded)).collect::<Vec<_>>(), [(CONTAINER, true)]);
    for (status, code) in [(404, "status"), (500, "status"), (429, "status")] {
        agent.answers(move |_| Reply::Text(status, Vec::new(), "canary".to_owned()));
        let before = agent.seen().len();
        let error = obtain(&source).await.0.unwrap_err();
        assert_eq!((error.leg, error.code(), error.status()), (CONTAINER, code, Some(status)), "{error}");
        assert_eq!(agent.seen().len() - before, 1, "it is for the cache to try again");
    }
    let unfit = [json!({}), json!({"AccessKeyId": "x", "Token": "x", "Expiration": "2199-01-01T00:00:00Z"})];
    for unfit in unfit {
        agent.answers(move |_| Reply::Json(200, unfit.clone()));
        let before = agent.seen().len();
        assert_eq!(fault(obtain(&source).await.0), AnswerFault::AwsMetadata.into());
        assert_eq!(agent.seen().len() - before, 1);
    }
    let far = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/v1"), OFF];
    assert_eq!(fault(obtain(&ambient(None, &far, &[])).await.0), MaterialFault::AwsIdentity.into());
}

/// An instance's metadata service, with sessions only.
fn instance(seen: &Seen) -> Reply {
    let session = seen.header("x-aws-ec2-metadata-token") == Some("session-of-instance");
    let ttl = seen.header("x-aws-ec2-metadata-token-ttl-seconds");
    match (seen.method.as_str(), seen.path.as_str()) {
        ("PUT", "/latest/api/token") if ttl.is_some() => {
            let lines = vec![("x-aws-ec2-metadata-token-ttl-seconds".to_owned(), "21600".to_owned())];
            Reply::Text(200, lines, "session-of-instance".to_owned())
        }
        ("GET", "/latest/meta-data/iam/security-credentials/") if session => {
            Reply::Text(200, Vec::new(), "node-role".to_owned())
        }
        ("GET", "/latest/meta-data/iam/security-credentials/node-role") if session => {
            role_keys(UnixTime(NOW.0 + 900))
        }
        _ => Reply::Text(401, Vec::new(), String::new()),
    }
}

#[tokio::test]
async fn an_instance_s_service_is_asked_by_sessions_and_never_otherwise() {
    let service = Stub::start(instance).await;
    let url = service.url.to_string();
    let source = ambient(None, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)], &[]);
    let (token, legs) = obtain(&source).await;
    assert_eq!(found(token), (keys("ASIA1", "secret-1", Some("session-1")), Some(900)));
    assert!(legs.iter().all(|leg| leg.name == INSTANCE && leg.succeeded));
    // The second time the service is gone: what it gave before is the cache's to keep, and not the SDK's.
    for (status, path) in [(403, "/latest/api/token"), (404, "/latest/meta-data/iam/security-credentials/")] {
        service.answers(move |seen| match seen.path == path {
            true => Reply::Text(status, Vec::new(), String::new()),
            false => instance(seen),
        });
        let error = obtain(&source).await.0.unwrap_err();
        assert_eq!((error.leg, error.status()), (INSTANCE, Some(status)), "{error}");
        assert!(error.hint().is_some());
    }
    let without = service.seen().into_iter().filter(|seen| {
        seen.method == "GET" && seen.header("x-aws-ec2-metadata-token") != Some("session-of-instance")
    });
    assert_eq!(without.count(), 0, "version 1 is never spoken");
}

#[tokio::test]
async fn keys_that_have_ended_are_not_given_more_time() {
    let service = Stub::start(|seen| match seen.path.ends_with("node-role") {
        true => role_keys(NOW),
        false => instance(seen),
    });
    let service = service.await;
    let url = service.url.to_string();
    let source = ambient(None, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)], &[]);
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!((error.leg, &error.kind), (INSTANCE, &AnswerFault::Over.into()));
    assert!(error.hint().is_some_and(|hint| hint.contains("clock")));
}

#[tokio::test]
async fn programs_and_sso_are_no_identity_and_nothing_is_run() {
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran");
    let program = format!("[default]\ncredential_process = /usr/bin/touch {}\n", mark.display());
    let sso = "[default]\nsso_account_id = 1\nsso_role_name = r\nsso_start_url = https://x\nsso_region = us-east-1\n";
    let login = "[default]\nlogin_session = arn:aws:iam::111111111111:user/x\n";
    for config in [program.as_str(), sso, login] {
        let source = ambient(None, &[("AWS_CONFIG_FILE", "/config"), OFF], &[("/config", config)]);
        assert_eq!(fault(obtain(&source).await.0), MaterialFault::AwsIdentity.into(), "{config}");
    }
    assert!(!mark.exists());
}

#[tokio::test]
async fn a_machine_without_an_identity_is_told_what_it_lacks() {
    let error = obtain(&ambient(None, &[OFF], &[])).await.0.unwrap_err();
    assert_eq!(error.kind, MaterialFault::NoAwsIdentity.into());
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let error =
        obtain(&ambient(None, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*url)], &[])).await.0.unwrap_err();
    assert_eq!((error.leg, error.code()), (INSTANCE, "unreachable"));
    assert!(error.hint().is_some_and(|hint| hint.contains("credential_ref")), "{error}");
}

#[tokio::test]
async fn what_the_sdk_logs_of_answers_is_not_heard() {
    let log = Log::capture();
    let good = testing::answer("AssumeRoleWithWebIdentity", "ASIA1", "canary-secret", UnixTime(NOW.0 + 900));
    let sts = FakeSts::start().await;
    let agent = Stub::start(|_| Reply::Text(200, Vec::new(), String::new())).await;
    let irsa = [("AWS_ROLE_ARN", ROLE_B), ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), OFF];
    let url = agent.url.to_string();
    let pod = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*url),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "canary-pod"),
        OFF,
    ];
    let mut shown = String::new();
    for (status, body) in [
        (200, good.clone()),
        (200, good[..good.len() - 40].to_owned()),
        (200, good.replace("AccessKeyId", "Other")),
        (400, "<Error><Code>InvalidIdentityToken</Code><Message>canary.token</Message></Error>".to_owned()),
        (200, "{\"AccessKeyId\":\"x\",\"SecretAccessKey\":\"canary-secret\",\"Token\":1}".to_owned()),
        (200, "{\"SecretAccessKey\":\"canary-secret\"".to_owned()),
    ] {
        for stub in [&sts.stub, &agent] {
            let body = body.clone();
            stub.answers(move |_| Reply::Text(status, Vec::new(), body.clone()));
        }
        for variables in [&irsa[..], &pod] {
            let source = ambient(Some(&sts), variables, &[("/token", "canary.token")]);
            let (result, legs) = obtain(&source).await;
            tracing::warn!("asked");
            shown += &format!(
                "{result:?} {legs:?} {}",
                result.as_ref().err().map_or(String::new(), |e| e.to_string())
            );
            shown += &format!("{:?}", Connector::new(&outward(&clock()), None));
        }
    }
    let log = log.text();
    assert!(log.contains("asked"), "the log is captured");
    for text in [&shown, &log] {
        let at = text.find("canary");
        assert_eq!(at, None, "{}", at.map(|at| &text[at.saturating_sub(200)..at + 40]).unwrap_or_default());
    }
}
