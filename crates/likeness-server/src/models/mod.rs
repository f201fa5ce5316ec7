//! Loads models for the command line and the service, and reports each model's file and what does not work
//! without it.
//!
//! `roles` contains what differs between roles. `weights` reads files through Ballast's library, and only
//! this file names that library's types. `registry` turns the files into the face library's set of models.

mod registry;
mod roles;
mod weights;

pub use likeness::models::Role;
pub use registry::{LoadedModel, LoadedModels, ModelRegistry, OnDisk, OtherCalibration, RoleState, State, Unavailable};
pub use roles::{kernels, key, name};
pub use weights::FaultKind;
