//! A clock on the parts of a decoded token's work, inside the decoder that serves every request.
//!
//! The parts are timed where they are computed, so that whatever an engine really does is what is timed. The clock runs
//! only while a [`Clock`] lives on this thread; the price of waiting for the device around each part is why the parts are
//! not taken from the timings that verdicts rest on.

use std::cell::RefCell;
use std::time::Instant;

use tch::Device;

use super::ReplayError;
use super::device::synchronize;
use crate::measurement::Quantity;
use crate::units::Seconds;

thread_local! {
    static RUNNING: RefCell<Option<Times>> = const { RefCell::new(None) };
}

/// Seconds of each part since the last token.
struct Times {
    device: Device,
    seconds: Vec<(Quantity, f64)>,
}

/// Seconds of each part of one token, in the order of [`Quantity::PARTS`].
pub(super) type Token = Vec<f64>;

/// Runs a part; its time is noted where a clock runs.
pub(super) fn timed<T>(part: Quantity, work: impl FnOnce() -> Result<T, ReplayError>) -> Result<T, ReplayError> {
    let Some(device) = RUNNING.with_borrow(|running| running.as_ref().map(|times| times.device)) else {
        return work();
    };
    synchronize(device);
    let began = Instant::now();
    let done = work()?;
    synchronize(device);
    let seconds = began.elapsed().as_secs_f64();
    RUNNING.with_borrow_mut(|running| {
        if let Some(times) = running {
            times.seconds.push((part, seconds));
        }
    });
    Ok(done)
}

/// Notes the time of every part on this thread until it is dropped.
pub(super) struct Clock;

impl Clock {
    pub(super) fn start(device: Device) -> Self {
        RUNNING.set(Some(Times { device, seconds: Vec::new() }));
        Self
    }

    /// Closes a token that took `whole`: what no part took is other work.
    #[expect(clippy::unused_self, reason = "only a running clock has a token to close")]
    pub(super) fn token(&self, whole: Seconds) -> Token {
        let noted = RUNNING.with_borrow_mut(|running| {
            running.as_mut().map(|times| std::mem::take(&mut times.seconds)).unwrap_or_default()
        });
        let of = |part| noted.iter().filter(|(other, _)| *other == part).map(|(_, seconds)| seconds).sum::<f64>();
        let known: f64 = noted.iter().map(|(_, seconds)| seconds).sum();
        Quantity::PARTS.map(|part| if part == Quantity::OtherWork { whole.0 - known } else { of(part) }).to_vec()
    }
}

impl Drop for Clock {
    fn drop(&mut self) {
        RUNNING.set(None);
    }
}

/// The median over tokens of each part; nothing for no tokens.
pub(super) fn medians(tokens: &[Token]) -> Vec<(Quantity, Seconds)> {
    if tokens.is_empty() {
        return Vec::new();
    }
    let of =
        |place: usize| median(&mut tokens.iter().filter_map(|token| token.get(place).copied()).collect::<Vec<_>>());
    Quantity::PARTS.into_iter().enumerate().map(|(place, part)| (part, Seconds(of(place)))).collect()
}

/// The median; 0 for no values.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    f64::midpoint(at(values.len().saturating_sub(1) / 2), at(values.len() / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_noted_only_while_the_clock_runs() {
        let work = || timed(Quantity::CacheGrowth, || Ok(7));
        assert_eq!(work().unwrap(), 7);
        let clock = Clock::start(Device::Cpu);
        work().unwrap();
        let token = clock.token(Seconds(1.0));
        assert!(token[2] >= 0.0 && token[0] == 0.0 && (token.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{token:?}");
        drop(clock);
        assert!(RUNNING.with_borrow(Option::is_none));
    }

    #[test]
    fn medians_are_of_each_part() {
        let tokens = [vec![1.0, 0.0, 0.0, 5.0, 2.0], vec![3.0, 0.0, 0.0, 4.0, 9.0], vec![2.0, 0.0, 0.0, 90.0, 3.0]];
        let medians: Vec<f64> = medians(&tokens).into_iter().map(|(_, seconds)| seconds.0).collect();
        assert_eq!(medians, [2.0, 0.0, 0.0, 5.0, 3.0]);
        assert_eq!(median(&mut [4.0, 1.0]), 2.5);
    }
}
