//! The error body that a provider's SDK knows how to show.
//!
//! Each SDK picks its exception by the HTTP status and its text from the body; the words of the bodies are the vendors' own
//! (OpenAI "Error codes", Anthropic "Errors", Amazon Bedrock "Common errors", `google.rpc.Code` and `google.rpc.ErrorInfo`).
//! Where a vendor has no word for a status, the nearest one that no SDK retries stands in: 413 is a fault of the request, and
//! 401 at Bedrock, which itself says 403, is the one that AWS gives to a caller it does not know.

use serde_json::Value;

/// Whose error format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the vendors'")]
pub enum Dialect {
    OpenAi,
    Anthropic,
    Bedrock,
    Vertex,
}

/// What an error body says. Nothing in it comes from the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorText<'a> {
    /// HTTP status.
    pub status: u16,
    /// Code of INTERFACE section 5.
    pub code: &'a str,
    /// One sentence for the person who reads the SDK's exception.
    pub message: &'a str,
}

impl Dialect {
    /// The JSON body. Bedrock's has no room for the code; its SDKs read [`Dialect::error_header`] instead.
    #[must_use]
    pub fn body(self, text: ErrorText<'_>) -> Vec<u8> {
        let word = self.word(text.status);
        // Printing a JSON string quotes and escapes it. The rest is written out: the order of its keys is part of the answer.
        let message = Value::from(text.message);
        match self {
            Self::OpenAi => {
                let code = Value::from(text.code);
                format!(r#"{{"error":{{"message":{message},"type":"{word}","param":null,"code":{code}}}}}"#)
            }
            Self::Anthropic => format!(r#"{{"type":"error","error":{{"type":"{word}","message":{message}}}}}"#),
            Self::Bedrock => format!(r#"{{"message":{message}}}"#),
            Self::Vertex => {
                let status = text.status;
                let reason = Value::from(text.code.to_ascii_uppercase());
                let info = format!(
                    r#"{{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":{reason},"domain":"bouncer"}}"#
                );
                format!(
                    r#"{{"error":{{"code":{status},"message":{message},"status":"{word}","details":[{info}]}}}}"#
                )
            }
        }
        .into_bytes()
    }

    /// The header that stands beside the body, name and value: `x-amzn-errortype` at Bedrock.
    #[must_use]
    pub const fn error_header(self, status: u16) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Bedrock => Some(("x-amzn-errortype", self.word(status))),
            Self::OpenAi | Self::Anthropic | Self::Vertex => None,
        }
    }

    /// The vendor's word for a status. What is not the caller's fault is ours.
    const fn word(self, status: u16) -> &'static str {
        match (self, status) {
            (Self::OpenAi, 401) | (Self::Anthropic, 401) => "authentication_error",
            (Self::OpenAi, 403) | (Self::Anthropic, 403) => "permission_error",
            (Self::OpenAi, 400 | 413) | (Self::Anthropic, 400) => "invalid_request_error",
            (Self::OpenAi, _) => "server_error",

            (Self::Anthropic, 413) => "request_too_large",
            (Self::Anthropic, 503) => "overloaded_error",
            (Self::Anthropic, _) => "api_error",

            (Self::Bedrock, 401) => "UnrecognizedClientException",
            (Self::Bedrock, 403) => "AccessDeniedException",
            (Self::Bedrock, 400 | 413) => "ValidationException",
            (Self::Bedrock, 503) => "ServiceUnavailableException",
            (Self::Bedrock, _) => "InternalServerException",

            (Self::Vertex, 401) => "UNAUTHENTICATED",
            (Self::Vertex, 403) => "PERMISSION_DENIED",
            (Self::Vertex, 400 | 413) => "INVALID_ARGUMENT",
            (Self::Vertex, 503) => "UNAVAILABLE",
            (Self::Vertex, _) => "INTERNAL",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUSES: [u16; 6] = [400, 401, 403, 413, 500, 503];
    const ALL: [Dialect; 4] = [Dialect::OpenAi, Dialect::Anthropic, Dialect::Bedrock, Dialect::Vertex];

    #[track_caller]
    fn check(dialect: Dialect, status: u16, code: &str, golden: &str) {
        let body = dialect.body(ErrorText { status, code, message: "No. Say \"please\"." });
        assert_eq!(String::from_utf8(body).unwrap(), golden);
    }

    #[test]
    fn bodies_are_the_vendors_own() {
        check(
            Dialect::OpenAi,
            401,
            "invalid_token",
            r#"{"error":{"message":"No. Say \"please\".","type":"authentication_error","param":null,"code":"invalid_token"}}"#,
        );
        check(
            Dialect::Anthropic,
            403,
            "mfa_not_possible",
            r#"{"type":"error","error":{"type":"permission_error","message":"No. Say \"please\"."}}"#,
        );
        check(Dialect::Bedrock, 503, "credential_unavailable", r#"{"message":"No. Say \"please\"."}"#);
        check(
            Dialect::Vertex,
            403,
            "no_provider",
            concat!(
                r#"{"error":{"code":403,"message":"No. Say \"please\".","status":"PERMISSION_DENIED","details":[{"#,
                r#""@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NO_PROVIDER","domain":"bouncer"}]}}"#
            ),
        );
    }

    #[test]
    fn every_status_has_the_vendors_word() {
        for (dialect, words) in [
            (
                Dialect::OpenAi,
                [
                    "invalid_request_error",
                    "authentication_error",
                    "permission_error",
                    "invalid_request_error",
                    "server_error",
                    "server_error",
                ],
            ),
            (
                Dialect::Anthropic,
                [
                    "invalid_request_error",
                    "authentication_error",
                    "permission_error",
                    "request_too_large",
                    "api_error",
                    "overloaded_error",
                ],
            ),
            (
                Dialect::Bedrock,
                [
                    "ValidationException",
                    "UnrecognizedClientException",
                    "AccessDeniedException",
                    "ValidationException",
                    "InternalServerException",
                    "ServiceUnavailableException",
                ],
            ),
            (
                Dialect::Vertex,
                [
                    "INVALID_ARGUMENT",
                    "UNAUTHENTICATED",
                    "PERMISSION_DENIED",
                    "INVALID_ARGUMENT",
                    "INTERNAL",
                    "UNAVAILABLE",
                ],
            ),
        ] {
            assert_eq!(STATUSES.map(|status| dialect.word(status)), words, "{dialect:?}");
        }
    }

    #[test]
    fn bedrock_names_the_exception_in_a_header() {
        let header = Some(("x-amzn-errortype", "AccessDeniedException"));
        assert_eq!(Dialect::Bedrock.error_header(403), header);
        for dialect in [Dialect::OpenAi, Dialect::Anthropic, Dialect::Vertex] {
            assert_eq!(dialect.error_header(403), None);
        }
    }

    #[test]
    fn any_text_makes_json_that_says_it() {
        let message = "a\"b\\c\nd\u{1}é</script>{}";
        for dialect in ALL {
            for status in STATUSES {
                let body = dialect.body(ErrorText { status, code: "forbidden\"", message });
                let json: Value = serde_json::from_slice(&body).unwrap();
                let said = json.pointer("/error/message").or_else(|| json.pointer("/message")).unwrap();
                assert_eq!(said, message, "{dialect:?}");
            }
        }
    }
}
