//! `doctor FILE` parses YAML to services, and applies pure rules that return findings.
//!
//! Takes the text and returns findings; reads no file and no environment. `yaml.rs` limits what a hostile
//! file can cost.

mod compose;
mod kubernetes;
mod pods;
mod rules;
mod service;
mod text;
mod yaml;

use ballast::lock::Lock;

use super::finding::{Code, Finding, Severity, by_severity};
use service::Service;

/// The user and the variables of a service, each with its line.
#[derive(Debug, Default)]
pub struct SetUp {
    /// As the file has it, with the defaults of its variables.
    pub user: Option<(usize, String)>,
    /// Names and values.
    pub variables: Vec<(usize, String, String)>,
}

/// Returns the users and the variables of a compose file's services.
///
/// # Errors
/// The text is no YAML; the error contains the line and the reason.
pub fn set_up(text: &str) -> Result<Vec<SetUp>, String> {
    let documents = yaml::read(text).map_err(|error| format!("line {}: {}", error.line, error.what))?;
    let of = |service: Service| SetUp {
        user: service.user.and_then(|user| Some((user.line, user.value.text?))),
        variables: service.env.into_iter().filter_map(|of| Some((of.line, of.name, of.value?))).collect(),
    };
    Ok(documents.iter().flat_map(compose::services).map(of).collect())
}

/// Examines a compose file or Kubernetes manifests; `name` is the file's name in findings.
pub fn examine(name: &str, text: &str, lock: &Lock) -> Vec<Finding> {
    let bad = |line: usize, what: String| {
        vec![Finding::new(Severity::Error, Code::BadFile, format!("{name}:{line}"), what, instead_of(text))]
    };
    let documents = match yaml::read(text) {
        Ok(documents) => documents,
        Err(error) => return bad(error.line, error.what),
    };
    let mut services = Vec::new();
    let mut known = false;
    let claims: Vec<_> = documents.iter().flat_map(kubernetes::claims).collect();
    for document in &documents {
        known |= document.get("services").is_some() || document.get("kind").is_some();
        services.extend(kubernetes::services(document, &claims).unwrap_or_else(|| compose::services(document)));
    }
    if !known {
        return bad(1, "neither `services` nor `kind` is in it".into());
    }
    let judged = rules::Rules { file: name, lock };
    let unread: Vec<_> = documents.iter().flat_map(pods::unread).collect();
    let ours: Vec<&Service> = services.iter().filter(|service| judged.is_ours(service)).collect();
    let mut findings: Vec<_> = match (ours.as_slice(), services.as_slice()) {
        ([], [only]) => judged.examine(only),
        ([], []) if !unread.is_empty() => Vec::new(),
        ([], _) => vec![judged.nothing_examined()],
        (ours, _) => ours.iter().flat_map(|service| judged.examine(service)).collect(),
    };
    let severity = if services.is_empty() { Severity::Warning } else { Severity::Note };
    findings.extend(unread.iter().map(|found| judged.unread(found, severity)));
    by_severity(findings)
}

/// Returns what to examine instead of a file that is neither.
fn instead_of(text: &str) -> &'static str {
    let begins = |word: &str| text.lines().any(|line| line.starts_with(word));
    if text.contains("{{") {
        "helm template . > flat.yml, and examine flat.yml: this is a template"
    } else if begins("FROM ") {
        "the compose file or the manifests that start this image: a Dockerfile is not read"
    } else if ["[Unit]", "[Service]", "[Container]"].into_iter().any(begins) {
        "ballast doctor --user USER, in the environment that this unit makes: units are not read"
    } else {
        "a compose file, or manifests with apiVersion and kind, that their own tools accept"
    }
}
