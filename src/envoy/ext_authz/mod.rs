//! `envoy.service.auth.v3.Authorization`.

mod checking;
mod request;
mod response;
#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tonic::Status;

pub use self::checking::Checking;
use self::request::{Check, Seen};
use self::response::{denied, ok};
use super::current::{Current, Generation, ProtocolError, Told};
use super::grpc::{Frame, head};
use super::headers::HeaderMapError;
use super::local::Local;
use super::refusal::Denied;
use super::wire::WireError;
use crate::base::Now;
use crate::pipeline::{Cause, Outcome, Patience, Refusal, Wait, run};
use crate::request::{HeaderMutation, PayloadHash, PayloadHasher};
use crate::telemetry::Service;

/// The service.
#[derive(Clone)]
pub struct Authorization(Local);

/// What a check leads to.
enum Next {
    Reply(Frame),
    Wait(Wait),
}

impl Authorization {
    /// Its one method.
    pub const CHECK: &'static str = "/envoy.service.auth.v3.Authorization/Check";
    /// Its name, for health.
    pub const NAME: &'static str = "envoy.service.auth.v3.Authorization";

    /// The service on `current`.
    #[must_use]
    pub fn new(current: Local) -> Self {
        Self(current)
    }

    /// Serves one call of [`Authorization::CHECK`].
    pub fn check<B>(&self, request: Request<B>) -> Response<Checking<B>>
    where
        B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Unpin,
    {
        head(Checking::new(self.clone(), request.into_body()))
    }

    /// Decides a check that has to wait for something.
    async fn answer(
        self,
        frame: Bytes,
        generation: Arc<Generation>,
        since: Now,
        first: Wait,
    ) -> Result<Frame, Status> {
        let (mut patience, mut wait) = (Patience::Fresh, first);
        let mut seen = Seen { limit: generation.snapshot.max_body, hash: None };
        loop {
            // Each wait leaves less to wait for, so this ends.
            match wait {
                Wait::Body { .. } if seen.hash.is_none() => seen.hash = Some(hash(&frame).await),
                Wait::Body { .. } => return Err(Status::internal("a body is hashed once")),
                wait => match self.0.waits(&generation, wait) {
                    Some(place) => {
                        Current::wait(Arc::clone(&generation), wait, self.0.patience(since), place).await;
                        patience = wait.then(patience);
                    }
                    // With that it never waits again.
                    None => patience = Patience::Crowded,
                },
            }
            match self.guarded(&frame, &generation, since, patience, &seen)? {
                Next::Reply(reply) => return Ok(reply),
                Next::Wait(next) => wait = next,
            }
        }
    }

    /// Answers what there was no room for.
    fn full(&self, cause: impl Into<Cause>) -> Result<Frame, Status> {
        let refusal = Outcome::Refuse(Refusal::early(cause));
        match self.conclude(&self.0.serving(), &refusal, &Told::nothing(self.0.now()))? {
            Next::Reply(reply) => Ok(reply),
            Next::Wait(_) => Err(Status::internal("not an answer to a check")),
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
        told: &Told<'_, '_>,
    ) -> Result<Next, Status> {
        self.0.record(Service::ExtAuthz, generation, outcome, told);
        Ok(Next::Reply(match outcome {
            Outcome::Attach { mutation, .. } => ok(mutation),
            Outcome::Pass => ok(&HeaderMutation::default()),
            Outcome::Refuse(refusal) => denied(Denied::new(refusal, told.request_id())),
            // ext_authz never asks as a half; were it to, letting go on without a credential would be wrong.
            Outcome::Verified { .. } => return Err(Status::internal("not an answer to a check")),
        }))
    }
}

/// Hashes the body of a check, and lets others have their turn.
async fn hash(frame: &[u8]) -> PayloadHash {
    let mut hasher = PayloadHasher::default();
    for slice in
        Check::read(frame).map(|check| check.raw_body()).unwrap_or_default().chunks(PayloadHasher::SLICE)
    {
        hasher.update(slice);
        tokio::task::yield_now().await;
    }
    hasher.finish()
}
