//! `likeness models` prints the loaded models, their sources and the results of their self-tests.

use likeness::models::Role;
use likeness::space::DetectionPolicy;

use crate::args::Models;
use crate::exit::{Exit, Failure};
use crate::models::{LoadedModels, RoleState, kernels};
use crate::print;
use crate::report::{ModelsReport, missing};

/// Runs the command: reports loaded and missing models, with exit code 14 if any is missing.
///
/// # Errors
/// The lock file is not valid.
pub fn run(args: &Models) -> Result<Exit, Failure> {
    let models = LoadedModels::load(&args.weights, &Role::ALL)?;
    let report = ModelsReport {
        kernels: kernels(args.weights.kernel.as_deref())?.name(),
        models: models.reports(),
        missing: missing(&models),
        contract_id: models.space(DetectionPolicy::Native).map(|space| space.to_string()),
        embedder: models.trust(),
        hint: RoleState::hint(&models.roles),
    };
    print::answer(&report, args.json, ModelsReport::lines);
    Ok(if report.missing.is_empty() { Exit::Success } else { Exit::WeightsMissing })
}
