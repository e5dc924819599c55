//! `envoy.service.auth.v3.Authorization`.

mod request;
mod response;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};

use self::request::Check;
use self::response::{denied, ok};
use super::codec::BytesIn;
use super::current::{Current, Generation, ProtocolError, Told};
use super::headers::HeaderMapError;
use super::refusal::Denied;
use super::wire::WireError;
use super::wire::pb::envoy::service::auth::v3::CheckResponse;
use crate::base::Now;
use crate::pipeline::{Cause, Outcome, Patience, Refusal, Wait, run};
use crate::request::HeaderMutation;
use crate::telemetry::Service;

/// The service.
#[derive(Clone)]
pub struct Authorization(Arc<Current>);

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
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let limits = self.0.limits();
        let mut grpc = Grpc::new(BytesIn::<CheckResponse>::default())
            .max_decoding_message_size(limits.max_body.saturating_add(limits.max_headers.saturating_mul(2)));
        // Not longer than a stream may be idle: a peer that never ends its message must not hold its place for ever.
        match tokio::time::timeout(limits.stream_idle, grpc.unary(self.clone(), request)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Status::deadline_exceeded("the check took too long").into_http(),
        }
    }

    async fn answer(self, frame: Bytes) -> Result<Response<CheckResponse>, Status> {
        let (since, generation) = (self.0.now(), self.0.generation());
        let mut patience = Patience::Fresh;
        loop {
            // Each wait leaves less to wait for, so this ends.
            match self.guarded(&frame, &generation, since, patience)? {
                Next::Reply(reply) => return Ok(Response::new(reply)),
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
    ) -> Result<Next, Status> {
        catch_unwind(AssertUnwindSafe(|| self.decide(frame, generation, since, patience)))
            .unwrap_or_else(|_payload| Err(Status::internal("bouncer failed; its log has the place")))
    }

    fn decide(
        &self,
        frame: &[u8],
        generation: &Generation,
        since: Now,
        patience: Patience,
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
        let view = match check.view(&metadata) {
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

impl UnaryService<Bytes> for Authorization {
    type Response = CheckResponse;
    type Future = Pin<Box<dyn Future<Output = Result<Response<CheckResponse>, Status>> + Send>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(self.clone().answer(request.into_inner()))
    }
}
