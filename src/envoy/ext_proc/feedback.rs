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
use crate::credential::Signed;
use crate::envoy::current::{Current, Generation, Rejected};
use crate::envoy::refusal::Denied;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::pipeline::{Cause, Refusal};
use crate::provider::{Provider, Remedy, remedy, says_revoked};
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
    Instead(ProcessingResponse),
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
            Some(b"401") => 401,
            Some(b"403") => 403,
            _ => return Verdict::Untouched,
        };
        let Some((provider, slot)) = self.provider() else { return Verdict::Untouched };
        match response.maker.code_details {
            Some(VIA_UPSTREAM) => {}
            // Of a filter that stands behind this one, or of the router: the provider was not even asked (THREATS P15).
            Some(_) => return Verdict::Untouched,
            None => {
                self.tell(
                    current,
                    provider,
                    status,
                    "none: response.code_details is not among response_attributes",
                );
                return Verdict::Untouched;
            }
        }
        current.metrics().upstream_rejection(&provider.name, status);
        let remedy = remedy(provider.kind, provider.auth, status, &headers);
        if remedy == Remedy::ReadBody && !response.end {
            return Verdict::ReadBody;
        }
        let sequel = self.sequel(slot, remedy);
        self.tell(current, provider, status, sequel.as_str());
        if status == 401 && self.feedback == Feedback::Answer {
            Verdict::Instead(self.instead(provider, sequel))
        } else {
            Verdict::Untouched
        }
    }

    /// The body of a 403 came. The caller gets it.
    pub(super) fn body(&self, current: &Current, body: &[u8]) {
        if let Some((provider, slot)) = self.provider() {
            let remedy = if says_revoked(body) { Remedy::Refresh } else { Remedy::Nothing };
            self.tell(current, provider, 403, self.sequel(slot, remedy).as_str());
        }
    }

    fn provider(&self) -> Option<(&Provider, &Slot)> {
        let snapshot = &self.generation.snapshot;
        Some((snapshot.catalog.providers().get(self.provider)?, snapshot.tokens.slot(self.provider)?))
    }

    fn sequel(&self, slot: &Slot, remedy: Remedy) -> Sequel {
        if slot.handle().held().is_some_and(|held| held.id != self.credential) {
            return Sequel::Replaced;
        }
        match (remedy, slot) {
            (Remedy::Refresh, Slot::Renewed(entry)) => match entry.reject(self.credential) {
                Rejection::Renewing => Sequel::Renewing,
                Rejection::NotCurrent => Sequel::Replaced,
                Rejection::TooSoon => Sequel::RenewedBefore,
            },
            _ => Sequel::Kept,
        }
    }

    fn tell(&self, current: &Current, provider: &Provider, status: u16, action: &'static str) {
        let (credential, request_id) = (self.credential, self.request_id.as_deref());
        current.tell_rejection(&Rejected {
            provider: &provider.name,
            status,
            credential,
            action,
            request_id,
        });
    }

    fn instead(&self, provider: &Provider, sequel: Sequel) -> ProcessingResponse {
        let (cause, retry_after) = match sequel {
            Sequel::Renewing | Sequel::Replaced => (Cause::CredentialReplaced, Some(COME_BACK_AFTER)),
            Sequel::RenewedBefore | Sequel::Kept => (Cause::CredentialRejected, None),
        };
        let (place, dialect) = (Some(self.provider), provider.kind.dialect());
        let refusal = Refusal { provider: place, dialect, retry_after, ..Refusal::early(cause) };
        refuse(Denied::new(&refusal, self.request_id.as_deref()), cause.code().as_str())
    }
}

impl Sequel {
    /// In the log.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Renewing => "it is being renewed",
            Self::Replaced => "another one is in use already",
            Self::RenewedBefore => "none: it was renewed for that less than 30 s ago",
            Self::Kept => "none: renewing it would not help",
        }
    }
}

#[cfg(test)]
#[path = "feedback_tests.rs"]
mod tests;
