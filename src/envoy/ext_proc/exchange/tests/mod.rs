//! Bodies of requests that are signed, message by message: what Envoy is answered, and what it never is.

mod buffered;
mod duplex;
mod orders;
mod room;

use std::time::Duration;

use proptest::prelude::*;
use tonic::Code;

use crate::config::{Feedback, Limits};
use crate::envoy::testing::{Bench, End, KIB, LINES, MIB, Said, Stripped, bytes, headers, in_mode};
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use crate::envoy::wire::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_request::Request as Part;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest,
};

const STREAMED: i32 = 1;
const BUFFERED: i32 = 2;
const PARTIAL: i32 = 3;
const DUPLEX: i32 = 4;

fn misconfigured() -> Said {
    Said::Refused(500, "misconfigured".to_owned())
}

fn stripped() -> Said {
    Said::Headers { authorization: None, stripped: Stripped::Yes }
}

fn with_length(length: usize) -> ProcessingRequest {
    headers("aws", &[("content-length", &length.to_string())])
}

fn without_body(mut request: ProcessingRequest) -> ProcessingRequest {
    if let Some(Part::RequestHeaders(headers)) = &mut request.request {
        headers.end_of_stream = true;
    }
    request
}

fn response(details: Option<&str>) -> ProcessingRequest {
    let part = Part::ResponseHeaders(HttpHeaders::default());
    let mut response = ProcessingRequest { request: Some(part), ..ProcessingRequest::default() };
    if let Some(details) = details {
        let kind = Some(prost_types::value::Kind::StringValue(details.to_owned()));
        let fields = [("response.code_details".to_owned(), prost_types::Value { kind })].into();
        response.attributes.insert("envoy.filters.http.ext_proc".to_owned(), prost_types::Struct { fields });
    }
    response
}
