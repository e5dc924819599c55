//! What the downstream half leaves for the upstream half, and the caller made from it again.

use std::sync::Arc;

use super::jwt::is_blank;
use super::{
    AuthContext, Caller, Callers, IdentityError, Principal, PrincipalKind, SpiffeId, VerifiedPrincipal,
};
use crate::base::UnixTime;
use crate::request::{Half, RequestView, VerifiedFacts};

impl Callers {
    /// The caller that the downstream half verified, for an attempt that the upstream half looks at.
    ///
    /// # Errors
    /// [`IdentityError::NoFacts`] where the metadata is missing, where no downstream half of ours leaves such facts, and
    /// where this filter is not the upstream half; [`IdentityError::StaleFacts`].
    pub fn carried(&self, view: &RequestView<'_>, now: UnixTime) -> Result<Caller, IdentityError> {
        match (view.half, &view.envoy.verified) {
            (Half::Upstream, Some(facts)) => self.believe(facts, now),
            _ => Err(IdentityError::NoFacts),
        }
    }

    /// For [`Callers::carried`] and for tests of what stands on a caller: facts are an open struct, and no proof.
    pub(crate) fn believe(&self, facts: &VerifiedFacts, now: UnixTime) -> Result<Caller, IdentityError> {
        if facts.issuer.is_empty() || is_blank(&facts.subject) {
            return Err(IdentityError::NoFacts);
        }
        let via =
            facts.via.as_deref().map(SpiffeId::parse).transpose().map_err(|_| IdentityError::NoFacts)?;
        let not_after = UnixTime(facts.not_after);
        if now > not_after {
            return Err(IdentityError::StaleFacts);
        }
        let known = self.issuers().iter().map(|issuer| &issuer.settings.issuer);
        let principal = Principal {
            issuer: known
                .into_iter()
                .find(|known| ***known == *facts.issuer)
                .map_or_else(|| facts.issuer.as_str().into(), Arc::clone),
            subject: facts.subject.as_str().into(),
            kind: if facts.workload { PrincipalKind::Workload } else { PrincipalKind::Person },
            groups: boxed(facts.groups.iter().map(String::as_str)),
        };
        let auth_context = AuthContext {
            amr: boxed(facts.amr.iter().map(String::as_str)),
            acr: boxed(facts.acr.iter().map(String::as_str)),
            auth_time: facts.auth_time.map(UnixTime),
        };
        Ok(Caller { principal: Arc::new(VerifiedPrincipal::new(principal, auth_context, not_after)), via })
    }
}

impl Caller {
    /// What the downstream half leaves for the upstream half.
    #[must_use]
    pub fn facts(&self) -> VerifiedFacts {
        let (principal, context) = (self.principal.principal(), self.principal.auth_context());
        VerifiedFacts {
            issuer: principal.issuer.to_string(),
            subject: principal.subject.to_string(),
            workload: principal.kind == PrincipalKind::Workload,
            groups: owned(&principal.groups),
            amr: owned(&context.amr),
            acr: owned(&context.acr),
            auth_time: context.auth_time.map(|time| time.0),
            not_after: self.principal.not_after().0,
            via: self.via.as_ref().map(|id| id.as_str().to_owned()),
        }
    }
}

fn boxed<'a>(texts: impl Iterator<Item = &'a str>) -> Box<[Box<str>]> {
    texts.map(Box::from).collect()
}

fn owned(texts: &[Box<str>]) -> Vec<String> {
    texts.iter().map(|text| text.as_ref().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::identity::CallersSettings;

    fn facts() -> VerifiedFacts {
        VerifiedFacts { issuer: "i".into(), subject: "s".into(), not_after: 100, ..VerifiedFacts::default() }
    }

    #[track_caller]
    fn check(facts: &VerifiedFacts, now: u64, expected: Result<(), IdentityError>) {
        let callers = Callers::new(CallersSettings::default());
        assert_eq!(callers.believe(facts, UnixTime(now)).map(|_| ()), expected, "{facts:?} at {now}");
    }

    #[test]
    fn facts_hold_until_the_proof_they_were_made_from_ends() {
        check(&facts(), 100, Ok(()));
        check(&facts(), 101, Err(IdentityError::StaleFacts));
    }

    #[test]
    fn facts_that_no_downstream_half_leaves_are_no_facts() {
        check(&VerifiedFacts::default(), 0, Err(IdentityError::NoFacts));
        check(&VerifiedFacts { issuer: String::new(), ..facts() }, 0, Err(IdentityError::NoFacts));
        check(&VerifiedFacts { subject: " \t".into(), ..facts() }, 0, Err(IdentityError::NoFacts));
        check(&VerifiedFacts { via: Some("spiffe://".into()), ..facts() }, 0, Err(IdentityError::NoFacts));
    }

    proptest! {
        #[test]
        fn facts_make_the_caller_that_leaves_the_same_facts(
            (issuer, subject, workload) in (".{1,20}", "[a-z0-9:/|]{1,20}", any::<bool>()),
            groups in proptest::collection::vec(".{0,9}", 0..4),
            amr in proptest::collection::vec(".{0,9}", 0..4),
            acr in proptest::collection::vec(".{0,9}", 0..4),
            auth_time in any::<Option<u64>>(),
            via in proptest::option::of("spiffe://[a-z.]{1,9}/[a-z]{1,9}"),
            not_after in any::<u64>(),
        ) {
            let facts = VerifiedFacts { issuer, subject, workload, groups, amr, acr, auth_time, not_after, via };
            let caller = Callers::new(CallersSettings::default()).believe(&facts, UnixTime(not_after)).unwrap();
            prop_assert_eq!(caller.facts(), facts);
        }
    }
}
