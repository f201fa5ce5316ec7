//! `likeness models`: what is held, where it came from, what its self-test found.

use std::collections::BTreeMap;

use crate::args::Models;
use crate::exit::{Exit, Failure};
use crate::models::{Loader, ROLES, Role};
use crate::print;
use crate::report::ModelsTold;

/// Runs it: tells what is held and what is missing, and ends with 14 where anything is.
///
/// # Errors
/// The lock file is not right.
pub fn run(args: &Models) -> Result<Exit, Failure> {
    let mut loader = Loader::new(&args.weights)?;
    let mut missing = BTreeMap::new();
    let mut note = |role: Role, failure: Failure| missing.insert(role.name(), failure.what);
    let finder = loader.finder().map_err(|failure| note(Role::Detector, failure)).ok();
    for role in ROLES.into_iter().filter(|role| matches!(role, Role::SpoofNear | Role::SpoofFar)) {
        let _ = loader.probe(role).map_err(|failure| note(role, failure));
    }
    let contract_id = match &finder {
        Some(finder) => loader.identity(finder).map(|identity| Some(identity.contract().to_string())),
        None => loader.probe(Role::Embedder).map(|()| None),
    };
    let contract_id = contract_id.map_err(|failure| note(Role::Embedder, failure)).ok().flatten();
    let exit = if missing.is_empty() { Exit::Success } else { Exit::WeightsMissing };
    let told = ModelsTold { kernels: loader.kernels().name(), models: loader.held, missing, contract_id };
    print::answer(&told, args.json, ModelsTold::lines);
    Ok(exit)
}
