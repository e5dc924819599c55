//! The configured LLM services, which requests are theirs, and how each of them words an error.

mod aws_error;
mod catalog;
mod dialect;
mod glob;
mod kind;
mod placement;
mod rejection;

pub use aws_error::AwsErrorCode;
pub use catalog::{Catalog, Conflict, Find, Match, MetadataMatch, Provider};
pub use dialect::{Dialect, ErrorText};
pub use glob::Glob;
pub use kind::{AuthType, ProviderKind};
pub use placement::ApiKeyPlacement;
pub use rejection::{Remedy, remedy, says_revoked};
