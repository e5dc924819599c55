//! Answers of STS, and what only looks like one.

use super::*;
use crate::token::aws::testing::answer;

const ACTION: &str = "AssumeRole";

fn good() -> String {
    answer(ACTION, "ASIA1", "secret-1", UnixTime(1_800_003_600))
}

#[test]
fn the_keys_and_their_end_are_read() {
    let (keys, end) = credentials(good().as_bytes(), ACTION).unwrap();
    assert_eq!(
        (keys.access_key_id.as_str(), keys.secret_access_key.expose().as_str()),
        ("ASIA1", "secret-1")
    );
    assert_eq!((keys.session_token.unwrap().expose().as_str(), end), ("session-1", UnixTime(1_800_003_600)));
    let escaped = good().replace("secret-1", "a&amp;b&#47;");
    let (keys, _) = credentials(escaped.as_bytes(), ACTION).unwrap();
    assert_eq!(keys.secret_access_key.expose(), "a&b/");
    assert!(credentials(good().as_bytes(), "AssumeRoleWithWebIdentity").is_none(), "another action's answer");
}

#[test]
fn what_is_not_whole_is_nothing() {
    let good = good();
    let without = |name: &str| {
        let (start, end) =
            (good.find(&format!("<{name}>")).unwrap(), good.find(&format!("</{name}>")).unwrap());
        format!("{}{}", &good[..start], &good[end + name.len() + 3..])
    };
    let mut bad: Vec<_> =
        ["AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration", "Credentials"].map(without).into();
    bad.extend([
        String::new(),
        good[..good.len() - 9].to_owned(),
        good.replace("secret-1", "secret 1"),
        good.replace("secret-1", "sec<b/>ret"),
        good.replace("secret-1", ""),
        good.replace("session-1", &"x".repeat(20_000)),
        good.replace("2027-01-15", "soon"),
        good.replace("<Expiration>", "<Expiration>1</Expiration><Expiration>"),
        good.replace("<ResponseMetadata>", &format!("{}<ResponseMetadata>", "<x/>".repeat(600))),
        r#"{"AssumeRoleResponse":{"AssumeRoleResult":{"Credentials":{}}}}"#.to_owned(),
    ]);
    for bad in bad {
        assert!(credentials(bad.as_bytes(), ACTION).is_none(), "{bad}");
    }
    assert!(credentials(b"\xff\xfe", ACTION).is_none());
}

#[test]
fn t18_a_document_type_is_refused_whatever_it_declares() {
    let bomb =
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;&lol;&lol;&lol;&lol;&lol;&lol;\">]>";
    let outside = "<!DOCTYPE r [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>";
    for (start, entity) in [(bomb, "&lol2;"), (outside, "&x;")] {
        let answer = format!("{start}{}", good().replace("secret-1", entity));
        assert!(credentials(answer.as_bytes(), ACTION).is_none());
        let refusal = format!("{start}<ErrorResponse><Error><Code>{entity}</Code></Error></ErrorResponse>");
        assert_eq!(code(refusal.as_bytes()), None);
    }
    let deep = format!("{}{}", "<a>".repeat(400), "</a>".repeat(400));
    assert_eq!(code(deep.as_bytes()), None, "it is read to its end all the same");
}

#[test]
fn a_code_is_found_in_every_form_of_an_error() {
    let wrapped = "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Code>AccessDenied</Code><Message>m\
                   </Message></Error></ErrorResponse>";
    assert_eq!(code(wrapped.as_bytes()).as_deref(), Some("AccessDenied"));
    assert_eq!(
        code(b"<?xml version='1.0'?><Error><Code>Throttling</Code></Error>").as_deref(),
        Some("Throttling")
    );
    let twice = b"<ErrorResponse><Errors><Error><Code>AccessDenied</Code></Error></Errors></ErrorResponse>";
    assert_eq!(code(twice).as_deref(), Some("AccessDenied"));
    for none in
        ["<html><body>502</body></html>", "<ErrorResponse><Error/></ErrorResponse>", "AccessDenied", ""]
    {
        assert_eq!(code(none.as_bytes()), None, "{none}");
    }
}
