//! Checks that the pins of the environment reach the container.

use ballast::digest::Digest;
use ballast::lock::{Weight, truth};

use super::Rules;
use crate::doctor::deployment::service::{Platform, Service, Variable};
use crate::doctor::finding::{Code, Finding, Severity};

impl Rules<'_> {
    /// Applies the rules of pins.
    pub(super) fn pins(&self, service: &Service, found: &mut Vec<Finding>) {
        let required = self.required(service, found);
        for weight in &self.lock.weights {
            let Some(name) = weight.pin_env.as_ref().map(|name| name.as_str()) else { continue };
            let needed = required && weight.pin_env_required;
            match service.variable(name) {
                Some(variable) => found.extend(self.given(variable, weight, needed)),
                None if needed => found.push(self.not_passed(service, name, weight)),
                None => {}
            }
        }
    }

    /// Returns whether the variable that makes pins compulsory is on.
    fn required(&self, service: &Service, found: &mut Vec<Finding>) -> bool {
        let name = self.lock.pins.required_when.as_ref();
        let Some(variable) = name.and_then(|name| service.variable(name.as_str())) else { return false };
        match truth(variable.value.as_deref().unwrap_or_default()) {
            Ok(on) => on,
            Err(why) => {
                let fix = line(service, &variable.name, "\"true\"");
                found.push(self.at(variable.line, Severity::Error, Code::PinMismatch, why, fix));
                false
            }
        }
    }

    fn given(&self, variable: &Variable, weight: &Weight, needed: bool) -> Option<Finding> {
        let name = &variable.name;
        let empty = variable.value.as_deref().is_some_and(|value| value.trim().is_empty());
        if empty || variable.empty_without.is_some() {
            let severity = if needed { Severity::Error } else { Severity::Warning };
            let unless =
                variable.empty_without.as_ref().map(|name| format!(" unless {name} is set where it is started"));
            let then = if needed {
                "it is required, and the start ends with 12"
            } else {
                "an empty value counts as unset, so the pin is not compared"
            };
            let what = format!("{name} is empty{}: {then}", unless.unwrap_or_default());
            let fix = match &variable.empty_without {
                Some(other) => format!("{name}: ${{{other}:?the pin of {}}}", weight.path.file_name()),
                None => format!("{name}: {}", weight.sha256),
            };
            return Some(self.at(variable.line, severity, Code::PinEmpty, what, fix));
        }
        let value = variable.value.as_deref()?;
        if Digest::parse(value.trim()) == Ok(weight.sha256) {
            return None;
        }
        let what =
            format!("{name} is not the pin of {} in the lock file: the start ends with 12", weight.path.file_name());
        Some(self.at(variable.line, Severity::Error, Code::PinMismatch, what, format!("{name}: {}", weight.sha256)))
    }

    /// Returns the finding for a required pin that the file does not pass to the container.
    fn not_passed(&self, service: &Service, name: &str, weight: &Weight) -> Finding {
        let switch = self.lock.pins.required_when.as_ref().map_or("", |name| name.as_str());
        let at = service.variable(switch).map_or(service.line, |variable| variable.line);
        let (severity, unless) = if service.env_elsewhere {
            (Severity::Warning, " unless the env_file sets it")
        } else {
            (Severity::Error, "")
        };
        let what = format!("{switch} is on and {name} does not reach the container{unless}: the start ends with 12");
        self.at(at, severity, Code::PinNotPassed, what, line(service, name, &weight.sha256.to_string()))
    }
}

fn line(service: &Service, name: &str, value: &str) -> String {
    match service.platform {
        Platform::Compose => format!("{name}: {value}"),
        Platform::Kubernetes => format!("- {{name: {name}, value: {value}}}"),
    }
}
