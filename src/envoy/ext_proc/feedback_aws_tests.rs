//! What a stream makes of the answer to a signature: whether its clock is believed, and what the caller is told.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::base::UnixTime;

const HOST: &str = "bedrock-runtime.us-east-1.amazonaws.com";

/// A stream on which a signature was put, made with the time that is known of the host.
fn signed(bench: &Bench) -> Watch {
    let (id, at) = (bench.slot().handle().held().unwrap().id, bench.current.now());
    let signed = Signed {
        entry: "".into(),
        host: HOST.into(),
        region: "us-east-1".into(),
        service: "bedrock".into(),
        at,
        time: time_at(bench, HOST),
    };
    let put_on = PutOn { provider: 0, credential: id, signed: Some(Box::new(signed)) };
    Watch::of(&bench.generation, put_on, || Some("request-1")).unwrap()
}

fn time_at(bench: &Bench, host: &str) -> UnixTime {
    bench.generation.snapshot.clocks.time_at("", host, bench.current.now().unix)
}

/// Seconds that the host is known to be ahead.
fn ahead(bench: &Bench, host: &str) -> i64 {
    let (there, here) = (time_at(bench, host).0, bench.current.now().unix.0);
    i64::try_from(there).unwrap() - i64::try_from(here).unwrap()
}

/// The `date` of a host that is so many seconds ahead.
fn date(bench: &Bench, ahead: i64) -> String {
    let time = bench.current.now().unix.0.checked_add_signed(ahead).unwrap();
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(time))
}

fn over_tls(map: &[u8]) -> ResponseHeaders<'_> {
    let maker = Maker { code_details: Some("via_upstream"), tls_version: Some("TLSv1.3") };
    ResponseHeaders { map, end: false, maker }
}

fn corrected() -> (u16, String, Option<String>) {
    (503, "credential_unavailable".to_owned(), Some("1".to_owned()))
}

#[track_caller]
fn instead(verdict: Verdict) -> (u16, String, Option<String>) {
    let Verdict::Instead(reply) = verdict else { panic!("untouched") };
    told(reply)
}

async fn bench(feedback: Feedback) -> Bench {
    Bench::new(ProviderKind::Bedrock, AuthType::AwsSigV4, feedback).await
}

#[tokio::test(start_paused = true)]
async fn a_403_for_the_keys_renews_them_and_stays_here() {
    for error in ["ExpiredTokenException:http://x/", "UnrecognizedClientException", "InvalidClientTokenId"] {
        let bench = bench(Feedback::Answer).await;
        let stream = signed(&bench);
        let refused = map("403", &[("x-amzn-errortype", error)]);
        assert_eq!(instead(stream.headers(&bench.current, over_tls(&refused))), come_back());
        settle().await;
        assert_eq!(bench.asked(), 2);
        // The new ones are refused as well.
        assert_eq!(instead(signed(&bench).headers(&bench.current, over_tls(&refused))), of_no_use());
        assert!(bench.counted(403));
    }
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_the_callers_to_hear_and_renews_nothing() {
    let bench = bench(Feedback::Answer).await;
    for (error, skew) in
        [("AccessDeniedException", 0), ("AccessDeniedException", 200), ("ThrottlingException", 900)]
    {
        let date = date(&bench, skew);
        let refused = map("403", &[("x-amzn-errortype", error), ("date", &date)]);
        let verdict = signed(&bench).headers(&bench.current, over_tls(&refused));
        assert!(matches!(verdict, Verdict::Untouched), "{error} {skew}");
    }
    settle().await;
    assert_eq!(bench.asked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_the_reason_is_corrected_once() {
    for error in [
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "RequestTimeTooSkewed",
        "AccessDeniedException",
    ] {
        let bench = bench(Feedback::Answer).await;
        let date = date(&bench, 600);
        let refused = map("403", &[("x-amzn-errortype", error), ("date", &date)]);
        assert_eq!(
            instead(signed(&bench).headers(&bench.current, over_tls(&refused))),
            corrected(),
            "{error}"
        );
        assert_eq!(ahead(&bench, HOST), 600);
        assert_eq!(ahead(&bench, "bedrock-runtime.us-west-2.amazonaws.com"), 0);
        // The next one has the host's time already: there is another reason.
        let verdict = signed(&bench).headers(&bench.current, over_tls(&refused));
        match error {
            "AccessDeniedException" => assert!(matches!(verdict, Verdict::Untouched)),
            _ => assert_eq!(instead(verdict), of_no_use()),
        }
        settle().await;
        assert_eq!(bench.asked(), 1, "other keys would be refused as well");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signature_that_is_refused_with_a_good_clock_is_ours_to_mend() {
    let bench = bench(Feedback::Answer).await;
    for error in ["InvalidSignatureException", "IncompleteSignature", "MissingAuthenticationToken"] {
        let date = date(&bench, 2);
        let refused = map("403", &[("x-amzn-errortype", error), ("date", &date)]);
        assert_eq!(
            instead(signed(&bench).headers(&bench.current, over_tls(&refused))),
            of_no_use(),
            "{error}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_of_the_provider_says_what_time_it_is_there() {
    let bench = bench(Feedback::Observe).await;
    for (status, skew) in [("200", 30), ("429", -45), ("200", 0), ("500", 7_200)] {
        let answer = map(status, &[("date", &date(&bench, skew))]);
        assert!(matches!(signed(&bench).headers(&bench.current, over_tls(&answer)), Verdict::Untouched));
        assert_eq!(ahead(&bench, HOST), skew, "{status}");
    }
    assert!(!bench.counted(429) && !bench.counted(500));
}

#[tokio::test(start_paused = true)]
async fn nobody_but_a_provider_that_tls_vouches_for_is_believed() {
    let bench = bench(Feedback::Answer).await;
    let date = date(&bench, 600);
    let refused = map("403", &[("x-amzn-errortype", "InvalidSignatureException"), ("date", &date)]);
    for tls_version in [None, Some("")] {
        let maker = Maker { code_details: Some("via_upstream"), tls_version };
        let verdict = signed(&bench).headers(&bench.current, ResponseHeaders { maker, ..over_tls(&refused) });
        assert_eq!(instead(verdict), of_no_use());
    }
    for code_details in [Some("direct_response"), None] {
        let maker = Maker { code_details, tls_version: Some("TLSv1.3") };
        for status in ["200", "403"] {
            let answer = map(status, &[("x-amzn-errortype", "InvalidSignatureException"), ("date", &date)]);
            let verdict =
                signed(&bench).headers(&bench.current, ResponseHeaders { maker, ..over_tls(&answer) });
            assert!(matches!(verdict, Verdict::Untouched));
        }
    }
    // A cache that answers says what time it was.
    let aged = map("200", &[("date", &date), ("age", "600")]);
    signed(&bench).headers(&bench.current, over_tls(&aged));
    assert_eq!(ahead(&bench, HOST), 0);
}

#[tokio::test(start_paused = true)]
async fn who_only_observes_learns_the_clock_and_leaves_the_answer() {
    let bench = bench(Feedback::Observe).await;
    let date = date(&bench, -400);
    let refused = map("403", &[("x-amzn-errortype", "RequestTimeTooSkewed"), ("date", &date)]);
    assert!(matches!(signed(&bench).headers(&bench.current, over_tls(&refused)), Verdict::Untouched));
    assert_eq!(ahead(&bench, HOST), -400);
}
