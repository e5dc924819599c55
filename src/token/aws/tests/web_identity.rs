//! Roles for a token in a file.

use super::*;
use crate::cache::{Failure as _, Retry};
use crate::token::stub::Reply;
use crate::token::{MaterialFault, SourceErrorKind};

const TOKEN: &str = "eyJ.canary.token";

struct File {
    _folder: tempfile::TempDir,
    path: String,
}

fn file(content: &str) -> File {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, content).unwrap();
    File { path: path.display().to_string(), _folder: folder }
}

fn of(sts: &FakeSts, path: &str) -> Arc<dyn TokenSource> {
    let fields = [("role_arn", ROLE_A), ("web_identity_token_file", path)];
    source(&sts.settings(&[]), &material(&fields), &outward(&clock())).unwrap()
}

#[tokio::test]
async fn the_token_is_exchanged_unsigned_and_read_again_each_time() {
    let (sts, file) = (FakeSts::start().await, file(&format!("{TOKEN}\n")));
    let source = of(&sts, &file.path);
    let (token, legs) = obtain(&source).await;
    assert!(token.is_ok());
    let seen = sts.stub.last();
    let form = seen.form();
    let expected = [
        ("Action", "AssumeRoleWithWebIdentity"),
        ("DurationSeconds", "3600"),
        ("RoleArn", ROLE_A),
        ("RoleSessionName", "bouncer-bedrock-prod"),
        ("Version", "2011-06-15"),
        ("WebIdentityToken", TOKEN),
    ];
    assert_eq!(
        form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>(),
        expected
    );
    assert_eq!(seen.header("authorization"), None);
    let legs: Vec<_> = legs.iter().map(|leg| (leg.name, leg.hop.clone().unwrap(), leg.lives)).collect();
    assert_eq!(legs, [(WEB_IDENTITY, ROLE_A.into(), Some(HOUR))]);
    std::fs::write(&file.path, "another").unwrap();
    assert!(obtain(&source).await.0.is_ok());
    assert_eq!(sts.stub.last().field("WebIdentityToken").as_deref(), Some("another"));
}

#[tokio::test]
async fn a_file_that_is_no_token_is_a_fault_with_its_path_and_passes() {
    let sts = FakeSts::start().await;
    for content in ["", "abc", "a b c d", "päss", &"x".repeat(20_001)] {
        let file = file(content);
        let error = obtain(&of(&sts, &file.path)).await.0.unwrap_err();
        let kind = MaterialFault::WebIdentity { path: file.path.clone() }.into();
        assert_eq!((&error.kind, error.retry()), (&kind, Retry::Soon), "{}", content.len());
    }
    let error = obtain(&of(&sts, "/nonexistent/token")).await.0.unwrap_err();
    assert!(matches!(error.kind, SourceErrorKind::Material(MaterialFault::File { .. })), "{error}");
    assert_eq!(sts.asked().len(), 0, "nobody else is asked instead");
    let longest = file(&"x".repeat(20_000));
    assert!(obtain(&of(&sts, &longest.path)).await.0.is_ok());
}

#[tokio::test]
async fn a_file_that_was_replaced_as_its_token_ended_is_tried_once_more() {
    let (sts, file) = (FakeSts::start().await, file("old-token"));
    let path = file.path.clone();
    let good = testing::answer(
        "AssumeRoleWithWebIdentity",
        "ASIA1",
        "secret-1",
        crate::base::UnixTime(testing::NOW.0 + 60),
    );
    sts.stub.answers(move |seen| {
        std::fs::write(&path, "new-token").unwrap();
        match seen.field("WebIdentityToken").as_deref() {
            Some("new-token") => Reply::Text(200, Vec::new(), good.clone()),
            _ => Reply::Text(400, Vec::new(), "<Error><Code>ExpiredTokenException</Code></Error>".to_owned()),
        }
    });
    let source = of(&sts, &file.path);
    assert!(obtain(&source).await.0.is_ok());
    assert_eq!(sts.stub.seen().len(), 2);
    sts.stub.answers(|_| {
        Reply::Text(400, Vec::new(), "<Error><Code>ExpiredTokenException</Code></Error>".to_owned())
    });
    let error = obtain(&source).await.0.unwrap_err();
    assert_eq!(sts.stub.seen().len(), 3, "the same token has the same answer");
    assert!(error.hint().is_some_and(|hint| hint.contains("kubelet")), "{error}");
}

#[tokio::test]
async fn a_role_after_it_is_hop_1() {
    let (sts, file) = (FakeSts::start().await, file(TOKEN));
    let fields = [("role_arn", ROLE_A), ("web_identity_token_file", file.path.as_str())];
    let source = source(&sts.settings(&[role(ROLE_B)]), &material(&fields), &outward(&clock())).unwrap();
    let (token, legs) = obtain(&source).await;
    assert!(token.is_ok());
    let names: Vec<_> = legs.iter().map(|leg| (leg.name, leg.hop.clone().unwrap())).collect();
    assert_eq!(names, [(WEB_IDENTITY, ROLE_A.into()), (ASSUME_ROLE, format!("hop 1, {ROLE_B}").into())]);
}
