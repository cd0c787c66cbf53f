//! Devices and threads.

use tch::Device;

use super::ReplayError;

/// The device of that name: `cpu`, `cuda`, `cuda:N`; without a name CUDA if there is one, else the CPU.
///
/// # Errors
/// [`ReplayError::Device`] when the name is not one, or the device is not there.
pub fn device_named(name: Option<&str>) -> Result<Device, ReplayError> {
    let refuse =
        |name: &str, reason: &str| Err(ReplayError::Device { name: name.to_owned(), reason: reason.to_owned() });
    let Some(name) = name else {
        load_cuda();
        return Ok(Device::cuda_if_available());
    };
    let index = match (name, name.strip_prefix("cuda:")) {
        ("cpu", _) => return Ok(Device::Cpu),
        ("cuda", _) => 0,
        (_, Some(index)) => match index.parse::<usize>() {
            Ok(index) => index,
            Err(_) => return refuse(name, "expected a number after `cuda:`"),
        },
        _ => return refuse(name, "expected `cpu`, `cuda` or `cuda:N`"),
    };
    load_cuda();
    let devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    if index >= devices {
        let reason = format!("libtorch sees {devices} CUDA devices; `GYRO_CUDA=1 ./just setup` fetches its CUDA build");
        return refuse(name, &reason);
    }
    Ok(Device::Cuda(index))
}

/// The name of a device, as users write it.
#[must_use]
pub fn device_name(device: Device) -> String {
    match device {
        Device::Cuda(index) => format!("cuda:{index}"),
        _ => "cpu".to_owned(),
    }
}

/// Loads libtorch's CUDA half where it is installed; without it the same program runs on the CPU (tch-rs #980, #984).
fn load_cuda() {
    use std::ffi::{c_char, c_int, c_void};
    #[expect(unsafe_code, reason = "dlopen has no safe form, and linking libtorch_cuda would need it on every machine")]
    unsafe {
        unsafe extern "C" {
            fn dlopen(file: *const c_char, flags: c_int) -> *mut c_void;
        }
        const NOW_AND_GLOBAL: c_int = 0x102;
        dlopen(c"libtorch_cuda.so".as_ptr(), NOW_AND_GLOBAL);
    }
}

/// Sets the threads of one operation (absent: one a core) and returns how many.
///
/// Results are the same bit for bit for the same number on the same machine.
#[must_use]
pub fn prepare_threads(threads: Option<usize>) -> usize {
    let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)).max(1);
    tch::set_num_threads(i32::try_from(threads).unwrap_or(1));
    threads
}

/// The versions of what the replay runs on.
#[must_use]
pub fn versions() -> Vec<(&'static str, String)> {
    vec![("torch", "2.13.0".to_owned()), ("tch", "0.26.0".to_owned())]
}

/// Waits until a device has done all that it was asked, so that a clock tells the truth.
pub(super) fn synchronize(device: Device) {
    if let Device::Cuda(index) = device {
        tch::Cuda::synchronize(index as i64);
    }
}
