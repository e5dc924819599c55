//! What each vendor's refusals mean, row by row.

use proptest::prelude::*;

use super::*;

use AuthType::{ApiKey, AwsSigV4, AzureAd, OAuth2, Oidc};
use ProviderKind::{Anthropic, AzureOpenAi, Bedrock, Custom, OpenAi, Vertex};
use Remedy::{Access, Nothing, ReadBody, Refresh, Signature, Unsigned};

const INVALID: (&str, &str) =
    ("www-authenticate", r#"Bearer realm="x", error="invalid_token", error_description="expired""#);
const SCOPE: (&str, &str) = ("www-authenticate", r#"Bearer error="insufficient_scope", scope="llm""#);
const BARE: (&str, &str) = ("www-authenticate", r#"Bearer realm="https://accounts.google.com/""#);

type Lines<'a> = &'a [(&'a str, &'a str)];

fn asked(kind: ProviderKind, auth: AuthType, status: u16, lines: Lines<'_>) -> Remedy {
    let headers = lines.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    remedy(kind, auth, status, &headers)
}

#[test]
fn each_vendors_answer_has_its_remedy() {
    let json = ("content-type", "application/json");
    let rows: [(ProviderKind, AuthType, u16, Lines<'_>, Remedy); 28] = [
        (OpenAi, Oidc, 401, &[json], Refresh),
        (OpenAi, OAuth2, 401, &[INVALID], Refresh),
        (OpenAi, Oidc, 401, &[SCOPE], Nothing),
        (OpenAi, Oidc, 403, &[json], Nothing),
        (AzureOpenAi, AzureAd, 401, &[json], Refresh),
        (AzureOpenAi, Oidc, 401, &[], Refresh),
        (
            AzureOpenAi,
            AzureAd,
            401,
            &[("www-authenticate", r#"Bearer error="insufficient_claims""#)],
            Refresh,
        ),
        (AzureOpenAi, AzureAd, 401, &[("x-ms-error-code", "PermissionDenied")], Nothing),
        (AzureOpenAi, AzureAd, 403, &[INVALID], Nothing),
        (Anthropic, Oidc, 401, &[json], Refresh),
        (Anthropic, Oidc, 403, &[("content-length", "120")], ReadBody),
        (Anthropic, OAuth2, 403, &[("content-length", "8192"), ("content-encoding", "identity")], ReadBody),
        (Anthropic, OAuth2, 403, &[("content-length", "8193")], Nothing),
        (Anthropic, OAuth2, 403, &[("content-length", "0")], Nothing),
        (Anthropic, OAuth2, 403, &[("content-length", "120"), ("content-length", "9")], Nothing),
        (Anthropic, OAuth2, 403, &[("content-length", "120"), ("content-encoding", "gzip")], Nothing),
        (Anthropic, OAuth2, 403, &[], Nothing),
        (Bedrock, AwsSigV4, 403, &[("x-amzn-errortype", "ExpiredTokenException")], Refresh),
        (Bedrock, AwsSigV4, 403, &[("x-amzn-errortype", "UnrecognizedClientException:http://x/")], Refresh),
        (Bedrock, AwsSigV4, 403, &[("x-amzn-errortype", "AccessDeniedException")], Access),
        (Bedrock, AwsSigV4, 403, &[], Nothing),
        (Vertex, Oidc, 401, &[INVALID], Refresh),
        (Vertex, Oidc, 401, &[BARE], Nothing),
        (Vertex, Oidc, 403, &[INVALID], Nothing),
        (Custom, OAuth2, 401, &[INVALID], Refresh),
        (Custom, OAuth2, 401, &[], Refresh),
        (Custom, OAuth2, 401, &[SCOPE], Nothing),
        (Custom, AzureAd, 403, &[INVALID], Nothing),
    ];
    for (kind, auth, status, lines, expected) in rows {
        assert_eq!(asked(kind, auth, status, lines), expected, "{kind:?} {auth} {status} {lines:?}");
    }
}

#[test]
fn what_aws_refuses_is_told_by_its_error_in_every_spelling() {
    for (error, expected) in [
        ("ExpiredTokenException:http://internal.amazon.com/coral/com.amazon.coral.service/", Refresh),
        ("ExpiredToken", Refresh),
        ("com.amazon.coral.service#ExpiredTokenException", Refresh),
        ("UnrecognizedClientException", Refresh),
        ("InvalidClientTokenId", Refresh),
        ("InvalidSignatureException:http://x#y", Signature),
        ("SignatureDoesNotMatch", Signature),
        ("AuthFailure", Signature),
        ("RequestTimeTooSkewed", Signature),
        ("IncompleteSignatureException", Unsigned),
        ("IncompleteSignature", Unsigned),
        ("MissingAuthenticationTokenException", Unsigned),
        ("MissingAuthenticationToken", Unsigned),
        ("AccessDeniedException:", Access),
        ("AccessDenied", Access),
        ("ThrottlingException", Nothing),
        ("NotExpiredTokenException", Nothing),
        ("expiredtokenexception", Nothing),
        (":ExpiredTokenException", Nothing),
        ("", Nothing),
    ] {
        let lines = [("x-amzn-errortype", error)];
        assert_eq!(asked(Custom, AwsSigV4, 403, &lines), expected, "{error}");
        assert_eq!(asked(Custom, AwsSigV4, 400, &lines), Nothing, "{error}");
        assert_eq!(asked(Bedrock, ApiKey, 403, &lines), Nothing, "{error}");
    }
    let two = [("x-amzn-errortype", "ExpiredToken"), ("x-amzn-errortype", "AccessDenied")];
    assert_eq!(asked(Bedrock, AwsSigV4, 403, &two), Nothing);
}

#[test]
fn a_static_key_and_any_other_status_have_none() {
    for kind in [OpenAi, AzureOpenAi, Anthropic, Bedrock, Vertex, Custom] {
        for status in [401, 403] {
            assert_eq!(asked(kind, ApiKey, status, &[INVALID, ("content-length", "9")]), Nothing);
        }
        for status in [200, 400, 402, 404, 407, 429, 500, 503] {
            for auth in AuthType::ALL {
                assert_eq!(asked(kind, auth, status, &[INVALID, ("content-length", "9")]), Nothing);
            }
        }
    }
}

#[test]
fn the_error_is_that_of_the_bearer_challenge_alone() {
    for (value, expected) in [
        (r#"Bearer error="invalid_token""#, Some("invalid_token")),
        (r#"bearer realm="a, b" , ERROR = "invalid_token""#, Some("invalid_token")),
        ("Bearer error=invalid_token", Some("invalid_token")),
        (r#"Basic realm="x", Bearer error="insufficient_scope""#, Some("insufficient_scope")),
        (r#"Bearer, error="invalid_token""#, Some("invalid_token")),
        (r#"Bearer error_description="say \", error=\"invalid_token\"""#, None),
        (r#"Basic realm="x", error="invalid_token""#, None),
        (r#"Bearer realm="x", Basic error="invalid_token""#, None),
        (r#"Bearer realm="error=invalid_token""#, None),
        ("Bearer", None),
        ("", None),
        (",,,", None),
    ] {
        assert_eq!(bearer_error(value.as_bytes()), expected.map(str::as_bytes), "{value}");
    }
}

#[test]
fn only_the_sentence_of_a_revoked_token_says_so() {
    let body = |text: &str| {
        format!(r#"{{"type":"error","error":{{"type":"permission_error","message":"{text}"}}}}"#).into_bytes()
    };
    assert!(says_revoked(&body("OAuth token has been revoked. Please obtain a new token.")));
    assert!(!says_revoked(&body("OAuth token does not meet scope requirement any_of(x)")));
    assert!(!says_revoked(b""));
    let long = [body("OAuth token has been revoked."), vec![b' '; 8 << 10]].concat();
    assert!(!says_revoked(&long));
}

proptest! {
    #[test]
    fn any_challenge_is_read_to_its_end(value in r#"[ -~]{0,40}|(Bearer|error|=|"|,| |\\){0,12}"#) {
        let _ = bearer_error(value.as_bytes());
        prop_assert!(Elements(value.as_bytes()).count() <= value.len());
    }
}
