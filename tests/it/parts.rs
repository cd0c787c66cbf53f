//! The parts of a decoded token on a real model: what a slow engine does is timed where such an engine does it.

use std::path::Path;

use gyro::faults::AnyFault;
use gyro::measurement::{Cell, Quantity};
use gyro::positions::AnyMethod;
use gyro::replay::Fleet;
use gyro::scenario;
use gyro::subject::Engine;
use gyro::units::Stretch;
use tch::Device;

/// Tokens in the cache: enough that every fault takes a multiple of its part's usual time.
const CONTEXT: u32 = 2048;

/// Rounds of the healthy engine and of the burdened one, in turn, so that other work on the machine meets both.
const ROUNDS: usize = 5;

/// Seconds of each part of the healthy engine and of the burdened one, each the least of its rounds: other work only ever adds.
fn parts(fleet: &Fleet, fault: &str) -> [Vec<f64>; 2] {
    let mut least = [(); 2].map(|()| vec![f64::INFINITY; Quantity::PARTS.len()]);
    for _ in 0..ROUNDS {
        for (least, faults) in least.iter_mut().zip([&[][..], &[fault]]) {
            let timed = round(fleet, faults);
            least.iter_mut().zip(timed).for_each(|(least, seconds)| *least = least.min(seconds));
        }
    }
    least
}

/// Seconds of each part, in the order of [`Quantity::PARTS`].
fn round(fleet: &Fleet, faults: &[&str]) -> Vec<f64> {
    let faults = faults.iter().map(|name| AnyFault::named(name).unwrap()).collect();
    let cell = Cell::grid(AnyMethod::named("linear").unwrap(), Stretch(4.0)).under(faults);
    let mut subject = fleet.subject(&cell).unwrap();
    let tokens: Vec<u32> = (0..CONTEXT).map(|i| 300 + i * 7 % 500).collect();
    subject.prefill(&tokens).unwrap();
    subject.decode(&tokens[..4]).unwrap();
    let timed = subject.parts(&tokens[..24]).unwrap();
    assert_eq!(timed.iter().map(|(part, _)| *part).collect::<Vec<_>>(), Quantity::PARTS);
    timed.into_iter().map(|(_, seconds)| seconds.0).collect()
}

#[test]
fn the_part_that_a_fault_burdens_is_the_one_that_grows() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/8k_regression.yaml");
    let scenario = scenario::load(&path).unwrap();
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parts");
    let fleet = Fleet::load(&scenario, Device::Cpu, &cache, |_| {}).unwrap();
    for (fault, expected) in [
        ("table_every_layer", Quantity::PositionTable),
        ("gathered_rows", Quantity::PositionTable),
        ("cache_rotated_every_step", Quantity::PositionalWork),
        ("cache_dequantised_every_step", Quantity::CacheGrowth),
        ("host_sync", Quantity::OtherWork),
    ] {
        let [healthy, burdened] = parts(&fleet, fault);
        let grown = burdened.iter().zip(&healthy).map(|(now, then)| now - then);
        let (part, more) = Quantity::PARTS.into_iter().zip(grown).max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
        println!("{fault}: {} takes {:.0} microseconds more", part.name(), more * 1e6);
        assert_eq!(part, expected, "{fault}: {burdened:?} against {healthy:?}");
        assert!(more > 5e-5, "{fault}: {burdened:?} against {healthy:?}");
    }
}
