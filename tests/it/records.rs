//! What is written down of a request: what operators need is there, what a caller sent has no power over the line, and
//! labels of metrics are the configuration's.

use serde_json::Value;

use crate::support::grpc::{Question, check, process};
use crate::support::{Direct, field};

const HOSTILE: [&str; 6] = [
    "/v1/\u{1b}[2J",
    "/v1/a\r\n{\"level\":\"ERROR\",\"message\":\"forged\"}",
    "/v1/\u{202e}txt",
    "/v1/\",\"code\":\"none",
    "/v1/\0",
    "/v1/}{",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_refusal_is_one_line_that_says_what_operators_need() {
    let direct = Direct::start();
    let question = Question::chat(&direct.token()).line("authorization", "Bearer second");
    assert_eq!(process(&direct.channel().await, &question).await.no(), (401, "invalid_token"));
    let line = direct
        .process
        .wait_for("the refusal", |line| (field(line, "message")? == "refused").then(|| line.to_owned()));
    for (name, value) in [
        ("code", "invalid_token"),
        ("provider", "openai"),
        ("cause", "token not accepted: more than one token"),
        ("method", "POST"),
        ("path", "/v1/chat/completions"),
        ("request_id", "request-1"),
    ] {
        assert_eq!(field(&line, name).as_deref(), Some(value), "{line}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_a_caller_sends_makes_no_line_and_no_label_of_its_own() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let mut refused = 0;
    for hostile in HOSTILE.iter().map(|text| (*text).to_owned()).chain([format!("/{}", "a".repeat(60_000))]) {
        for question in [
            Question::anonymous().without(":path").line(":path", &hostile),
            Question::anonymous().without(":method").line(":method", &hostile),
            Question::anonymous().without("x-request-id").line("x-request-id", &hostile),
            Question::anonymous().line("user-agent", &hostile).line("x-forwarded-for", &hostile),
        ] {
            process(&channel, &question).await.no();
            let answer = check(&channel, question.check()).await.unwrap();
            assert_ne!(answer.status.unwrap().code, 0, "{hostile:?}");
            refused += 2;
        }
    }
    let lines = || direct.process.text().lines().map(str::to_owned).collect::<Vec<_>>();
    let told = || lines().iter().filter(|line| line.contains("\"refused\"")).count();
    // The throttle of 50 a second may hold some of them back.
    assert!((1..=refused).contains(&told()), "{} of {refused}", told());
    for line in lines() {
        let object: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(object.is_object());
        assert!(!line.contains(['\u{1b}', '\u{202e}', '\0']), "{line:?}");
        assert!(line.len() < 8_192, "{} bytes in a line", line.len());
        assert_ne!(field(&line, "message").as_deref(), Some("forged"));
    }
    let metrics = direct.admin("/metrics").text();
    assert!(
        !metrics.contains("/v1") && !metrics.contains("aaaa") && !metrics.contains("forged"),
        "{metrics}"
    );
    assert_eq!(direct.metric("bouncer_requests_total", &[]), refused as f64);
}
