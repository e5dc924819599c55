//! A gRPC server that answers as no server should.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{BufMut as _, Bytes, BytesMut};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse, ProcessingResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use http::HeaderMap;
use prost::Message as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

use crate::support::frames::{GOAWAY, frame};
use crate::support::{eventually, local};

/// A running one. It ends with the value.
pub(super) struct StandIn {
    pub(super) address: SocketAddr,
    count: Arc<AtomicUsize>,
    _runtime: Runtime,
}

/// What it does with a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// A credential is set, the caller's token goes.
    Permit,
    /// Neither.
    NoCredential,
    /// The credential stands beside the caller's token.
    LeavesToken,
    /// OK without an answer.
    EndsEarly,
    /// A gRPC status with this message.
    Fails(&'static str),
    /// A refusal with these details.
    Refuses(&'static str),
    /// Nothing.
    Hangs,
    /// The connection ends.
    HangsUp,
    /// GOAWAY with this debug data.
    GoesAway(&'static str),
}

impl StandIn {
    /// `manner` is told how many streams came before on all connections.
    pub(super) fn start(manner: impl Fn(usize) -> Manner + Send + Sync + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind(local(0))).unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(manner);
        let count = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&count);
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (manner, count) = (Arc::clone(&manner), Arc::clone(&counted));
                tokio::spawn(async move {
                    let socket = socket.into_std().unwrap();
                    let beside = socket.try_clone().unwrap();
                    let socket = TcpStream::from_std(socket).unwrap();
                    let Ok(mut connection) = h2::server::handshake(socket).await else { return };
                    while let Some(Ok((_request, respond))) = connection.accept().await {
                        match manner(count.fetch_add(1, Ordering::SeqCst)) {
                            Manner::HangsUp => return,
                            Manner::GoesAway(words) => return go_away(beside, words).await,
                            manner => tokio::spawn(behave(manner, respond)),
                        };
                    }
                });
            }
        });
        Self { address, count, _runtime: runtime }
    }

    /// Waits until so many streams came.
    pub(super) fn wait_for(&self, streams: usize) {
        eventually("the streams", || (self.count.load(Ordering::SeqCst) >= streams).then_some(()));
    }
}

/// h2 has no debug data of its own to send.
async fn go_away(mut socket: std::net::TcpStream, words: &str) {
    let (last_stream, enhance_your_calm) = (0_u32.to_be_bytes(), 11_u32.to_be_bytes());
    let payload = [&last_stream, &enhance_your_calm, words.as_bytes()].concat();
    socket.write_all(&frame(GOAWAY, 0, 0, &payload)).unwrap();
    std::future::pending().await
}

async fn behave(manner: Manner, mut respond: h2::server::SendResponse<Bytes>) {
    let head = || http::Response::builder().header("content-type", "application/grpc");
    let answer = match manner {
        Manner::Hangs | Manner::HangsUp | Manner::GoesAway(_) => return std::future::pending().await,
        Manner::Fails(words) => {
            let head = head().header("grpc-status", "8").header("grpc-message", words);
            let _ = respond.send_response(head.body(()).unwrap(), true);
            return;
        }
        Manner::EndsEarly => {
            let mut stream = respond.send_response(head().body(()).unwrap(), false).unwrap();
            let mut trailers = HeaderMap::new();
            trailers.insert("grpc-status", "0".parse().unwrap());
            let _ = stream.send_trailers(trailers);
            return;
        }
        Manner::Permit => permit(&["authorization"], &[]),
        Manner::NoCredential => permit(&[], &["authorization"]),
        Manner::LeavesToken => permit(&["api-key"], &[]),
        Manner::Refuses(words) => Response::ImmediateResponse(ImmediateResponse {
            status: Some(HttpStatus { code: 403 }),
            details: words.to_owned(),
            ..ImmediateResponse::default()
        }),
    };
    // Whoever asked may have gone.
    if let Ok(mut stream) = respond.send_response(head().body(()).unwrap(), false) {
        let _ = stream.send_data(message(answer), false);
        std::future::pending().await
    }
}

fn permit(set: &[&str], removed: &[&str]) -> Response {
    let option = |name: &&str| HeaderValueOption {
        header: Some(HeaderValue {
            key: (*name).to_owned(),
            value: String::new(),
            raw_value: b"Bearer sk-of-the-stand-in".to_vec(),
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    let mutation = HeaderMutation {
        set_headers: set.iter().map(option).collect(),
        remove_headers: removed.iter().map(|&name| name.to_owned()).collect(),
    };
    let common = CommonResponse { header_mutation: Some(mutation), ..CommonResponse::default() };
    Response::RequestHeaders(HeadersResponse { response: Some(common) })
}

/// In a gRPC frame.
fn message(answer: Response) -> Bytes {
    let answer = ProcessingResponse { response: Some(answer), ..ProcessingResponse::default() };
    let message = answer.encode_to_vec();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(&message);
    frame.freeze()
}
