//! A signature, by the size of the body. `cargo bench --bench sigv4` compares it with that of `aws-sigv4`.

use std::hint::black_box;

use bouncer::base::{Clock as _, SystemClock};
use bouncer::credential::ClockSkews;
use bouncer::request::{Body, RequestView};
use criterion::{BenchmarkId, Criterion};

use crate::world::{signer, view};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("sigv4");
    let (signer, clocks, now) = (signer(), ClockSkews::default(), SystemClock.now());
    for size in [0, 4 << 10, 256 << 10] {
        let body = vec![b'x'; size];
        let view = RequestView { body: Body::Whole(&body), ..view("sigv4", "Bearer x") };
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| signer.sign(black_box(&view), now, &clocks).expect("a signature"));
        });
    }
    group.finish();
}
