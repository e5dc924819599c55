//! The error body that a provider's SDK knows how to show.

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
    /// The JSON body.
    #[must_use]
    pub fn body(self, _text: ErrorText<'_>) -> Vec<u8> {
        todo!()
    }

    /// `x-amzn-errortype` and the like: a header beside the body.
    #[must_use]
    pub fn error_header(self, _status: u16) -> Option<(&'static str, &'static str)> {
        todo!()
    }
}
