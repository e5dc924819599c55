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
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep};
use tonic::{Code, Status, Streaming};

use self::body::{End, Incoming, Kept};
use self::decide::{Asked, Waiting};
use super::Wiring;
use super::feedback::{ResponseHeaders, VIA_UPSTREAM, Verdict, Watch};
use super::order::Order;
use super::request::{BodyMode, BodyModes, Message, Phase};
use super::response::{request_piece, response_piece, then_response_body, untouched};
use crate::envoy::current::{Current, ProtocolError};
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::pipeline::Cause;
use crate::request::BodyFault;
use crate::telemetry::{ActiveStream, Service};

/// The answers of one stream.
pub struct Exchange {
    current: Arc<Current>,
    inbound: Streaming<Bytes>,
    wiring: Result<Wiring, Cause>,
    order: Order,
    modes: BodyModes,
    state: State,
    last_message: Instant,
    alarm: Option<Pin<Box<Sleep>>>,
    started: Instant,
    _active: ActiveStream,
}

/// What the stream is at.
enum State {
    /// The request's headers have no answer yet.
    Unanswered,
    /// They wait for the background side, or for room.
    Waiting(Box<Waiting>),
    /// The body is to be signed, and comes.
    Incoming(Box<Incoming>),
    /// It is signed, and goes back before the state that follows.
    Returning(Box<Kept>, Box<State>),
    /// The request is answered; what follows is passed.
    Answered,
    /// The request is answered, and what the provider says to the credential is waited for.
    Attached(Watch),
    /// It said 403, and the body has the reason.
    Reading(Watch),
    /// Over: refused, ended with an error, or nothing is left to say.
    Over,
}

/// How often a stream that lives on looks whether the server is going. Most have ended before the first time.
const LOOK: std::time::Duration = std::time::Duration::from_secs(2);

/// What an operator is told of a filter that did not send the body that it was asked for.
const NOT_OBEYED: BodyFault = BodyFault::Setting(
    "the filter went on without the body that it was asked for: set allow_mode_override: true on it (and no allowed_override_modes that leave out request_body_mode BUFFERED)",
);
const PARTIAL: BodyFault = BodyFault::Partial(
    "request_body_mode must become BUFFERED: set allow_mode_override: true with request_body_mode NONE, not BUFFERED_PARTIAL or STREAMED; requests with trailers are not signed in this mode",
);

/// The same, where nothing more came of such a filter.
const GONE: &str = "the stream ended before the body came: the caller went away, or the filter lacks allow_mode_override: true";
const IDLE: &str = "the body never came: Envoy buffers no more than the route's request_body_buffer_limit, else the listener's per_connection_buffer_limit_bytes, and hangs on a larger one; set it well above limits.max_body";

/// What a message leads to: an answer, where it has one already, and the state after it.
struct Next(Option<ProcessingResponse>, State);

impl Next {
    fn reply(reply: ProcessingResponse, state: State) -> Result<Self, Status> {
        Ok(Self(Some(reply), state))
    }
}

impl Exchange {
    pub(super) fn new(
        current: Arc<Current>,
        inbound: Streaming<Bytes>,
        wiring: Result<Wiring, Cause>,
    ) -> Self {
        let started = Instant::now();
        let active = current.metrics().stream();
        Self {
            current,
            inbound,
            wiring,
            order: Order::default(),
            modes: BodyModes::default(),
            state: State::Unanswered,
            last_message: started,
            alarm: None,
            started,
            _active: active,
        }
    }

    /// The first message of Envoy's.
    fn first(&mut self, frame: Bytes) -> Result<Next, Status> {
        let (since, generation) = (self.current.now(), self.current.generation());
        let asked = Asked::new(frame, generation, since);
        let message = self.read(&asked.frame)?;
        self.in_order(message.phase)?;
        self.modes = message.modes;
        let step = self.decide(&asked, &message)?;
        self.follow(asked, step)
    }

    /// A later one.
    fn message(&mut self, frame: &Bytes) -> Result<Next, Status> {
        let message = self.read(frame)?;
        self.in_order(message.phase)?;
        let phase = message.phase;
        match (phase, std::mem::replace(&mut self.state, State::Over)) {
            (Phase::RequestBody { body, end }, State::Incoming(mut incoming)) => {
                incoming.part(frame.slice_ref(body));
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
    fn passed(&self, phase: Phase<'_>, frame: &Bytes) -> ProcessingResponse {
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
        let accepted = self.order.accept(phase);
        self.abused(ProtocolError::OutOfOrder, accepted)
    }

    fn abused<T, E: std::fmt::Display>(&self, kind: ProtocolError, read: Result<T, E>) -> Result<T, Status> {
        read.map_err(|error| self.abuse(kind, &error))
    }

    fn abuse(&self, kind: ProtocolError, error: &dyn std::fmt::Display) -> Status {
        self.current.protocol_error(Service::ExtProc, kind);
        Status::invalid_argument(error.to_string())
    }

    fn next(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<Next, Status>,
    ) -> Option<Result<ProcessingResponse, Status>> {
        // A panic is a bug of ours; it must cost one request, with an error, and not the connection (THREATS P18).
        let next = catch_unwind(AssertUnwindSafe(|| step(self)))
            .unwrap_or_else(|_payload| Err(Status::internal("bouncer failed; its log has the place")));
        let (state, answer) = match next {
            Ok(Next(reply, state)) => (state, reply.map(Ok)),
            Err(status) => (State::Over, Some(Err(status))),
        };
        self.state = state;
        answer
    }

    /// The inbound side has nothing: is there a reason to wait no longer? Too long a silence is one. So is a server that is
    /// going, once the request's headers are answered: the provider may take minutes for the rest, and a stream that is cut
    /// off at the drain's end would cost the caller the whole answer.
    fn overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limits = self.current.limits();
        let end = (self.last_message + limits.stream_idle).min(self.started + limits.stream_total);
        loop {
            let first = end.min(self.started + LOOK);
            let alarm = self.alarm.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(first)));
            ready!(alarm.as_mut().poll(context));
            let rang = alarm.deadline();
            if rang >= end || self.is_answered() && self.current.is_draining() {
                return Poll::Ready(());
            }
            if let Some(alarm) = &mut self.alarm {
                alarm.as_mut().reset(end.min(rang + LOOK));
            }
        }
    }

    /// Whether Envoy needs no more of us: the request is answered, and no body is on its way that it wants back.
    fn is_answered(&self) -> bool {
        let owed = self.modes.request == BodyMode::FullDuplex && !self.order.request_ended()
            || self.modes.response == BodyMode::FullDuplex && self.order.response_goes_on();
        matches!(self.state, State::Answered | State::Attached(_) | State::Reading(_)) && !owed
    }

    /// Ends the stream: with OK only where the request was answered.
    fn end(&mut self, status: Status, why: &'static str) -> Option<Result<ProcessingResponse, Status>> {
        let over = self.is_answered() || matches!(self.state, State::Over);
        self.abandon(why);
        self.state = State::Over;
        if over { None } else { Some(Err(status)) }
    }

    /// The inbound side broke.
    fn broken(&mut self, status: Status) -> Option<Result<ProcessingResponse, Status>> {
        match std::mem::replace(&mut self.state, State::Over) {
            // That is how tonic's decoder says that a message is too long: a body that is larger than any that is taken.
            State::Incoming(mut body) if status.code() == Code::OutOfRange => {
                body.fail(BodyFault::TooLarge);
                self.next(|this| this.with_body(*body))
            }
            state => {
                self.state = state;
                self.abandon(GONE);
                self.state = State::Over;
                Some(Err(status))
            }
        }
    }

    /// Nobody waits for the answer any more. That is worth a line where a body was asked for and nothing came of it.
    fn abandon(&mut self, why: &'static str) {
        if let State::Incoming(body) = &self.state
            && !body.is_in_pieces()
        {
            self.current.tell_missing(body.provider(), why);
        }
    }

    /// What can be done without a message: none where one is needed.
    fn proceed(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<ProcessingResponse, Status>>> {
        loop {
            match &mut self.state {
                State::Waiting(waiting) => {
                    let waited = ready!(waiting.poll(context));
                    if let State::Waiting(waiting) = std::mem::replace(&mut self.state, State::Over)
                        && let Some(answer) = self.next(|this| this.again(*waiting, waited))
                    {
                        return Poll::Ready(Some(answer));
                    }
                }
                State::Incoming(body) if body.is_behind() => {
                    body.catch_up();
                    if body.is_behind() {
                        context.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                }
                State::Incoming(body) if body.is_over() => {
                    if let State::Incoming(body) = std::mem::replace(&mut self.state, State::Over)
                        && let Some(answer) = self.next(|this| this.with_body(*body))
                    {
                        return Poll::Ready(Some(answer));
                    }
                }
                State::Returning(kept, then) => match kept.next() {
                    Some(piece) => return Poll::Ready(Some(Ok(piece))),
                    None => {
                        self.state = std::mem::replace(then, State::Over);
                        self.last_message = Instant::now();
                    }
                },
                _ => return Poll::Ready(None),
            }
        }
    }
}

impl Stream for Exchange {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(answer) = ready!(this.proceed(context)) {
                return Poll::Ready(Some(answer));
            }
            if matches!(this.state, State::Over) {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.inbound).poll_next(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.overdue(context));
                    return Poll::Ready(
                        this.end(Status::deadline_exceeded("the stream was idle or open for too long"), IDLE),
                    );
                }
            };
            let answer = match frame {
                Some(Ok(frame)) => {
                    this.last_message = Instant::now();
                    match this.state {
                        State::Unanswered => this.next(|this| this.first(frame)),
                        _ => this.next(|this| this.message(&frame)),
                    }
                }
                // Envoy resets a stream that it needs no longer: the usual end, and nobody hears the status.
                Some(Err(status)) => this.broken(status),
                None => {
                    let status = Status::invalid_argument("the end before the answer");
                    return Poll::Ready(this.end(status, GONE));
                }
            };
            if answer.is_some() {
                return Poll::Ready(answer);
            }
        }
    }
}

/// hyper drops what answers a stream that was reset, without another look at it.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.abandon(GONE);
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
