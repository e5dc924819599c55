//! A token seen for the first time, by algorithm, and one that is known.

use std::hint::black_box;

use bouncer::base::{Clock as _, SystemClock};
use bouncer::identity::{Algorithm, Presented};
use criterion::Criterion;

use crate::world::{Idp, view};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("jwt");
    let (idp, now) = (Idp::new(), SystemClock.now().unix);
    // Remembers nothing: each time is the first.
    let forgetful = idp.callers(0);
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let bearer = idp.bearer(algorithm);
        let view = view("api_key", &bearer);
        group.bench_function(algorithm.name(), |bencher| {
            bencher.iter(|| forgetful.authenticate(black_box(&view), Presented::Any, now).expect("a caller"));
        });
    }
    let bearer = idp.bearer(Algorithm::Rs256);
    let (callers, view) = (idp.callers(1_000), view("api_key", &bearer));
    group.bench_function("known", |bencher| {
        bencher.iter(|| callers.authenticate(black_box(&view), Presented::Any, now).expect("a caller"));
    });
    group.finish();
}
