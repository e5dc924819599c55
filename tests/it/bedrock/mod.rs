//! Bedrock: requests that are signed on the way.

mod counterparts;
