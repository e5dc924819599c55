//! What the answers of tests say.

use bytes::Bytes;

use crate::envoy::wire::pb::envoy::config::core::v3::HeaderValueOption;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::processing_response::Response;

/// An answer in short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::envoy) enum Said {
    /// Go on: the `authorization` that is set, and whether the caller's is removed.
    Headers {
        authorization: Option<String>,
        stripped: Stripped,
    },
    Body {
        authorization: Option<String>,
    },
    Piece(Bytes, End),
    Refused(i32, String),
    Other,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::envoy) enum Stripped {
    Yes,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::envoy) enum End {
    Here,
    Later,
}

impl Said {
    pub(in crate::envoy) fn of(answer: &ProcessingResponse) -> Self {
        match answer.response.clone().unwrap() {
            Response::RequestHeaders(headers) => {
                let mutation = headers.response.unwrap().header_mutation.unwrap();
                let removed = mutation.remove_headers.iter().any(|name| name == "authorization");
                let stripped = if removed { Stripped::Yes } else { Stripped::No };
                Self::Headers { authorization: authorization(&mutation.set_headers), stripped }
            }
            Response::RequestBody(body) => {
                let common = body.response.unwrap_or_default();
                match common.body_mutation.and_then(|body| body.mutation) {
                    Some(Mutation::StreamedResponse(piece)) => {
                        Self::Piece(piece.body, if piece.end_of_stream { End::Here } else { End::Later })
                    }
                    None => Self::Body {
                        authorization: authorization(&common.header_mutation.unwrap_or_default().set_headers),
                    },
                }
            }
            Response::ImmediateResponse(no) => Self::Refused(
                no.status.unwrap().code,
                no.details.strip_prefix("bouncer_").unwrap().to_owned(),
            ),
            _ => Self::Other,
        }
    }
}

fn authorization(set: &[HeaderValueOption]) -> Option<String> {
    let mut lines = set.iter().filter_map(|line| line.header.as_ref());
    let line = lines.find(|line| line.key == "authorization")?;
    Some(String::from_utf8(line.raw_value.clone()).unwrap())
}
