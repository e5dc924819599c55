//! Tests of `answer.rs`.

use super::*;

const HASH: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

fn message() -> String {
    format!(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key \
         and signing method. Consult the service documentation for details.\n\n{CANONICAL}\n'POST\n/model/m%3A0/converse\n\n\
         host:h.example\nx-amz-date:20260101T000000Z\nx-amz-security-token:canary-token\n\n\
         host;x-amz-date;x-amz-security-token\n{HASH}'\n\n{STRING}\n'AWS4-HMAC-SHA256\n20260101T000000Z\n\
         20260101/us-east-1/bedrock/aws4_request\n{HASH}'\n"
    )
}

#[test]
fn the_two_texts_are_found_in_every_form_of_an_answer() {
    let message = message();
    let json = serde_json::json!({"message": message}).to_string();
    let texts = [
        json.clone(),
        serde_json::json!({"__type": "com.amazon.coral.service#InvalidSignatureException", "Message": message}).to_string(),
        serde_json::json!({"errors": [{"code": "InvalidSignature", "message": message}]}).to_string(),
        serde_json::Value::String(json.clone()).to_string(),
        format!("<?xml version=\"1.0\"?><ErrorResponse xmlns=\"x\"><Error><Code>SignatureDoesNotMatch</Code><Message>{message}</Message></Error></ErrorResponse>"),
        message.clone(),
        format!("error: BedrockException - {json}"),
        format!("error: {}", json.replace('\\', "\\\\")),
        message.replace('\n', "\r\n"),
    ];
    for text in texts {
        let answer = Answer::read(&text);
        let canonical = answer.canonical.as_ref().unwrap_or_else(|| panic!("{text}"));
        assert_eq!((canonical.method.as_str(), canonical.path.as_str()), ("POST", "/model/m%3A0/converse"));
        assert_eq!(canonical.headers.len(), 3, "{text}");
        assert_eq!(canonical.payload, HASH);
        assert_eq!(answer.string.as_ref().unwrap().scope, "20260101/us-east-1/bedrock/aws4_request");
        assert!(!format!("{answer:?}").contains("canary"), "{answer:?}");
    }
}

#[test]
fn s3_names_the_texts_in_elements() {
    let answer = Answer::read(
        "<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message><StringToSign>AWS4-HMAC-SHA256\n\
         20260101T000000Z\n20260101/us-east-1/s3/aws4_request\nab</StringToSign><CanonicalRequest>GET\n/x\n\nhost:h\n\nhost\n\
         e3</CanonicalRequest></Error>",
    );
    assert_eq!(answer.code.as_deref(), Some("SignatureDoesNotMatch"));
    assert_eq!(answer.canonical.unwrap().payload, "e3");
    assert_eq!(answer.string.unwrap().hash, "ab");
}

#[test]
fn what_is_no_answer_of_aws_is_read_as_nothing() {
    for text in
        ["", "{}", "[]", "upstream connect error", "<html><body>403</body></html>", "{\"message\": 1}", "'"]
    {
        let answer = Answer::read(text);
        assert_eq!((answer.canonical, answer.string, answer.told), (None, None, vec![]), "{text}");
    }
    let joined = message().replace('\n', " ");
    assert!(Answer::read(&joined).broken.is_some());
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(cut in 0_usize..800, tail in ".{0,40}") {
        let message = message();
        let _ = Answer::read(&format!("{}{tail}", message.get(..cut).unwrap_or(&message)));
    }
}
