//! Frames without end: streams that are reset as they begin, and questions of HTTP/2's own that want an answer each.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::support::Direct;
use crate::support::frames::{
    END_HEADERS, Frames, HEADERS, PING, RST_STREAM, SETTINGS, WINDOW_UPDATE, call_lines, frame,
};
use crate::support::grpc::{Question, process};

/// RUSTSEC-2024-0003. Against one that resets more slowly stands `rapid_resets_cost_nothing_that_stays`.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_peer_that_resets_as_fast_as_it_can_is_cut_off_and_the_others_are_served() {
    const STREAMS: u32 = 100_000;
    /// More than are borne, and few enough that the socket holds them.
    const AT_ONCE: u32 = 2_000;
    let direct = quiet();
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    process(&channel, &question).await.authorization();
    let before = direct.resident();
    let mut peer = Frames::connect(direct.grpc);
    let lines = call_lines();
    let flood = |streams: std::ops::Range<u32>| -> Vec<u8> {
        let streams = streams.map(|stream| 2 * stream + 1);
        streams
            .flat_map(|stream| {
                // CANCEL
                let reset = frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes());
                [frame(HEADERS, END_HEADERS, stream, &lines), reset].concat()
            })
            .collect()
    };
    let (begin, rest) = (flood(0..AT_ONCE), flood(AT_ONCE..STREAMS));
    // Faster than any: when the server wakes, all of these are there.
    let server = Pid::from_raw(i32::try_from(direct.process.id()).unwrap()).unwrap();
    kill_process(server, Signal::STOP).unwrap();
    let written = peer.write(&begin);
    kill_process(server, Signal::CONT).unwrap();
    written.unwrap();
    let flood = thread::spawn(move || peer.write(&rest));
    while !flood.is_finished() {
        process(&channel, &question).await.authorization();
    }
    assert!(flood.join().unwrap().is_err(), "{STREAMS} resets, and nobody minded");
    process(&channel, &question).await.authorization();
    direct.until_metric("bouncer_streams_active", &[], |streams| streams == 0.0);
    super::holds_at_most(&direct, before, 32);
}

/// CVE-2019-9512 and CVE-2019-9515: each wants an answer, and the peer does not read them.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn questions_whose_answers_nobody_reads_pile_up_nowhere() {
    let direct = quiet();
    let question = Question::chat(&direct.token());
    let channel = direct.channel().await;
    process(&channel, &question).await.authorization();
    for (name, question_of_http2) in [
        ("PING", frame(PING, 0, 0, &[0; 8])),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        // INITIAL_WINDOW_SIZE
        ("SETTINGS", frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        // No answer, but work for each.
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
    ] {
        let before = direct.resident();
        let mut peer = Frames::deaf(direct.grpc).await;
        let (hold, written) = (peer.hold(), Arc::new(AtomicUsize::new(0)));
        let flood = thread::spawn({
            let (batch, written) = (question_of_http2.repeat(4_096), Arc::clone(&written));
            // 8 MiB, or until the server reads no more of it.
            move || {
                for _ in 0..(8 << 20) / batch.len() {
                    if peer.write(&batch).is_err() {
                        break;
                    }
                    written.fetch_add(batch.len(), Ordering::SeqCst);
                }
            }
        });
        // Until the flood is over or stands still.
        let mut seen = 0;
        loop {
            for _ in 0..20 {
                process(&channel, &question).await.authorization();
            }
            let now = written.load(Ordering::SeqCst);
            if flood.is_finished() || now > 0 && now == seen {
                break;
            }
            seen = now;
        }
        let after = direct.resident();
        assert!(after < before + (8 << 10), "{name}: {before} KiB before, {after} KiB after {seen} bytes");
        drop(hold);
        flood.join().unwrap();
    }
}

fn quiet() -> Direct {
    let direct = Direct::quietly(|_| {}, |_| {});
    direct.serves();
    direct
}
