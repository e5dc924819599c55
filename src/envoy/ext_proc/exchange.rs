//! One stream: Envoy's messages of one HTTP exchange in, an answer to each out. No task and no channel of its own.
//!
//! The stream never ends with OK before the request's headers were answered: Envoy would let the request go on with the
//! caller's own credentials. Every early end here is a status that is an error.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_core::Stream;
use tokio::time::{Instant, Sleep};
use tonic::{Status, Streaming};

use super::Wiring;
use super::feedback::{ResponseHeaders, Verdict, Watch};
use super::order::Order;
use super::request::{BodyMode, Message, Phase, read_headers, view};
use super::response::{go_on, refuse, then_response_body, then_response_headers, untouched};
use crate::base::Now;
use crate::envoy::current::{Current, Generation, ProtocolError, Told};
use crate::envoy::headers::HeaderMapError;
use crate::envoy::refusal::Denied;
use crate::envoy::wire::WireError;
use crate::envoy::wire::pb::envoy::service::ext_proc::v3::ProcessingResponse;
use crate::pipeline::{Cause, Outcome, Patience, Refusal, run};
use crate::request::HeaderMutation;
use crate::telemetry::{ActiveStream, Service};

/// The answers of one stream.
pub struct Exchange {
    current: Arc<Current>,
    inbound: Streaming<Bytes>,
    wiring: Result<Wiring, Cause>,
    order: Order,
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
    /// They wait for the background side.
    Waiting(Waiting),
    /// They are answered; what follows is passed.
    Answered,
    /// They are answered, and what the provider says to the credential is waited for.
    Attached(Watch),
    /// It said 403, and the body has the reason.
    Reading(Watch),
    /// Over: refused, ended with an error, or nothing is left to say.
    Over,
}

/// A request that waits.
struct Waiting {
    frame: Bytes,
    since: Now,
    generation: Arc<Generation>,
    /// What it may wait for after this.
    patience: Patience,
    until: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// How often a stream that lives on looks whether the server is going. Most have ended before the first time.
const LOOK: std::time::Duration = std::time::Duration::from_secs(2);

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
            state: State::Unanswered,
            last_message: started,
            alarm: None,
            started,
            _active: active,
        }
    }

    /// A message of Envoy's.
    fn message(&mut self, frame: Bytes) -> Result<Next, Status> {
        let since = self.current.now();
        let message = Message::read(&frame).map_err(|error| self.abuse(ProtocolError::Malformed, &error))?;
        self.order.accept(message.phase).map_err(|error| self.abuse(ProtocolError::OutOfOrder, &error))?;
        match (message.phase, std::mem::replace(&mut self.state, State::Over)) {
            (Phase::RequestHeaders { map, .. }, _) => {
                self.headers(&frame, &message, map, self.current.generation(), since, Patience::Fresh)
            }
            (Phase::ResponseHeaders { map, end }, State::Attached(watch)) => {
                let malformed = |error: WireError| self.abuse(ProtocolError::Malformed, &error);
                let maker = message.code_details().map_err(malformed)?;
                match watch.headers(&self.current, ResponseHeaders { map, end, maker }) {
                    Verdict::Untouched => Next::reply(untouched(message.phase), State::Over),
                    Verdict::ReadBody => Next::reply(then_response_body(), State::Reading(watch)),
                    Verdict::Instead(reply) => Next::reply(reply, State::Over),
                }
            }
            (Phase::ResponseBody { body, .. }, State::Reading(watch)) => {
                watch.body(&self.current, body);
                Next::reply(untouched(message.phase), State::Over)
            }
            (phase, state) => Next::reply(untouched(phase), state),
        }
    }

    /// The request's headers, when they come and once more after a wait.
    fn headers(
        &self,
        frame: &Bytes,
        message: &Message<'_>,
        map: &[u8],
        generation: Arc<Generation>,
        since: Now,
        patience: Patience,
    ) -> Result<Next, Status> {
        let refused = |cause: Cause| {
            self.conclude(&generation, &Outcome::Refuse(Refusal::early(cause)), &Told::nothing(since))
        };
        let wiring = match &self.wiring {
            Ok(wiring) => wiring,
            Err(cause) => return refused(*cause),
        };
        if message.observability {
            return refused(Cause::ObservabilityMode);
        }
        match message.body_mode {
            BodyMode::Plain => {}
            BodyMode::FullDuplex => return refused(Cause::BodyMode("FULL_DUPLEX_STREAMED")),
            BodyMode::Grpc => return refused(Cause::BodyMode("GRPC")),
            BodyMode::Unknown => return refused(Cause::BodyMode("of a later Envoy")),
        }
        let malformed = |error: WireError| self.abuse(ProtocolError::Malformed, &error);
        let attributes = message.attributes().map_err(malformed)?;
        let facts = message.facts(&attributes, wiring.named_provider.as_deref(), wiring.half);
        let view = match read_headers(map).and_then(|headers| view(headers, facts, wiring.half)) {
            Ok(view) => view,
            Err(HeaderMapError::Wire(error)) => return Err(malformed(error)),
            Err(HeaderMapError::Request(error)) => return refused(error.into()),
        };
        let told = Told::of(&view, since);
        let outcome = match run(&generation.snapshot, &view, self.current.at(since, patience), patience) {
            Ok(outcome) => outcome,
            Err(wait) => {
                let until =
                    Box::pin(Current::wait(Arc::clone(&generation), wait, self.current.patience(since)));
                let (frame, generation, patience) =
                    (frame.clone(), Arc::clone(&generation), wait.then(patience));
                let waiting = Waiting { frame, since, generation, patience, until };
                return Ok(Next(None, State::Waiting(waiting)));
            }
        };
        self.conclude(&generation, &outcome, &told)
    }

    /// Counts the outcome and puts it on the wire.
    fn conclude(
        &self,
        generation: &Arc<Generation>,
        outcome: &Outcome<'_>,
        told: &Told<'_>,
    ) -> Result<Next, Status> {
        self.current.record(Service::ExtProc, generation, outcome, told);
        match outcome {
            Outcome::Attach { provider, credential, mutation, signed: _ } => {
                let reply = go_on(mutation, None);
                match Watch::of(generation, *provider, *credential, told.request_id) {
                    Some(watch) => Next::reply(then_response_headers(reply), State::Attached(watch)),
                    None => Next::reply(reply, State::Answered),
                }
            }
            Outcome::Verified { facts, mutation } => {
                Next::reply(go_on(mutation, Some(facts)), State::Answered)
            }
            Outcome::Pass => Next::reply(go_on(&HeaderMutation::default(), None), State::Answered),
            Outcome::Refuse(refusal) => {
                let denied = Denied::new(refusal, told.request_id);
                Next::reply(refuse(denied, refusal.cause.code().as_str()), State::Over)
            }
        }
    }

    /// A wait is over: decide the same frame again.
    fn again(&self, waiting: Waiting) -> Result<Next, Status> {
        let Waiting { frame, since, generation, patience, .. } = waiting;
        let message = Message::read(&frame).map_err(|error| self.abuse(ProtocolError::Malformed, &error))?;
        let Phase::RequestHeaders { map, .. } = message.phase else {
            return Err(Status::internal("not the headers"));
        };
        self.headers(&frame, &message, map, generation, since, patience)
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
            let answered = matches!(self.state, State::Answered | State::Attached(_) | State::Reading(_));
            if alarm.deadline() >= end || answered && self.current.is_draining() {
                return Poll::Ready(());
            }
            let next = end.min(alarm.deadline() + LOOK);
            alarm.as_mut().reset(next);
        }
    }

    /// Ends the stream: with OK only where the request's headers were answered.
    fn end(&mut self, status: Status) -> Option<Result<ProcessingResponse, Status>> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Answered | State::Attached(_) | State::Reading(_) | State::Over => None,
            State::Unanswered | State::Waiting(_) => Some(Err(status)),
        }
    }
}

impl Stream for Exchange {
    type Item = Result<ProcessingResponse, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let State::Waiting(waiting) = &mut this.state {
                ready!(waiting.until.as_mut().poll(context));
                if let State::Waiting(waiting) = std::mem::replace(&mut this.state, State::Over)
                    && let Some(answer) = this.next(|this| this.again(waiting))
                {
                    return Poll::Ready(Some(answer));
                }
                continue;
            }
            if matches!(this.state, State::Over) {
                return Poll::Ready(None);
            }
            let frame = match Pin::new(&mut this.inbound).poll_next(context) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    ready!(this.overdue(context));
                    return Poll::Ready(
                        this.end(Status::deadline_exceeded("the stream was idle or open for too long")),
                    );
                }
            };
            match frame {
                Some(Ok(frame)) => {
                    this.last_message = Instant::now();
                    if let Some(answer) = this.next(|this| this.message(frame)) {
                        return Poll::Ready(Some(answer));
                    }
                }
                // Envoy resets a stream that it needs no longer: the usual end, and nobody hears the status.
                Some(Err(status)) => {
                    this.state = State::Over;
                    return Poll::Ready(Some(Err(status)));
                }
                None => {
                    return Poll::Ready(
                        this.end(Status::invalid_argument("no request_headers before the end")),
                    );
                }
            }
        }
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
