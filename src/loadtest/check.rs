//! Whether an answer is the one that was expected: decoded by the full types of another project, and judged as the Envoy
//! that would act on it.

use std::collections::VecDeque;

use bytes::Bytes;
use envoy_types::pb::envoy::config::core::v3::HeaderValueOption;
use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::BodySendMode;
use envoy_types::pb::envoy::service::auth::v3::CheckResponse;
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use prost::Message as _;
use serde_json::Value;

use super::plan::Protocol;
use super::record::Outcome;

/// What every answer has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// The request goes on with a credential in one of these headers, in lower case, and without the caller's token.
    Permit {
        /// Names of headers.
        credential_headers: Vec<String>,
    },
    /// A refusal with this HTTP status.
    Refusal(u16),
}

/// What a message of the server's comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It settles the request.
    Settled(Judgement),
    /// The server wants to see the body first (`mode_override`); what it had set already is in its message.
    WantsBody,
}

/// What came of a request, and the server's own words where there are any. They may hold the caller's token until
/// [`told`](super::told::told) has seen them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judgement {
    pub(super) outcome: Outcome,
    pub(super) words: Option<String>,
}

/// Judges messages. Equal bytes are the same answer: only what differs is decoded.
pub(super) struct Judge {
    protocol: Protocol,
    expectation: Expectation,
    token_header: String,
    /// The latest first.
    known: VecDeque<Known>,
}

struct Known {
    /// The answer to the headers, where one to the body followed.
    before: Bytes,
    message: Bytes,
    verdict: Verdict,
    /// What it sets: another caller's token might be among it.
    values: Vec<Vec<u8>>,
}

/// What a message says, in words that both protocols have.
enum Said {
    Mutation { set: Vec<HeaderValueOption>, removed: Vec<String>, wants_body: bool },
    Refusal { status: u16, words: String },
    Unheard(&'static str),
}

/// So many answers are remembered: of a few providers, before and after a rotation.
const REMEMBERED: usize = 8;

impl Judgement {
    pub(super) fn wrong(why: &'static str) -> Self {
        Self { outcome: Outcome::Wrong(why), words: None }
    }
}

impl Expectation {
    /// A permit with a credential in one of the usual headers.
    #[must_use]
    pub fn permit() -> Self {
        let usual = ["authorization", "api-key", "x-api-key", "x-goog-api-key"];
        Self::Permit { credential_headers: usual.map(str::to_owned).to_vec() }
    }

    pub(super) fn is_permit(&self) -> bool {
        matches!(self, Self::Permit { .. })
    }
}

impl Judge {
    pub(super) fn new(protocol: Protocol, expectation: Expectation, token_header: String) -> Self {
        Self { protocol, expectation, token_header, known: VecDeque::new() }
    }

    /// Judges `message`, which has no gRPC frame around it. `before` is the server's message that asked for the body, empty
    /// where it did not.
    pub(super) fn judge(&mut self, before: &Bytes, message: &Bytes, token: Option<&[u8]>) -> Verdict {
        let place = self.known.iter().position(|known| known.message == *message && known.before == *before);
        if let Some(known) = place.and_then(|place| self.known.get(place)) {
            let carries = |token: &[u8]| known.values.iter().any(|value| value.ends_with(token));
            return if token.is_some_and(carries) { echo() } else { known.verdict.clone() };
        }
        let (verdict, values) = self.read(before, message, token);
        // An echo is one caller's; the others are judged for themselves.
        if verdict != echo() {
            self.known.truncate(REMEMBERED - 1);
            let (before, message) = (before.clone(), message.clone());
            self.known.push_front(Known { before, message, verdict: verdict.clone(), values });
        }
        verdict
    }

    fn read(&self, before: &[u8], message: &[u8], token: Option<&[u8]>) -> (Verdict, Vec<Vec<u8>>) {
        let settled = |outcome, words| (Verdict::Settled(Judgement { outcome, words }), Vec::new());
        let said = match self.protocol {
            Protocol::ExtProc if before.is_empty() => ext_proc(message, Phase::Headers),
            Protocol::ExtProc => ext_proc(message, Phase::Body),
            Protocol::ExtAuthz => ext_authz(message),
        };
        match (said, &self.expectation) {
            (Said::Unheard(why), _) => settled(Outcome::Wrong(why), None),
            (Said::Refusal { status, words }, expectation) => {
                let right = *expectation == Expectation::Refusal(status);
                let outcome = if right { Outcome::Right } else { Outcome::Refused(status) };
                settled(outcome, (!right && !words.is_empty()).then_some(words))
            }
            (Said::Mutation { wants_body: true, .. }, _) if before.is_empty() => {
                (Verdict::WantsBody, Vec::new())
            }
            (Said::Mutation { .. }, Expectation::Refusal(_)) => settled(Outcome::Refused(200), None),
            (Said::Mutation { mut set, mut removed, .. }, Expectation::Permit { credential_headers }) => {
                if let (false, Said::Mutation { set: more, removed: other, .. }) =
                    (before.is_empty(), ext_proc(before, Phase::Headers))
                {
                    set.extend(more);
                    removed.extend(other);
                }
                let outcome = self
                    .permit(&set, &removed, credential_headers, token)
                    .map_or_else(Outcome::Wrong, |()| Outcome::Right);
                let values = set.iter().map(|option| value(self.protocol, option).to_vec()).collect();
                (Verdict::Settled(Judgement { outcome, words: None }), values)
            }
        }
    }

    /// Whether Envoy would send the request with a credential and without the caller's.
    fn permit(
        &self,
        set: &[HeaderValueOption],
        removed: &[String],
        credential_headers: &[String],
        token: Option<&[u8]>,
    ) -> Result<(), &'static str> {
        let removes = |name: &str| removed.iter().any(|removed| removed.eq_ignore_ascii_case(name));
        let name = |option: &HeaderValueOption| {
            option.header.as_ref().map_or("", |line| &line.key).to_ascii_lowercase()
        };
        let is_credential =
            |option: &&HeaderValueOption| credential_headers.iter().any(|known| *known == name(option));
        let Some(credential) = set.iter().find(is_credential) else {
            return Err("no credential is set");
        };
        if let Some(header) = &credential.header
            && value(self.protocol, credential).is_empty()
        {
            let other = !header.value.is_empty() || !header.raw_value.is_empty();
            return Err(if other {
                "the credential is in the field that Envoy does not read"
            } else {
                "the credential is empty"
            });
        }
        // Some Envoys remove last with ext_authz.
        if self.protocol == Protocol::ExtAuthz && removes(&name(credential)) {
            return Err("the credential's header is removed as well");
        }
        if let Some(token) = token {
            let has = |value: &[u8]| value.windows(token.len().max(1)).any(|part| part == token);
            if set.iter().any(|option| has(value(self.protocol, option))) {
                return Err(ECHO);
            }
            let overwritten = set
                .iter()
                .any(|option| name(option) == self.token_header && overwrites(self.protocol, option));
            if !overwritten && !removes(&self.token_header) {
                return Err("the caller's token stays on the request");
            }
        }
        Ok(())
    }
}

const ECHO: &str = "the caller's token comes back as a header";

fn echo() -> Verdict {
    Verdict::Settled(Judgement::wrong(ECHO))
}

/// ext_proc reads `raw_value` only, ext_authz `value` only.
fn value(protocol: Protocol, option: &HeaderValueOption) -> &[u8] {
    option.header.as_ref().map_or(&[], |header| match protocol {
        Protocol::ExtProc => &header.raw_value,
        Protocol::ExtAuthz => header.value.as_bytes(),
    })
}

/// Whether the line takes the place of the one that is there.
#[allow(deprecated, reason = "Envoy still reads it, and before the other")]
fn overwrites(protocol: Protocol, option: &HeaderValueOption) -> bool {
    match (&option.append, protocol) {
        (Some(append), _) => !append.value,
        // Envoy 1.40 looks at nothing else there.
        (None, Protocol::ExtAuthz) => true,
        (None, Protocol::ExtProc) => matches!(
            HeaderAppendAction::try_from(option.append_action),
            Ok(HeaderAppendAction::OverwriteIfExistsOrAdd | HeaderAppendAction::OverwriteIfExists)
        ),
    }
}

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Headers,
    Body,
}

fn ext_proc(message: &[u8], phase: Phase) -> Said {
    let Ok(answer) = ProcessingResponse::decode(message) else { return Said::Unheard(NO_SCHEMA) };
    let wants_body = answer.mode_override.is_some_and(|mode| {
        matches!(
            BodySendMode::try_from(mode.request_body_mode),
            Ok(BodySendMode::Buffered | BodySendMode::BufferedPartial)
        )
    });
    let common = match (answer.response, phase) {
        (Some(Response::ImmediateResponse(no)), _) => {
            let status = no.status.map_or(0, |status| status.code);
            return refusal(status, no.details);
        }
        (Some(Response::RequestHeaders(headers)), Phase::Headers) => headers.response,
        (Some(Response::RequestBody(body)), Phase::Body) => body.response,
        _ => return Said::Unheard("an answer to something else"),
    };
    let mutation = common.and_then(|common| common.header_mutation).unwrap_or_default();
    Said::Mutation { set: mutation.set_headers, removed: mutation.remove_headers, wants_body }
}

fn ext_authz(message: &[u8]) -> Said {
    let Ok(answer) = CheckResponse::decode(message) else { return Said::Unheard(NO_SCHEMA) };
    let status = answer.status.unwrap_or_default();
    match answer.http_response {
        Some(HttpResponse::OkResponse(ok)) if status.code == 0 => {
            Said::Mutation { set: ok.headers, removed: ok.headers_to_remove, wants_body: false }
        }
        None if status.code == 0 => {
            Said::Mutation { set: Vec::new(), removed: Vec::new(), wants_body: false }
        }
        Some(HttpResponse::DeniedResponse(no) | HttpResponse::ErrorResponse(no)) if status.code != 0 => {
            let words = if status.message.is_empty() { code(&no.body) } else { status.message };
            // Envoy's own where the server names none.
            refusal(no.status.map_or(403, |status| status.code), words)
        }
        None => refusal(403, status.message),
        Some(_) => Said::Unheard("status and response contradict each other"),
    }
}

/// The word for machines in a provider's error: the rest of the body is for its caller.
fn code(body: &str) -> String {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let places = ["/error/code", "/error/type", "/error/status", "/code"];
    places.iter().find_map(|place| body.pointer(place)?.as_str()).unwrap_or_default().to_owned()
}

fn refusal(status: i32, words: String) -> Said {
    match u16::try_from(status) {
        Ok(status @ 200..600) => Said::Refusal { status, words },
        _ => Said::Unheard("a refusal without a status"),
    }
}

const NO_SCHEMA: &str = "not a message of the protocol";

#[cfg(test)]
#[path = "check_tests.rs"]
mod tests;
