//! Tests of what an `external_account.json` may say.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::subject_source::Format;
use super::*;

const STS: &str = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

fn file(changes: &[(&str, Value)]) -> Value {
    let mut file = json!({
        "type": "external_account", "universe_domain": "googleapis.com",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "token_info_url": "https://sts.googleapis.com/v1/introspect",
        "credential_source": {"file": "/var/run/token"},
    });
    for (name, value) in changes {
        file[*name] = value.clone();
    }
    file
}

fn parsed(changes: &[(&str, Value)]) -> Result<ExternalAccount, KeyFault> {
    let extra = ["idp.corp.example".to_owned(), "127.0.0.1".to_owned()];
    ExternalAccount::parse(&file(changes).to_string(), Hosts { extra: &extra }, None)
}

fn source(source: Value) -> Result<SubjectSource, KeyFault> {
    parsed(&[("credential_source", source)]).map(|account| account.source)
}

fn aws(changes: &[(&str, Value)]) -> Result<SubjectSource, KeyFault> {
    let mut aws = json!({
        "environment_id": "aws1",
        "region_url": "http://169.254.169.254/latest/meta-data/placement/availability-zone",
        "url": "http://169.254.169.254/latest/meta-data/iam/security-credentials",
        "imdsv2_session_token_url": "http://169.254.169.254/latest/api/token",
        "regional_cred_verification_url": STS,
    });
    for (name, value) in changes {
        aws[*name] = value.clone();
    }
    source(aws)
}

#[test]
fn the_file_that_gcloud_writes_is_read() {
    let account = parsed(&[]).unwrap();
    assert!(account.audience.starts_with("//iam.googleapis.com/") && account.impersonation.is_none());
    assert_eq!(account.token_url.as_str(), "https://sts.googleapis.com/v1/token");
    assert!(
        matches!(account.source, SubjectSource::File { path, format: Format::Text } if path == *"/var/run/token")
    );
    let url = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken";
    let account = parsed(&[
        ("service_account_impersonation_url", json!(url)),
        ("service_account_impersonation", json!({"token_lifetime_seconds": 600})),
    ])
    .unwrap();
    let impersonation = account.impersonation.unwrap();
    assert_eq!((impersonation.url.as_str(), impersonation.lifetime), (url, Duration::from_secs(600)));
}

#[test]
fn t21_an_executable_source_is_refused_with_a_sentence() {
    let executable = json!({"executable": {"command": "/bin/hunter2", "timeout_millis": 5000}});
    let fault = source(executable).unwrap_err();
    assert_eq!(fault, KeyFault::Executable);
    assert!(fault.to_string().contains("program") && !fault.to_string().contains("hunter2"));
    let beside = json!({"file": "/var/run/token", "executable": {"command": "/bin/x"}});
    assert_eq!(source(beside).unwrap_err(), KeyFault::Executable);
}

#[test]
fn a_file_wins_over_a_url_and_formats_are_whole() {
    let both = source(json!({"file": "/t", "url": "https://evil.example/"})).unwrap();
    assert!(matches!(both, SubjectSource::File { .. }));
    let json = json!({"file": "/t", "format": {"type": "json", "subject_token_field_name": "access_token"}});
    let SubjectSource::File { format, .. } = source(json).unwrap() else { panic!() };
    assert_eq!(format, Format::Json { field: "access_token".to_owned() });
    for (format, fault) in [
        (json!({"type": "json"}), KeyFault::Missing("subject_token_field_name")),
        (json!({"type": "xml"}), KeyFault::Unfit("format")),
        (json!({"type": "text", "subject_token_field_name": "x"}), KeyFault::Unfit("format")),
        (json!({"x": 1}), KeyFault::UnknownField("x".to_owned())),
    ] {
        assert_eq!(source(json!({"file": "/t", "format": format})).unwrap_err(), fault);
    }
}

#[test]
fn t11_a_url_source_leads_nowhere_that_the_operator_did_not_name() {
    const FAULT: KeyFault = KeyFault::Host("credential_source.url");
    for (url, fault) in [
        ("https://idp.corp.example/token", None),
        ("http://127.0.0.1:4000/token", None),
        ("http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=x", None),
        ("http://169.254.169.254/latest/meta-data/iam/security-credentials/role", Some(FAULT)),
        ("http://169.254.169.254:81/metadata/identity/oauth2/token", Some(FAULT)),
        ("http://169.254.169.254/metadata/identity/oauth2/token/../../../x", Some(FAULT)),
        ("http://metadata.google.internal/computeMetadata/v1/", Some(FAULT)),
        ("http://idp.corp.example/token", Some(FAULT)),
        ("https://evil.example/token", Some(FAULT)),
        ("file:///etc/passwd", Some(FAULT)),
        ("token", Some(KeyFault::Unfit("credential_source.url"))),
    ] {
        assert_eq!(source(json!({"url": url})).err(), fault, "{url}");
    }
    for headers in [json!({"Host": "x"}), json!({"a b": "x"}), json!({"a": "x\r\ny: z"})] {
        let fault = source(json!({"url": "https://idp.corp.example/", "headers": headers})).unwrap_err();
        assert_eq!(fault, KeyFault::Unfit("headers"));
    }
    let shown = source(json!({"url": "https://idp.corp.example/", "headers": {"Authorization": "hunter2"}}));
    assert!(!format!("{shown:?}").contains("hunter2"));
}

#[test]
fn t11_an_aws_source_asks_the_machine_s_metadata_and_nobody_else() {
    assert!(matches!(aws(&[]), Ok(SubjectSource::Aws(_))));
    for (url, allowed) in [
        ("http://[fd00:ec2::254]/latest", true),
        ("http://127.0.0.1:4000/latest", true),
        ("http://127.0.0.2:4000/latest", false),
        ("https://idp.corp.example/", false),
        ("https://sts.googleapis.com/", false),
        ("https://169.254.169.254/", false),
        ("http://169.254.169.254:8080/", false),
        ("http://169.254.169.253/", false),
        ("http://169.254.169.254.evil.example/", false),
        ("http://x@169.254.169.254/", false),
        ("http://[fd00:ec2::253]/", false),
        ("http://localhost/", false),
        ("169.254.169.254", false),
    ] {
        for field in ["region_url", "url", "imdsv2_session_token_url"] {
            let fault = aws(&[(field, json!(url))]).err();
            assert_eq!(fault, (!allowed).then_some(KeyFault::AwsHost(field)), "{url}");
        }
    }
    for version in ["aws2", "aws", "AWS1", "azure1", ""] {
        assert_eq!(aws(&[("environment_id", json!(version))]).unwrap_err(), KeyFault::AwsVersion);
    }
}

#[test]
fn only_getcalleridentity_of_an_sts_is_ever_signed() {
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    for (host, query, fit) in [
        ("https://sts.{region}.amazonaws.com", query, true),
        ("https://sts.amazonaws.com/", query, true),
        ("https://sts.{region}.amazonaws.com.cn", query, true),
        ("https://sts-fips.{region}.amazonaws.com", query, true),
        ("https://sts.{region}.amazonaws.com", "Action=AssumeRole&Version=2011-06-15", false),
        ("https://sts.{region}.amazonaws.com", "Version=2011-06-15", false),
        ("https://sts.{region}.amazonaws.com", &format!("{query}&RoleArn=x"), false),
        ("https://sts.{region}.amazonaws.com/x", query, false),
        ("https://sts.{region}.amazonaws.com:444", query, false),
        ("http://sts.{region}.amazonaws.com", query, false),
        ("https://s3.{region}.amazonaws.com", query, false),
        ("https://sts.evilamazonaws.com", query, false),
        ("https://sts.{region}.amazonaws.com.evil.example", query, false),
        ("https://u:p@sts.{region}.amazonaws.com", query, false),
    ] {
        let url = format!("{host}?{query}");
        let fault = aws(&[("regional_cred_verification_url", json!(url))]).err();
        assert_eq!(fault, (!fit).then_some(KeyFault::AwsVerification), "{url}");
    }
    let Ok(SubjectSource::Aws(source)) = aws(&[]) else { panic!() };
    assert_eq!(source.verification("eu-west-1").unwrap().host_str(), Some("sts.eu-west-1.amazonaws.com"));
    for region in ["", "x.evil.example/", "x#", "EU", "x@y", &"x".repeat(33)] {
        assert_eq!(source.verification(region).unwrap_err(), KeyFault::AwsVerification);
    }
}

#[test]
fn what_is_not_such_a_file_is_refused() {
    let impersonation = "service_account_impersonation_url";
    let iam = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.c:generateAccessToken";
    for (changes, fault) in [
        (vec![("type", json!("service_account"))], KeyFault::Type("external_account")),
        (vec![("audience", Value::Null)], KeyFault::Missing("audience")),
        (vec![("audience", json!("a\r\nb"))], KeyFault::Unfit("audience")),
        (vec![("subject_token_type", json!(""))], KeyFault::Missing("subject_token_type")),
        (vec![("token_url", json!("https://evil.example/token"))], KeyFault::Host("token_url")),
        (vec![("token_url", json!("https://sts.googleapis.com.evil.example/"))], KeyFault::Host("token_url")),
        (
            vec![(impersonation, json!("https://evil.example/:generateAccessToken"))],
            KeyFault::Host(impersonation),
        ),
        (vec![(impersonation, json!("https://storage.googleapis.com/x"))], KeyFault::Unfit(impersonation)),
        (vec![(impersonation, json!(format!("{iam}?x=y")))], KeyFault::Unfit(impersonation)),
        (vec![("client_id", json!("x"))], KeyFault::Workforce),
        (vec![("workforce_pool_user_project", json!("x"))], KeyFault::Workforce),
        (vec![("universe_domain", json!("other.example"))], KeyFault::Universe),
        (vec![("quota_project_id", json!("x"))], KeyFault::QuotaProject),
        (vec![("credential_source", Value::Null)], KeyFault::NoSource),
        (vec![("credential_source", json!({}))], KeyFault::NoSource),
        (vec![("credential_source", json!({"certificate": {}}))], KeyFault::CertificateSource),
        (vec![("credential_source", json!({"file": "token"}))], KeyFault::Unfit("credential_source.file")),
        (vec![("credential_source", json!({"x": 1}))], KeyFault::UnknownField("x".to_owned())),
        (vec![("x", json!(1))], KeyFault::UnknownField("x".to_owned())),
        (vec![("token_url", json!(["hunter2"]))], KeyFault::NotJson),
    ] {
        assert_eq!(parsed(&changes).unwrap_err(), fault, "{changes:?}");
    }
    for (seconds, fit) in [(599, false), (600, true), (43_200, true), (43_201, false)] {
        let lifetime = json!({"token_lifetime_seconds": seconds});
        let changes = [(impersonation, json!(iam)), ("service_account_impersonation", lifetime)];
        assert_eq!(parsed(&changes).is_ok(), fit, "{seconds}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,80}", field in 0usize..8) {
        let hosts = Hosts { extra: &[] };
        let _ = ExternalAccount::parse(&text, hosts, None);
        let fields = ["type", "audience", "token_url", "service_account_impersonation_url"];
        let mut changed = file(&[]);
        match fields.get(field) {
            Some(field) => changed[*field] = json!(text),
            None => changed["credential_source"] = json!({"environment_id": "aws1", "url": text,
                "regional_cred_verification_url": text}),
        }
        let _ = ExternalAccount::parse(&changed.to_string(), hosts, None);
    }
}
