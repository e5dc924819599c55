//! HTTP/2 itself turned against the server: header blocks that never end or unfold to far more than was sent.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;

use crate::support::grpc::{Question, process};
use crate::support::{Direct, PATIENCE, PROCESS};

/// Frame types and flags of RFC 9113 section 6.
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// RUSTSEC-2024-0332.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_block_that_never_ends_is_cut_off() {
    let direct = Direct::start();
    let before = direct.resident();
    let mut peer = Peer::connect(&direct);
    peer.frame(HEADERS, 0, 1, &request()).unwrap();
    let line = literal("x-flood", &"a".repeat(100));
    let fragment = line.repeat(16_000 / line.len());
    let cut_off = (0..4_096).find(|_| peer.frame(CONTINUATION, 0, 1, &fragment).is_err());
    assert!(cut_off.is_some(), "64 MiB of one header block were taken");
    serves_as_ever(&direct, before).await;
}

/// CVE-2026-47774, and the HPACK bomb of 2016: one line is put into the table, then named by one byte again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_block_that_unfolds_to_far_more_is_refused() {
    let direct = Direct::start();
    let before = direct.resident();
    let mut peer = Peer::connect(&direct);
    for stream in 0..50 {
        // RFC 7541 section 6.2.1 with a new name; 0xbe is then the first of the dynamic table (section 6.1).
        let mut block = request();
        block.extend([&[0x40, 1, b'x'], &text(&"a".repeat(3_000))[..]].concat());
        block.resize(16_000, 0xbe);
        if peer.frame(HEADERS, END_HEADERS, 2 * stream + 1, &block).is_err() {
            break;
        }
    }
    // 50 blocks of some 40 MB each, had they been unfolded. No stream of them was taken for a request.
    serves_as_ever(&direct, before).await;
    assert_eq!(direct.metric("bouncer_requests_total", &[]), 1.0);
}

/// Somebody else's question is answered, and nothing of the flood is kept.
async fn serves_as_ever(direct: &Direct, before: u64) {
    process(&direct.channel().await, &Question::chat(&direct.token())).await.authorization();
    let after = direct.resident();
    assert!(after < before + (32 << 10), "{before} KiB before, {after} KiB after");
}

/// A connection on which frames are written by hand. What comes back is read aside, so that nobody waits for the other.
struct Peer(TcpStream);

impl Peer {
    fn connect(direct: &Direct) -> Self {
        let mut socket = TcpStream::connect(direct.grpc).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        socket.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut answers = socket.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut sink = [0; 4_096];
            while answers.read(&mut sink).is_ok_and(|read| read > 0) {}
        });
        let mut peer = Self(socket);
        peer.frame(4, 0, 0, &[]).unwrap();
        peer
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> io::Result<()> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        self.0.write_all(&[&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat())
    }
}

/// The lines of a call, none of them indexed.
fn request() -> Vec<u8> {
    [
        (":method", "POST"),
        (":scheme", "http"),
        (":authority", "bouncer"),
        (":path", PROCESS),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ]
    .into_iter()
    .flat_map(|(name, value)| literal(name, value))
    .collect()
}

/// RFC 7541 section 6.2.2.
fn literal(name: &str, value: &str) -> Vec<u8> {
    [&[0], &text(name)[..], &text(value)].concat()
}

/// RFC 7541 section 5.2, not Huffman coded; the length as section 5.1 has it.
fn text(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    match u8::try_from(text.len()) {
        Ok(short) if short < 127 => bytes.push(short),
        _ => {
            bytes.push(127);
            let mut rest = text.len() - 127;
            while rest > 127 {
                bytes.push(u8::try_from(rest % 128).unwrap() | 128);
                rest /= 128;
            }
            bytes.push(u8::try_from(rest).unwrap());
        }
    }
    bytes.extend(text.as_bytes());
    bytes
}
