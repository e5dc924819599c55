//! Requests that wait: an identity provider that hangs fills its own share of the places and no more.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tonic::transport::Channel;

use super::told;
use crate::support::grpc::{Question, Said, Stream, check, process, said};
use crate::support::{Direct, Files, Issuer, TokenEndpoint, eventually, new_key};

/// Entries whose tokens come from these endpoints, beside the two keys, for which nobody waits.
fn start(entries: &[(&str, &TokenEndpoint)], limits: Value) -> Direct {
    let client = |files: &Files| {
        files.write_secret("shared", "client_id", "bouncer");
        files.write_secret("shared", "client_secret", &new_key(&crate::support::Secrets::default()));
    };
    let direct = Direct::quietly(client, |config| {
        config["limits"] = limits;
        for (name, endpoint) in entries {
            config["providers"].as_array_mut().unwrap().push(json!({
                "name": name, "provider": "custom", "auth_type": "oauth2", "credential_ref": "shared",
                "token_endpoint": endpoint.url(), "refresh_policy": "lazy", "match": {"cluster": [name]},
            }));
        }
    });
    direct.serves();
    direct
}

fn waiting(direct: &Direct) -> f64 {
    direct.metric("bouncer_requests_waiting", &[])
}

/// Streams that have asked, and wait by now.
async fn crowd(direct: &Direct, channel: &Channel, question: &Question, more: u32) -> Vec<Stream> {
    let all = waiting(direct) + f64::from(more);
    let mut asking = JoinSet::new();
    for _ in 0..more {
        let (channel, message) = (channel.clone(), question.message());
        asking.spawn(async move {
            let stream = Stream::open(&channel, &[]).await.unwrap();
            stream.send(message);
            stream
        });
    }
    let crowd = asking.join_all().await;
    eventually("a crowd", || (waiting(direct) == all).then_some(()));
    crowd
}

/// What both protocols say to one who comes too late.
async fn overloaded(channel: &Channel, question: &Question) {
    let no = process(channel, question).await;
    assert_eq!(no.no(), (503, "overloaded"));
    assert_eq!(no.header("retry-after"), ["5"]);
    let answer = check(channel, question.check()).await.unwrap();
    let Some(HttpResponse::DeniedResponse(no)) = answer.http_response else { panic!("let through") };
    assert_eq!(no.status.unwrap().code, 503);
    assert!(no.body.contains("overloaded"), "{}", no.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn where_too_many_wait_the_next_is_refused_at_once_and_the_others_are_served() {
    let (hanging, good) = (TokenEndpoint::start_held(), TokenEndpoint::start());
    let crowded = ["one", "two", "three", "four"];
    let entries: Vec<_> =
        crowded.iter().map(|name| (*name, &hanging)).chain([("cold", &good), ("late", &good)]).collect();
    // Four shares of ten; nobody's patience ends while this runs.
    let direct = start(&entries, json!({"max_waiting": 40, "patience": "4s"}));
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut all = crowd(&direct, &channel, &question.clone().to("one"), 10).await;
    overloaded(&channel, &question.clone().to("one")).await;
    process(&channel, &question).await.authorization();
    process(&channel, &question.clone().to("cold")).await.authorization();
    assert_eq!(waiting(&direct), 10.0, "none of them was answered meanwhile");
    for name in &crowded[1..] {
        all.extend(crowd(&direct, &channel, &question.clone().to(name), 10).await);
    }
    // No share is free any more, not that of another one either.
    overloaded(&channel, &question.clone().to("late")).await;
    process(&channel, &question).await.authorization();
    process(&channel, &question.clone().to("cold")).await.authorization();
    hanging.let_go();
    for stream in &mut all {
        let answer = stream.next().await.unwrap().expect("an end without an answer");
        assert!(Said::processed(answer).authorization().starts_with("Bearer token-"));
    }
    assert_eq!(waiting(&direct), 0.0);
    process(&channel, &question.clone().to("late")).await.authorization();
    let refused = direct.metric("bouncer_requests_total", &["code=\"overloaded\""]);
    assert_eq!(refused, 4.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn who_goes_away_gives_its_place_back() {
    let hanging = TokenEndpoint::start_held();
    let direct = start(&[("one", &hanging)], json!({"max_waiting": 4, "patience": "4s"}));
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token()).to("one");
    for _ in 0..5 {
        let alone = crowd(&direct, &channel, &question, 1).await;
        assert_eq!(process(&channel, &question).await.no(), (503, "overloaded"));
        drop(alone);
        eventually("its place", || (waiting(&direct) == 0.0).then_some(()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_crowd_that_waits_for_an_issuer_leaves_places_to_others() {
    let (hanging, good) = (TokenEndpoint::start_held(), TokenEndpoint::start());
    let stranger = Issuer::start();
    let direct = Direct::quietly(
        |files| {
            files.write_secret("shared", "client_id", "bouncer");
            files.write_secret("shared", "client_secret", "a secret of nobody's");
        },
        |config| {
            config["limits"] = json!({"max_waiting": 8, "patience": "3s"});
            let mut entry = stranger.entry();
            entry["jwks_uri"] = json!(hanging.url());
            config["callers"]["jwt"].as_array_mut().unwrap().push(entry);
            config["providers"].as_array_mut().unwrap().push(json!({
                "name": "cold", "provider": "custom", "auth_type": "oauth2", "credential_ref": "shared",
                "token_endpoint": good.url(), "refresh_policy": "lazy", "match": {"cluster": ["cold"]},
            }));
        },
    );
    let token = stranger.token(&json!({}));
    direct.secrets.add_token(&token);
    let channel = direct.channel().await;
    let (known, unknown) = (Question::chat(&direct.token()), Question::chat(&token));
    // The other issuer's keys are there.
    process(&channel, &known).await.authorization();
    let mut crowd = crowd(&direct, &channel, &unknown, 2).await;
    overloaded(&channel, &unknown).await;
    process(&channel, &known.clone().to("cold")).await.authorization();
    process(&channel, &known).await.authorization();
    for stream in &mut crowd {
        let answer = stream.next().await.unwrap().expect("an end without an answer");
        assert_eq!(Said::processed(answer).no(), (503, "identity_unavailable"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identity_provider_that_hangs_costs_the_warm_requests_of_others_nothing() {
    const CROWD: u32 = 1_000;
    const PATIENCE: Duration = Duration::from_secs(4);
    let hanging = TokenEndpoint::start_held();
    let direct = start(&[("hanging", &hanging)], json!({"patience": "4s"}));
    let (channel, own) = (direct.channel().await, direct.channel().await);
    let question = Question::chat(&direct.token());
    let warm = async || {
        let mut took = Vec::new();
        for _ in 0..100 {
            let began = Instant::now();
            said(&question.message(), &mut Stream::open(&own, &[]).await.unwrap()).await.authorization();
            took.push(began.elapsed());
        }
        took.sort();
        took[50]
    };
    warm().await;
    let alone = warm().await;
    let before = direct.resident();
    let began = Instant::now();
    let mut crowd = crowd(&direct, &channel, &question.clone().to("hanging"), CROWD).await;
    let beside = warm().await;
    assert_eq!(waiting(&direct), f64::from(CROWD), "they wait all the while");
    // The message, the stream and the wait: 32 KiB for each are 32 MiB.
    super::holds_at_most(&direct, before, 32);
    for stream in &mut crowd {
        let answer = stream.next().await.unwrap().expect("an end without an answer");
        assert_eq!(Said::processed(answer).no(), (503, "credential_unavailable"));
    }
    assert!(began.elapsed() < PATIENCE * 3, "{:?}", began.elapsed());
    // Medians, and generously: other work on the machine comes in bursts. In line behind the crowd it would be seconds.
    assert!(beside < alone * 4 + Duration::from_millis(2), "{alone:?} alone, {beside:?} beside the crowd");
    let (lines, _) = told(&direct, "refused");
    assert!(lines <= 50 * (usize::try_from(began.elapsed().as_secs()).unwrap() + 1), "{lines} lines");
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}
