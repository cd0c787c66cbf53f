//! What the machine itself says while models are timed: one fixed piece of work, clocks, throttling, memory.
//!
//! CUDA's clocks come from `nvidia-smi`, since tch wraps neither them nor events: what is timed waits for the device
//! (`Cuda::synchronize`) before and after, which is what a pair of events would tell.

use std::cell::Cell;
use std::fs;
use std::process::Command;
use std::time::Instant;

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::device::synchronize;
use crate::units::Seconds;

/// Side of the matrices of the fixed kernel: 2 x 512^3 operations, some milliseconds on one core.
const SIDE: i64 = 512;

/// Time of one matrix product of a fixed size.
pub(super) fn fixed_kernel(device: Device) -> Result<Seconds, ReplayError> {
    let _no_grad = tch::no_grad_guard();
    let a = Tensor::f_ones([SIDE, SIDE], (Kind::Float, device))?;
    synchronize(device);
    let clock = Instant::now();
    let product = a.f_matmul(&a)?;
    synchronize(device);
    let seconds = Seconds(clock.elapsed().as_secs_f64());
    drop(product);
    Ok(seconds)
}

/// How often the device was held back since the last call; `seen` keeps the processor's count, which only grows.
pub(super) fn held_back(device: Device, seen: &Cell<f64>) -> Option<f64> {
    if let Device::Cuda(index) = device {
        let text = cuda(index, "clocks_throttle_reasons.active")?;
        let reasons = u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()?;
        return Some(f64::from((reasons & HOLDS_BACK).count_ones()));
    }
    let count = processor_throttling()?;
    Some(count - seen.replace(count))
}

/// The device's clock in megahertz.
pub(super) fn clock(device: Device) -> Option<f64> {
    if let Device::Cuda(index) = device {
        return cuda(index, "clocks.sm")?.parse().ok();
    }
    let kilohertz = fs::read_to_string("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq").ok()?;
    Some(kilohertz.trim().parse::<f64>().ok()? / 1e3)
}

/// Pages that the kernel has handed to this process (`minflt`, field 10 of `/proc/self/stat`).
pub(super) fn fresh_pages(device: Device) -> Option<f64> {
    if device != Device::Cpu {
        return None;
    }
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name, in parentheses, may hold blanks.
    text.rsplit_once(')')?.1.split_whitespace().nth(7)?.parse().ok()
}

/// NVML's reasons that slow work down: power cap, hardware slowdown, thermal slowdown in software and hardware, power brake.
/// An idle clock and a clock that the user has set are none.
const HOLDS_BACK: u64 = 0x4 | 0x8 | 0x20 | 0x40 | 0x80;

fn cuda(index: usize, field: &str) -> Option<String> {
    let output = Command::new("nvidia-smi")
        .args([&format!("--query-gpu={field}"), "--format=csv,noheader,nounits", &format!("--id={index}")])
        .output()
        .ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok())??;
    Some(text.trim().to_owned())
}

/// Times that the cores were held back for heat since the machine started; absent where Linux does not count them.
fn processor_throttling() -> Option<f64> {
    let mut sum = None;
    for entry in fs::read_dir("/sys/devices/system/cpu").ok()?.filter_map(Result::ok) {
        let path = entry.path().join("thermal_throttle/core_throttle_count");
        if let Some(count) = fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<f64>().ok()) {
            *sum.get_or_insert(0.0) += count;
        }
    }
    sum
}

/// The largest resident memory since the last call, which starts the next count (`clear_refs` of Linux, value 5).
pub(super) fn peak_memory(device: Device) -> Option<f64> {
    if device != Device::Cpu {
        // The device's own memory is behind libtorch's allocator, which tch does not ask.
        return None;
    }
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    fs::write("/proc/self/clear_refs", "5").ok()?;
    Some(kilobytes * 1024.0)
}
