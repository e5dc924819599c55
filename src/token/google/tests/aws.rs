//! A workload on AWS: keys of the environment, or of the machine by sessions.

use super::federation::{AUDIENCE, file};
use super::testing::{aws_signature, unquoted};
use super::*;
use crate::base::Secret;
use crate::credential::AwsKeys;
use crate::token::MaterialFault;
use crate::token::stub::Seen;

const STS_URL: &str = "https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15";

fn keys() -> AwsKeys {
    AwsKeys {
        access_key_id: "ASIAEXAMPLE".to_owned(),
        secret_access_key: Secret::new("secret-canary".to_owned()),
        session_token: Some(Secret::new("session-canary".to_owned())),
    }
}

fn aws_source(server: &Stub, more: Value) -> Value {
    let mut source = json!({
        "environment_id": "aws1", "regional_cred_verification_url": STS_URL,
        "region_url": server.at("latest/meta-data/placement/availability-zone").as_str(),
        "url": server.at("latest/meta-data/iam/security-credentials").as_str(),
    });
    for (name, value) in more.as_object().unwrap() {
        source[name] = value.clone();
    }
    source
}

/// The metadata service of a machine of AWS that speaks version 2 alone, and Google's STS, which checks the signature.
fn aws(seen: &Seen) -> Reply {
    let text = |text: &str| Reply::Text(200, Vec::new(), text.to_owned());
    if seen.path == "/v1/token" {
        let form = seen.form();
        let request: Value = serde_json::from_str(&unquoted(&form["subject_token"])).unwrap();
        let header = |name: &str| {
            let all = request["headers"].as_array().unwrap();
            all.iter().find(|header| header["key"] == name).unwrap()["value"].as_str().unwrap().to_owned()
        };
        let region = request["url"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
        let fit = header("authorization") == aws_signature(&request, &keys(), &region)
            && header("authorization").contains("x-goog-cloud-target-resource")
            && header("x-goog-cloud-target-resource") == AUDIENCE
            && header("host") == format!("sts.{region}.amazonaws.com")
            && header("x-amz-security-token") == "session-canary";
        return if fit { success(TOKEN, 3_600) } else { Reply::Json(400, json!({"error": "invalid_grant"})) };
    }
    if seen.path == "/latest/api/token" {
        let ttl = seen.header("x-aws-ec2-metadata-token-ttl-seconds").map(str::parse::<u32>);
        let fit = seen.method == "PUT" && matches!(ttl, Some(Ok(1..=21_600)));
        return if fit { text("imds-canary") } else { Reply::Json(405, json!({})) };
    }
    if seen.header("x-aws-ec2-metadata-token") != Some("imds-canary") {
        return Reply::Json(401, json!({}));
    }
    match seen.path.as_str() {
        "/latest/meta-data/placement/availability-zone" => text("eu-west-1b"),
        "/latest/meta-data/iam/security-credentials" => text("role-1\n"),
        "/latest/meta-data/iam/security-credentials/role-1" => Reply::Json(
            200,
            json!({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "ASIAEXAMPLE",
                "SecretAccessKey": "secret-canary", "Token": "session-canary", "Expiration": "2027-01-15T09:00:00Z"}),
        ),
        _ => Reply::Json(404, json!({})),
    }
}

#[tokio::test]
async fn the_machine_s_role_signs_by_a_session_of_imdsv2() {
    let server = Stub::start(aws).await;
    for more in [json!({}), json!({"imdsv2_session_token_url": server.at("latest/api/token").as_str()})] {
        let file = file(&server, aws_source(&server, more)).to_string();
        let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
        let (token, legs) = obtain(&source).await;
        assert_eq!(token.unwrap().bearer().unwrap().expose(), TOKEN);
        let legs: Vec<_> = legs.iter().map(|leg| leg.name).collect();
        assert_eq!(legs, [AWS, AWS, AWS, AWS, STS], "one session for all that is asked");
    }
    let form = server.last().form();
    assert!(!form["subject_token"].contains("secret-canary"), "the key itself never leaves");
}

#[tokio::test]
async fn what_the_environment_says_is_not_asked_of_the_machine() {
    let server = Stub::start(aws).await;
    let mut settings = settings(&server.url);
    settings.aws = AwsEnvironment { region: Some("us-east-2".to_owned()), keys: Some(keys()) };
    let source = json!({"environment_id": "aws1", "regional_cred_verification_url": STS_URL});
    let file = file(&server, source).to_string();
    obtain(&of(&settings, &clock(), &[("external_account.json", &file)])).await.0.unwrap();
    assert_eq!(server.seen().len(), 1);
    settings.aws.region = None;
    let (token, _) = obtain(&of(&settings, &clock(), &[("external_account.json", &file)])).await;
    assert_eq!(token.unwrap_err().kind, MaterialFault::NoAws.into());
    assert_eq!(server.seen().len(), 1, "nobody is asked without a signature");
}

#[tokio::test]
async fn what_is_no_metadata_of_aws_signs_nothing() {
    let server = Stub::start(aws).await;
    let file = file(&server, aws_source(&server, json!({}))).to_string();
    let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
    for (path, body) in [
        ("/latest/api/token", ""),
        ("/latest/api/token", "a b"),
        ("/latest/meta-data/placement/availability-zone", "eu-west-1"),
        ("/latest/meta-data/placement/availability-zone", "evil.example/b"),
        ("/latest/meta-data/iam/security-credentials", "<html> </html>"),
        ("/latest/meta-data/iam/security-credentials", "../../api/token"),
        ("/latest/meta-data/iam/security-credentials/role-1", "canary"),
        ("/latest/meta-data/iam/security-credentials/role-1", r#"{"Code":"AssumeRoleUnauthorizedAccess"}"#),
        ("/latest/meta-data/iam/security-credentials/role-1", r#"{"AccessKeyId":"a","SecretAccessKey":"b"}"#),
    ] {
        server.answers(move |seen| {
            if seen.path == path { Reply::Text(200, Vec::new(), body.to_owned()) } else { aws(seen) }
        });
        let error = obtain(&source).await.0.unwrap_err();
        assert_eq!(error.leg, AWS, "{path} {body}");
    }
    assert!(server.seen().iter().all(|seen| seen.path != "/v1/token"));
}

#[tokio::test]
async fn a_machine_that_speaks_version_1_alone_is_not_asked_by_it() {
    let server = Stub::start(|seen| match seen.method.as_str() {
        "PUT" => Reply::Json(404, json!({})),
        _ => Reply::Text(200, Vec::new(), "eu-west-1b".to_owned()),
    })
    .await;
    let file = file(&server, aws_source(&server, json!({}))).to_string();
    let source = of(&settings(&server.url), &clock(), &[("external_account.json", &file)]);
    assert!(obtain(&source).await.0.is_err());
    assert_eq!(server.seen().len(), 1);
}
