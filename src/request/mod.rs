//! One request as Envoy describes it, borrowed from the bytes that Envoy sent, and the answer's header mutations.

mod body;
mod facts;
mod headers;
mod mutation;
mod path;
mod view;

pub use body::{Body, BodyFault, PayloadHash, PayloadHasher};
pub use facts::{EnvoyFacts, MetadataLookup, MetadataSource, NoMetadata, PeerFacts, VerifiedFacts};
pub use headers::{Header, Headers};
pub use mutation::{HeaderMutation, HeaderValue, SetHeader};
pub use path::{Path, PathError};
pub use view::{Half, RequestError, RequestView};
