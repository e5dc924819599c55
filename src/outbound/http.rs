//! The HTTP client: rustls, no redirects, no cookies, bounded time and bodies.

/// A client for small documents.
#[derive(Clone, Debug)]
pub struct Http {}
