//! A request of a stream's, decided as often as something new is known of it, and the answer that its place in the protocol
//! asks for.

use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tonic::Status;

use super::body::{Incoming, Kept, Most, Seen};
use super::{Exchange, Next, State};
use crate::base::Now;
use crate::config::Feedback;
use crate::credential::strip;
use crate::envoy::budget::Room;
use crate::envoy::current::{Current, Generation, ProtocolError, Told};
use crate::envoy::ext_proc::feedback::{PutOn, Watch};
use crate::envoy::ext_proc::request::{BodyMode, Message, Phase, read_headers, view};
use crate::envoy::ext_proc::response::{
    Watched, go_on, go_on_with_body, refuse, then_request_body, then_response_headers,
};
use crate::envoy::headers::HeaderMapError;
use crate::envoy::refusal::Denied;
use crate::envoy::wire::WireError;
use crate::pipeline::{Cause, Outcome, Patience, Refusal, Wait, run};
use crate::request::{Body, BodyFault, HeaderMutation};
use crate::telemetry::Service;

/// The configuration that Envoy has no way to obey `mode_override` in.
pub(super) const STREAMED: BodyFault = BodyFault::Setting(
    "request_body_mode STREAMED cannot be signed: header lines come too late; set NONE with allow_mode_override: true, BUFFERED, or FULL_DUPLEX_STREAMED",
);

/// A request whose headers came, with all that it takes to decide it again.
pub(super) struct Asked {
    /// The message with the headers.
    pub(super) frame: Bytes,
    /// Since when it waits for its answer.
    pub(super) since: Now,
    pub(super) generation: Arc<Generation>,
    /// What it may wait for yet.
    pub(super) patience: Patience,
    /// What is known of its body.
    pub(super) seen: Seen,
    /// The body, where it has to go back to Envoy.
    pub(super) kept: Option<Box<Kept>>,
}

/// What a decision is made with, beside Envoy's message.
pub(super) struct Question<'a> {
    generation: &'a Arc<Generation>,
    since: Now,
    patience: Patience,
    seen: Seen,
}

/// A request that waits.
pub(super) struct Waiting {
    asked: Asked,
    until: Until,
}

/// What it waits for.
enum Until {
    /// Keys or a credential.
    Ready(Pin<Box<dyn Future<Output = ()> + Send>>),
    /// Room for its body.
    Room(usize, Most, Pin<Box<dyn Future<Output = Option<Room>> + Send>>),
}

/// What a decision comes to, or what to wait for.
pub(super) type Step = Result<Next, Wait>;

/// Which message of Envoy's is answered.
enum Place {
    /// That with the headers.
    Headers,
    /// That with the whole body.
    Body,
    /// That with the headers, before all that came of the body.
    Duplex,
}

impl Asked {
    /// A request that just came.
    pub(super) fn new(frame: Bytes, generation: Arc<Generation>, since: Now) -> Self {
        Self { frame, since, generation, patience: Patience::Fresh, seen: Seen::Nothing, kept: None }
    }
}

impl<'a> Question<'a> {
    /// Of a request that just came.
    pub(super) fn fresh(generation: &'a Arc<Generation>, since: Now) -> Self {
        Self { generation, since, patience: Patience::Fresh, seen: Seen::Nothing }
    }

    fn again(asked: &'a Asked) -> Self {
        let Asked { generation, since, patience, seen, .. } = asked;
        Self { generation, since: *since, patience: *patience, seen: *seen }
    }
}

impl Waiting {
    /// Ends with the wait.
    pub(super) fn poll(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Waited> {
        match &mut self.until {
            Until::Ready(until) => until.as_mut().poll(context).map(|()| Waited::Decide),
            Until::Room(provider, most, until) => {
                let (provider, most) = (*provider, *most);
                until.as_mut().poll(context).map(|room| Waited::Room(provider, most, room))
            }
        }
    }
}

/// What came of a wait.
pub(super) enum Waited {
    Decide,
    Room(usize, Most, Option<Room>),
}

impl Exchange {
    /// Decides once more: something is there that was waited for.
    pub(super) fn ask(&self, asked: Asked) -> Result<Next, Status> {
        let step = self.decide(&Question::again(&asked), &self.read(&asked.frame)?)?;
        match step {
            Ok(Next(reply, State::Over)) => Ok(Next(reply, State::Over)),
            Ok(Next(reply, state)) => Ok(match asked.kept {
                Some(kept) => Next(reply, State::Returning(kept, Box::new(state))),
                None => Next(reply, state),
            }),
            Err(wait) => self.wait(asked, wait),
        }
    }

    /// Waits for what a decision lacks.
    pub(super) fn wait(&self, asked: Asked, wait: Wait) -> Result<Next, Status> {
        match wait {
            Wait::Body { provider, length } => self.await_room(asked, provider, length),
            wait => {
                let Some(place) = self.current.waits(&asked.generation, wait) else {
                    return self.ask(Asked { patience: Patience::Crowded, ..asked });
                };
                let patience = self.current.patience(asked.since);
                let until = Box::pin(Current::wait(Arc::clone(&asked.generation), wait, patience, place));
                let asked = Asked { patience: wait.then(asked.patience), ..asked };
                Ok(Next(None, State::Waiting(Box::new(Waiting { asked, until: Until::Ready(until) }))))
            }
        }
    }

    /// Refuses a request of which nothing is read.
    pub(super) fn full(&self) -> Result<Next, Status> {
        let (since, generation) = (self.current.now(), self.current.serving());
        let outcome = Outcome::Refuse(Refusal::early(Cause::Busy));
        self.conclude(&Question::fresh(&generation, since), outcome, &Told::nothing(since))
    }

    /// A wait is over.
    pub(super) fn again(&self, waiting: Waiting, waited: Waited) -> Result<Next, Status> {
        let asked = waiting.asked;
        match waited {
            Waited::Decide => self.ask(asked),
            Waited::Room(provider, most, Some(room)) => self.await_body(asked, provider, most, room),
            Waited::Room(.., None) => self.ask(Asked { seen: Seen::Fault(BodyFault::NoRoom), ..asked }),
        }
    }

    /// A body is over, in one way or another.
    pub(super) fn with_body(&self, body: Incoming) -> Result<Next, Status> {
        // From here on the caller waits for us again, and the signature is of this moment. So is what it is decided with: the
        // caller says how long a body takes, and must not outlast a policy or an entry that is gone.
        let asked = Asked { since: self.current.now(), ..body.finish() };
        self.ask(match asked.seen {
            Seen::Whole { .. } => Asked { generation: self.current.generation(), ..asked },
            // Refused in any case, by who asked for the body.
            Seen::Fault(_) | Seen::Nothing => asked,
        })
    }

    /// Nobody is asked for a body before there is room for it.
    fn await_room(&self, asked: Asked, provider: usize, length: Option<usize>) -> Result<Next, Status> {
        let limit = asked.generation.snapshot.max_body;
        let most = length.map_or(Most::Limit(limit), Most::Stated);
        let (budget, bytes) = (self.current.bodies(), length.unwrap_or(limit));
        if let Some(room) = budget.try_take(bytes) {
            return self.await_body(asked, provider, most, room);
        }
        let Some(place) = self.current.waits_for_room() else {
            return self.ask(Asked { seen: Seen::Fault(BodyFault::NoRoom), ..asked });
        };
        let room = budget.take(bytes, self.current.patience(asked.since));
        let until = Box::pin(async move {
            let _place = place;
            room.await
        });
        Ok(Next(None, State::Waiting(Box::new(Waiting { asked, until: Until::Room(provider, most, until) }))))
    }

    /// Asks Envoy for the body. What the caller sent as proof goes off the request now, in case that Envoy does not obey.
    fn await_body(&self, asked: Asked, provider: usize, most: Most, room: Room) -> Result<Next, Status> {
        if !matches!(asked.seen, Seen::Nothing) {
            return Err(Status::internal("a body is asked for once"));
        }
        if self.modes.request == BodyMode::FullDuplex {
            return Ok(Next(
                None,
                State::Incoming(Box::new(Incoming::in_pieces(asked, provider, room, most))),
            ));
        }
        let snapshot = &asked.generation.snapshot;
        let watched = match snapshot.feedback.get(provider) {
            None | Some(Feedback::Off) => Watched::No,
            Some(Feedback::Observe | Feedback::Answer) => Watched::Yes,
        };
        let reply = {
            let Phase::RequestHeaders { map, .. } = self.read(&asked.frame)?.phase else {
                return Err(Status::internal("not the headers"));
            };
            let headers = read_headers(map).map_err(|_| Status::internal("not the headers"))?;
            then_request_body(&strip(&snapshot.credential_headers, &headers), watched)
        };
        Next::reply(reply, State::Incoming(Box::new(Incoming::whole(asked, provider, room, most))))
    }

    /// Decides what is known now.
    pub(super) fn decide(&self, question: &Question<'_>, message: &Message<'_>) -> Result<Step, Status> {
        let Question { generation, since, patience, seen } = question;
        let refused = |cause: Cause| {
            let outcome = Outcome::Refuse(Refusal::early(cause));
            self.conclude(question, outcome, &Told::nothing(*since)).map(Ok)
        };
        let Phase::RequestHeaders { map, end } = message.phase else {
            return Err(Status::internal("not the headers"));
        };
        let wiring = match &self.wiring {
            Ok(wiring) => wiring,
            Err(cause) => return refused(*cause),
        };
        if message.observability {
            return refused(Cause::ObservabilityMode);
        }
        if let Some(mode) = self.modes.not_served() {
            return refused(Cause::BodyMode(mode));
        }
        let malformed = |error: WireError| self.abuse(ProtocolError::Malformed, &error);
        let attributes = message.attributes().map_err(malformed)?;
        let facts = message.facts(&attributes, wiring.named_provider.as_deref(), wiring.half);
        let mut view = match read_headers(map).and_then(|headers| view(headers, facts, wiring.half)) {
            Ok(view) => view,
            Err(HeaderMapError::Wire(error)) => return Err(malformed(error)),
            Err(HeaderMapError::Request(error)) => return refused(error.into()),
        };
        view.body = match *seen {
            Seen::Nothing if end => Body::Empty,
            Seen::Nothing if self.modes.request == BodyMode::Streamed => Body::Lost(STREAMED),
            Seen::Nothing => Body::Awaited,
            Seen::Whole { length, .. } if !view.is_long(length) => Body::Lost(BodyFault::Length),
            Seen::Whole { hash, .. } => Body::Hashed(hash),
            Seen::Fault(fault) => Body::Lost(fault),
        };
        let told = Told::of(&view, *since);
        match run(&generation.snapshot, &view, self.current.at(*since, *patience), *patience) {
            Ok(outcome) => self.conclude(question, outcome, &told).map(Ok),
            Err(wait) => Ok(Err(wait)),
        }
    }

    /// Counts the outcome and puts it on the wire.
    fn conclude(
        &self,
        question: &Question<'_>,
        outcome: Outcome<'_>,
        told: &Told<'_, '_>,
    ) -> Result<Next, Status> {
        self.current.record(Service::ExtProc, question.generation, &outcome, told);
        match outcome {
            Outcome::Attach { provider, credential, mutation, signed } => {
                let put_on = PutOn { provider, credential, signed };
                match (
                    Watch::of(question.generation, put_on, || told.request_id()),
                    self.place(question.seen),
                ) {
                    (None, Place::Headers | Place::Duplex) => {
                        Next::reply(go_on(&mutation, None), State::Answered)
                    }
                    (Some(watch), Place::Headers) => Next::reply(
                        then_response_headers(go_on(&mutation, None)),
                        State::Attached(Box::new(watch)),
                    ),
                    // Envoy takes no mode_override there: the response's headers come if the filter says so itself.
                    (Some(watch), Place::Duplex) => {
                        Next::reply(go_on(&mutation, None), State::Attached(Box::new(watch)))
                    }
                    (watch, Place::Body) => Next::reply(
                        go_on_with_body(&mutation),
                        watch.map_or(State::Answered, |watch| State::Attached(Box::new(watch))),
                    ),
                }
            }
            Outcome::Verified { facts, mutation } => {
                Next::reply(go_on(&mutation, Some(&facts)), State::Answered)
            }
            Outcome::Pass => {
                let nothing = HeaderMutation::default();
                let reply = match self.place(question.seen) {
                    Place::Headers | Place::Duplex => go_on(&nothing, None),
                    // Nobody's any more; what the caller sent as proof is off.
                    Place::Body => go_on_with_body(&nothing),
                };
                Next::reply(reply, State::Answered)
            }
            Outcome::Refuse(refusal) => {
                let denied = Denied::new(&refusal, told.request_id());
                Next::reply(refuse(denied, refusal.cause.code().as_str()), State::Over)
            }
        }
    }

    /// Which message of Envoy's the answer is to.
    fn place(&self, seen: Seen) -> Place {
        match (self.modes.request, seen) {
            (BodyMode::FullDuplex, _) => Place::Duplex,
            (_, Seen::Nothing) => Place::Headers,
            (_, Seen::Whole { .. } | Seen::Fault(_)) => Place::Body,
        }
    }
}
