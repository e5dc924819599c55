//! HTTP/2 itself turned against the server: header blocks that never end or unfold to far more than was sent.

use crate::support::Direct;
use crate::support::frames::{CONTINUATION, END_HEADERS, Frames, HEADERS, call_lines, literal, text};
use crate::support::grpc::{Question, process};

/// RUSTSEC-2024-0332.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_block_that_never_ends_is_cut_off() {
    let direct = Direct::start();
    let before = direct.resident();
    let mut peer = Frames::connect(direct.grpc);
    peer.send(HEADERS, 0, 1, &call_lines()).unwrap();
    let line = literal("x-flood", &"a".repeat(100));
    let fragment = line.repeat(16_000 / line.len());
    let cut_off = (0..4_096).find(|_| peer.send(CONTINUATION, 0, 1, &fragment).is_err());
    assert!(cut_off.is_some(), "64 MiB of one header block were taken");
    serves_as_ever(&direct, before).await;
}

/// CVE-2026-47774, and the HPACK bomb of 2016: one line is put into the table, then named by one byte again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_header_block_that_unfolds_to_far_more_is_refused() {
    let direct = Direct::start();
    let before = direct.resident();
    let mut peer = Frames::connect(direct.grpc);
    for stream in 0..50 {
        // RFC 7541 section 6.2.1 with a new name; 0xbe is then the first of the dynamic table (section 6.1).
        let mut block = call_lines();
        block.extend([&[0x40, 1, b'x'], &text(&"a".repeat(3_000))[..]].concat());
        block.resize(16_000, 0xbe);
        if peer.send(HEADERS, END_HEADERS, 2 * stream + 1, &block).is_err() {
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
