//! One request, one line: each stage once, in this order, no branch on the provider's kind.

use super::{Cause, Outcome, Refusal, Snapshot, Wait};
use crate::base::{Now, UnixTime};
use crate::cache::Held;
use crate::config::OnNoProvider;
use crate::credential::{Attached, Credential, SigningError, access_key_id_of, attach, strip};
use crate::identity::{Caller, IdentityError, Presented};
use crate::policy::{Decision, evaluate};
use crate::provider::{Find, Provider};
use crate::request::{BodyFault, Half, PathError, RequestError, RequestView};
use crate::token::Unavailable;

/// What the request may still wait for on the background side. It waits for each thing once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// It has not waited yet.
    Fresh,
    /// It waited for keys, and may wait for a credential.
    Keys,
    /// It may not wait any more: what is missing now is refused.
    Spent,
    /// It may not wait at all, because too many others do.
    Crowded,
}

/// Decides `view`. Takes no lock and waits for nothing.
///
/// # Errors
/// [`Wait`] says what to wait for where waiting would help.
pub fn run<'a>(
    snapshot: &'a Snapshot,
    view: &RequestView<'a>,
    now: Now,
    patience: Patience,
) -> Result<Outcome<'a>, Wait> {
    match decide(snapshot, view, now, patience) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Refuse(refusal)) => Ok(Outcome::Refuse(*refusal)),
        Err(Stop::Wait(wait)) => Err(wait),
    }
}

enum Stop {
    Refuse(Box<Refusal>),
    Wait(Wait),
}

fn decide<'a>(
    snapshot: &'a Snapshot,
    view: &RequestView<'a>,
    now: Now,
    patience: Patience,
) -> Result<Outcome<'a>, Stop> {
    // Whose request it is comes first: it reveals nothing, and the refusals that follow are worded for that provider's SDK.
    let Some(found) = find(snapshot, view)? else { return Ok(Outcome::Pass) };
    let stop = |cause: Cause| found.stop(cause, patience);

    let caller = authenticate(snapshot, view, now.unix).map_err(stop)?;

    if view.half == Half::Downstream {
        let mutation = strip(&snapshot.credential_headers, &view.headers);
        return Ok(Outcome::Verified { facts: Box::new(caller.facts()), mutation });
    }
    let Found::Provider(index, provider) = found else { return Err(stop(Cause::NoProvider)) };

    // Policy before the credential: who may not have it never makes us fetch it.
    let permit = match evaluate(provider.mfa.as_ref(), &caller, now.unix) {
        Decision::Permit(permit) => permit,
        Decision::Refuse(refused) => return Err(stop(refused.into())),
        Decision::Challenge(step_up) => {
            let refusal = Refusal { step_up: Some(step_up), ..found.refusal(Cause::StepUp) };
            return Err(Stop::Refuse(Box::new(refusal)));
        }
    };
    let (tokens, stripped) = (&snapshot.tokens, &snapshot.credential_headers);
    let put_on = |held: &Held<Credential>| {
        (attach(&permit, &held.value, stripped, view, now, &snapshot.clocks), held.id)
    };
    let attached = match patience {
        Patience::Fresh | Patience::Keys => tokens.with(index, now, put_on),
        // The last good one may be old, and is better than a refusal.
        Patience::Spent | Patience::Crowded => tokens.with_last_good(index, now, put_on),
    };
    match attached {
        Ok((Ok(Attached { mutation, signed }), credential)) => {
            Ok(Outcome::Attach { provider: index, credential, mutation, signed })
        }
        Ok((Err(SigningError::BodyAwaited), _)) => match view.content_length() {
            Some(length) if length > snapshot.max_body => Err(stop(BodyFault::TooLarge.into())),
            length => Err(Stop::Wait(Wait::Body { provider: index, length })),
        },
        Ok((Err(error), _)) => Err(stop(error.into())),
        Err(Unavailable::Awaited) if matches!(patience, Patience::Fresh | Patience::Keys) => {
            Err(Stop::Wait(Wait::Credential { provider: index }))
        }
        Err(_) if patience == Patience::Crowded => Err(stop(Cause::Crowded)),
        Err(error) => {
            let retry_after = tokens.retry_after(index, now);
            Err(Stop::Refuse(Box::new(Refusal { retry_after, ..found.refusal(error.into()) })))
        }
    }
}

/// Whose request it is.
#[derive(Clone, Copy)]
enum Found<'a> {
    Provider(usize, &'a Provider),
    /// Downstream half only: the attempt's provider is not chosen yet.
    NotYet,
}

fn find<'a>(snapshot: &'a Snapshot, view: &RequestView<'a>) -> Result<Option<Found<'a>>, Stop> {
    let refuse = |cause: Cause| Err(Stop::Refuse(Box::new(Refusal::early(cause))));
    let catalog = &snapshot.catalog;
    let path = view.path();
    // Traffic that is nobody's may have any path, but not where a path could make it somebody's.
    if let Err(error) = path
        && (snapshot.on_no_provider == OnNoProvider::Deny || catalog.reads_paths())
    {
        return refuse(error.into());
    }
    match catalog.find(view, path.ok()) {
        Find::Provider(index, provider) => match path {
            Ok(path) if path.has_escaped_slash() && !provider.takes_escaped_slashes() => {
                refuse(RequestError::from(PathError::Slash).into())
            }
            Ok(_) => Ok(Some(Found::Provider(index, provider))),
            Err(error) => refuse(error.into()),
        },
        // Whose it is the attempt will show, and whether such a path is one of its own.
        Find::Nobody if view.half == Half::Downstream => Ok(Some(Found::NotYet)),
        Find::Nobody if catalog.reads_paths() && path.is_ok_and(|path| path.has_escaped_slash()) => {
            refuse(RequestError::from(PathError::Slash).into())
        }
        // Not with a key of ours on it: an earlier attempt, or the request before an internal redirect, was somebody's.
        Find::Nobody
            if snapshot.on_no_provider == OnNoProvider::Pass
                && !snapshot.tokens.any_is_on(&view.headers, &snapshot.credential_headers) =>
        {
            Ok(None)
        }
        Find::Nobody => refuse(Cause::NoProvider),
        Find::Unknown => refuse(Cause::UnknownProvider),
        Find::Ambiguous(..) => refuse(Cause::AmbiguousProvider),
    }
}

fn authenticate(snapshot: &Snapshot, view: &RequestView<'_>, now: UnixTime) -> Result<Caller, Cause> {
    let (callers, tokens) = (&snapshot.callers, &snapshot.tokens);
    if view.half == Half::Upstream {
        return Ok(callers.carried(view, now)?);
    }
    // On a retry a filter on the upstream side sees the headers of the first attempt: our own credential, and nothing
    // of what the caller sent as proof. It is looked for before it could be taken for the caller's, after a failover
    // another provider's as well: a provider may trust the very issuer that callers come from.
    // A signature is ours whatever key it was made with: callers have none to send, and our keys may have changed since.
    let ours = || {
        view.headers.all("authorization").any(|value| access_key_id_of(value).is_some())
            || tokens.any_is_on(&view.headers, &snapshot.credential_headers)
    };
    if !(view.envoy.upstream && ours()) {
        return Ok(callers.authenticate(view, Presented::Any, now)?);
    }
    // Envoy's word on the certificate still stands; nothing else does.
    match callers.authenticate(view, Presented::CertificateOnly, now) {
        Err(IdentityError::Missing) => Err(Cause::RetryWithoutFacts),
        other => Ok(other?),
    }
}

impl Found<'_> {
    fn refusal(self, cause: Cause) -> Refusal {
        match self {
            Self::Provider(index, provider) => {
                Refusal { provider: Some(index), dialect: provider.kind.dialect(), ..Refusal::early(cause) }
            }
            Self::NotYet => Refusal::early(cause),
        }
    }

    fn stop(self, cause: Cause, patience: Patience) -> Stop {
        match (cause, patience) {
            (
                Cause::Identity(IdentityError::UnknownKey { issuer } | IdentityError::NoKeySet { issuer }),
                Patience::Fresh,
            ) => Stop::Wait(Wait::KeySet { issuer }),
            (
                Cause::Identity(IdentityError::UnknownKey { .. } | IdentityError::NoKeySet { .. }),
                Patience::Crowded,
            ) => Stop::Refuse(Box::new(self.refusal(Cause::Crowded))),
            _ => Stop::Refuse(Box::new(self.refusal(cause))),
        }
    }
}

#[cfg(test)]
#[path = "run_tests.rs"]
mod tests;
