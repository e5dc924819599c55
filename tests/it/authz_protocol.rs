//! ext_authz as no Envoy would speak it, and what its answers look like; health and reflection beside it.

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::service::auth::v3::attribute_context::HttpRequest;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{AttributeContext, CheckRequest, CheckResponse};
use prost::Message as _;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::support::grpc::{Question, check};
use crate::support::{CHECK, Direct, PROCESS, Raw};

/// Status of a refusal, or none where the request may go on. Fails on an answer that is neither quite.
fn refused(answer: &CheckResponse) -> Option<u32> {
    let code = answer.status.as_ref().unwrap().code;
    match answer.http_response.as_ref().unwrap() {
        HttpResponse::OkResponse(_) => {
            assert_eq!(code, 0);
            None
        }
        HttpResponse::DeniedResponse(denied) => {
            let status = u32::try_from(denied.status.as_ref().unwrap().code).unwrap();
            assert_eq!(code, if status == 401 { 16 } else { 7 });
            assert!((400..600).contains(&status), "{status}");
            Some(status)
        }
        HttpResponse::ErrorResponse(_) => panic!("neither a yes nor a no"),
    }
}

fn http(request: &mut CheckRequest) -> &mut HttpRequest {
    let attributes = request.attributes.as_mut().unwrap();
    attributes.request.as_mut().unwrap().http.as_mut().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_check_that_is_not_one_whole_request_is_denied() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let good = Question::chat(&direct.token()).check();
    let changed = |change: &dyn Fn(&mut HttpRequest)| {
        let mut request = good.clone();
        change(http(&mut request));
        request
    };
    let mut without_http = good.clone();
    without_http.attributes.as_mut().unwrap().request.as_mut().unwrap().http = None;
    let mut without_request = good.clone();
    without_request.attributes.as_mut().unwrap().request = None;
    let bad = [
        CheckRequest::default(),
        CheckRequest { attributes: Some(AttributeContext::default()) },
        without_http,
        without_request,
        changed(&|http| http.method.clear()),
        changed(&|http| http.path.clear()),
        changed(&|http| http.host.clear()),
        changed(&|http| "CONNECT".clone_into(&mut http.method)),
        changed(&|http| "/v1/../admin".clone_into(&mut http.path)),
        changed(&|http| {
            "one".clone_into(&mut http.body);
            http.raw_body = b"two".to_vec();
        }),
        changed(&|http| "two".clone_into(&mut http.header_map.as_mut().unwrap().headers[5].value)),
    ];
    for request in bad {
        let answer = check(&channel, request.clone()).await.unwrap();
        assert_eq!(refused(&answer), Some(400), "{:?}", request.attributes.map(|a| a.request.is_some()));
    }
    // Either body alone is a body.
    let answer = check(&channel, changed(&|http| http.raw_body = b"two".to_vec())).await.unwrap();
    assert_eq!(refused(&answer), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_check_is_a_yes_or_a_no_and_nothing_between() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let good = Question::chat(&direct.token());
    let mut half = good.check();
    half.attributes.as_mut().unwrap().context_extensions.insert("half".to_owned(), "upstream".to_owned());
    for (request, expected) in [
        (good.check(), None),
        (Question::anonymous().check(), Some(401)),
        (Question::chat("x").check(), Some(401)),
        (good.clone().line("authorization", "Bearer x").check(), Some(401)),
        (Question::anonymous().line("authorization", b"Bearer \xff").check(), Some(401)),
        (good.clone().line("x-note", b"\xff").check(), None),
        (good.clone().to("nobody").check(), Some(500)),
        (half, Some(500)),
    ] {
        let answer = check(&channel, request).await.unwrap();
        assert_eq!(refused(&answer), expected, "{:?}", answer.status);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn header_lines_are_set_by_value_and_a_set_name_is_never_removed() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token()).line("X_Api_Key", "mine").line("cookie", "a=b");
    let answer = check(&channel, question.check()).await.unwrap();
    let Some(HttpResponse::OkResponse(ok)) = answer.http_response else { panic!("{:?}", answer.status) };
    assert_eq!(ok.headers.len(), 1);
    for option in &ok.headers {
        let line = option.header.as_ref().unwrap();
        assert_eq!(
            (line.key.as_str(), line.value.as_str()),
            ("authorization", &*format!("Bearer {}", direct.key))
        );
        assert!(line.raw_value.is_empty());
        assert_eq!(option.append_action(), HeaderAppendAction::OverwriteIfExistsOrAdd);
        assert!(!ok.headers_to_remove.iter().any(|name| name.eq_ignore_ascii_case(&line.key)));
    }
    for name in ["X_Api_Key", "cookie"] {
        assert!(ok.headers_to_remove.iter().any(|removed| removed == name), "{name}");
    }
    assert!(answer.dynamic_metadata.is_none());

    let answer = check(&channel, Question::anonymous().check()).await.unwrap();
    let Some(HttpResponse::DeniedResponse(no)) = answer.http_response else { panic!("let through") };
    let value = |name: &str| {
        let lines = no.headers.iter().filter_map(|option| option.header.as_ref());
        lines.filter(|line| line.key == name).map(|line| line.value.clone()).collect::<Vec<_>>()
    };
    assert_eq!(value("x-request-id"), ["request-1"]);
    assert_eq!(value("www-authenticate"), ["Bearer"]);
    assert!(no.headers.iter().all(|option| option.header.as_ref().unwrap().raw_value.is_empty()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn bytes_that_are_no_check_end_with_an_error() {
    let direct = Direct::start();
    let mut connection = Raw::connect(direct.grpc).await;
    for garbage in [b"\xff".as_slice(), b"\x0a\x7f", b"\x0a\x03\x52\x01\xff", &[0x80; 64]] {
        let mut stream = connection.open(CHECK).await.unwrap();
        stream.frame(garbage);
        stream.close();
        assert_eq!(stream.end().await.unwrap(), Code::InvalidArgument, "{garbage:?}");
    }
    let mut empty = connection.open(CHECK).await.unwrap();
    empty.close();
    assert_ne!(empty.end().await.unwrap(), Code::Ok);
    let message = Question::chat(&direct.token()).check().encode_to_vec();
    for path in [CHECK.to_lowercase(), format!("/{CHECK}"), format!("{CHECK}/"), format!("{CHECK}?x")] {
        let mut stream = connection.open(&path).await.unwrap();
        stream.frame(&message);
        stream.close();
        assert_eq!(stream.end().await.unwrap(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn health_speaks_for_each_service_and_for_all() {
    let direct = Direct::start();
    let mut health = HealthClient::new(direct.channel().await);
    let name = |path: &str| path.split('/').nth(1).unwrap().to_owned();
    for service in [String::new(), name(PROCESS), name(CHECK)] {
        let answer = health.check(HealthCheckRequest { service: service.clone() }).await.unwrap();
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving, "{service}");
    }
    let unknown = health.check(HealthCheckRequest { service: "other".to_owned() }).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn reflection_lists_both_services() {
    let direct = Direct::start();
    let mut reflection = ServerReflectionClient::new(direct.channel().await);
    let list = |message: MessageRequest| {
        tokio_stream::once(ServerReflectionRequest { host: String::new(), message_request: Some(message) })
    };
    let request = list(MessageRequest::ListServices(String::new()));
    let mut answers = reflection.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    let Some(MessageResponse::ListServicesResponse(listed)) = answer else { panic!("{answer:?}") };
    let names: Vec<_> = listed.service.iter().map(|service| service.name.as_str()).collect();
    for path in [PROCESS, CHECK, "/grpc.health.v1.Health/Check"] {
        assert!(names.contains(&path.split('/').nth(1).unwrap()), "{path} in {names:?}");
    }
    let request =
        list(MessageRequest::FileContainingSymbol("envoy.service.auth.v3.Authorization".to_owned()));
    let mut answers = reflection.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response;
    assert!(matches!(answer, Some(MessageResponse::FileDescriptorResponse(_))), "{answer:?}");
}
