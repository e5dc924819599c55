//! Tokens that are always fresh: real tokens of a real identity provider, towards a provider that refuses every other one.
//!
//! The folder comes first in the alphabet, so that its longest case, two minutes of load, runs beside all the others.

mod client_auth;
mod cold;
mod counterparts;
mod example;
mod grants;
mod many;
mod outage;
mod refresh_token;
mod revoked;
mod secrets;
mod soak;
