//! A load on a clock that stands still while there is work: both loops, late answers, broken connections.

use std::future::pending;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    CommonResponse, HeaderMutation, HeadersResponse, ProcessingResponse,
};
use prost::Message as _;
use tokio::time::sleep;

use super::super::callers::Callers;
use super::super::check::Expectation;
use super::super::connect::handshake;
use super::super::plan::{Address, Protocol, Target, Until};
use super::super::question::Question;
use super::*;

const ALONE: Part = Part { index: 0, of: 1 };
const MS: Duration = Duration::from_millis(1);

/// What a stand-in does with its n-th request, which comes so long after the start.
#[derive(Clone, Copy)]
enum Manner {
    AnswerAfter(Duration),
    Never,
    /// The connection ends.
    HangUp,
}

type Manners = Rc<dyn Fn(u64, Duration) -> Manner>;

fn plan(pace: Pace, until: Until) -> Plan {
    Plan {
        target: Target {
            address: Address::Tcp("127.0.0.1:1".to_owned()),
            protocol: Protocol::ExtProc,
            tls: None,
        },
        pace,
        connections: 1,
        streams: 4,
        threads: 1,
        warm_up: Duration::ZERO,
        until,
        patience: Duration::from_secs(5),
    }
}

fn open(rate: f64) -> Pace {
    Pace::Open { rate }
}

/// Runs a plan against stand-ins in memory, on a clock that stands still while there is work.
async fn run(plan: Plan, manners: impl Fn(u64, Duration) -> Manner + 'static) -> Measured {
    run_until(plan, manners, pending()).await
}

async fn run_until(
    plan: Plan,
    manners: impl Fn(u64, Duration) -> Manner + 'static,
    over: impl Future<Output = ()>,
) -> Measured {
    let manners: Manners = Rc::new(manners);
    let start = Instant::now();
    let seen = Rc::new(Cell::new(0));
    let dial: Dial = Rc::new(move || {
        let (near, far) = tokio::io::duplex(1 << 20);
        tokio::task::spawn_local(serve(far, Rc::clone(&manners), start, Rc::clone(&seen)));
        Box::pin(async move { Ok(handshake(near).await.unwrap()) })
    });
    let local = LocalSet::new();
    let measured = async {
        let question = Question::default();
        let callers = Callers::with_token("a.b.c".to_owned());
        let questions = Questions::new(&plan.target, &question, callers, Expectation::permit()).unwrap();
        let connection = Rc::new(Connection::open(dial).await.unwrap());
        let (recorder, alarm) = (Recorder::new(), Alarm::Coarse);
        drive(&plan, ALONE, Arc::new(questions), vec![connection], recorder, start, alarm, over).await
    };
    local.run_until(measured).await
}

async fn serve(stream: tokio::io::DuplexStream, manners: Manners, start: Instant, seen: Rc<Cell<u64>>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    while let Some(Ok((_request, mut respond))) = connection.accept().await {
        seen.set(seen.get() + 1);
        let manner = manners(seen.get(), start.elapsed());
        if matches!(manner, Manner::HangUp) {
            return;
        }
        tokio::task::spawn_local(async move {
            let Manner::AnswerAfter(wait) = manner else { return pending().await };
            sleep(wait).await;
            let head = http::Response::builder().header("content-type", "application/grpc").body(()).unwrap();
            // The other side may have given up.
            if let Ok(mut stream) = respond.send_response(head, false) {
                let _ = stream.send_data(permit(), false);
                sleep(Duration::from_secs(60)).await;
            }
        });
    }
}

fn permit() -> Bytes {
    let header = HeaderValue {
        key: "authorization".to_owned(),
        value: String::new(),
        raw_value: b"Bearer sk-1".to_vec(),
    };
    let set = HeaderValueOption {
        header: Some(header),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    };
    let mutation = HeaderMutation { set_headers: vec![set], ..HeaderMutation::default() };
    let common = CommonResponse { header_mutation: Some(mutation), ..CommonResponse::default() };
    let message = ProcessingResponse {
        response: Some(Response::RequestHeaders(HeadersResponse { response: Some(common) })),
        ..ProcessingResponse::default()
    }
    .encode_to_vec();
    let mut frame = BytesMut::new();
    frame.put_u8(0);
    frame.put_u32(message.len().try_into().unwrap());
    frame.put_slice(&message);
    frame.freeze()
}

/// Whatever comes while it stands still is answered when it goes on.
fn stalls(from: Duration, to: Duration) -> impl Fn(u64, Duration) -> Manner {
    move |_, now| {
        let wait = if (from..to).contains(&now) { to - now } else { MS };
        Manner::AnswerAfter(wait)
    }
}

/// How many took so long at least.
fn slow(measured: &Measured, took: Duration) -> u64 {
    let least = u64::try_from(took.as_micros()).unwrap();
    measured.recorder.latencies.counts().filter(|(value, _)| *value >= least).map(|(_, count)| count).sum()
}

#[tokio::test(start_paused = true)]
async fn an_open_loop_omits_nobody_who_came_while_the_server_stood_still() {
    let stall = stalls(100 * MS, 400 * MS);
    // Fewer than come meanwhile, and enough to catch up at once.
    let plan = Plan { streams: 64, ..plan(open(1_000.0), Until::Elapsed(1_000 * MS)) };
    let measured = run(plan, stall).await;
    assert_eq!((measured.recorder.requests, measured.recorder.right), (1_000, 1_000));
    // 300 were due meanwhile; of these 200 more than 100 ms before it went on, and 100 more than 200 ms.
    assert!((195..=215).contains(&slow(&measured, 100 * MS)), "{}", slow(&measured, 100 * MS));
    assert!((95..=110).contains(&slow(&measured, 200 * MS)), "{}", slow(&measured, 200 * MS));
    assert!(measured.elapsed < Duration::from_millis(1_100));
}

#[tokio::test(start_paused = true)]
async fn a_closed_loop_asks_again_once_it_is_answered() {
    let stall = stalls(100 * MS, 400 * MS);
    let measured = run(plan(Pace::Closed, Until::Elapsed(1_000 * MS)), stall).await;
    assert_eq!(slow(&measured, 100 * MS), 4, "one for each stream");
    assert!(measured.recorder.right > 1_000);
}

#[tokio::test(start_paused = true)]
async fn at_most_so_many_streams_are_open_and_the_others_wait_in_the_books() {
    // Four at once, 10 ms each: 400 a second where 800 are due.
    let measured =
        run(plan(open(800.0), Until::Elapsed(1_000 * MS)), |_, _| Manner::AnswerAfter(10 * MS)).await;
    assert_eq!(measured.recorder.right, 800);
    assert!(measured.elapsed > Duration::from_millis(1_900), "{:?}", measured.elapsed);
    assert!(slow(&measured, 900 * MS) > 0 && slow(&measured, 1_100 * MS) == 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_holds_nothing_up() {
    let plan = Plan { patience: 50 * MS, ..plan(open(100.0), Until::Elapsed(1_000 * MS)) };
    let measured = run(plan, |_, _| Manner::Never).await;
    assert_eq!(measured.recorder.errors[&Outcome::TimedOut].count, 100);
    assert!(measured.elapsed < Duration::from_millis(1_100), "{:?}", measured.elapsed);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_late_is_none() {
    let plan = Plan { patience: 50 * MS, ..plan(Pace::Closed, Until::Requests(10)) };
    let late = |number, _| Manner::AnswerAfter(if number == 3 { 51 * MS } else { 49 * MS });
    let measured = run(plan, late).await;
    assert_eq!((measured.recorder.requests, measured.recorder.right), (10, 9));
    assert_eq!(measured.recorder.errors[&Outcome::TimedOut].count, 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_opened_again() {
    let breaks = |number, _| if number == 100 { Manner::HangUp } else { Manner::AnswerAfter(MS) };
    let measured = run(plan(Pace::Closed, Until::Requests(1_000)), breaks).await;
    let broken = measured.recorder.errors[&Outcome::Broken].count;
    assert!((1..=4).contains(&broken), "{broken}");
    assert_eq!(measured.recorder.right + broken, 1_000);
}

#[tokio::test(start_paused = true)]
async fn exactly_so_many_are_measured_as_were_asked_for() {
    for pace in [Pace::Closed, open(500.0)] {
        let plan = Plan { warm_up: 300 * MS, ..plan(pace, Until::Requests(777)) };
        let seen = Rc::new(Cell::new(0));
        let count = Rc::clone(&seen);
        let measured = run(plan, move |number, _| {
            count.set(number);
            Manner::AnswerAfter(MS)
        })
        .await;
        assert_eq!((measured.recorder.requests, measured.recorder.right), (777, 777), "{pace:?}");
        assert!(seen.get() >= 777 + 149, "the warm-up is asked but not measured");
    }
}

#[tokio::test(start_paused = true)]
async fn a_load_that_is_stopped_reports_what_there_is() {
    let stop = async { sleep(500 * MS).await };
    let plan = plan(open(1_000.0), Until::Elapsed(Duration::from_secs(3_600)));
    let measured = run_until(plan, |_, _| Manner::AnswerAfter(MS), stop).await;
    assert!((490..=510).contains(&measured.recorder.right), "{}", measured.recorder.right);
    assert_eq!(measured.recorder.requests, measured.recorder.right);
    assert!((500..520).contains(&measured.elapsed.as_millis()));
}

#[test]
fn parts_share_what_there_is_and_take_turns() {
    let parts: Vec<_> = (0..3).map(|index| Part { index, of: 3 }).collect();
    assert_eq!(parts.iter().map(|part| part.share(8)).collect::<Vec<_>>(), [3, 3, 2]);
}
