//! Checks the entrypoint, the image and the health check.

use super::Rules;
use crate::doctor::deployment::service::{At, Health, MountKind, Platform, Service, is_ballast};
use crate::doctor::finding::{Code, Finding, Severity};

impl Rules<'_> {
    /// Applies the rules of the start.
    pub(super) fn start(&self, service: &Service, found: &mut Vec<Finding>) {
        found.extend(self.by_tag(service));
        if service.init {
            return;
        }
        found.extend(self.bypassed(service));
        found.extend(self.health(service));
        found.extend(self.liveness(service));
    }

    fn bypassed(&self, service: &Service) -> Option<Finding> {
        let entry = service.bypasses()?;
        if self.caches(service).any(|mount| mount.filled) {
            return None;
        }
        let (key, fix) = match service.platform {
            Platform::Compose => ("entrypoint", "entrypoint: [\"ballast\", \"run\", \"--\"]"),
            Platform::Kubernetes => ("command", "command: [\"ballast\", \"run\", \"--\"]"),
        };
        let script = entry.value.iter().find(|word| word.ends_with(".sh"));
        let (severity, unless) = script
            .map_or((Severity::Error, String::new()), |script| (Severity::Warning, format!(" unless {script} does")));
        let what =
            format!("`{key}` replaces the image's entrypoint and does not run ballast: nothing is verified{unless}");
        Some(self.at(entry.line, severity, Code::BypassesBallast, what, fix))
    }

    /// Finds images that are named by tag: the container's own, and mounted ones.
    fn by_tag(&self, service: &Service) -> Vec<Finding> {
        let mounted_as = if service.platform == Platform::Compose { "source" } else { "reference" };
        let mounted = service.mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Image { reference } => Some((reference, mounted_as)),
            _ => None,
        });
        let all = service.image.iter().map(|image| (image, "image")).chain(mounted);
        all.filter(|(image, _)| !image.value.contains("@sha256:")).map(|(image, key)| self.tag(image, key)).collect()
    }

    fn tag(&self, image: &At<String>, key: &str) -> Finding {
        let tag = image.value.rfind(':').filter(|at| !image.value[*at..].contains('/'));
        let name = &image.value[..tag.unwrap_or(image.value.len())];
        let what = format!("{} may name another image later, with another lock file", image.value);
        let fix =
            format!("{key}: {name}@sha256:DIGEST, as `docker image inspect --format '{{{{.RepoDigests}}}}'` shows it");
        self.at(image.line, Severity::Warning, Code::ImageByTag, what, fix)
    }

    /// Finds a liveness probe that depends on the weights: a restart can't provide a weight without a source.
    fn liveness(&self, service: &Service) -> Option<Finding> {
        let probe = service.liveness.as_ref().filter(|probe| knows_of_weights(&probe.value))?;
        let what =
            "this probe depends on the weights and restarts the container: a missing weight causes a restart loop";
        let fix = "livenessProbe: {httpGet: {path: /api/v1/health/live, port: 8001}}";
        Some(self.at(probe.line, Severity::Warning, Code::LivenessOfWeights, what, fix))
    }

    fn health(&self, service: &Service) -> Option<Finding> {
        let fix = match service.platform {
            Platform::Compose => "healthcheck: {test: [\"CMD\", \"ballast\", \"status\"]}",
            Platform::Kubernetes => "readinessProbe: {exec: {command: [\"ballast\", \"status\"]}}",
        };
        let Some(health) = &service.health else {
            if service.ends {
                return None;
            }
            let what = "no health check tests whether the weights were verified";
            return Some(self.at(service.line, Severity::Note, Code::HealthAbsent, what, fix));
        };
        let (severity, code, what) = match &health.value {
            Health::OfImage => return None,
            Health::Disabled => (Severity::Warning, Code::HealthBlind, "the health check is disabled".to_owned()),
            known if knows_of_weights(known) => return None,
            Health::Command(test) => match blind(test) {
                Some(why) => (Severity::Warning, Code::HealthBlind, why),
                None => (
                    Severity::Note,
                    Code::HealthOfAppAlone,
                    format!("`{test}` tests the weights only if the app's own health depends on them"),
                ),
            },
            Health::Request(_) => (
                Severity::Note,
                Code::HealthOfAppAlone,
                "the request tests the weights only if the app's own health depends on them".to_owned(),
            ),
        };
        Some(self.at(health.line, severity, code, what, fix))
    }
}

/// Returns whether the result of a check depends on the weights: `ballast status`, or readiness of this repository's
/// service.
fn knows_of_weights(health: &Health) -> bool {
    match health {
        Health::Disabled | Health::OfImage => false,
        Health::Request(path) => path.ends_with("/api/v1/health/ready"),
        Health::Command(test) => {
            let words: Vec<_> = test.split_whitespace().collect();
            words.iter().any(|word| is_ballast(word))
                || words.windows(2).any(|pair| pair[0].rsplit('/').next() == Some("likeness") && pair[1] == "probe")
        }
    }
}

/// Returns why a health check always passes, if it does.
fn blind(test: &str) -> Option<String> {
    let test = test.trim();
    let bare = ["CMD-SHELL", "CMD"].iter().find_map(|form| test.strip_prefix(form)).unwrap_or(test).trim();
    let words: Vec<_> = bare.split_whitespace().collect();
    let program = words.first().map(|word| word.rsplit('/').next().unwrap_or(word)).unwrap_or_default();
    let swallowed = ["|| true", "|| exit 0", "|| :", "; true", "; exit 0"].iter().find(|tail| bare.ends_with(**tail));
    if let Some(tail) = swallowed {
        return Some(format!("`{tail}` makes the check always succeed"));
    }
    let quiet = |word: &&str| {
        word.starts_with("--fail") || (word.starts_with('-') && !word.starts_with("--") && word.contains('f'))
    };
    match program {
        "" => Some("there is no test".into()),
        "true" | ":" | "echo" | "exit" => Some(format!("`{bare}` always passes")),
        "pgrep" | "ps" | "pidof" | "test" | "[" | "ls" | "stat" => Some(format!("`{bare}` does not test the app")),
        "curl" if !words.iter().any(quiet) => {
            Some("curl without -f succeeds even if the server returns an error".into())
        }
        _ => None,
    }
}
