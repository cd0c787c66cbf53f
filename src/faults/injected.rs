//! A deployment with its faults worked in: what the engine believes, and how it executes that.

use super::{AnyFault, Execution, Fault, FaultError};
use crate::positions::{AnyMethod, HeadShape, Mechanism, Method, MethodError};
use crate::units::{Stretch, Tokens};

/// What an engine goes by.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// The method.
    pub method: AnyMethod,
    /// Its factor.
    pub factor: Stretch,
    /// The heads, with base, rotated width and trained length.
    pub heads: HeadShape,
    /// Keys that a query sees by the checkpoint's configuration; absent: all before it.
    pub window: Option<usize>,
}

impl Setting {
    /// The mechanism at a length.
    ///
    /// # Errors
    /// As [`Method::mechanism`].
    pub fn mechanism(&self, length: Tokens) -> Result<Mechanism, MethodError> {
        self.method.mechanism(&self.heads, self.factor, length)
    }

    /// Whether the rotation changes with the length.
    #[must_use]
    pub fn follows_length(&self) -> bool {
        let trained = self.heads.trained.0;
        let at = |length| self.mechanism(Tokens(length)).ok();
        let short = at(trained);
        [trained + 1, 2 * trained, 4 * trained].into_iter().any(|length| at(length) != short)
    }
}

/// A deployment with its faults worked in.
#[derive(Clone, Debug, PartialEq)]
pub struct Injected {
    setting: Setting,
    execution: Execution,
    faults: Vec<AnyFault>,
    follows_length: bool,
}

impl Injected {
    /// Works the faults into a setting, in their order.
    ///
    /// # Errors
    /// [`FaultError`] where a parameter is out of its range, or the method does not fit the heads.
    pub fn new(setting: Setting, faults: &[AnyFault]) -> Result<Self, FaultError> {
        let mask = super::Mask { window: setting.window, ..super::Mask::default() };
        let mut injected = Self {
            execution: Execution { mask, ..Execution::default() },
            setting,
            faults: faults.to_vec(),
            follows_length: false,
        };
        for fault in faults {
            fault.check()?;
            fault.setting(&mut injected.setting);
        }
        for fault in faults {
            fault.execution(&mut injected.execution, &injected.setting);
        }
        injected.follows_length = injected.setting.follows_length();
        injected.mechanism(injected.setting.heads.trained)?;
        Ok(injected)
    }

    /// What the engine goes by.
    #[must_use]
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// How the engine executes it.
    #[must_use]
    pub fn execution(&self) -> &Execution {
        &self.execution
    }

    /// The same setting under another execution.
    #[must_use]
    pub fn executed(self, execution: Execution) -> Self {
        Self { execution, ..self }
    }

    /// Whether the rotation changes with the length.
    #[must_use]
    pub fn follows_length(&self) -> bool {
        self.follows_length
    }

    /// The mechanism that the engine runs at a length.
    ///
    /// # Errors
    /// As [`Method::mechanism`].
    pub fn mechanism(&self, length: Tokens) -> Result<Mechanism, MethodError> {
        Ok(self.spoilt(self.setting.mechanism(length)?))
    }

    /// The mechanism without its scaling, as this engine makes it: what it does wrong in every table it does wrong here, too.
    ///
    /// # Errors
    /// As [`Method::mechanism`].
    pub fn unscaled(&self) -> Result<Mechanism, MethodError> {
        let heads = &self.setting.heads;
        Ok(self.spoilt(AnyMethod::unscaled().mechanism(heads, Stretch::ONE, heads.trained)?))
    }

    fn spoilt(&self, mut mechanism: Mechanism) -> Mechanism {
        for fault in &self.faults {
            fault.mechanism(&mut mechanism, &self.setting);
        }
        mechanism
    }
}
