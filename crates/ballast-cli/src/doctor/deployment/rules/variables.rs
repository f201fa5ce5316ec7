//! Variables of the file that win over the one by which a boot leads the app to the weights.

use super::Judge;
use crate::doctor::deployment::service::Service;
use crate::doctor::finding::{Code, Finding, Severity};
use crate::wins;

impl Judge<'_> {
    /// Rules of variables beside the store's own.
    pub(super) fn variables(&self, service: &Service, found: &mut Vec<Finding>) {
        let Some(name) = &self.lock.store.env else { return };
        let env = |name: &str| service.variable(name).and_then(|variable| variable.value.clone());
        for winner in wins::over(name.as_str(), &self.store_path(), &env) {
            let line = service.variable(winner.name).map_or(service.line, |variable| variable.line);
            let fix = format!("leave {} out, or {}: {}", winner.name, winner.name, winner.expected);
            found.push(self.at(line, Severity::Warning, Code::VariableWins, winner.words(name.as_str()), fix));
        }
    }
}
