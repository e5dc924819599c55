//! One stream: Envoy's messages of one HTTP exchange in, an answer to each out. No task and no channel of its own.
//!
//! ```text
//! Unanswered ──> Waiting (keys, a credential, room) ──> Incoming (the body of a request that is signed)
//!     │                        │                             │
//!     └────────────────────────┴──────────┬──────────────────┘
//!                                         ▼
//!                     refused: Over   Answered or Attached ──> Reading ──> Over
//! ```
//!
//! Where Envoy wants the body back (FULL_DUPLEX_STREAMED), what was collected goes back between the answer and the state
//! after it (`Returning`), and what comes later goes back as it comes.
//!
//! The stream never ends with OK before the request was answered: Envoy would let the request go on with the caller's own
//! credentials. Every early end here is a status that is an error.

mod body;
mod decide;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use self::body::{End, Incoming, Kept};
use self::decide::{Asked, Question, Waiting};
pub use self::stream::Answers;
use self::stream::Waits;
use super::Wiring;
use super::feedback::{ResponseHeaders, VIA_UPSTREAM, Verdict, Watch};
use super::order::Order;
use super::request::{BodyMode, BodyModes, Message, Phase};
use super::response::{request_piece, response_piece, then_response_body, untouched};
use crate::envoy::current::ProtocolError;
use crate::envoy::grpc::Frame;
use crate::envoy::local::{Admission, Local, Place};
use crate::pipeline::Cause;
use crate::request::BodyFault;
use crate::telemetry::Service;

/// What one stream knows and is at.
pub(super) struct Exchange {
    current: Local,
    wiring: Result<Wiring, Cause>,
    order: Order,
    modes: BodyModes,
    state: State,
    waits: Waits,
    /// Until the first answer.
    place: Option<Place>,
}

/// What the stream is at.
enum State {
    /// The request's headers have no answer yet.
    Unanswered,
    /// There is no room for it, and nothing of it is read.
    Full,
    /// They wait for the background side, or for room.
    Waiting(Box<Waiting>),
    /// The body is to be signed, and comes.
    Incoming(Box<Incoming>),
    /// It is signed, and goes back before the state that follows.
    Returning(Box<Kept>, Box<State>),
    /// The request is answered; what follows is passed.
    Answered,
    /// The request is answered, and what the provider says to the credential is waited for.
    Attached(Box<Watch>),
    /// It said 403, and the body has the reason.
    Reading(Box<Watch>),
    /// Over: refused, ended with an error, or nothing is left to say.
    Over,
}

/// What an operator is told of a filter that did not send the body that it was asked for.
const NOT_OBEYED: BodyFault = BodyFault::Setting(
    "the filter went on without the body that it was asked for: set allow_mode_override: true on it (and no allowed_override_modes that leave out request_body_mode BUFFERED)",
);
const PARTIAL: BodyFault = BodyFault::Partial(
    "request_body_mode must become BUFFERED: set allow_mode_override: true with request_body_mode NONE, not BUFFERED_PARTIAL or STREAMED; requests with trailers are not signed in this mode",
);

/// What a message leads to: an answer, where it has one already, and the state after it.
struct Next(Option<Frame>, State);

impl Next {
    fn reply(reply: Frame, state: State) -> Result<Self, Status> {
        Ok(Self(Some(reply), state))
    }
}

impl Exchange {
    pub(super) fn new(current: Local, wiring: Result<Wiring, Cause>) -> Self {
        let (state, place) = match current.begins() {
            Admission::Admitted(place) => (State::Unanswered, Some(place)),
            Admission::Full => (State::Full, None),
        };
        Self {
            current,
            wiring,
            order: Order::default(),
            modes: BodyModes::default(),
            state,
            waits: Waits::default(),
            place,
        }
    }

    /// The first message of Envoy's.
    fn first(&mut self, frame: Bytes) -> Result<Next, Status> {
        let current = self.current.clone();
        let (since, generation) = (current.now(), current.serving());
        let message = self.read(&frame)?;
        self.in_order(message.phase)?;
        self.modes = message.modes;
        let question = Question::fresh(&generation, since);
        match self.decide(&question, &message)? {
            Ok(next) => Ok(next),
            Err(wait) => {
                let asked = Asked::new(frame.clone(), Arc::clone(&generation), since);
                self.wait(asked, wait)
            }
        }
    }

    /// A later one.
    fn message(&mut self, frame: &Bytes) -> Result<Next, Status> {
        let message = self.read(frame)?;
        self.in_order(message.phase)?;
        let phase = message.phase;
        match (phase, std::mem::replace(&mut self.state, State::Over)) {
            (Phase::RequestBody { body, end }, State::Incoming(mut incoming)) => {
                // A small part must not keep the large message that it came in.
                incoming.part(if body.len() < frame.len() / 2 {
                    Bytes::copy_from_slice(body)
                } else {
                    frame.slice_ref(body)
                });
                match (end, incoming.is_in_pieces()) {
                    (true, _) => incoming.end(End::Body),
                    (false, true) => {}
                    (false, false) => incoming.fail(PARTIAL),
                }
                Ok(Next(None, State::Incoming(incoming)))
            }
            (Phase::RequestTrailers, State::Incoming(mut incoming)) if incoming.is_in_pieces() => {
                incoming.end(End::Trailers);
                Ok(Next(None, State::Incoming(incoming)))
            }
            (phase, State::Incoming(mut incoming)) => {
                // A response that Envoy made itself says nothing; any other one says that the request is gone without us.
                let maker = self.abused(ProtocolError::Malformed, message.maker())?.code_details;
                let gone = match phase {
                    Phase::ResponseHeaders { .. } if incoming.is_in_pieces() => maker == Some(VIA_UPSTREAM),
                    Phase::ResponseHeaders { .. } => maker.is_none_or(|maker| maker == VIA_UPSTREAM),
                    phase => phase == Phase::RequestTrailers,
                };
                if gone {
                    incoming.fail(NOT_OBEYED);
                    return Ok(Next(None, State::Incoming(incoming)));
                }
                Next::reply(self.passed(phase, frame), State::Incoming(incoming))
            }
            (Phase::ResponseHeaders { map, end }, State::Attached(watch)) => {
                let maker = self.abused(ProtocolError::Malformed, message.maker())?;
                match watch.headers(&self.current, ResponseHeaders { map, end, maker }) {
                    Verdict::Untouched => Next::reply(untouched(phase), self.after_the_response()),
                    Verdict::ReadBody => Next::reply(then_response_body(), State::Reading(watch)),
                    Verdict::Instead(reply) => Next::reply(reply, State::Over),
                }
            }
            (Phase::ResponseBody { body, .. }, State::Reading(watch)) => {
                watch.body(&self.current, body);
                Next::reply(self.passed(phase, frame), self.after_the_response())
            }
            (phase, state) => Next::reply(self.passed(phase, frame), state),
        }
    }

    /// The answer that changes nothing.
    fn passed(&self, phase: Phase<'_>, frame: &Bytes) -> Frame {
        let (request, response) = (self.modes.request, self.modes.response);
        match phase {
            Phase::RequestBody { body, end } if request == BodyMode::FullDuplex => {
                request_piece(frame.slice_ref(body), end)
            }
            Phase::ResponseBody { body, end } if response == BodyMode::FullDuplex => {
                response_piece(frame.slice_ref(body), end)
            }
            phase => untouched(phase),
        }
    }

    /// There is nothing more to say, unless Envoy wants bodies back.
    fn after_the_response(&self) -> State {
        match self.modes {
            BodyModes { request: BodyMode::FullDuplex, .. }
            | BodyModes { response: BodyMode::FullDuplex, .. } => State::Answered,
            _ => State::Over,
        }
    }

    fn read<'f>(&self, frame: &'f [u8]) -> Result<Message<'f>, Status> {
        self.abused(ProtocolError::Malformed, Message::read(frame))
    }

    fn in_order(&mut self, phase: Phase<'_>) -> Result<(), Status> {
        let accepted = self.order.accept(phase, self.modes);
        self.abused(ProtocolError::OutOfOrder, accepted)
    }

    fn abused<T, E: std::fmt::Display>(&self, kind: ProtocolError, read: Result<T, E>) -> Result<T, Status> {
        read.map_err(|error| self.abuse(kind, &error))
    }

    fn abuse(&self, kind: ProtocolError, error: &dyn std::fmt::Display) -> Status {
        self.current.protocol_error(Service::ExtProc, kind);
        Status::invalid_argument(error.to_string())
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange")
            .field("wiring", &self.wiring)
            .field("order", &self.order)
            .finish_non_exhaustive()
    }
}
