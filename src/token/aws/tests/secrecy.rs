//! Every failure under a log of everything.

use super::*;
use crate::token::Legs;
use crate::token::stub::{Log, Reply};

#[tokio::test]
async fn t22_no_failure_of_sts_shows_a_key_anywhere() {
    let log = Log::capture();
    let sts = FakeSts::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    std::fs::write(&path, "canary.web.token").unwrap();
    let path = path.display().to_string();
    let good =
        testing::answer("AssumeRole", "ASIA1", "canary-secret-1", crate::base::UnixTime(testing::NOW.0 + 60));
    let echoes: Vec<(u16, String)> = vec![
        (200, good.clone()),
        (200, good[..good.len() - 20].to_owned()),
        (200, good.replace("canary-secret-1", "canary secret")),
        (200, good.replace("2027", "2026")),
        (
            403,
            format!("<Error><Code>AccessDenied</Code><Message>{USER_KEY} canary.web.token</Message></Error>"),
        ),
        (403, format!("<Error><Code>{USER_KEY}</Code></Error>")),
        (500, USER_KEY.to_owned()),
        (302, USER_KEY.to_owned()),
    ];
    let mut shown = String::new();
    let keys = [USER[0], USER[1], ("session_token", "canary-own-session")];
    let file = [("role_arn", ROLE_A), ("web_identity_token_file", path.as_str())];
    for fields in [&keys[..], &file] {
        let (outward, material) = (outward(&clock()), material(fields));
        let settings = sts.settings(&[role(ROLE_A), role(ROLE_B)]);
        let source = source(&settings, &material, &outward).unwrap();
        for (status, body) in &echoes {
            let (status, body) = (*status, body.clone());
            sts.stub.answers(move |_| Reply::Text(status, Vec::new(), body.clone()));
            let mut legs = Legs::default();
            match source.obtain(&mut legs).await {
                Ok(token) => shown += &format!("{token:?} {legs:?}"),
                Err(error) => {
                    tracing::warn!(%error, "token not refreshed");
                    shown += &format!("{error} {error:?} {legs:?} {} {:?}", error.code(), error.hint());
                }
            }
        }
        shown += &format!("{source:?} {settings:?} {material:?}");
    }
    let log = log.text();
    assert!(log.contains("token not refreshed"), "the log is captured");
    for text in [&shown, &log] {
        let at = text.find("canary");
        assert_eq!(at, None, "{}", at.map(|at| &text[at.saturating_sub(200)..at + 40]).unwrap_or_default());
    }
}
