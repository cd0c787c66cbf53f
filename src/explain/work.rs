//! What positions cost while one token is decoded, as a function of the context.
//!
//! # Counting rules
//! A step at context `n` reads `n` keys, its own among them. Keys are cached after their rotation, also where later ones
//! rotate otherwise; Self-Extend's are cached before it, since each query sees them under two (its authors' code and the
//! replay do so). Counted is only what the method adds to attention, over all layers, nothing twice within a step:
//! * a *learned lookup* is the read of one learned value, each layer and head for itself;
//! * *bytes* are 4 for each value read, learned or from a table of fixed ones (cosines, slopes, bucket numbers);
//! * *flops*: each of `+ - x / min exp ln pow` is one.
//!
//! With `H` heads of `d` dimensions, `r` of them turned, width `w`, `y` layers:
//!
//! | mechanism | learned lookups | values read | flops |
//! |---|---|---|---|
//! | rotation | 0 | `r y` (cosines and sines of one position) | `6 H r y`: 4 products and 2 sums a pair, query and key |
//! | with decay | 0 | `2 r y` | `8 H r y`: a product more for each dimension |
//! | grouped positions | 0 | `2 r y (n + 1)`: exact and grouped, for the query and all keys | `6 H r y (n + 1)`: all are turned twice |
//! | slopes | 0 | `H y` | `2 H n y`: product, sum |
//! | power kernel | `2 H y` | `2 H y` | `3 H n y`: power, product, sum |
//! | logarithmic kernel | `2 H y` | `2 H y` | `5 H n y`: product, sum, logarithm, product, sum |
//! | buckets | `H n y` | `(H + 1) n y` (values, bucket numbers) | `H n y`: sum |
//! | clipped offsets | `H n y` | `H n y` | `(H + 1) n y`: minimum, sum |
//! | sinusoidal vectors | 0 | `w` | `w` |
//! | learned vectors | `w`, between rows `2 w` | the same | `w`, between rows `4 w` |
//! | nothing | 0 | 0 | 0 |
//!
//! A stretch of distances is folded into the slopes and tables. Attention's own flops are `4 H d n y`: scores and values.

use serde::Serialize;

use super::{ExplainError, Setting};
use crate::positions::{Bias, Buckets, Mechanism, Vectors};
use crate::units::Tokens;

/// Bytes of a value.
const VALUE: usize = 4;
/// The first context that is counted.
const FIRST: usize = 256;

/// Positional work of one decoded token over growing contexts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Work {
    /// At 256, 512, ... and the target length.
    pub steps: Vec<Step>,
    /// Whether learned lookups grow with the context.
    pub lookups_grow: bool,
    /// Whether the bytes read grow with the context.
    pub bytes_grow: bool,
    /// Whether flops grow with the context.
    pub flops_grow: bool,
}

/// Positional work of one decoded token at one context.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Step {
    /// Keys, the token's own among them.
    pub context: Tokens,
    /// Learned values read.
    pub lookups: usize,
    /// Bytes of positional values read.
    pub bytes: usize,
    /// Floating-point operations.
    pub flops: usize,
    /// Those operations as a share of attention's own, 1 being as many.
    pub share_of_attention: f64,
}

/// What one step takes.
struct Cost {
    lookups: usize,
    values: usize,
    flops: usize,
}

pub(super) fn of(setting: &Setting) -> Result<Work, ExplainError> {
    let contexts = std::iter::successors(Some(FIRST), |n| n.checked_mul(2))
        .take_while(|n| *n < setting.target.0)
        .chain([setting.target.0]);
    let steps = contexts.map(|n| step(setting, n)).collect::<Result<Vec<_>, _>>()?;
    let grows = |of: fn(&Step) -> usize| {
        let (first, last) = (steps.first().map(of), steps.last().map(of));
        last > first
    };
    Ok(Work {
        lookups_grow: grows(|step| step.lookups),
        bytes_grow: grows(|step| step.bytes),
        flops_grow: grows(|step| step.flops),
        steps,
    })
}

fn step(setting: &Setting, context: usize) -> Result<Step, ExplainError> {
    let cost = cost(setting, context, &setting.mechanism(Tokens(context))?);
    let attention = 4 * setting.width() * context * setting.layers;
    Ok(Step {
        context: Tokens(context),
        lookups: cost.lookups,
        bytes: VALUE * cost.values,
        flops: cost.flops,
        share_of_attention: cost.flops as f64 / attention as f64,
    })
}

/// The rules of this module's documentation.
fn cost(setting: &Setting, n: usize, mechanism: &Mechanism) -> Cost {
    let (heads, layers, width) = (setting.heads, setting.layers, setting.width());
    let free = |values, flops| Cost { lookups: 0, values, flops };
    match mechanism {
        Mechanism::Nothing => free(0, 0),
        Mechanism::Rotate(rotation) => {
            let turned = 2 * rotation.inverse_frequencies.iter().filter(|frequency| **frequency > 0.0).count();
            let dimensions = heads * turned * layers;
            match &rotation.decay {
                None => free(turned * layers, 6 * dimensions),
                Some(_) => free(2 * turned * layers, 8 * dimensions),
            }
        }
        Mechanism::Group(grouping) => {
            let turned = 2 * grouping.rotation.inverse_frequencies.len();
            free(2 * turned * layers * (n + 1), 6 * heads * turned * layers * (n + 1))
        }
        Mechanism::Bias(bias) => {
            let scores = heads * n * layers;
            let kernel = |flops| Cost { lookups: 2 * heads * layers, values: 2 * heads * layers, flops };
            match bias {
                Bias::Linear { .. } => free(heads * layers, 2 * scores),
                Bias::Power { .. } => kernel(3 * scores),
                Bias::Log { .. } => kernel(5 * scores),
                Bias::Learned(Buckets::Logarithmic { .. }) => {
                    Cost { lookups: scores, values: scores + n * layers, flops: scores }
                }
                Bias::Learned(Buckets::Clipped { .. }) => {
                    Cost { lookups: scores, values: scores, flops: scores + n * layers }
                }
            }
        }
        Mechanism::Add(Vectors::Sinusoidal { .. }) => free(width, width),
        Mechanism::Add(Vectors::Learned { stretch, .. }) => {
            // Between rows whatever the position: a step's cost shall not depend on where it happens to fall.
            let (reads, flops) = if *stretch == 1.0 { (width, width) } else { (2 * width, 4 * width) };
            Cost { lookups: reads, values: reads, flops }
        }
    }
}
