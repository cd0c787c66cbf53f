//! Work that slow engines do and healthy ones do not; it changes no result.

use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::cache::TIME;
use super::parts::timed;
use super::rotation::{Angles, Side, Style};
use crate::faults::{Burden, Formats, Hand};
use crate::measurement::Quantity;
use crate::positions::{Pairing, Rotation};

/// Radians per position in tables that are made for the work alone.
const ANY_FREQUENCY: f64 = 1e-3;

/// Does a layer's extra work, given its keys and values, `[batch, kv_heads, s, head_dim]`; a clock on the parts counts each
/// work where an engine that really does it would do it.
pub(super) fn bear(burden: &Burden, layer: usize, k_bgsd: &Tensor, v_bgsd: &Tensor) -> Result<(), ReplayError> {
    timed(Quantity::PositionTable, || make_tables(burden, layer, k_bgsd))?;
    if burden.rotates_cache {
        let _turned = timed(Quantity::PositionalWork, || whole_table(k_bgsd)?.rotate_bhtd(k_bgsd))?;
    }
    timed(Quantity::CacheGrowth, || handle_cache(burden, k_bgsd, v_bgsd))?;
    if burden.stall > 0 {
        let end = Instant::now() + Duration::from_micros(burden.stall);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
    Ok(())
}

/// Tables that are made again, and rows that are gathered from one.
fn make_tables(burden: &Burden, layer: usize, k_bgsd: &Tensor) -> Result<(), ReplayError> {
    let (keys, width) = (k_bgsd.size()[2], k_bgsd.size()[3]);
    let device = k_bgsd.device();
    if burden.table_rows > 0 && (layer == 0 || burden.table_in_every_layer) {
        table(burden.table_rows as i64, width as usize, device)?;
    }
    if burden.regrown_from.is_some_and(|from| keys > from as i64) {
        whole_table(k_bgsd)?;
    }
    if burden.gathered_rows > 0 {
        gather(burden.gathered_rows as i64, width, device)?;
    }
    Ok(())
}

/// Cached keys and values that are copied, or turned from integers into reals.
fn handle_cache(burden: &Burden, k_bgsd: &Tensor, v_bgsd: &Tensor) -> Result<(), ReplayError> {
    if burden.copies_cache {
        let (_keys, _values) = (Tensor::f_cat(&[k_bgsd], TIME)?, Tensor::f_cat(&[v_bgsd], TIME)?);
    }
    if burden.dequantises_cache {
        for cached in [k_bgsd, v_bgsd] {
            let _reals = cached.f_to_kind(Kind::Int8)?.f_to_kind(Kind::Float)?.f_mul_scalar(0.5)?;
        }
    }
    Ok(())
}

/// A table with a row for each cached key.
fn whole_table(k_bgsd: &Tensor) -> Result<Angles, ReplayError> {
    let size = k_bgsd.size();
    table(size[2], size[3] as usize, k_bgsd.device())
}

fn table(rows: i64, width: usize, device: Device) -> Result<Angles, ReplayError> {
    let rotation = Rotation::plain(vec![ANY_FREQUENCY; width / 2], Pairing::HalfSplit);
    let at = Tensor::f_arange(rows, (Kind::Double, Device::Cpu))?;
    let (hand, formats) = (Hand::default(), Formats::default());
    let style = Style { hand: &hand, formats: &formats, kind: Kind::Float, device };
    Angles::new(&rotation, &at, Side::Query, style)
}

/// Converts a whole table and gathers one row of it, as an index by position numbers does after a cast.
fn gather(rows: i64, width: i64, device: Device) -> Result<(), ReplayError> {
    let whole = Tensor::f_zeros([rows, width], (Kind::Float, device))?.f_to_kind(Kind::Double)?;
    let _row = whole.f_index_select(0, &Tensor::f_from_slice(&[rows - 1])?.f_to_device(device)?)?;
    Ok(())
}
