//! ablation
