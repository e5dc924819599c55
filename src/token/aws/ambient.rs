//! The identity of where this runs: the default chain of AWS's SDK, which is environment, profile files, web identity (IRSA),
//! the container's service (ECS, EKS Pod Identity), the instance's (IMDSv2)
//! (<https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html>). Programs and SSO are left out.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use tracing::instrument::WithSubscriber as _;
use tracing::subscriber::NoSubscriber;
use url::Url;

use super::connector::Connector;
use super::{IDENTITY, fit};
use crate::base::{Expiry, Now, Secret, UnixTime};
use crate::credential::AwsKeys;
use crate::token::{
    AnswerFault, AwsSettings, Legs, MaterialFault, Minting, Origin, Outward, SourceError, Token, TokenSource,
    TokenValue,
};

/// Temporary keys that say nothing of their end, as profile files have them, are read again after this time.
const UNSAID: Duration = Duration::from_secs(900);

/// The source. Its chain is made anew each time: the SDK's own would go on handing out what it had when the platform fails.
#[derive(Debug)]
pub(super) struct Ambient {
    /// Where the SDK's own exchanges with STS go; none: as the environment and the profile say.
    known_region: Option<String>,
    sts: Option<Url>,
    region: Option<String>,
    outward: Outward,
    machine: Machine,
}

/// What a test puts in the place of the process's environment and of the files.
#[derive(Clone, Debug, Default)]
pub(super) struct Machine {
    #[cfg(test)]
    pub(super) fakes: Option<(aws_types::os_shim_internal::Env, aws_types::os_shim_internal::Fs)>,
}

impl Ambient {
    pub(super) fn new(
        settings: &AwsSettings,
        known_region: Option<String>,
        region: Option<String>,
        outward: &Outward,
    ) -> Self {
        let sts = settings.sts_endpoint.clone();
        Self { known_region, sts, region, outward: outward.clone(), machine: Machine::default() }
    }

    #[cfg(test)]
    pub(super) fn on(self, machine: Machine) -> Self {
        Self { machine, ..self }
    }

    async fn exchange(&self, legs: &mut Legs) -> Result<Token, SourceError> {
        let connector = Connector::new(&self.outward, self.sts.clone());
        let began = self.outward.clock.now();
        // What the SDK logs has answers in it, and with them keys, when they are not what it expects.
        let found = self.ask(connector.clone()).with_subscriber(NoSubscriber::new()).await;
        let (told, failure) = connector.told();
        legs.append(told);
        let token = match found {
            Ok(found) => self.token(&found, began),
            Err(error) => Err(failure.unwrap_or_else(|| unfound(&error))),
        };
        match &token {
            Ok(Token { expiry: Some(expiry), .. }) => legs.brought(expiry.left(began)),
            Ok(_) => {}
            Err(_) => legs.failed(),
        }
        token
    }

    async fn ask(&self, connector: Connector) -> Result<Credentials, CredentialsError> {
        let mut loader = self.machine.put(aws_config::defaults(BehaviorVersion::latest()));
        if let Some(region) = &self.known_region {
            loader = loader.region(Region::new(region.clone()));
        }
        let config = loader.http_client(connector).retry_config(RetryConfig::disabled()).load().await;
        match config.credentials_provider() {
            Some(provider) => provider.provide_credentials().await,
            None => Err(CredentialsError::not_loaded_no_source()),
        }
    }

    fn token(&self, found: &Credentials, began: Now) -> Result<Token, SourceError> {
        let unusable = |kind| SourceError::new(IDENTITY, None, kind);
        let keys = keys(found).ok_or_else(|| unusable(AnswerFault::AwsMetadata))?;
        let end = found.expiry().map(|end| end.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
        let expiry = match end {
            Some(end) => Some(Expiry::at(began, UnixTime(end))),
            None => keys.session_token.is_some().then(|| Expiry::after(began, UNSAID)),
        };
        if expiry.is_some_and(|expiry| expiry.is_over(began)) {
            return Err(unusable(AnswerFault::Over));
        }
        let value = TokenValue::Keys { keys, region: self.region.clone() };
        Ok(Token { value, expiry, refresh_in: None, scopes: Vec::new() })
    }
}

impl Machine {
    #[cfg(not(test))]
    fn put(&self, loader: ConfigLoader) -> ConfigLoader {
        let Self {} = self;
        loader
    }

    #[cfg(test)]
    fn put(&self, loader: ConfigLoader) -> ConfigLoader {
        match &self.fakes {
            Some((env, fs)) => loader.env(env.clone()).fs(fs.clone()),
            None => loader,
        }
    }
}

fn keys(found: &Credentials) -> Option<AwsKeys> {
    let secret = |text: &str| fit::is_secret(text).then(|| Secret::new(text.to_owned()));
    let session_token = match found.session_token() {
        Some(token) => Some(secret(token)?),
        None => None,
    };
    let access_key_id = found.access_key_id().to_owned();
    fit::is_key_id(&access_key_id).then_some(())?;
    Some(AwsKeys { access_key_id, secret_access_key: secret(found.secret_access_key())?, session_token })
}

/// Nobody was asked, or everybody answered, and there are no keys all the same.
fn unfound(error: &CredentialsError) -> SourceError {
    let fault = match error {
        CredentialsError::CredentialsNotLoaded(_) => MaterialFault::NoAwsIdentity,
        _ => MaterialFault::AwsIdentity,
    };
    SourceError::new(IDENTITY, None, fault)
}

impl TokenSource for Ambient {
    fn obtain<'a>(&'a self, legs: &'a mut Legs) -> Minting<'a> {
        Box::pin(self.exchange(legs))
    }

    fn name(&self) -> &'static str {
        "aws_default_chain"
    }

    fn origin(&self) -> Origin {
        Origin::local()
    }
}

#[cfg(test)]
#[path = "ambient_tests.rs"]
mod tests;
