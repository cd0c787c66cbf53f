//! Work that slow engines do and healthy ones do not; it changes no result.

use std::time::{Duration, Instant};

use tch::{Device, Kind, Tensor};

use super::ReplayError;
use super::cache::TIME;
use super::rotation::{Angles, Side, Style};
use crate::faults::{Burden, Formats, Hand};
use crate::positions::{Pairing, Rotation};

/// Radians per position in tables that are made for the work alone.
const ANY_FREQUENCY: f64 = 1e-3;

/// Does a layer's extra work, given its keys and values, `[batch, kv_heads, s, head_dim]`.
pub(super) fn bear(burden: &Burden, layer: usize, k_bgsd: &Tensor, v_bgsd: &Tensor) -> Result<(), ReplayError> {
    let (size, device) = (k_bgsd.size(), k_bgsd.device());
    let (keys, width) = (size[2], size[3] as usize);
    if burden.table_rows > 0 && (layer == 0 || burden.table_in_every_layer) {
        table(burden.table_rows as i64, width, device)?;
    }
    if burden.regrown_from.is_some_and(|from| keys > from as i64) {
        table(keys, width, device)?;
    }
    if burden.gathered_rows > 0 {
        gather(burden.gathered_rows as i64, width as i64, device)?;
    }
    if burden.rotates_cache {
        let _turned = table(keys, width, device)?.rotate_bhtd(k_bgsd)?;
    }
    if burden.copies_cache {
        let (_keys, _values) = (Tensor::f_cat(&[k_bgsd], TIME)?, Tensor::f_cat(&[v_bgsd], TIME)?);
    }
    if burden.dequantises_cache {
        for cached in [k_bgsd, v_bgsd] {
            let _reals = cached.f_to_kind(Kind::Int8)?.f_to_kind(Kind::Float)?.f_mul_scalar(0.5)?;
        }
    }
    if burden.stall > 0 {
        let end = Instant::now() + Duration::from_micros(burden.stall);
        while Instant::now() < end {
            std::hint::spin_loop();
        }
    }
    Ok(())
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
