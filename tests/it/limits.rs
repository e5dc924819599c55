//! What one peer may take of the server, and that the others do not feel it.

use std::net::TcpStream;

use prost::Message as _;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::json;
use tokio::time::timeout;
use tonic::Code;

use crate::support::grpc::{Question, Stream, process, said};
use crate::support::{CHECK, Direct, PATIENCE, PROCESS, Raw};

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_message_over_the_limit_ends_with_an_error_and_one_at_the_limit_is_read() {
    let direct =
        Direct::with(|config| config["limits"] = json!({"max_body": "64KiB", "max_headers": "16KiB"}));
    let question = Question::chat(&direct.token());
    let mut connection = Raw::connect(direct.grpc).await;
    // A stream's first message has no body in it.
    let limits = [
        (PROCESS, question.message().encode_to_vec(), 32 << 10),
        (CHECK, question.check().encode_to_vec(), 96 << 10),
    ];
    for (path, message, limit) in limits {
        // A field that nobody knows (number 1000) makes the message as long as wanted.
        let padded = |size: usize| {
            let mut message = message.clone();
            let padding = size - message.len() - 5;
            message.extend([0xc2, 0x3e]);
            prost::encoding::encode_varint(u64::try_from(padding).unwrap(), &mut message);
            message.resize(size, 0);
            message
        };
        for (size, read) in [(limit - 1, true), (limit, true), (limit + 1, false), (16 * limit, false)] {
            let mut stream = connection.open(path).await.unwrap();
            stream.frame(&padded(size));
            stream.close();
            let code = stream.end().await.unwrap();
            assert_eq!(code == Code::Ok, read, "{path} {size}: {code:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_stream_ends_and_the_others_stay() {
    let direct = Direct::with(|config| config["limits"] = json!({"stream_idle": "300ms"}));
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut idle = Stream::open(&channel, &[]).await.unwrap();
    let mut connection = Raw::connect(direct.grpc).await;
    // Half a message is not a sign of life, in either protocol.
    let half = |message: Vec<u8>| [&[0, 0, 0, 1, 0], &message[..20]].concat();
    let mut slow = connection.open(PROCESS).await.unwrap();
    slow.bytes(half(question.message().encode_to_vec()));
    let mut slow_check = connection.open(CHECK).await.unwrap();
    slow_check.bytes(half(question.check().encode_to_vec()));
    let ended = tokio::join!(idle.end(), slow.end(), slow_check.end());
    assert_eq!(ended.0, Code::DeadlineExceeded);
    assert_eq!(ended.1.unwrap(), Code::DeadlineExceeded);
    assert_eq!(ended.2.unwrap(), Code::DeadlineExceeded);
    process(&channel, &question).await.authorization();
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_that_is_never_idle_still_ends() {
    let direct = Direct::with(|config| config["limits"] = json!({"stream_total": "300ms"}));
    let mut stream = Stream::open(&direct.channel().await, &[]).await.unwrap();
    assert_eq!(stream.end().await, Code::DeadlineExceeded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_that_says_nothing_gives_its_place_back() {
    let direct = Direct::with(|config| config["limits"] = json!({"max_connections": 1}));
    let silent = TcpStream::connect(direct.grpc).unwrap();
    let channel = direct.channel_at_last().await;
    process(&channel, &Question::chat(&direct.token())).await.authorization();
    drop(silent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_thousand_streams_of_one_connection_are_all_answered() {
    let direct = Direct::start();
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let mut open = Vec::new();
    for _ in 0..1_000 {
        open.push(Stream::open(&channel, &[]).await.unwrap());
    }
    assert_eq!(direct.metric("bouncer_streams_active", &[]), 1_000.0);
    for stream in &mut open {
        said(&question.message(), stream).await.authorization();
    }
    drop(open);
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn rapid_resets_cost_nothing_that_stays() {
    let direct = Direct::with(|config| config["limits"] = json!({"max_streams": 100}));
    let channel = direct.channel().await;
    let question = Question::chat(&direct.token());
    let message = question.message().encode_to_vec();
    process(&channel, &question).await.authorization();
    let flood = async |streams: usize| {
        let mut left = streams;
        // A peer that is cut off comes back.
        while left > 0 {
            let mut connection = Raw::connect(direct.grpc).await;
            while left > 0 {
                left -= 1;
                let Ok(mut stream) = connection.open(PROCESS).await else { break };
                stream.frame(&message);
                stream.reset();
                if left.is_multiple_of(64) {
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    flood(2_000).await;
    let before = direct.resident();
    flood(30_000).await;
    process(&channel, &question).await.authorization();
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
    // A stream that stayed would be its message and more: several KiB, and there were thirty thousand.
    let after = direct.resident();
    assert!(after < before + (64 << 10), "{before} KiB before, {after} KiB after");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn peers_that_hang_up_at_once_do_not_end_the_listening() {
    let direct = Direct::start();
    for _ in 0..200 {
        drop(TcpStream::connect(direct.grpc).unwrap());
    }
    let channel = direct.channel().await;
    process(&channel, &Question::chat(&direct.token())).await.authorization();
    assert_eq!(direct.admin("/healthz").status, 200);
}

/// CVE-2024-47609: the loop that accepts ended with the first error.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_server_without_descriptors_accepts_again_when_there_are_some() {
    let direct = Direct::start();
    let question = Question::chat(&direct.token());
    let open = direct.channel().await;
    process(&open, &question).await.authorization();
    let process_id = Pid::from_raw(i32::try_from(direct.process.id()).unwrap());
    prlimit(process_id, Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
    let silent: Vec<_> = (0..128).map(|_| TcpStream::connect(direct.grpc).unwrap()).collect();
    direct.process.wait_for("that there are no descriptors", |line| {
        line.contains("cannot accept a connection; trying again").then_some(())
    });
    // Who is there is served.
    process(&open, &question).await.authorization();
    drop(silent);
    let next = timeout(PATIENCE, direct.channel()).await.expect("nobody accepts");
    process(&next, &question).await.authorization();
}
