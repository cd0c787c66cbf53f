//! The switch to the long factors comes one token early.
//!
//! # What it does
//! `<` is written for `<=` where LongRoPE and its kin compare the length with the trained one.
//!
//! # Seen in
//! F39 (unsloth PR #10681: wrong at exactly the trained length).
//!
//! # Signature
//! Only a prompt of exactly the trained length differs; one token shorter or longer scores as it should.
//!
//! # How it is injected
//! The method is told one token more than there are.

use serde::{Deserialize, Serialize};

use super::{Execution, Fault, Length, Setting, Site};
use crate::positions::AnyMethod;

/// The switch to the long factors comes one token early.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongSwitchEarly {}

impl Fault for LongSwitchEarly {
    fn summary(&self) -> &'static str {
        "the switch to the long factors comes one token early"
    }

    fn site(&self) -> Site {
        Site::Frequencies
    }

    fn is_development(&self) -> bool {
        false
    }

    fn concerns(&self, setting: &Setting) -> bool {
        matches!(setting.method, AnyMethod::Longrope(_) | AnyMethod::DynamicStep(_))
    }

    fn execution(&self, execution: &mut Execution, _setting: &Setting) {
        execution.length = Length::OneMore;
    }
}
