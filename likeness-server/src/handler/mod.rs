//! One file per route: the form in, the answer out. Each asks for its networks by name, so that none
//! can answer without them.

pub mod compare;
pub mod detect;
pub mod health;
pub mod liveness;
pub mod metrics;
pub mod told;
