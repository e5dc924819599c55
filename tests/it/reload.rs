//! Changes of configuration and secrets under a server that serves.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use serde_json::json;

use crate::support::grpc::{Question, Said, Stream, process, said};
use crate::support::{Direct, Files, Issuer, entry, eventually, field, new_key};

const GENERATION: &str = "bouncer_config_generation";
const RELOADS: &str = "bouncer_config_reload_total";
const REJECTED: [&str; 1] = ["result=\"rejected\""];

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_new_entry_in_the_folder_is_taken_and_one_that_is_gone_is_nobodys() {
    let direct = with_folder();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let late = question.clone().to("late");
    assert_eq!(process(&channel, &late).await.no(), (403, "no_provider"));
    let key = new_key(&direct.secrets);
    direct.files().write_secret("late", "api_key", &key);
    direct.files().write("providers.d/late.yaml", &entry("late", "custom-late").to_string());
    direct.until_metric(GENERATION, &[], |generation| generation == 2.0);
    assert_eq!(process(&channel, &late).await.authorization(), format!("Bearer {key}"));

    // A stream that is open has its answer; the next one has none.
    let mut open = Stream::open(&channel, &[]).await.unwrap();
    said(&late.message(), &mut open).await.authorization();
    std::fs::remove_file(direct.files().path("providers.d/late.yaml")).unwrap();
    direct.until_metric(GENERATION, &[], |generation| generation == 3.0);
    assert_eq!(process(&channel, &late).await.no(), (403, "no_provider"));
    let mut unasked = Stream::open(&channel, &[]).await.unwrap();
    assert_eq!(said(&late.message(), &mut unasked).await.no(), (403, "no_provider"));
    process(&channel, &question).await.authorization();
    assert_eq!(direct.metric(RELOADS, &["result=\"applied\""]), 2.0);
    assert_eq!(direct.metric(RELOADS, &REJECTED), 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_changed_rule_and_a_changed_audience_are_taken() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    process(&channel, &question).await.authorization();
    direct.configure(|config| config["providers"][0]["mfa_required"] = json!(true));
    direct.until_metric(GENERATION, &[], |generation| generation == 2.0);
    let challenged = process(&channel, &question).await;
    assert_eq!(challenged.no(), (401, "insufficient_user_authentication"));
    let mfa = Question::chat(&direct.token_with(&json!({"amr": ["pwd", "mfa"]})));
    process(&channel, &mfa).await.authorization();
    process(&channel, &question.clone().to("azure")).await;

    direct.configure(|config| config["callers"]["jwt"][0]["audiences"] = json!(["another"]));
    direct.until_metric(GENERATION, &[], |generation| generation == 3.0);
    // A token that was verified under the old rules is not remembered.
    assert_eq!(process(&channel, &mfa).await.no(), (401, "invalid_token"));
    let other = direct.token_with(&json!({"aud": "another", "amr": ["mfa"]}));
    process(&channel, &Question::chat(&other)).await.authorization();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_change_is_told_with_its_place_and_the_old_one_serves() {
    let direct = with_folder();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let clash = json!({
        "name": "clash", "provider": "openai", "auth_type": "api_key", "credential_ref": "openai",
        "match": {"cluster": ["openai"]},
    });
    let bad = [
        ("late.yaml", "provider: [openai\n".to_owned(), ":1:11: "),
        ("late.yaml", "provider: openai\nauth_type: api_key\nmfa_require: true\n".to_owned(), ":3:1: "),
        (
            "late.yaml",
            "provider: openai\nauth_type: aws_sigv4\ncredential_ref: openai\n".to_owned(),
            ":2:12: ",
        ),
        ("clash.yaml", clash.to_string(), "entry clash takes the same requests"),
    ];
    for (n, (file, text, place)) in (1_u32..).zip(bad) {
        direct.files().write(&format!("providers.d/{file}"), &text);
        direct.until_metric(RELOADS, &REJECTED, |rejected| rejected >= f64::from(n));
        direct.process.wait_for(place, |line| {
            let told = field(line, "message")?.contains("the old one serves");
            (told && field(line, "fault")?.contains(place)).then_some(())
        });
        process(&channel, &question).await.authorization();
        assert_eq!(direct.metric(GENERATION, &[]), 1.0, "{file}");
        std::fs::remove_file(direct.files().path(&format!("providers.d/{file}"))).unwrap();
    }
    // Mended and changed: taken.
    direct.configure(|config| config["providers"][1]["mfa_required"] = json!(true));
    direct.until_metric(GENERATION, &[], |generation| generation > 1.0);
    assert_eq!(process(&channel, &question.to("azure")).await.no().1, "insufficient_user_authentication");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_bad_main_file_is_told_once_and_survives_sighup() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    direct.configure(|config| config["nonsense"] = json!(1));
    direct.until_metric(RELOADS, &REJECTED, |rejected| rejected == 1.0);
    let told = || direct.process.text().matches("the old one serves").count();
    eventually("a line", || (told() == 1).then_some(()));
    // Another fault is another line, and shows that the signal before it was heard.
    direct.bouncer.reload();
    direct.configure(|config| config["callers"] = json!({}));
    direct.until_metric(RELOADS, &REJECTED, |rejected| rejected == 2.0);
    process(&channel, &question).await.authorization();
    direct.configure(|config| {
        config["callers"] = json!({"jwt": [direct.issuer.entry()]});
        config.as_object_mut().unwrap().remove("nonsense");
        config["providers"].as_array_mut().unwrap().pop();
    });
    direct.until_metric(GENERATION, &[], |generation| generation == 2.0);
    assert_eq!(process(&channel, &question.to("azure")).await.no(), (403, "no_provider"));
}

#[test]
fn sighup_reads_everything_again() {
    let none = |files: &Files| std::fs::remove_dir_all(files.path("secrets/azure")).unwrap();
    let direct = Direct::begin(Issuer::start(), none, |_| {});
    direct.bouncer.serves();
    // Every reading counts the secret that is not there; nothing on disk changes.
    let failed = ["provider=\"azure\"", "result=\"failed\""];
    for reading in 2..5_u8 {
        direct
            .until_metric("bouncer_token_refresh_total", &failed, |failed| failed >= f64::from(reading - 1));
        direct.bouncer.reload();
        direct.until_metric("bouncer_token_refresh_total", &failed, |failed| failed >= f64::from(reading));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_swapped_secret_is_used_and_a_bad_one_is_not() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut good = direct.key.clone();
    for round in 0..3 {
        good = new_key(&direct.secrets);
        match round {
            0 => direct.files().write_secret("openai", "api_key", &good),
            _ => direct.files().mount_secret("openai", "api_key", &good),
        }
        until_key(&direct, &channel, &question, &good).await;
    }
    let bad = [Some(String::new()), Some("\n".to_owned()), Some(format!("sk-1\r\nx: {good}")), None];
    for bad in bad {
        match &bad {
            Some(text) => direct.files().mount_secret("openai", "api_key", text),
            None => std::fs::remove_dir_all(direct.files().path("secrets/openai")).unwrap(),
        }
        direct.until_ready_page("degraded", |status, page| {
            status == 200 && page.contains("degraded: provider openai")
        });
        assert_eq!(process(&channel, &question).await.authorization(), format!("Bearer {good}"), "{bad:?}");
        if bad.is_some() {
            good = new_key(&direct.secrets);
            direct.files().mount_secret("openai", "api_key", &good);
            direct.until_ready_page("well again", |_, page| !page.contains("degraded"));
            until_key(&direct, &channel, &question, &good).await;
        }
    }
    assert!(
        direct.metric("bouncer_token_refresh_total", &["provider=\"openai\"", "result=\"failed\""]) >= 4.0
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_secret_that_was_never_there_stops_its_provider_alone() {
    let none = |files: &Files| std::fs::remove_dir_all(files.path("secrets/azure")).unwrap();
    let direct = Direct::begin(Issuer::start(), none, |_| {});
    direct.bouncer.serves();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    process(&channel, &question).await.authorization();
    let azure = question.to("azure");
    let refused = process(&channel, &azure).await;
    assert_eq!(refused.no(), (503, "credential_unavailable"));
    assert_eq!(refused.header("retry-after"), ["5"]);
    let key = new_key(&direct.secrets);
    direct.files().mount_secret("azure", "api_key", &key);
    direct.until_ready_page("well", |_, page| !page.contains("degraded"));
    assert_eq!(process(&channel, &azure).await.header("api-key"), [key]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_outlive_a_change_of_callers_while_the_issuer_is_down() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    direct.issuer.fail();
    direct.configure(|config| config["callers"]["jwt"][0]["leeway"] = json!("20s"));
    direct.until_metric(GENERATION, &[], |generation| generation == 2.0);
    process(&channel, &Question::chat(&direct.token())).await.authorization();
}

/// Callers are changed while they call; the ones that stay never notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_callers_change() {
    let direct = Direct::start();
    let question = Question::chat(&direct.token());
    let (over, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..2 {
        let (channel, question) = (direct.channel().await, question.clone());
        let (over, answered) = (Arc::clone(&over), Arc::clone(&answered));
        callers.spawn(async move {
            while !over.load(Ordering::SeqCst) {
                if let Said::No { status, code, .. } = process(&channel, &question).await {
                    panic!("{status} {code}");
                }
                answered.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    let second = Issuer::start();
    let mut changes = 1.0;
    for round in 0..6 {
        let before = answered.load(Ordering::SeqCst);
        direct.configure(|config| {
            let jwt = &mut config["callers"]["jwt"];
            match round % 3 {
                0 => jwt[0]["leeway"] = json!("20s"),
                1 => *jwt = json!([second.entry(), direct.issuer.entry()]),
                _ => *jwt = json!([direct.issuer.entry()]),
            }
        });
        changes += 1.0;
        direct.until_metric(GENERATION, &[], |generation| generation >= changes);
        eventually("a request", || (answered.load(Ordering::SeqCst) > before + 10).then_some(()));
    }
    over.store(true, Ordering::SeqCst);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
}

async fn until_key(direct: &Direct, channel: &tonic::transport::Channel, question: &Question, key: &str) {
    let deadline = tokio::time::Instant::now() + crate::support::PATIENCE;
    while process(channel, question).await.authorization() != format!("Bearer {key}") {
        assert!(tokio::time::Instant::now() < deadline, "{}", direct.admin("/readyz").text());
    }
}

fn with_folder() -> Direct {
    let folder = |files: &Files| std::fs::create_dir(files.path("providers.d")).unwrap();
    let direct =
        Direct::begin(Issuer::start(), folder, |config| config["providers_dir"] = json!("providers.d"));
    direct.bouncer.serves();
    direct
}
