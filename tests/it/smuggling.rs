//! Requests in which two parsers could see two different things, and requests of unusual forms: what Envoy refuses on its
//! own, and that what it lets through is decided as any other.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::support::{PATIENCE, Placement, Version, World};

const VERSIONS: [Version; 2] = [Version::Oldest, Version::Newest];
const SECOND: &str = "POST /v1/second HTTP/1.1\r\nhost: openai.llm.example\r\n\r\n";

/// What Envoy answers itself: its status, and the lines after the request line; `{second}` stands for a whole request.
const REFUSED: [(&str, &str, &str); 8] = [
    (
        "a length and chunks",
        "400",
        "content-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{second}",
    ),
    ("two lengths", "400", "content-length: 2\r\ncontent-length: 60\r\n\r\n{}{second}"),
    ("a length with a sign", "400", "content-length: +2\r\n\r\n{}{second}"),
    ("a coding that nobody knows", "501", "transfer-encoding: xchunked\r\n\r\n0\r\n\r\n{second}"),
    ("chunks under another coding", "501", "transfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n{second}"),
    ("a blank before the colon", "400", "transfer-encoding : chunked\r\n\r\n0\r\n\r\n{second}"),
    ("a NUL in a value", "400", "x-note: a\0b\r\n\r\n"),
    ("no host", "400", ""),
];

#[test]
fn a_request_with_two_readings_goes_nowhere() {
    for version in VERSIONS {
        let world = World::start(Placement::Downstream, version);
        let bearer = format!("authorization: Bearer {}\r\n", world.token("alice"));
        // All at once: Envoy takes a second to close the connection of each.
        let asked = REFUSED.map(|(_, _, rest)| {
            let host = if rest.is_empty() { "\r\n" } else { "host: openai.llm.example\r\n" };
            let rest = rest.replace("{second}", SECOND);
            send(&world, &format!("POST /v1/chat/completions HTTP/1.1\r\n{bearer}{host}{rest}"))
        });
        for ((name, status, _), socket) in REFUSED.iter().zip(asked) {
            let answer = read(socket);
            assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{name}, {version:?}: {answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{name}, {version:?}: {answer}");
        }
        assert_eq!(world.provider.arrived(), 0, "{version:?}");
    }
}

/// RFC 9112 section 5.2 lets a proxy unfold, and Envoy does: what the caller meant as a line stays part of a value.
#[test]
fn a_folded_line_is_one_value_for_everybody() {
    for version in VERSIONS {
        for placement in Placement::ALL {
            let world = World::start(placement, version);
            let answer = said(
                &world,
                &format!(
                    "POST /v1/chat/completions HTTP/1.1\r\nhost: openai.llm.example\r\nauthorization: Bearer\r\n {}\r\n\
                     x-note: a\r\n x-api-key: mine\r\nconnection: close\r\n\r\n",
                    world.token("alice")
                ),
            );
            assert!(answer.starts_with("HTTP/1.1 200 "), "{placement:?} {version:?}: {answer}");
            let seen = world.seen();
            assert_eq!(seen[0].all("x-note"), ["a x-api-key: mine"], "{placement:?} {version:?}");
            assert!(seen[0].all("x-api-key").is_empty(), "{placement:?} {version:?}");
            assert_eq!(seen[0].all("authorization"), [format!("Bearer {}", world.key("openai"))]);
        }
    }
}

#[test]
fn an_old_protocol_and_an_upgrade_that_is_not_configured_go_nowhere() {
    for version in VERSIONS {
        let world = World::start(Placement::Downstream, version);
        let bearer =
            format!("host: openai.llm.example\r\nauthorization: Bearer {}\r\n", world.token("alice"));
        for (status, request) in [
            ("426", format!("GET /v1/models HTTP/1.0\r\n{bearer}\r\n")),
            ("426", format!("GET /v1/models HTTP/3.0\r\n{bearer}\r\n")),
            (
                "403",
                format!(
                    "GET /v1/realtime HTTP/1.1\r\n{bearer}connection: upgrade\r\nupgrade: websocket\r\n\r\n"
                ),
            ),
        ] {
            let answer = said(&world, &request);
            assert!(answer.split(' ').nth(1) == Some(status), "{version:?} {status}: {answer}");
            assert_eq!(world.provider.arrived(), 0, "{version:?} {status}");
        }
    }
}

#[test]
fn a_caller_who_waits_for_100_continue_is_decided_as_any_other() {
    for version in VERSIONS {
        for placement in Placement::ALL {
            let world = World::start(placement, version);
            let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: openai.llm.example\r\n\
                        expect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n";
            let answer = said(&world, &format!("{head}\r\n{{}}"));
            assert!(answer.contains("HTTP/1.1 401 "), "{placement:?} {version:?}: {answer}");
            assert_eq!(world.provider.arrived(), 0, "{placement:?} {version:?}");

            let bearer = format!("authorization: Bearer {}\r\n", world.token("alice"));
            let answer = said(&world, &format!("{head}{bearer}\r\n{{}}"));
            assert!(answer.contains("HTTP/1.1 200 "), "{placement:?} {version:?}: {answer}");
            let seen = world.seen();
            assert_eq!(seen.len(), 1);
            assert_eq!(seen[0].all("authorization"), [format!("Bearer {}", world.key("openai"))]);
        }
    }
}

fn said(world: &World, bytes: &str) -> String {
    read(send(world, bytes))
}

/// Sends just these bytes.
fn send(world: &World, bytes: &str) -> TcpStream {
    let mut socket = TcpStream::connect(world.address()).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    socket
}

/// Everything that comes until Envoy closes the connection; it may also reset one that it refused.
fn read(mut socket: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}
