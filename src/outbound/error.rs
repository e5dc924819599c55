//! Why a fetch failed. Names an origin at most, never a query, a body or a header.

use thiserror::Error;

/// What a fetch can end with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum OutboundError {
    #[error("the HTTP client cannot be made")]
    Client,
    #[error("the URL is not https, nor http to loopback, or it carries a user name")]
    InsecureUrl,
    #[error("the address is link-local, a cloud's metadata service or nobody's; nothing is sent there")]
    Forbidden,
    #[error("a header line or the URL has characters that cannot be sent")]
    Unsendable,
    #[error("could not connect or was cut off")]
    Connect,
    #[error("the server's certificate is not trusted, is not valid now, or names another host")]
    Certificate,
    #[error("the TLS handshake failed: no common version or cipher, or our certificate was refused")]
    Tls,
    #[error("the file of {0} cannot be read, or is not what it should be")]
    TlsFile(TlsFile),
    #[error("no answer in time")]
    Timeout,
    #[error("answered with status {0}")]
    Status(u16),
    #[error("answered with a redirect, which is never followed")]
    Redirect,
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("the answer is not the document that was asked for")]
    Document,
    #[error("the discovery document names another issuer")]
    IssuerMismatch,
    #[error("the discovery document's jwks_uri is not https, nor http to loopback")]
    InsecureJwksUri,
    #[error("the discovery document's token_endpoint is missing, or neither https nor http to loopback")]
    InsecureTokenEndpoint,
    #[error("no key of the key set can be used")]
    NoKeys,
    #[error("the fetch itself broke; the log has the place")]
    Broken,
}

/// A file of `tls`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum TlsFile {
    #[error("tls.ca")]
    Ca,
    #[error("tls.certificate")]
    Certificate,
    #[error("tls.private_key")]
    PrivateKey,
}
