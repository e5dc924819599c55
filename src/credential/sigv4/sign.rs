//! One signature: one snapshot of the keys, one time, the host and path that leave, the body that leaves.

use std::sync::Arc;

use smallvec::SmallVec;
use thiserror::Error;

use super::{AwsKeys, ClockSkews};
use crate::base::Now;
use crate::request::{BodyFault, RequestView, SetHeader};

/// Keys with what is signed with them; one snapshot.
#[derive(Clone, Debug)]
pub struct Signer {
    /// The keys.
    pub keys: AwsKeys,
    /// Region of the secret, where it has one; the entry's own goes first.
    pub region: Option<String>,
    /// What the entry says.
    pub settings: Arc<SigningSettings>,
}

/// What an entry says of its signatures (`aws`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct SigningSettings {
    /// Region in the credential scope; none: the secret's, the environment's, the host's.
    pub region: Option<String>,
    /// `AWS_REGION`, for who says nothing.
    pub ambient_region: Option<String>,
    /// Service in the credential scope; none: as the host says, else `bedrock`.
    pub service: Option<String>,
    /// The host that Envoy writes into the request, where this filter cannot see it.
    pub host: Option<String>,
}

/// What was signed, for the answer.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The host.
    pub host: Box<str>,
    /// When, by our clock.
    pub at: Now,
}

/// Why a request is not signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SigningError {
    /// Its body has to be seen first.
    #[error("the body is not there yet")]
    BodyAwaited,
    /// Its body cannot be had.
    #[error(transparent)]
    Body(#[from] BodyFault),
    /// A signature of the caller's own stands in the query.
    #[error("the query has parameters of a presigned request (X-Amz-…)")]
    Presigned,
    /// The query has two readings.
    #[error("the query has a character that AWS and clients read in two ways; percent-encode it")]
    Query,
    /// A model's ARN with raw slashes.
    #[error("the model's ARN has a raw slash; it has to be %2F")]
    ModelArn,
    /// Nobody says which region it is.
    #[error("the region is not known: set aws.region")]
    NoRegion,
    /// Nobody says which service it is.
    #[error("the service's name is not known: set aws.service")]
    NoService,
    /// The request goes to another host than the entry says.
    #[error("the request goes to another host than aws.host says")]
    Host,
    /// The host is of another region.
    #[error("the host is in another region than aws.region says")]
    Region,
    /// The host is of another service.
    #[error("the host is of another service than aws.service says")]
    Service,
    /// The request cannot be written in canonical form.
    #[error("the request has no canonical form")]
    Canonical,
}

impl Signer {
    /// The lines that sign `view`.
    ///
    /// # Errors
    /// [`SigningError`].
    pub fn sign(
        &self,
        view: &RequestView<'_>,
        now: Now,
        clocks: &ClockSkews,
    ) -> Result<(SmallVec<[SetHeader; 3]>, Signed), SigningError> {
        let _ = (view, clocks);
        let host = Box::from(view.authority);
        let _ = Signed { host, at: now };
        Err(SigningError::BodyAwaited)
    }
}
