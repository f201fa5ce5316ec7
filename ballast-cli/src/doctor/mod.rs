//! `doctor`: what an environment, or a deployment file, will do to the weights. Changes nothing.

pub mod environment;
pub mod finding;
mod reach;
mod variables;
