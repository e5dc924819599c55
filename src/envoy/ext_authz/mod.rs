//! `envoy.service.auth.v3.Authorization`.

mod metered;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::future::{Ready, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use self::request::{Check, Seen};
use self::response::{denied, ok};
use super::codec::BytesIn;
use super::current::{Current, Generation, ProtocolError, Told};
use super::headers::HeaderMapError;
use super::refusal::Denied;
use super::wire::WireError;
use super::wire::pb::envoy::service::auth::v3::CheckResponse;
use crate::base::Now;
use crate::pipeline::{Cause, Outcome, Patience, Refusal, Wait, run};
use crate::request::{BodyFault, HeaderMutation, PayloadHash, PayloadHasher};
use crate::telemetry::Service;

/// The service.
#[derive(Clone)]
pub struct Authorization(Arc<Current>);

/// Shorter messages have headers only, or a body that is hardly more; no room is taken for them.
const SMALL: usize = 64 << 10;

/// The most that is hashed before others have their turn.
const SLICE: usize = 1 << 20;

/// What a check leads to.
enum Next {
    Reply(CheckResponse),
    Wait(Wait),
}

impl Authorization {
    /// Its one method.
    pub const CHECK: &'static str = "/envoy.service.auth.v3.Authorization/Check";
    /// Its name, for health.
    pub const NAME: &'static str = "envoy.service.auth.v3.Authorization";

    /// The service on `current`.
    #[must_use]
    pub fn new(current: Arc<Current>) -> Self {
        Self(current)
    }

    /// Serves one call of [`Authorization::CHECK`].
    pub async fn check<B>(&self, request: http::Request<B>) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        // Not longer than a stream may be idle: a peer that never ends its message must not hold its place for ever.
        match tokio::time::timeout(self.0.limits().stream_idle, self.metered(request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Status::deadline_exceeded("the check took too long").into_http(),
        }
    }

    /// Reads the message where there is room for it, and answers.
    async fn metered<B>(&self, request: http::Request<B>) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body + Send + Unpin + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let limits = self.0.limits();
        let longest = limits.max_body.saturating_add(limits.max_headers.saturating_mul(2));
        let mut grpc = Grpc::new(BytesIn::<CheckResponse>::default()).max_decoding_message_size(longest);
        let (head, body) = request.into_parts();
        let (length, body) = metered::begin(body).await;
        // Longer ones are never read.
        let _room = if (SMALL..=longest).contains(&length) {
            match self.0.bodies().take(length, limits.patience).await {
                Some(room) => Some(room),
                None => return grpc.unary(Full(self), http::Request::from_parts(head, body.nothing())).await,
            }
        } else {
            None
        };
        grpc.unary(self.clone(), http::Request::from_parts(head, body)).await
    }

    async fn answer(self, frame: Bytes) -> Result<Response<CheckResponse>, Status> {
        let (since, generation) = (self.0.now(), self.0.generation());
        let mut patience = Patience::Fresh;
        let mut seen = Seen { limit: generation.snapshot.max_body, hash: None };
        loop {
            // Each wait leaves less to wait for, so this ends.
            match self.guarded(&frame, &generation, since, patience, &seen)? {
                Next::Reply(reply) => return Ok(Response::new(reply)),
                Next::Wait(Wait::Body { .. }) if seen.hash.is_none() => seen.hash = Some(hash(&frame).await),
                Next::Wait(Wait::Body { .. }) => return Err(Status::internal("a body is hashed once")),
                Next::Wait(wait) => {
                    Current::wait(Arc::clone(&generation), wait, self.0.patience(since)).await;
                    patience = wait.then(patience);
                }
            }
        }
    }

    /// A panic is a bug of ours; it must cost one request, with an error, and not the connection (THREATS P18).
    fn guarded(
        &self,
        frame: &[u8],
        generation: &Generation,
        since: Now,
        patience: Patience,
        seen: &Seen,
    ) -> Result<Next, Status> {
        catch_unwind(AssertUnwindSafe(|| self.decide(frame, generation, since, patience, seen)))
            .unwrap_or_else(|_payload| Err(Status::internal("bouncer failed; its log has the place")))
    }

    fn decide(
        &self,
        frame: &[u8],
        generation: &Generation,
        since: Now,
        patience: Patience,
        seen: &Seen,
    ) -> Result<Next, Status> {
        let malformed = |error: WireError| {
            self.0.protocol_error(Service::ExtAuthz, ProtocolError::Malformed);
            Status::invalid_argument(error.to_string())
        };
        let refused = |cause: Cause| {
            self.conclude(generation, &Outcome::Refuse(Refusal::early(cause)), &Told::nothing(since))
        };
        let check = Check::read(frame).map_err(malformed)?;
        if check.half.is_some() {
            return refused(Cause::Half);
        }
        let metadata = check.metadata();
        let view = match check.view(&metadata, seen) {
            Ok(view) => view,
            Err(HeaderMapError::Wire(error)) => return Err(malformed(error)),
            Err(HeaderMapError::Request(error)) => return refused(error.into()),
        };
        let told = Told::of(&view, since);
        let outcome = match run(&generation.snapshot, &view, self.0.at(since, patience), patience) {
            Ok(outcome) => outcome,
            Err(wait) => return Ok(Next::Wait(wait)),
        };
        self.conclude(generation, &outcome, &told)
    }

    /// Counts the outcome and puts it on the wire.
    fn conclude(
        &self,
        generation: &Generation,
        outcome: &Outcome<'_>,
        told: &Told<'_>,
    ) -> Result<Next, Status> {
        self.0.record(Service::ExtAuthz, generation, outcome, told);
        Ok(Next::Reply(match outcome {
            Outcome::Attach { mutation, .. } => ok(mutation),
            Outcome::Pass => ok(&HeaderMutation::default()),
            Outcome::Refuse(refusal) => denied(Denied::new(refusal, told.request_id)),
            // ext_authz never asks as a half; were it to, letting go on without a credential would be wrong.
            Outcome::Verified { .. } => return Err(Status::internal("not an answer to a check")),
        }))
    }
}

/// Hashes the body of a check, and lets others have their turn.
async fn hash(frame: &[u8]) -> PayloadHash {
    let mut hasher = PayloadHasher::default();
    for slice in Check::read(frame).map(|check| check.raw_body()).unwrap_or_default().chunks(SLICE) {
        hasher.update(slice);
        tokio::task::yield_now().await;
    }
    hasher.finish()
}

/// Answers what there was no room for.
struct Full<'a>(&'a Authorization);

impl UnaryService<Bytes> for Full<'_> {
    type Response = CheckResponse;
    type Future = Ready<Result<Response<CheckResponse>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        let current = &self.0.0;
        let refusal = Outcome::Refuse(Refusal::early(BodyFault::NoRoom));
        ready(match self.0.conclude(&current.generation(), &refusal, &Told::nothing(current.now())) {
            Ok(Next::Reply(reply)) => Ok(Response::new(reply)),
            Ok(Next::Wait(_)) => Err(Status::internal("not an answer to a check")),
            Err(status) => Err(status),
        })
    }
}

impl UnaryService<Bytes> for Authorization {
    type Response = CheckResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<CheckResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(self.clone().answer(request.into_inner()))
    }
}
