//! Callers without number: tokens that are new every time, good ones and bad ones.

use std::time::Instant;

use prost::Message as _;
use serde_json::json;
use tokio::task::JoinSet;
use tonic::Code;

use super::told;
use crate::support::grpc::{Question, process};
use crate::support::{CHECK, Direct, Raw};

/// So many questions are under way at once.
const AT_ONCE: usize = 50;

/// Asks with each token once.
async fn flood(direct: &Direct, tokens: Vec<String>) {
    let mut connection = Raw::connect(direct.grpc).await;
    let mut asked = JoinSet::new();
    for token in tokens {
        let mut stream = connection.open(CHECK).await.unwrap();
        stream.frame(&Question::chat(&token).check().encode_to_vec());
        stream.close();
        asked.spawn(stream.end());
        if asked.len() == AT_ONCE {
            assert_eq!(asked.join_next().await.unwrap().unwrap().unwrap(), Code::Ok);
        }
    }
    while let Some(end) = asked.join_next().await {
        assert_eq!(end.unwrap().unwrap(), Code::Ok);
    }
}

fn verified(direct: &Direct, result: &str) -> f64 {
    direct.metric("bouncer_jwt_verifications_total", &[&format!("result=\"{result}\"")])
}

/// THREATS C17.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_without_number_take_a_bounded_memory_and_the_known_ones_stay_known() {
    const STRANGERS: usize = 1_000;
    let direct = Direct::quietly(|_| {}, |config| config["limits"] = json!({"verified_tokens": 500}));
    direct.serves();
    let channel = direct.channel().await;
    let known = Question::chat(&direct.token());
    // 8 MiB a round, of which the memory has room for half of one.
    let long = "x".repeat(8 << 10);
    let round = async |round: usize| {
        for part in 0..10 {
            let names = (0..STRANGERS / 10).map(|name| format!("{round}-{part}-{name}-{long}"));
            flood(&direct, names.map(|sub| direct.issuer.token(&json!({"sub": sub}))).collect()).await;
            process(&channel, &known).await.authorization();
        }
    };
    process(&channel, &known).await.authorization();
    // Four times what is remembered has come by then.
    round(0).await;
    round(1).await;
    let before = direct.resident();
    round(2).await;
    round(3).await;
    super::holds_at_most(&direct, before, 6);
    assert_eq!(verified(&direct, "accepted"), 4_001.0, "each stranger, and the known one once");
    assert_eq!(verified(&direct, "cached"), 40.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_tokens_without_number_leave_nothing_behind_but_a_few_lines() {
    const BAD: usize = 3_000;
    let direct = Direct::quietly(|_| {}, |config| config["limits"] = json!({"verified_tokens": 500}));
    direct.serves();
    let channel = direct.channel().await;
    let known = Question::chat(&direct.token());
    process(&channel, &known).await.authorization();
    let began = Instant::now();
    let good = direct.issuer.token(&json!({}));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let bad = |name: usize| match name % 3 {
        // Another signature, another claim under the same one, no token at all.
        0 => format!("{signed}.{name:04}{}", &signature[4..]),
        1 => {
            let other = direct.issuer.token(&json!({"sub": format!("bad-{name}")}));
            format!("{}.{signature}", other.rsplit_once('.').unwrap().0)
        }
        _ => format!("not.a.token-{name}"),
    };
    flood(&direct, (0..BAD / 3).map(bad).collect()).await;
    let before = direct.resident();
    flood(&direct, (BAD / 3..BAD).map(bad).collect()).await;
    super::holds_at_most(&direct, before, 8);
    process(&channel, &known).await.authorization();
    assert_eq!((verified(&direct, "accepted"), verified(&direct, "cached")), (1.0, 1.0));
    let refused = direct.metric("bouncer_requests_total", &["code=\"invalid_token\""]);
    assert_eq!(refused, BAD as f64);
    // Fifty a second, and what they stand for.
    let seconds = usize::try_from(began.elapsed().as_secs()).unwrap();
    let (lines, held) = told(&direct, "refused");
    assert!(lines <= 50 * (seconds + 2), "{lines} lines in {seconds} s");
    assert!(usize::try_from(held).unwrap() + lines <= BAD);
}
