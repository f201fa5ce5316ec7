//! Checks for variables that make the app use other files than the verified weights.

use std::path::Path;

use super::Rules;
use crate::app_env;
use crate::doctor::deployment::service::Service;
use crate::doctor::finding::{Code, Finding, Severity};
use crate::wins;

impl Rules<'_> {
    /// Applies the rules of variables.
    pub(super) fn variables(&self, service: &Service, found: &mut Vec<Finding>) {
        found.extend(self.hub_online(service));
        found.extend(self.own_values(service));
        self.leads_elsewhere(service, found);
        let pointed = self.pointed();
        let ours = |name: &str| pointed.iter().any(|(known, _)| known == name);
        let env =
            |name: &str| service.variable(name).filter(|_| !ours(name)).and_then(|variable| variable.value.clone());
        for (name, place) in &pointed {
            for winner in wins::over(name, place, &env) {
                let line = service.variable(winner.name).map_or(service.line, |variable| variable.line);
                let fix = format!("leave {} out, or {}: {}", winner.name, winner.name, winner.expected);
                found.push(self.at(line, Severity::Warning, Code::VariableWins, winner.words(name), fix));
            }
        }
    }

    /// Finds the store's variables with other values: a boot replaces them and does not use their paths.
    fn own_values(&self, service: &Service) -> Vec<Finding> {
        let layer = self.lock.store.baked.as_ref().map(|baked| self.lock.pointed(baked.as_path())).unwrap_or_default();
        let other = |(name, place): (String, String)| {
            let variable = service.variable(&name)?;
            let value = variable.value.as_deref().filter(|value| !value.is_empty())?;
            let baked = layer.iter().any(|(known, baked)| *known == name && baked == Path::new(value));
            if baked || Path::new(value) == Path::new(&place) {
                return None;
            }
            let what = format!("{name} leads to {value}, and the verified weights are in {place}");
            let fix = format!("{name}: {place}; or another path under [store] in the lock file");
            Some(self.at(variable.line, Severity::Warning, Code::LeadsElsewhere, what, fix))
        };
        self.pointed().into_iter().filter_map(other).collect()
    }

    /// Finds paths of the cache in a service that only the baked layer can serve: these paths will not exist.
    fn leads_elsewhere(&self, service: &Service, found: &mut Vec<Finding>) {
        let store = self.store_path();
        if !self.has_layer() || !service.read_only_root || self.caches(service).next().is_some() {
            return;
        }
        let values = service.env.iter().filter_map(|of| Some((of.name.as_str(), of.value.as_deref()?)));
        let name = self.pointed().into_iter().next().map_or("the store's variable".into(), |(name, _)| name);
        for leading in app_env::leading_below(self.lock, Path::new(&store), None, values, service.words()) {
            let variable = service.variable(&leading.what).map(|variable| variable.line);
            let line = variable.or(service.args.as_ref().or(service.entry.as_ref()).map(|args| args.line));
            let severity = if leading.required { Severity::Error } else { Severity::Warning };
            let what =
                format!("{} leads to {}, where no weights are: the image's layer serves", leading.what, leading.path);
            let fix = format!("volumes: [\"models:{store}\"]; or a path that the app makes from {name}");
            found.push(self.at(line.unwrap_or(service.line), severity, Code::LeadsElsewhere, what, fix));
        }
    }

    /// Finds a hub client that may go online.
    fn hub_online(&self, service: &Service) -> Option<Finding> {
        let variable = service.variable(app_env::OFFLINE);
        let offline = match (variable, self.lock.env.get(app_env::OFFLINE)) {
            // If the file does not show the value, it may be the right one.
            (Some(variable), _) => variable.value.as_deref().is_none_or(app_env::is_on),
            (None, Some(value)) => app_env::is_on(value),
            (None, None) => service.env_elsewhere,
        };
        if offline || service.init || !app_env::in_hub_layout(self.lock) {
            return None;
        }
        let line = variable.map_or(service.line, |variable| variable.line);
        let fix = "HF_HUB_OFFLINE: \"1\"; or HF_HUB_OFFLINE = \"1\" under [env] in the lock file";
        Some(self.at(line, Severity::Warning, Code::HubOnline, app_env::hub_words(), fix))
    }
}
