//! Attempts of one request: Envoy shows the next one what the last one put on it, and none of that may go astray.

use envoy_types::pb::google::protobuf::value::Kind;
use serde_json::json;

use crate::support::Direct;
use crate::support::grpc::{Question, Said, Stream, as_half, said, text};

const UPSTREAM: [(&str, &str); 1] = [("x-bouncer-half", "upstream")];

/// A caller's request as the downstream half lets it go, with the facts.
async fn verified(direct: &Direct, channel: &tonic::transport::Channel) -> Question {
    let asked = Question::chat(&direct.token());
    let said = as_half(channel, &asked, &[("x-bouncer-half", "downstream")]).await;
    let Said::Go { facts, .. } = &said else { panic!("refused") };
    let facts = facts.clone().unwrap().fields["bouncer"].clone();
    let Some(Kind::StructValue(facts)) = facts.kind else { panic!("{facts:?}") };
    Question { metadata: Some(facts), ..after(&asked, &said) }
}

/// The request as Envoy shows it to the next attempt.
fn after(asked: &Question, said: &Said) -> Question {
    let Said::Go { set, removed, .. } = said else { panic!("{:?}", said.no()) };
    let set: Vec<_> = set.iter().filter_map(|option| option.header.clone()).collect();
    let mut next = asked.clone();
    next.lines.retain(|line| {
        !removed.contains(&line.key) && !set.iter().any(|set| set.key.eq_ignore_ascii_case(&line.key))
    });
    next.lines.extend(set);
    next
}

/// Names of the headers in which `key` stands.
fn holders(question: &Question, key: &str) -> Vec<String> {
    let holds = |value: &[u8]| value.windows(key.len()).any(|window| window == key.as_bytes());
    question.lines.iter().filter(|line| holds(&line.raw_value)).map(|line| line.key.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_in_a_header_of_its_own_is_taken_off_before_the_next_provider() {
    let direct = Direct::with(|config| {
        config["providers"][0]["provider"] = json!("custom");
        config["providers"][0]["api_key"] = json!({"header": "x-llm-key"});
    });
    let channel = direct.channel().await;
    let first = verified(&direct, &channel).await.to("openai");
    let second = after(&first, &as_half(&channel, &first, &UPSTREAM).await).to("azure");
    assert_eq!(holders(&second, &direct.key), ["x-llm-key"]);
    let arrives = after(&second, &as_half(&channel, &second, &UPSTREAM).await);
    assert!(arrives.lines.iter().any(|line| line.key == "api-key"));
    assert_eq!(holders(&arrives, &direct.key), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_key_of_an_earlier_attempt_does_not_leave_with_nobodys_request() {
    let direct = Direct::with(|config| config["on_no_provider"] = json!("pass"));
    let channel = direct.channel().await;
    let first = verified(&direct, &channel).await.to("openai");
    let second = after(&first, &as_half(&channel, &first, &UPSTREAM).await).to("elsewhere");
    assert_eq!(holders(&second, &direct.key), ["authorization"]);
    assert_eq!(as_half(&channel, &second, &UPSTREAM).await.no(), (403, "no_provider"));
    // What never had a key of ours goes as it is.
    let Said::Go { set, removed, .. } = as_half(&channel, &first.to("elsewhere"), &UPSTREAM).await else {
        panic!("refused")
    };
    assert!(set.is_empty() && removed.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_caller_who_names_our_organization_is_not_taken_for_a_retry() {
    let direct = Direct::begin(
        crate::support::Issuer::start(),
        |files| files.write_secret("openai", "organization", "org-ours"),
        |_| {},
    );
    direct.serves();
    // SDKs send the organization that they were given; it is no secret.
    let asked = Question::chat(&direct.token()).line("openai-organization", "org-ours");
    let mut message = asked.message();
    let attributes = message.attributes.values_mut().next().unwrap();
    attributes.fields.insert("upstream.address".to_owned(), text("10.0.0.1:443"));
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    assert_eq!(said(&message, &mut stream).await.authorization(), format!("Bearer {}", direct.key));
}
