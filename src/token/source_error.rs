//! Why a source brought no token: variants by what the operator should do, and whether another attempt helps.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Origin, SecretFault, aws, azure, google};
use crate::cache::{Failure, Retry};
use crate::outbound::OutboundError;
use crate::provider::AwsErrorCode;

/// What went wrong on which leg. Holds no secret, no body and no URL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "{leg}{}{}: {kind}",
    hop.as_ref().map(|hop| format!(" ({hop})")).unwrap_or_default(),
    to.as_ref().map(|to| format!(" at {to}")).unwrap_or_default()
)]
pub struct SourceError {
    /// The exchange that failed.
    pub leg: &'static str,
    /// Of a role chain: which hop, by its number and its role.
    pub hop: Option<Arc<str>>,
    /// Where it went.
    pub to: Option<Origin>,
    /// What happened there.
    pub kind: SourceErrorKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceErrorKind {
    /// There was no answer that could be read.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
    /// The server refused, in the words of RFC 6749 section 5.2.
    #[error("{code} (status {status}){description}")]
    OAuth {
        /// Its code.
        code: OAuthCode,
        /// HTTP status.
        status: u16,
        /// Its sentence, where that is fit to be shown.
        description: Description,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// STS refused.
    #[error("{code} (status {status})")]
    Sts {
        /// Its code.
        code: AwsErrorCode,
        /// HTTP status.
        status: u16,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The server refused, and not in those words.
    #[error("answered with status {status}")]
    Status {
        /// HTTP status.
        status: u16,
        /// When the server wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// The answer says success and cannot be used.
    #[error(transparent)]
    Answer(#[from] AnswerFault),
    /// Something that the operator keeps is missing or broken.
    #[error(transparent)]
    Material(#[from] MaterialFault),
}

/// Error codes of RFC 6749, 8693, 8707 and of the vendors; everything else is `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the registry's")]
pub enum OAuthCode {
    InvalidRequest,
    InvalidClient,
    InvalidGrant,
    UnauthorizedClient,
    UnsupportedGrantType,
    InvalidScope,
    InvalidTarget,
    InvalidRapt,
    InteractionRequired,
    TemporarilyUnavailable,
    ServerError,
    SlowDown,
    Other,
}

/// A server's sentence on its error: at most 256 printable characters, and none of what was sent to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Description(Option<Box<str>>);

/// What is wrong with an answer that says success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum AnswerFault {
    #[error("the answer is not a JSON object")]
    NotJson,
    #[error("the answer has no access token that is a text")]
    NoToken,
    #[error("the access token has characters that no header can carry, or is longer than 16 KiB")]
    UnfitToken,
    #[error("token_type is not Bearer")]
    TokenType,
    #[error(
        "token_type is DPoP: such a token needs a proof signed for each request, which nobody can put on by a header; have the client issued bearer tokens"
    )]
    DPoP,
    #[error(
        "the token is bound to our certificate (cnf): the provider would ask it of the proxy, which does not have it; have the client issued tokens that are not bound"
    )]
    CertificateBound,
    #[error("the token's life (expires_in) is not a positive number")]
    Life,
    #[error("the token has ended already; compare the clocks")]
    Over,
    #[error("the answer's header Metadata-Flavor is missing: this is not Google's metadata server")]
    NotMetadata,
    #[error("the token was issued by another issuer than the configured one")]
    Issuer,
    #[error("the answer has no subject token where credential_source.format says that it is")]
    NoSubject,
    #[error("the answer is not what the metadata service of AWS says")]
    AwsMetadata,
    #[error("the answer of STS has no credentials that could be used")]
    Sts,
}

/// What is wrong with what the operator keeps for us. Names files, never contents.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the sentence is the documentation")]
pub enum MaterialFault {
    #[error(transparent)]
    Secret(SecretFault),
    #[error("{path} cannot be read: {kind}")]
    File { path: String, kind: std::io::ErrorKind },
    #[error("{path} is empty, not UTF-8, or larger than 16 KiB")]
    NotToken { path: String },
    #[error("the private key cannot sign: it is no PEM key of RSA or of the curve P-256 or P-384")]
    PrivateKey,
    #[error("the certificate is not PEM")]
    Certificate,
    #[error("{path} has no subject token where credential_source.format says that it is")]
    NoField { path: String },
    #[error(
        "neither the environment (AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) nor credential_source says where the region and the keys of AWS are"
    )]
    NoAws,
    #[error("{path} has no web identity token: 4 to 20000 bytes of ASCII")]
    WebIdentity { path: String },
    #[error(
        "there is no identity of AWS here: neither the environment nor a profile names one, and metadata services are switched off (AWS_EC2_METADATA_DISABLED)"
    )]
    NoAwsIdentity,
    #[error(
        "the identity of AWS that the environment or the profile names cannot be used: a file that it names is missing or not understood, or it is one of SSO or of a program (credential_process), which are not served"
    )]
    AwsIdentity,
    #[error("the keys cannot sign a request to STS")]
    AwsKeys,
    #[error("the file of TLS towards the token endpoint cannot be used: {path}")]
    Tls { path: String },
}

/// Who has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The one who wrote the configuration or the secret.
    Operator,
    /// The identity provider, or the way to it.
    Remote,
    /// We.
    Bouncer,
}

impl SourceError {
    /// An error of `leg`.
    #[must_use]
    pub fn new(leg: &'static str, to: Option<Origin>, kind: impl Into<SourceErrorKind>) -> Self {
        Self { leg, hop: None, to, kind: kind.into() }
    }

    /// The same, of a hop of a role chain.
    #[must_use]
    pub fn on(self, hop: Option<&Arc<str>>) -> Self {
        Self { hop: hop.cloned(), ..self }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &self.kind {
            SourceErrorKind::Outbound(OutboundError::Broken) => Fault::Bouncer,
            SourceErrorKind::Outbound(
                OutboundError::InsecureUrl
                | OutboundError::Forbidden
                | OutboundError::Unsendable
                | OutboundError::TlsFile(_),
            )
            | SourceErrorKind::Material(_) => Fault::Operator,
            SourceErrorKind::Outbound(_) | SourceErrorKind::Answer(_) => Fault::Remote,
            SourceErrorKind::OAuth { code, .. } if code.is_passing() => Fault::Remote,
            SourceErrorKind::Sts { code, .. } if code.is_passing() => Fault::Remote,
            SourceErrorKind::OAuth { status, .. } | SourceErrorKind::Status { status, .. }
                if azure::is_passing(self.leg, *status) =>
            {
                Fault::Remote
            }
            SourceErrorKind::OAuth { status, .. }
            | SourceErrorKind::Sts { status, .. }
            | SourceErrorKind::Status { status, .. } => match status {
                // Some servers say their error with status 200.
                200 | 400..=407 | 409 | 411..=424 | 426..=428 | 430..=499 => Fault::Operator,
                _ => Fault::Remote,
            },
        }
    }

    /// Whether the server understood the request and refused what was presented.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        self.status().is_some() && self.fault() == Fault::Operator
    }

    /// Its code in records and metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.kind {
            SourceErrorKind::Outbound(OutboundError::Timeout) => "timeout",
            SourceErrorKind::Outbound(_) => "unreachable",
            SourceErrorKind::OAuth { code, .. } => code.as_str(),
            SourceErrorKind::Sts { code, .. } => code.as_str(),
            SourceErrorKind::Status { .. } => "status",
            SourceErrorKind::Answer(_) => "unusable_answer",
            SourceErrorKind::Material(_) => "unusable_material",
        }
    }
}

impl SourceError {
    /// The status of the answer, where there was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self.kind {
            SourceErrorKind::OAuth { status, .. }
            | SourceErrorKind::Sts { status, .. }
            | SourceErrorKind::Status { status, .. } => Some(status),
            _ => None,
        }
    }

    /// What an operator should look at first. By what servers write for people, so it may be wrong: nothing is decided by it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        aws::hint(self).or_else(|| azure::hint(self)).or_else(|| google::hint(self))
    }
}

impl Failure for SourceError {
    fn retry(&self) -> Retry {
        let after = match &self.kind {
            SourceErrorKind::OAuth { retry_after, .. }
            | SourceErrorKind::Sts { retry_after, .. }
            | SourceErrorKind::Status { retry_after, .. } => *retry_after,
            _ => None,
        };
        match (self.fault(), after) {
            // A file that is being replaced is there again in a moment.
            (Fault::Operator, _) if matches!(&self.kind, SourceErrorKind::Material(fault) if fault.is_passing()) => {
                Retry::Soon
            }
            // Whatever the server says of when: the same request has the same answer.
            (Fault::Operator, _) => Retry::WhenChanged,
            (_, Some(after)) => Retry::After(after),
            (Fault::Remote | Fault::Bouncer, None) => Retry::Soon,
        }
    }

    fn timeout() -> Self {
        Self::new("exchange", None, OutboundError::Timeout)
    }

    fn broken() -> Self {
        Self::new("exchange", None, OutboundError::Broken)
    }

    fn over() -> Self {
        Self::new("exchange", None, AnswerFault::Over)
    }
}

impl MaterialFault {
    const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::File { .. }
                | Self::NotToken { .. }
                | Self::WebIdentity { .. }
                | Self::NoField { .. }
                | Self::Tls { .. }
                // Profiles and tokens of the platform lie in files too.
                | Self::AwsIdentity
        )
    }
}

impl OAuthCode {
    const NAMES: [(Self, &'static str); 12] = [
        (Self::InvalidRequest, "invalid_request"),
        (Self::InvalidClient, "invalid_client"),
        (Self::InvalidGrant, "invalid_grant"),
        (Self::UnauthorizedClient, "unauthorized_client"),
        (Self::UnsupportedGrantType, "unsupported_grant_type"),
        (Self::InvalidScope, "invalid_scope"),
        (Self::InvalidTarget, "invalid_target"),
        (Self::InvalidRapt, "invalid_rapt"),
        (Self::InteractionRequired, "interaction_required"),
        (Self::TemporarilyUnavailable, "temporarily_unavailable"),
        (Self::ServerError, "server_error"),
        (Self::SlowDown, "slow_down"),
    ];

    /// Reads a code.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self::NAMES.iter().find(|(_, name)| *name == text).map_or(Self::Other, |(code, _)| *code)
    }

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        Self::NAMES.iter().find(|(code, _)| *code == self).map_or("other_error", |(_, name)| name)
    }

    /// Whether it may go away by itself.
    #[must_use]
    pub const fn is_passing(self) -> bool {
        matches!(self, Self::TemporarilyUnavailable | Self::ServerError | Self::SlowDown)
    }
}

impl fmt::Display for OAuthCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Description {
    /// Takes a server's sentence, cut to 256 printable characters; nothing of it when it repeats any part of `sent`
    /// (THREATS T22: some servers echo the secret).
    #[must_use]
    pub fn new<'a>(text: &str, sent: impl IntoIterator<Item = &'a str>) -> Self {
        let printable = |c: &char| {
            !c.is_control()
                && !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
        };
        // Twice as much as is shown: a secret that is cut in two at the end is still found.
        let text: String = text.chars().filter(printable).take(512).collect();
        if sent.into_iter().any(|sent| repeats(&text, sent)) {
            return Self(None);
        }
        let text: String = text.chars().take(256).collect();
        Self((!text.is_empty()).then(|| text.into_boxed_str()))
    }

    /// The sentence.
    #[must_use]
    pub fn as_deref(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// Whether `text` has a part of `sent` in it. Less than four characters of a secret are in every text.
fn repeats(text: &str, sent: &str) -> bool {
    let length = sent.chars().take(8).count();
    let starts = text.char_indices().map(|(at, _)| at);
    let ends = starts.clone().skip(length).chain([text.len()]);
    length >= 4
        && starts.zip(ends).any(|(from, to)| text.get(from..to).is_some_and(|part| sent.contains(part)))
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_ref().map_or(Ok(()), |text| write!(f, ": {text}"))
    }
}
