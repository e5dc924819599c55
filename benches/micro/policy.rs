//! The MFA rule.

use std::hint::black_box;

use bouncer::base::{Clock as _, SystemClock};
use bouncer::identity::{Algorithm, Presented};
use bouncer::policy::{Decision, evaluate};
use criterion::Criterion;

use crate::world::{Idp, mfa, view};

pub(crate) fn bench(criterion: &mut Criterion) {
    let (idp, now, rule) = (Idp::new(), SystemClock.now().unix, mfa());
    let bearer = idp.bearer(Algorithm::EdDsa);
    let caller =
        idp.callers(1).authenticate(&view("api_key", &bearer), Presented::Any, now).expect("a caller");
    criterion.bench_function("policy/mfa", |bencher| {
        bencher.iter(|| {
            assert!(matches!(evaluate(black_box(Some(&rule)), black_box(&caller), now), Decision::Permit(_)));
        });
    });
}
