//! The whole decision on a warm snapshot, by kind of credential.

use std::hint::black_box;

use bouncer::base::{Clock as _, SystemClock};
use bouncer::identity::Algorithm;
use bouncer::pipeline::{Outcome, Patience, run};
use bouncer::request::{Body, RequestView};
use criterion::Criterion;

use crate::world::{Idp, snapshot, view};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("pipeline");
    let (idp, now) = (Idp::new(), SystemClock.now());
    let (snapshot, bearer) = (snapshot(&idp), idp.bearer(Algorithm::Rs256));
    let body = vec![b'x'; 4 << 10];
    for cluster in ["api_key", "token", "sigv4"] {
        // Whom it is signed for is shown after the body only: without a signature none is looked at.
        let shown = if cluster == "sigv4" { Body::Whole(&body) } else { Body::default() };
        let view = RequestView { body: shown, ..view(cluster, &bearer) };
        group.bench_function(cluster, |bencher| {
            bencher.iter(|| {
                let outcome = run(&snapshot, black_box(&view), now, Patience::Fresh);
                assert!(matches!(outcome, Ok(Outcome::Attach { .. })), "{outcome:?}");
                outcome
            });
        });
    }
    group.finish();
}
