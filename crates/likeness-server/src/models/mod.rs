//! Models for the command line and the service: which file each comes from, and what is lost without it.
//!
//! `roles` has what differs from role to role;
//! `weights` reads files through Ballast's library and is the only place that names its types;
//! `registry` turns them into the library's one set of models.

mod registry;
mod roles;
mod weights;

pub use likeness::models::Role;
pub use registry::{LoadedModel, LoadedModels, ModelRegistry, OnDisk, RoleState, State, Unavailable};
pub use roles::{kernels, key, name};
pub use weights::FaultKind;
