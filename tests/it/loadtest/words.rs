//! Words of a server that knows the caller's token.

use super::stand_in::{Manner, StandIn};
use super::{load, measured, path, tcp};
use crate::support::Files;

/// What stands in place of words that hold the token, without its spaces.
const HIDDEN: &str = "[notshown:thetokenisinit]";

#[test]
fn a_server_that_tells_the_callers_token_has_it_in_no_report() {
    const TOKEN: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJjYWxsZXItMSJ9.c2lnbmF0dXJlLW9mLXRoZS1jYWxsZXI";
    let encoded: String = TOKEN.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let words = |text: String| -> &'static str { text.leak() };
    let [all, start, end] = [TOKEN, &TOKEN[..30], &TOKEN[50..]]
        .map(|part| words(format!("{} not accepted: {part}", "-".repeat(160))));
    let files = Files::new();
    files.write("token", TOKEN);
    let (token, report) = (path(&files.path("token")), path(&files.path("report.html")));
    let hidden = |manner: Manner, text: &str| {
        // A report breaks its lines where it must.
        let text: String = text.split_whitespace().collect();
        assert!(text.contains(HIDDEN), "{manner:?}: {text}");
        for piece in TOKEN.as_bytes().windows(16) {
            let piece = std::str::from_utf8(piece).unwrap();
            assert!(!text.contains(piece), "{manner:?}: {piece} in {text}");
        }
    };
    for manner in [
        Manner::Fails(all),
        Manner::Fails(words(encoded)),
        Manner::Fails(end),
        Manner::Refuses(all),
        Manner::Refuses(start),
        Manner::GoesAway(all),
    ] {
        let first = StandIn::start(move |_| manner);
        let arguments = ["--token-file", &token, "--wait", "0s", "--duration", "1h"];
        hidden(manner, &load(&tcp(first.address), &arguments).text);
        let later = || StandIn::start(move |number| if number == 0 { Manner::Permit } else { manner });
        let arguments = ["--token-file", &token, "--requests", "20", "--report", &report];
        let server = later();
        hidden(manner, &load(&tcp(server.address), &arguments).text);
        hidden(manner, &std::fs::read_to_string(&report).unwrap());
        let server = later();
        let (_, result) = measured(&tcp(server.address), &arguments);
        hidden(manner, &result.to_string());
    }
}
