//! The issuer's keys: fetched when they are missing, not more often, and kept when the issuer is down.

use std::io;
use std::net::TcpListener;

use serde_json::json;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::support::grpc::{Question, check, process};
use crate::support::{Direct, Issuer, local};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_first_token_of_a_new_key_is_accepted_after_one_fetch() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let old = direct.token();
    process(&channel, &Question::chat(&old)).await.authorization();
    let fetched = direct.issuer.fetches();
    direct.issuer.rotate();
    let new = direct.token();
    let question = Question::chat(&new);
    // All at once: the first one's fetch serves them all.
    let (a, b, c) = tokio::join!(
        process(&channel, &question),
        process(&channel, &question),
        check(&channel, question.check())
    );
    assert_eq!(a.authorization(), b.authorization());
    assert_eq!(c.unwrap().status.unwrap().code, 0);
    process(&channel, &Question::chat(&old)).await.authorization();
    assert_eq!(direct.issuer.fetches(), fetched + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_flood_of_unknown_keys_causes_one_fetch_and_delays_nobody() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let known = direct.token();
    let fetched = direct.issuer.fetches();
    for _ in 0..200 {
        let token = direct.issuer.token_of_unknown_kid();
        direct.secrets.add_token(&token);
        let flood = Question::chat(&token);
        let (stranger, checked, friend) =
            tokio::join!(process(&channel, &flood), check(&channel, flood.check()), async {
                process(&channel, &Question::chat(&known)).await
            });
        assert_eq!(stranger.no(), (401, "invalid_token"));
        assert_eq!(checked.unwrap().status.unwrap().code, 16);
        friend.authorization();
    }
    assert_eq!(direct.issuer.fetches(), fetched + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn j04_j08_no_address_in_a_token_is_ever_connected_to() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let attacker = TcpListener::bind(local(0)).unwrap();
    let url = format!("http://{}/jwks", attacker.local_addr().unwrap());
    let asked = async |header, claims, fits: bool| {
        let token = direct.issuer.token_with_header(&header, &claims);
        direct.secrets.add_token(&token);
        let question = Question::chat(&token);
        let answer = process(&channel, &question).await;
        let checked = check(&channel, question.check()).await.unwrap().status.unwrap().code;
        if fits {
            assert_eq!((answer.authorization(), checked), (format!("Bearer {}", direct.key), 0));
        } else {
            assert_eq!((answer.no(), checked), ((401, "invalid_token"), 16), "{header} {claims}");
        }
    };
    // What the issuer signed is good whatever else its header says; all else is refused.
    asked(json!({"jku": url, "x5u": url}), json!({}), true).await;
    asked(json!({"jku": url, "x5u": url, "kid": "of-the-attacker"}), json!({}), false).await;
    asked(json!({"jku": url, "jwk": {"kty": "EC"}, "x5c": ["AAAA"], "kid": "x"}), json!({}), false).await;
    asked(json!({}), json!({"iss": url}), false).await;
    asked(json!({"jku": url}), json!({"iss": url, "jku": url}), false).await;
    attacker.set_nonblocking(true).unwrap();
    assert_eq!(attacker.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn without_an_issuer_at_the_start_nobody_is_served_until_it_comes() {
    let issuer = Issuer::start();
    issuer.fail();
    let direct = Direct::begin(issuer, |_| {}, |_| {});
    let channel = direct.channel().await;
    let mut health = HealthClient::new(channel.clone());
    direct.until_ready_page("the reason", |status, page| {
        status == 503
            && page.contains(&format!("no keys of issuer {}", direct.issuer.url()))
            && page.contains("503")
    });
    assert_eq!(direct.admin("/healthz").status, 200, "alive is another question");
    let answer = health.check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().status(), ServingStatus::NotServing);
    let question = Question::chat(&direct.token());
    let refused = process(&channel, &question).await;
    assert_eq!(refused.no(), (503, "identity_unavailable"));
    assert_eq!(refused.header("retry-after"), ["5"]);

    direct.issuer.repair();
    direct.until_ready_page("ready", |status, _| status == 200);
    direct.bouncer.serves();
    process(&channel, &question).await.authorization();
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    while watch.message().await.unwrap().unwrap().status() != ServingStatus::Serving {}
    drop(watch);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn keys_that_were_fetched_serve_while_the_issuer_is_down() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    direct.issuer.fail();
    for n in 0..3 {
        let token = direct.token_with(&json!({"sub": format!("caller-{n}")}));
        process(&channel, &Question::chat(&token)).await.authorization();
    }
    // A fetch that fails takes nothing away.
    let stranger = direct.issuer.token_of_unknown_kid();
    direct.secrets.add_token(&stranger);
    assert_eq!(process(&channel, &Question::chat(&stranger)).await.no(), (401, "invalid_token"));
    direct.until_ready_page("degraded", |status, page| {
        status == 200 && page.contains("degraded: keys of issuer")
    });
    process(&channel, &Question::chat(&direct.token())).await.authorization();
}
