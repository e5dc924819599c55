//! What an operator must change when there is no token: a closed table by what went wrong.

use crate::outbound::OutboundError;
use crate::token::{AnswerFault, MaterialFault, OAuthCode, SourceError, SourceErrorKind};

/// A sentence that begins with where to look. `secret` is the secret's name, where there is one.
pub(super) fn advice(error: &SourceError, secret: Option<&str>) -> String {
    // What the vendor's own code says is nearer to the cause than any table of codes.
    if let Some(hint) = error.hint() {
        return hint.to_owned();
    }
    let secret = secret.map_or_else(|| "the identity".to_owned(), |name| format!("the secret {name:?}"));
    match &error.kind {
        SourceErrorKind::OAuth { code, .. } => oauth(*code, &secret),
        SourceErrorKind::Sts { status, .. } | SourceErrorKind::Status { status, .. } => {
            status_advice(*status, &secret)
        }
        SourceErrorKind::Outbound(error) => outbound(*error).to_owned(),
        SourceErrorKind::Answer(fault) => answer(*fault).to_owned(),
        SourceErrorKind::Material(fault) => material(fault, &secret),
    }
}

fn oauth(code: OAuthCode, secret: &str) -> String {
    match code {
        OAuthCode::InvalidClient => format!(
            "{secret}: the server does not know this client_id, or does not take its client_secret, key or certificate; and client_auth: it may want another one"
        ),
        OAuthCode::UnauthorizedClient | OAuthCode::UnsupportedGrantType => {
            "the client at the identity provider: it may not use this grant; allow it there".to_owned()
        }
        OAuthCode::InvalidGrant => format!(
            "{secret}, or the workload's token file: the refresh token, assertion or subject token has ended, was revoked, or is for another audience; get a new one"
        ),
        OAuthCode::InvalidScope => {
            "scopes of the entry: the server does not know one of them, or this client may not have it".to_owned()
        }
        OAuthCode::InvalidTarget => {
            "audience or resource of the entry: the server does not know it, or this client may not ask for it"
                .to_owned()
        }
        OAuthCode::InvalidRequest => {
            "the entry: the server misses a parameter or cannot read one; compare scopes, audience, resource and client_auth with what it documents"
                .to_owned()
        }
        OAuthCode::InvalidRapt | OAuthCode::InteractionRequired => {
            "the identity provider's policy: it wants a person (MFA, Conditional Access, a new login), which a server is not; exempt this client there"
                .to_owned()
        }
        OAuthCode::TemporarilyUnavailable | OAuthCode::ServerError | OAuthCode::SlowDown => {
            "nothing here: the identity provider asks to be tried later; where it stays so, ask those who run it"
                .to_owned()
        }
        OAuthCode::Other => {
            "the client at the identity provider: its own log says what this refusal means".to_owned()
        }
    }
}

fn status_advice(status: u16, secret: &str) -> String {
    match status {
        401 | 403 => format!("{secret}: the server does not take this client, or this client may not do this"),
        404 | 405 | 410 => {
            "token_endpoint or issuer of the entry: there is nothing of the kind at this address".to_owned()
        }
        429 => "nothing here: the server is asked too often; where it stays so, ask those who run it".to_owned(),
        400..=499 => {
            "the entry: the server cannot read the request; compare token_endpoint and client_auth with what it documents"
                .to_owned()
        }
        _ => "nothing here: the identity provider does not work; ask those who run it".to_owned(),
    }
}

const fn outbound(error: OutboundError) -> &'static str {
    match error {
        OutboundError::Connect | OutboundError::Timeout => {
            "the way there: name resolution, firewall or NetworkPolicy, proxy (HTTPS_PROXY)"
        }
        OutboundError::Certificate => {
            "tls.ca of the entry, where a private CA signed the server's certificate; else the server's certificate, or this machine's clock"
        }
        OutboundError::Tls => {
            "tls.certificate and tls.private_key of the entry: the server may want another certificate, or one at all"
        }
        OutboundError::TlsFile(_) => "tls of the entry: the file, whether it is there and whether it is PEM",
        OutboundError::InsecureUrl
        | OutboundError::InsecureTokenEndpoint
        | OutboundError::InsecureJwksUri => "the address: https, or http to a loopback address",
        OutboundError::Forbidden => {
            "the address, or what the name resolves to: it leads to this machine's own surroundings"
        }
        OutboundError::Unsendable => "the secret: something in it cannot stand in a header or in a URL",
        OutboundError::Redirect => {
            "token_endpoint or issuer of the entry: name the address to which this one leads"
        }
        OutboundError::IssuerMismatch => {
            "issuer of the entry: write it exactly as the issuer's discovery document does, the last slash too"
        }
        OutboundError::Status(_)
        | OutboundError::TooLarge(_)
        | OutboundError::Document
        | OutboundError::NoKeys => {
            "token_endpoint or issuer of the entry: what answers there is something else"
        }
        OutboundError::Client => "the machine: it has no CA certificates",
        OutboundError::Broken => "nothing here: this is a bug of bouncer's; please report it",
    }
}

const fn answer(fault: AnswerFault) -> &'static str {
    match fault {
        AnswerFault::Over => "the clock of this machine, or of the identity provider",
        AnswerFault::DPoP | AnswerFault::CertificateBound | AnswerFault::TokenType => {
            "the client at the identity provider: have it issued plain bearer tokens"
        }
        AnswerFault::NotMetadata => "where this runs: there is no metadata server of Google's here",
        _ => {
            "token_endpoint of the entry, or the client at the identity provider: what it answers is no usable token"
        }
    }
}

fn material(fault: &MaterialFault, secret: &str) -> String {
    match fault {
        MaterialFault::File { path, .. }
        | MaterialFault::NotToken { path }
        | MaterialFault::WebIdentity { path } => {
            format!("{path}: whether it is mounted there and whether this process may read it")
        }
        MaterialFault::NoAwsIdentity => {
            "credential_ref of the entry: give it a secret with keys or a role; or the environment (AWS_ACCESS_KEY_ID, AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE), or this machine a role"
                .to_owned()
        }
        MaterialFault::AwsIdentity => {
            "the environment (AWS_PROFILE, AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_CONTAINER_*) and the files that it names; of a profile, role_arn, source_profile and keys"
                .to_owned()
        }
        MaterialFault::Tls { path } => format!("tls of the entry, and {path}"),
        _ => format!("{secret}: its keys and their forms"),
    }
}
