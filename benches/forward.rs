//! The forward of the reference model at several lengths, with and without attention statistics, beside this machine's
//! matmul: `./just bench`. Throughput is in floating-point operations, so the two can be divided.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros make undocumented items; a bench may panic")]

use std::path::Path;
use std::rc::Rc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use gyro::checkpoint::Architecture;
use gyro::positions::AnyMethod;
use gyro::replay::{Checkpoint, Replay, prepare_threads};
use gyro::stats::random::Random;
use gyro::subject::{Look, Subject, Window};
use gyro::units::{Stretch, Tokens};
use tch::{Device, Kind, Tensor};

const REFERENCE: &str = "models/reference/rope-2k";
const LENGTHS: [usize; 5] = [512, 1024, 2048, 4096, 8192];

/// Multiplications and additions of one forward: twice the weights a token, and the lower triangle of attention twice.
fn operations(a: &Architecture, length: usize) -> u64 {
    let attention_weights = a.width * a.head_dim * (2 * a.heads + 2 * a.kv_heads);
    let weights = a.layers * (attention_weights + 3 * a.width * a.feed_forward) + a.vocabulary * a.width;
    let attention = a.layers * 2 * a.heads * a.head_dim * length * (length + 1) / 2;
    2 * (length * weights + attention) as u64
}

fn forward(c: &mut Criterion) {
    let _ = prepare_threads(None);
    let checkpoint = Rc::new(Checkpoint::load(Path::new(REFERENCE), Device::Cpu).unwrap());
    let mut random = Random::new(1);
    let vocabulary = checkpoint.config.architecture.vocabulary;
    let tokens: Vec<u32> = (0..LENGTHS[4]).map(|_| random.below(vocabulary) as u32).collect();
    let mut replay = Replay::new(Rc::clone(&checkpoint), AnyMethod::named("yarn").unwrap(), Stretch(4.0)).unwrap();
    let mut group = c.benchmark_group("forward");
    group.sample_size(10);
    for length in LENGTHS {
        group.throughput(Throughput::Elements(operations(&checkpoint.config.architecture, length)));
        let tokens = &tokens[..length];
        group.bench_with_input(BenchmarkId::new("loss", length), tokens, |b, tokens| {
            b.iter(|| replay.score(&[Window { tokens, first_position: Tokens(0) }]).unwrap());
        });
        for every in [16, 1] {
            let look = Look { every, distance_edges: vec![0, 64, 256, 1024, length.max(1025)], trained: Tokens(2048) };
            group.bench_with_input(BenchmarkId::new(format!("statistics/{every}"), length), tokens, |b, tokens| {
                b.iter(|| replay.attention(tokens, &look).unwrap());
            });
        }
    }
    group.finish();
}

/// The roof: a square product in single precision.
fn matmul(c: &mut Criterion) {
    let _ = prepare_threads(None);
    let n = 2048_i64;
    let a = Tensor::randn([n, n], (Kind::Float, Device::Cpu));
    let mut group = c.benchmark_group("matmul");
    group.sample_size(10).throughput(Throughput::Elements(2 * (n * n * n) as u64));
    group.bench_function(BenchmarkId::from_parameter(n), |b| b.iter(|| a.matmul(&a)));
    group.finish();
}

criterion_group!(benches, matmul, forward);
criterion_main!(benches);
