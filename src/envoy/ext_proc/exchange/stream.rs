//! The stream as it is polled: what can be done without a message, the next message, and the ends.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::Body;
use tokio::time::Instant;
use tonic::{Code, Status};

use super::{Exchange, Next, State};
use crate::envoy::alarms::{Alarm, FIRST_BYTES};
use crate::envoy::ext_proc::request::BodyMode;
use crate::envoy::grpc::{Frame, Inbound, trailers};
use crate::request::BodyFault;

/// One stream as hyper reads it: answers, and the status at the end.
pub struct Answers<B> {
    exchange: Exchange,
    inbound: Inbound<B>,
    /// Whether the first answer was given, which nothing else is to wait for.
    begun: bool,
    end: End,
}

/// How the stream ends.
enum End {
    NotYet,
    /// With this status, none for OK, which is still to be sent.
    With(Option<Status>),
    Sent,
}

/// Since when a stream waits. Nothing of it is there before it has to: most streams never wait.
#[derive(Default)]
pub(super) struct Waits {
    /// The first time that there was nothing to do.
    began: Option<Instant>,
    /// The last time after Envoy had said something.
    idle: Option<Instant>,
    alarm: Option<Alarm>,
}

/// While the server is going, a stream that is answered ends so long after it began to wait: most have ended by then.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(2);

/// Answers that are ready together leave together, up to about so many bytes: one by one, each costs the connection many times
/// its own length until the peer takes it.
const TOGETHER: usize = 16 << 10;

/// What an operator is told where nothing came of a body that was asked for.
const GONE: &str = "the stream ended before the body came: the caller went away, or the filter lacks allow_mode_override: true";
const IDLE: &str = "the body never came: Envoy buffers no more than the route's request_body_buffer_limit, else the listener's per_connection_buffer_limit_bytes, and hangs on a larger one; set it well above limits.max_body";

impl Exchange {
    fn next(
        &mut self,
        step: impl FnOnce(&mut Self) -> Result<Next, Status>,
    ) -> Option<Result<Frame, Status>> {
        // A panic is a bug of ours; it must cost one request, with an error, and not the connection (THREATS P18).
        let next = catch_unwind(AssertUnwindSafe(|| step(self)))
            .unwrap_or_else(|_payload| Err(Status::internal("bouncer failed; its log has the place")));
        let (state, answer) = match next {
            Ok(Next(reply, state)) => (state, reply.map(Ok)),
            Err(status) => (State::Over, Some(Err(status))),
        };
        self.state = state;
        if answer.is_some() {
            self.place = None;
        }
        answer
    }

    /// The inbound side has nothing: is there a reason to wait no longer? Too long a silence is one. So is a server that is
    /// going, once the request's headers are answered: the provider may take minutes for the rest, and a stream that is cut
    /// off at the drain's end would cost the caller the whole answer.
    fn overdue(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let limits = self.current.limits();
        let idle = *self.waits.idle.get_or_insert_with(Instant::now);
        let began = *self.waits.began.get_or_insert(idle);
        let patience = match self.state {
            // Envoy sends the headers with the stream.
            State::Unanswered => limits.stream_idle.min(FIRST_BYTES),
            _ => limits.stream_idle,
        };
        let longest = match self.current.is_draining() && self.is_answered() {
            true => FAREWELL,
            false => limits.stream_total,
        };
        let end = (idle + patience).min(began + longest);
        self.current.poll_alarm(&mut self.waits.alarm, end, context)
    }

    /// Whether Envoy needs no more of us: the request is answered, and no body is on its way that it wants back.
    fn is_answered(&self) -> bool {
        let owed = self.modes.request == BodyMode::FullDuplex && !self.order.request_ended()
            || self.modes.response == BodyMode::FullDuplex && self.order.response_goes_on();
        matches!(self.state, State::Answered | State::Attached(_) | State::Reading(_)) && !owed
    }

    /// Ends the stream: with OK only where the request was answered.
    fn end(&mut self, status: Status, why: &'static str) -> Option<Result<Frame, Status>> {
        let over = self.is_answered() || matches!(self.state, State::Over);
        self.abandon(why);
        self.state = State::Over;
        if over { None } else { Some(Err(status)) }
    }

    /// The inbound side broke.
    fn broken(&mut self, status: Status) -> Option<Result<Frame, Status>> {
        match std::mem::replace(&mut self.state, State::Over) {
            // The message is too long: a body that is larger than any that is taken.
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
    fn proceed(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame, Status>>> {
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
                    self.waits.idle = None;
                    if let State::Incoming(body) = std::mem::replace(&mut self.state, State::Over)
                        && let Some(answer) = self.next(|this| this.with_body(*body))
                    {
                        return Poll::Ready(Some(answer));
                    }
                }
                State::Full => return Poll::Ready(self.next(|this| this.full())),
                State::Returning(kept, then) => match kept.next() {
                    Some(piece) => return Poll::Ready(Some(Ok(piece))),
                    None => {
                        self.state = std::mem::replace(then, State::Over);
                        self.waits.idle = None;
                    }
                },
                _ => return Poll::Ready(None),
            }
        }
    }
}

impl Exchange {
    /// The next answer; none at the end, which is a good one.
    fn poll_answer<B>(
        &mut self,
        inbound: &mut Inbound<B>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame, Status>>>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        loop {
            if let Some(answer) = ready!(self.proceed(context)) {
                return Poll::Ready(Some(answer));
            }
            if matches!(self.state, State::Over) {
                return Poll::Ready(None);
            }
            let Poll::Ready(message) = inbound.poll_message(context) else {
                ready!(self.overdue(context));
                let status = Status::deadline_exceeded("the stream was idle or open for too long");
                return Poll::Ready(self.end(status, IDLE));
            };
            let answer = match message {
                Some(Ok(frame)) => {
                    // A body holds its room no longer because it comes drop by drop.
                    if !matches!(self.state, State::Incoming(_)) {
                        self.waits.idle = None;
                    }
                    match self.state {
                        State::Unanswered => {
                            inbound.admit(self.current.limits().longest_message());
                            self.next(|this| this.first(frame))
                        }
                        _ => self.next(|this| this.message(&frame)),
                    }
                }
                // Envoy resets a stream that it needs no longer: the usual end, and nobody hears the status.
                Some(Err(status)) => self.broken(status),
                None => {
                    let status = Status::invalid_argument("the end before the answer");
                    return Poll::Ready(self.end(status, GONE));
                }
            };
            if answer.is_some() {
                return Poll::Ready(answer);
            }
        }
    }
}

impl<B> Answers<B> {
    pub(in crate::envoy::ext_proc) fn new(exchange: Exchange, inbound: Inbound<B>) -> Self {
        Self { exchange, inbound, begun: false, end: End::NotYet }
    }

    /// The answer, and those after it that are ready.
    fn together(&mut self, answer: Bytes, context: &mut Context<'_>) -> Bytes
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        let first = !std::mem::replace(&mut self.begun, true);
        if first || answer.len() >= TOGETHER {
            return answer;
        }
        let mut all = BytesMut::from(answer);
        while all.len() < TOGETHER {
            match self.exchange.poll_answer(&mut self.inbound, context) {
                Poll::Ready(Some(Ok(answer))) => all.extend_from_slice(&answer.finish()),
                Poll::Ready(Some(Err(status))) => self.end = End::With(Some(status)),
                Poll::Ready(None) => self.end = End::With(None),
                Poll::Pending => break,
            }
            if matches!(self.end, End::With(_)) {
                break;
            }
        }
        all.freeze()
    }
}

impl<B> Body for Answers<B>
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
        let status = match std::mem::replace(&mut this.end, End::Sent) {
            End::Sent => return Poll::Ready(None),
            End::With(status) => status,
            End::NotYet => {
                this.end = End::NotYet;
                match ready!(this.exchange.poll_answer(&mut this.inbound, context)) {
                    Some(Ok(answer)) => {
                        let answers = this.together(answer.finish(), context);
                        return Poll::Ready(Some(Ok(http_body::Frame::data(answers))));
                    }
                    Some(Err(status)) => Some(status),
                    None => None,
                }
            }
        };
        this.end = End::Sent;
        Poll::Ready(Some(Ok(http_body::Frame::trailers(trailers(status.as_ref())))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.end, End::Sent)
    }
}

impl<B> std::fmt::Debug for Answers<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.exchange.fmt(f)
    }
}

/// hyper drops what answers a stream that was reset, without another look at it.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.abandon(GONE);
        self.current.ends();
    }
}
