//! What each positional mechanism costs in one layer: applied to queries and keys, and with attention, in prefill and decode.
//!
//! `./just bench mechanisms`. Four heads of 32, as in the reference models.

#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gyro::positions::{AnyMethod, HeadShape, Method, Pairing, Scheme};
use gyro::replay::Kernel;
use gyro::units::{Stretch, Tokens};

const METHODS: [&str; 10] =
    ["nope", "none", "yarn", "self_extend", "xpos", "alibi", "t5", "kerple_log", "offsets", "sinusoidal"];
const LENGTHS: [usize; 4] = [256, 1024, 2048, 8192];

fn shape(method: &AnyMethod) -> HeadShape {
    let own = if matches!(method.scheme(), Scheme::Any | Scheme::Rotary) { "rope" } else { method.name() };
    HeadShape {
        heads: 4,
        width: 128,
        head_dim: 32,
        rotary_dim: 32,
        theta: 1e4,
        trained: Tokens(2048),
        pairing: Pairing::HalfSplit,
        native: AnyMethod::named(own).unwrap(),
    }
}

fn kernels(criterion: &mut Criterion) {
    let _ = gyro::replay::prepare_threads(None);
    let device = gyro::replay::device_named(None).unwrap();
    for (phase, decode) in [("prefill", false), ("decode", true)] {
        for part in ["apply", "attend"] {
            let mut group = criterion.benchmark_group(format!("{phase}/{part}"));
            group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
            for name in METHODS {
                let method = AnyMethod::named(name).unwrap();
                let heads = shape(&method);
                for length in LENGTHS {
                    let mechanism = method.mechanism(&heads, Stretch(4.0), Tokens(length)).unwrap();
                    let kernel = Kernel::new(mechanism, &heads, length, decode, device).unwrap();
                    group.throughput(Throughput::Elements(if decode { 1 } else { length as u64 }));
                    group.bench_function(BenchmarkId::new(name, length), |bencher| {
                        bencher.iter(|| {
                            black_box(if part == "apply" { kernel.apply() } else { kernel.attend() }).unwrap()
                        });
                    });
                }
            }
            group.finish();
        }
    }
}

criterion_group!(benches, kernels);
criterion_main!(benches);
