//! What the provider says to the credential that a stream put on: its 401 or 403 renews a token, and its 401 stays here.
//!
//! Nothing is sent again, and nothing is invalidated but the very credential that was refused: a late refusal of an earlier
//! one leaves the one in use alone. The caller's own token was fine, so the caller is not told 401, and never in the
//! provider's words, which may repeat the key.

use std::sync::Arc;
use std::time::Duration;

use super::request::{Maker, read_headers};
use super::response::refuse;
use crate::base::Fingerprint;
use crate::cache::Rejection;
use crate::config::Feedback;
use crate::credential::{ClockReading, ClockVerdict, Signed};
use crate::envoy::current::{Current, Generation, Rejected};
use crate::envoy::grpc::Frame;
use crate::envoy::refusal::Denied;
use crate::pipeline::{Cause, Refusal};
use crate::provider::{Provider, Remedy, remedy, says_revoked};
use crate::request::Headers;
use crate::token::Slot;

/// What `response.code_details` says of a response that no filter of Envoy's made.
pub(super) const VIA_UPSTREAM: &str = "via_upstream";

/// A renewal takes a moment, and who comes back before its end waits for it.
const COME_BACK_AFTER: Duration = Duration::from_secs(1);

/// What a stream remembers of the credential that it put on.
pub(super) struct Watch {
    generation: Arc<Generation>,
    provider: usize,
    credential: Fingerprint,
    signed: Option<Signed>,
    feedback: Feedback,
    request_id: Option<Box<str>>,
}

/// What was put on a request.
pub(super) struct PutOn {
    /// Index of the provider.
    pub(super) provider: usize,
    pub(super) credential: Fingerprint,
    /// What was signed, where it is a signature.
    pub(super) signed: Option<Signed>,
}

/// The headers of a response.
#[derive(Clone, Copy)]
pub(super) struct ResponseHeaders<'a> {
    /// Their `HeaderMap`.
    pub(super) map: &'a [u8],
    /// Whether nothing follows them.
    pub(super) end: bool,
    /// Envoy's word for who made the response.
    pub(super) maker: Maker<'a>,
}

/// What becomes of a response.
pub(super) enum Verdict {
    /// The caller gets it.
    Untouched,
    /// The caller gets it, but its body is read first.
    ReadBody,
    /// The caller gets this one.
    Instead(Frame),
}

/// What becomes of the credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequel {
    /// The next one is on its way.
    Renewing,
    /// It is not in use any more.
    Replaced,
    /// It was renewed for that a moment ago, and the new one is refused too.
    RenewedBefore,
    /// The next signature has another time.
    Corrected,
    /// The signature is wrong, and the clock is right.
    Refused,
    /// The signature is wrong, and nobody knows whether the clock is.
    RefusedAtSomeTime,
    /// There was none, or a part of one.
    Unsigned,
    /// Another one would be refused as well.
    Kept,
}

impl Watch {
    /// None where the entry asks for no feedback.
    pub(super) fn of(
        generation: &Arc<Generation>,
        PutOn { provider, credential, signed }: PutOn,
        request_id: Option<&str>,
    ) -> Option<Self> {
        let feedback = *generation.snapshot.feedback.get(provider)?;
        if feedback == Feedback::Off {
            return None;
        }
        let (generation, request_id) = (Arc::clone(generation), request_id.map(Box::from));
        Some(Self { generation, provider, credential, signed, feedback, request_id })
    }

    /// The response's headers came.
    pub(super) fn headers(&self, current: &Current, response: ResponseHeaders<'_>) -> Verdict {
        // What cannot be read says nothing of the credential.
        let Ok(headers) = read_headers(response.map) else { return Verdict::Untouched };
        let status = match headers.only(":status") {
            Some(b"401") => Some(401),
            Some(b"403") => Some(403),
            _ if self.signed.is_none() => return Verdict::Untouched,
            _ => None,
        };
        let Some((provider, slot)) = self.provider() else { return Verdict::Untouched };
        match (response.maker.code_details, status) {
            (Some(VIA_UPSTREAM), _) => {}
            // Of a filter that stands behind this one, or of the router: the provider was not even asked (THREATS P15).
            (Some(_), _) | (None, None) => return Verdict::Untouched,
            (None, Some(status)) => {
                let action = "none: response.code_details is not among response_attributes";
                self.tell(current, provider, status, action);
                return Verdict::Untouched;
            }
        }
        let remedy = status.map(|status| remedy(provider.kind, provider.auth, status, &headers));
        let clock = self.clock(current, &response, &headers, remedy);
        let (Some(status), Some(remedy)) = (status, remedy) else { return Verdict::Untouched };
        current.metrics().upstream_rejection(&provider.name, status);
        if remedy == Remedy::ReadBody && !response.end {
            return Verdict::ReadBody;
        }
        let sequel = self.sequel(slot, remedy, clock);
        self.tell(current, provider, status, sequel.as_str());
        match sequel.cause(status, remedy) {
            Some(cause) if self.feedback == Feedback::Answer => {
                Verdict::Instead(self.instead(provider, cause))
            }
            _ => Verdict::Untouched,
        }
    }

    /// What the answer to a signature says of the clock. Nothing where nobody vouches for the host: its word would shift every
    /// signature for it.
    fn clock(
        &self,
        current: &Current,
        response: &ResponseHeaders<'_>,
        headers: &Headers<'_>,
        remedy: Option<Remedy>,
    ) -> Option<ClockVerdict> {
        let signed = self.signed.as_ref()?;
        response.maker.tls_version.filter(|version| !version.is_empty())?;
        Some(self.generation.snapshot.clocks.observe(&ClockReading {
            signed,
            received: current.now(),
            date: headers.only("date"),
            aged: headers.all("age").next().is_some(),
            refused: matches!(remedy, Some(Remedy::Signature | Remedy::Access)),
        }))
    }

    /// The body of a 403 came. The caller gets it.
    pub(super) fn body(&self, current: &Current, body: &[u8]) {
        if let Some((provider, slot)) = self.provider() {
            let remedy = if says_revoked(body) { Remedy::Refresh } else { Remedy::Nothing };
            self.tell(current, provider, 403, self.sequel(slot, remedy, None).as_str());
        }
    }

    fn provider(&self) -> Option<(&Provider, &Slot)> {
        let snapshot = &self.generation.snapshot;
        Some((snapshot.catalog.providers().get(self.provider)?, snapshot.tokens.slot(self.provider)?))
    }

    fn sequel(&self, slot: &Slot, remedy: Remedy, clock: Option<ClockVerdict>) -> Sequel {
        if slot.handle().held().is_some_and(|held| held.id != self.credential) {
            return Sequel::Replaced;
        }
        match (remedy, slot, clock) {
            (Remedy::Refresh, Slot::Renewed(entry), _) => match entry.reject(self.credential) {
                Rejection::Renewing => Sequel::Renewing,
                Rejection::NotCurrent => Sequel::Replaced,
                Rejection::TooSoon => Sequel::RenewedBefore,
            },
            (Remedy::Signature | Remedy::Access, _, Some(ClockVerdict::Corrected { .. })) => {
                Sequel::Corrected
            }
            (Remedy::Signature, _, Some(ClockVerdict::Fine)) => Sequel::Refused,
            (Remedy::Signature, _, None) => Sequel::RefusedAtSomeTime,
            (Remedy::Unsigned, ..) => Sequel::Unsigned,
            _ => Sequel::Kept,
        }
    }

    fn tell(&self, current: &Current, provider: &Provider, status: u16, action: &'static str) {
        let (credential, request_id) = (self.credential, self.request_id.as_deref());
        current.tell_rejection(&Rejected {
            provider: &provider.name,
            status,
            credential,
            signed: self.signed.as_ref(),
            action,
            request_id,
        });
    }

    fn instead(&self, provider: &Provider, cause: Cause) -> Frame {
        let retry_after = match cause {
            Cause::CredentialReplaced | Cause::ClockCorrected => Some(COME_BACK_AFTER),
            _ => None,
        };
        let (place, dialect) = (Some(self.provider), provider.kind.dialect());
        let refusal = Refusal { provider: place, dialect, retry_after, ..Refusal::early(cause) };
        refuse(Denied::new(&refusal, self.request_id.as_deref()), cause.code().as_str())
    }
}

impl Sequel {
    /// What the caller is told instead of the provider's answer; none where that is about the caller's own request.
    fn cause(self, status: u16, remedy: Remedy) -> Option<Cause> {
        let ours = status == 401 || matches!(remedy, Remedy::Refresh | Remedy::Signature);
        match self {
            Self::Corrected => Some(Cause::ClockCorrected),
            Self::Refused | Self::RefusedAtSomeTime | Self::Unsigned => Some(Cause::SignatureRejected),
            Self::Renewing | Self::Replaced if ours => Some(Cause::CredentialReplaced),
            Self::RenewedBefore | Self::Kept if ours => Some(Cause::CredentialRejected),
            Self::Renewing | Self::Replaced | Self::RenewedBefore | Self::Kept => None,
        }
    }

    /// In the log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Renewing => "it is being renewed",
            Self::Replaced => "another one is in use already",
            Self::RenewedBefore => "none: it was renewed for that less than 30 s ago",
            Self::Corrected => "the next signature is made with the host's clock: ours or its own is wrong",
            Self::Refused => {
                "none: what arrived is not what was signed, or the secret key is wrong; compare with `bouncer sigv4 explain`: host, region and service of the entry, and filters behind this one that change path, query or body"
            }
            Self::RefusedAtSomeTime => {
                "none: what arrived is not what was signed, or the clock is wrong; with upstream.tls_version among response_attributes, of a provider reached over TLS, its clock would be believed; compare with `bouncer sigv4 explain`"
            }
            Self::Unsigned => {
                "none: the signature did not arrive as it was made; look for a filter behind this one that changes authorization or x-amz-*, and for allow_mode_override: true on this one"
            }
            Self::Kept => "none: renewing it would not help",
        }
    }
}

#[cfg(test)]
#[path = "feedback_tests.rs"]
mod tests;
