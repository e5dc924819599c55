//! A request of Envoy's as bytes: decoded into the generated types, for comparison; and a whole call in process, from the
//! request's frame to the answer's, with the decision in it and without HTTP/2.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bouncer::base::SystemClock;
use bouncer::config::Limits;
use bouncer::envoy::{Current, ExternalProcessor, Generation, Local, labels};
use bouncer::identity::Algorithm;
use bouncer::outbound::{Http, spawn_key_sets};
use bouncer::telemetry::Metrics;
use bytes::{BufMut as _, Bytes, BytesMut};
use criterion::Criterion;
use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Part;
use envoy_types::pb::envoy::service::ext_proc::v3::{HttpHeaders, ProcessingRequest};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use http_body::{Body, Frame};
use prost::Message as _;
use tonic::Status;

use crate::world::{Idp, headers, snapshot};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire");
    let idp = Idp::new();
    let request = request(&idp.bearer(Algorithm::Rs256)).encode_to_vec();
    group.bench_function("prost decodes a request", |bencher| {
        bencher.iter(|| ProcessingRequest::decode(black_box(request.as_slice())).expect("a request"));
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let service = service(&idp);
    let frame = framed(&request);
    group.bench_function("a call in process", |bencher| bencher.iter(|| call(&service, frame.clone())));
    group.finish();
}

/// What the client sends: one frame, and then nothing for now.
struct Once(Option<Bytes>);

impl Body for Once {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match self.0.take() {
            Some(frame) => Poll::Ready(Some(Ok(Frame::data(frame)))),
            None => Poll::Pending,
        }
    }
}

/// Nothing in it waits.
fn call(service: &ExternalProcessor, frame: Bytes) -> Bytes {
    let request = http::Request::post(ExternalProcessor::PROCESS).body(Once(Some(frame))).expect("a request");
    let answers = pin!(service.process(request).into_body());
    let Poll::Ready(Some(Ok(frame))) = answers.poll_frame(&mut Context::from_waker(Waker::noop())) else {
        unreachable!("it waits, or gives no answer");
    };
    frame.into_data().expect("a message")
}

fn service(idp: &Idp) -> ExternalProcessor {
    let (snapshot, metrics) = (snapshot(idp), Arc::new(Metrics::new(labels())));
    let key_sets = spawn_key_sets(Arc::clone(&snapshot.callers), Http::new().expect("a client"));
    let generation = Generation::new(snapshot, key_sets, &metrics);
    let current = Current::new(generation, Arc::new(SystemClock), metrics, Limits::default());
    ExternalProcessor::new(Local::new(Arc::new(current)))
}

fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).expect("a short one"));
    frame.put_slice(message);
    frame.freeze()
}

fn request(bearer: &str) -> ProcessingRequest {
    let pseudo = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "llm.example.com"),
        (":path", "/v1/chat/completions"),
    ];
    let line = |(name, value): (&str, &str)| HeaderValue {
        key: name.to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let headers = pseudo.into_iter().chain(headers(bearer)).map(line).collect();
    let value = |text: &str| Value { kind: Some(Kind::StringValue(text.to_owned())) };
    let fields =
        [("xds.cluster_name", "api_key"), ("xds.route_name", "chat"), ("source.address", "10.1.2.3:40312")];
    let fields = fields.into_iter().map(|(name, text)| (name.to_owned(), value(text))).collect();
    ProcessingRequest {
        request: Some(Part::RequestHeaders(HttpHeaders {
            headers: Some(HeaderMap { headers }),
            ..HttpHeaders::default()
        })),
        attributes: [("envoy.filters.http.ext_proc".to_owned(), Struct { fields })].into(),
        ..ProcessingRequest::default()
    }
}
