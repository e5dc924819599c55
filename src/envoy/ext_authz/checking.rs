//! One check as hyper reads it: nothing until the message is there, then the answer and the status.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Body;
use tokio::time::Instant;
use tonic::Status;

use super::request::Seen;
use super::{Authorization, Next};
use crate::base::Now;
use crate::envoy::alarms::{Alarm, FIRST_BYTES};
use crate::envoy::budget::Room;
use crate::envoy::current::Generation;
use crate::envoy::grpc::{Frame, Inbound, trailers};
use crate::envoy::local::{Admission, Place};
use crate::pipeline::{Cause, Patience};
use crate::request::BodyFault;

/// Shorter messages have headers only, or a body that is hardly more; no room is taken for them.
const SMALL: usize = 64 << 10;

/// A check and its answer.
pub struct Checking<B> {
    service: Authorization,
    inbound: Inbound<B>,
    state: State,
    /// Since when it waits for what it waits for now.
    since: Option<Instant>,
    alarm: Option<Alarm>,
    /// Until the answer.
    place: Option<Place>,
}

/// What the check is at.
enum State {
    /// There is no room for it, and nothing of it is read.
    Full,
    /// How long its message is, is not known yet.
    Begun,
    /// It is long, and there has to be room for it.
    Waiting(Pin<Box<dyn Future<Output = Option<Room>> + Send>>),
    /// It comes.
    Reading(Option<Room>),
    /// It is there, and waits for the background side or to be hashed.
    Deciding(Pin<Box<dyn Future<Output = Result<Frame, Status>>>>, Option<Room>),
    /// The answer is given, its status is not.
    Answered,
    /// Nothing is left to say.
    Over,
}

impl<B> Checking<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    pub(super) fn new(service: Authorization, body: B) -> Self {
        let inbound = Inbound::new(body, service.0.limits().longest_message());
        let (state, place) = match service.0.begins() {
            Admission::Admitted(place) => (State::Begun, Some(place)),
            Admission::Full => (State::Full, None),
        };
        Self { service, inbound, state, since: None, alarm: None, place }
    }

    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Result<Frame, Status>> {
        loop {
            match &mut self.state {
                State::Full => return Poll::Ready(self.service.full(Cause::Busy)),
                State::Begun => {
                    let length = match ready!(self.inbound.poll_length(context)) {
                        Some(length) => length?,
                        None => return Poll::Ready(Err(nothing())),
                    };
                    self.since = None;
                    let limits = self.service.0.limits();
                    // Longer ones are never read.
                    self.state = if (SMALL..=limits.longest_message()).contains(&length) {
                        match self.room(length) {
                            Some(state) => state,
                            None => return Poll::Ready(self.service.full(BodyFault::NoRoom)),
                        }
                    } else {
                        State::Reading(None)
                    };
                }
                State::Waiting(room) => match ready!(room.as_mut().poll(context)) {
                    Some(room) => self.state = State::Reading(Some(room)),
                    None => return Poll::Ready(self.service.full(BodyFault::NoRoom)),
                },
                State::Reading(room) => {
                    let message = ready!(self.inbound.poll_message(context)).ok_or_else(nothing)??;
                    let room = room.take();
                    let (since, generation) = (self.service.0.now(), self.service.0.serving());
                    match self.decide(&message, &generation, since)? {
                        Next::Reply(reply) => return Poll::Ready(Ok(reply)),
                        Next::Wait(wait) => {
                            let generation = Arc::clone(&generation);
                            let answer = self.service.clone().answer(message, generation, since, wait);
                            self.state = State::Deciding(Box::pin(answer), room);
                        }
                    }
                }
                State::Deciding(answer, _room) => return answer.as_mut().poll(context),
                State::Answered | State::Over => return Poll::Ready(Err(nothing())),
            }
        }
    }

    /// Room for a message of so many bytes, or the wait for it; none where too many wait.
    fn room(&self, length: usize) -> Option<State> {
        let current = &self.service.0;
        let (bodies, patience) = (current.bodies(), current.limits().patience);
        if let Some(room) = bodies.try_take(length) {
            return Some(State::Reading(Some(room)));
        }
        let place = current.waits_for_room()?;
        let room = bodies.take(length, patience);
        Some(State::Waiting(Box::pin(async move {
            let _place = place;
            room.await
        })))
    }

    fn decide(&self, message: &Bytes, generation: &Arc<Generation>, since: Now) -> Result<Next, Status> {
        let seen = Seen { limit: generation.snapshot.max_body, hash: None };
        self.service.guarded(message, generation, since, Patience::Fresh, &seen)
    }

    /// Whether it is answered too late: a peer that never ends its message must not hold its place for ever.
    fn poll_overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let idle = self.service.0.limits().stream_idle;
        let idle = if matches!(self.state, State::Begun) { idle.min(FIRST_BYTES) } else { idle };
        let current = &self.service.0;
        let since = *self.since.get_or_insert_with(Instant::now);
        current.poll_alarm(&mut self.alarm, since + idle, context)
    }
}

fn nothing() -> Status {
    Status::invalid_argument("the end before the check")
}

impl<B> Body for Checking<B>
where
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
{
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let answer = match this.state {
            State::Over => return Poll::Ready(None),
            State::Answered => {
                this.state = State::Over;
                return Poll::Ready(Some(Ok(http_body::Frame::trailers(trailers(None)))));
            }
            _ => match this.poll_answer(context) {
                Poll::Ready(answer) => answer,
                Poll::Pending => {
                    ready!(this.poll_overdue(context));
                    Err(Status::deadline_exceeded("the check took too long"))
                }
            },
        };
        this.place = None;
        Poll::Ready(Some(Ok(match answer {
            Ok(answer) => {
                this.state = State::Answered;
                http_body::Frame::data(answer.finish())
            }
            Err(status) => {
                this.state = State::Over;
                http_body::Frame::trailers(trailers(Some(&status)))
            }
        })))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.state, State::Over)
    }
}

/// hyper drops what answers a call that was reset, without another look at it.
impl<B> Drop for Checking<B> {
    fn drop(&mut self) {
        self.service.0.ends();
    }
}

impl<B> std::fmt::Debug for Checking<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Checking").finish_non_exhaustive()
    }
}
