//! From settings and material to a token source.

use std::sync::Arc;

use super::aws::Chain;
use super::federation::Federation;
use super::oauth::OAuth;
use super::{Grant, Material, RefreshTokens, SecretFault, TokenSettings, TokenSource, aws, azure, google};
use crate::base::Clock;
use crate::outbound::Http;

/// What every source works with.
#[derive(Clone)]
pub struct Outward {
    /// The way out.
    pub http: Http,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Refresh tokens that change with every use.
    pub refresh_tokens: Arc<RefreshTokens>,
    /// Who keeps the hops of role chains.
    pub chain: Arc<Chain>,
}

/// The source of `settings`, with `material` from the secret that they name.
///
/// # Errors
/// [`SecretFault`] says what the secret lacks.
pub fn token_source(
    settings: &TokenSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    let outward = Outward { http: outward.http.with_tls(settings.tls.clone()), ..outward.clone() };
    Ok(match &settings.grant {
        Grant::OAuth(oauth) => Arc::new(OAuth::new(oauth, settings, material, outward)?),
        Grant::OpenAi(federation) => Arc::new(Federation::openai(federation, outward)),
        Grant::Anthropic(federation) => Arc::new(Federation::anthropic(federation, outward)),
        Grant::Azure(azure) => azure::source(azure, material, &outward)?,
        Grant::Google(google) => google::source(google, material, &outward)?,
        Grant::Aws(settings) => aws::source(settings, material, &outward)?,
    })
}

impl Outward {
    /// With no refresh tokens yet, and with hops that nobody keeps.
    #[must_use]
    pub fn new(http: Http, clock: Arc<dyn Clock>) -> Self {
        Self { http, clock, refresh_tokens: Arc::default(), chain: Arc::new(Chain::direct()) }
    }
}

impl std::fmt::Debug for Outward {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outward").finish_non_exhaustive()
    }
}
