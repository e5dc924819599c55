//! Keys of AWS: static ones, those of the platform, and roles assumed one after the other
//! (<https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html>).

mod ambient;
mod assume_role;
mod chain;
mod connector;
mod fit;
mod hints;
mod identity;
mod refusal;
mod session_name;
mod static_keys;
mod sts;
mod sts_answer;
mod sts_request;
mod web_identity;

use std::sync::Arc;
use std::time::Duration;

use super::{AwsSettings, Material, Outward, SecretFault, TokenSource};
use ambient::Ambient;
use assume_role::{AssumeRole, Hops};
pub use chain::{Chain, Hop};
pub(super) use hints::hint;
use identity::{Base, Identity};
use static_keys::StaticKeys;
use sts::Sts;
use web_identity::WebIdentitySource;

/// Names of the legs in records.
const IDENTITY: &str = "aws identity";
const WEB_IDENTITY: &str = "web identity";
const ASSUME_ROLE: &str = "assume role";
const INSTANCE: &str = "instance metadata";
const CONTAINER: &str = "container credentials";
const STS: &str = "aws sts";

/// What a session lasts where nobody says it, and the most that one lasts whose role was assumed by another role's session
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html>, role chaining).
const HOUR: Duration = Duration::from_secs(3_600);

/// The source of `settings`, with `material` from the secret that they name. An identity that the secret names is never
/// replaced by that of the machine.
///
/// # Errors
/// [`SecretFault`] says what to mend.
pub(super) fn source(
    settings: &AwsSettings,
    material: &Material,
    outward: &Outward,
) -> Result<Arc<dyn TokenSource>, SecretFault> {
    let Identity { base, role } = Identity::of(settings, material)?;
    let region = fit::region(material)?;
    let sts = Sts::of(settings, region.as_deref());
    let roles: Vec<_> = role.into_iter().chain(settings.roles.iter().cloned()).collect();
    check_durations(&base, &roles)?;
    let needs_sts = !roles.is_empty() || matches!(base, Base::WebIdentity(_));
    let sts = match sts {
        None if needs_sts => return Err(SecretFault::NoAwsRegion),
        sts => sts.map(Arc::new),
    };
    let base: Arc<dyn TokenSource> = match (base, &sts) {
        (Base::Keys(keys), _) => Arc::new(StaticKeys::new(keys, region.clone())),
        (Base::WebIdentity(role), Some(sts)) => {
            Arc::new(WebIdentitySource::new(role, sts, region.clone(), outward))
        }
        (Base::WebIdentity(_), None) => return Err(SecretFault::NoAwsRegion),
        (Base::Ambient, sts) => {
            let known = sts.as_ref().map(|sts| sts.region.clone());
            Arc::new(Ambient::new(settings, known, region.clone(), outward))
        }
    };
    let Some(sts) = sts else { return Ok(base) };
    let hops = Hops { settings, sts: &sts, region, outward };
    Ok(roles.into_iter().enumerate().fold(base, |before, (at, role)| {
        let before = outward.chain.hop(before, at);
        Arc::new(AssumeRole::new(before, at + 1, role, &hops))
    }))
}

/// Only the first role may last longer than an hour, and only where the keys that assume it are no session's.
fn check_durations(base: &Base, roles: &[super::Role]) -> Result<(), SecretFault> {
    let of_user = matches!(base, Base::Keys(keys) if keys.session_token.is_none());
    let bounded = roles.iter().skip(usize::from(of_user));
    match bounded.into_iter().find(|role| role.duration.is_some_and(|duration| duration > HOUR)) {
        Some(role) => Err(SecretFault::ChainedDuration { role: role.arn.clone() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
