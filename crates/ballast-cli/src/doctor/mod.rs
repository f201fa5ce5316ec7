//! `doctor`: what an environment, or a deployment file, will do to the weights. Changes nothing.

#[cfg(feature = "full")]
pub mod deployment;
pub mod environment;
pub mod finding;
mod forecast;
pub mod path_access;
pub mod variables;
