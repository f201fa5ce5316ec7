//! The rules: a service and a lock file in, findings out. Pure; `docs/doctor.md` has a row each.

mod pins;
mod privilege;
mod start;
mod store;
mod times;
mod variables;

use ballast::lock::Lock;

use super::service::{At, MountKind, Platform, Service, is_ballast, is_below};
use crate::boot::plan::Ids;
use crate::doctor::finding::{Code, Finding, Severity};

/// What the rules compare with.
pub struct Rules<'a> {
    /// The file's name, for findings.
    pub file: &'a str,
    /// The lock file.
    pub lock: &'a Lock,
}

impl Rules<'_> {
    /// Every finding about one service.
    pub fn examine(&self, service: &Service) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(service.unread.iter().map(|key| self.unread(key, Severity::Note)));
        for line in &service.elsewhere {
            let what = format!("{} is not followed: what it brings is not examined", line.value);
            let fix = "docker compose config > flat.yml, and examine flat.yml";
            found.push(self.at(line.line, Severity::Note, Code::NotFollowed, what, fix));
        }
        if !service.init || service.words().any(|word| ["run", "heal"].contains(&word)) {
            self.privilege(service, &mut found);
        }
        self.store(service, &mut found);
        self.pins(service, &mut found);
        self.start(service, &mut found);
        self.times(service, &mut found);
        self.variables(service, &mut found);
        found
    }

    /// Whether a service has to do with the weights.
    pub fn is_ours(&self, service: &Service) -> bool {
        let store = self.store_path();
        let names = self.lock.weights.iter().filter_map(|weight| weight.pin_env.as_ref());
        let names = names.chain(&self.lock.store.env).chain(&self.lock.pins.required_when);
        let mounted = service.mounts.iter().any(|mount| {
            is_below(&mount.target, &store) || {
                is_below(&store, &mount.target)
                    && !matches!(mount.kind, MountKind::Memory { .. } | MountKind::Scratch { .. })
            }
        });
        mounted
            || names.into_iter().any(|name| service.variable(name.as_str()).is_some())
            || service.words().any(is_ballast)
    }

    /// A kind or a key that is not read.
    pub fn unread(&self, found: &At<String>, severity: Severity) -> Finding {
        let what = format!("{} is not read: what it brings is not examined", found.value);
        let fix = "examine the container that comes of it: its Pod, or its service with those mounts written out";
        self.at(found.line, severity, Code::NotRead, what, fix)
    }

    /// No service has to do with the weights.
    pub fn nothing_examined(&self) -> Finding {
        let what = format!(
            "no service mounts {}, sets a variable of the lock file or runs ballast: none was examined",
            self.store_path()
        );
        let variable = self.lock.store.env.as_ref().map_or("DEEPFACE_HOME", |name| name.as_str());
        self.at(1, Severity::Warning, Code::NothingExamined, what, format!("{variable}: {}", self.store_path()))
    }

    fn at(
        &self,
        line: usize,
        severity: Severity,
        code: Code,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        Finding::new(severity, code, format!("{}:{line}", self.file), what, fix)
    }

    fn store_path(&self) -> String {
        self.lock.store.path.as_path().display().to_string()
    }

    /// Where the weights are read from: a mount may lie on a directory below the root.
    fn weights_dir(&self) -> String {
        let first = self.lock.weights.first().map(|weight| weight.path.parent()).unwrap_or_default();
        format!("{}/{first}", self.store_path())
    }

    /// Whether a boot can turn to the image's own layer.
    fn has_layer(&self) -> bool {
        self.lock.store.baked.is_some() && self.lock.store.env.is_some()
    }

    /// With a baked layer a failing cache is a warning; without one it is an error.
    fn unless_layer(&self) -> Severity {
        if self.has_layer() { Severity::Warning } else { Severity::Error }
    }

    /// Bytes of all weights whose size is known.
    fn bytes(&self) -> u64 {
        self.lock.weights.iter().filter_map(|weight| weight.size).fold(0, u64::saturating_add)
    }

    /// The lock file's owner, where it is in numbers.
    fn owner(&self) -> Option<Ids> {
        let (uid, gid) = self.lock.store.owner.as_deref()?.split_once(':')?;
        Some(Ids { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
    }

    /// `100:101`, as the lock file says.
    fn owner_text(&self) -> String {
        self.lock.store.owner.clone().unwrap_or_else(|| "100:101".into())
    }

    /// The line that makes the app start as itself.
    fn user_line(&self, service: &Service) -> String {
        let owner = self.owner_text();
        match (service.platform, owner.split_once(':')) {
            (Platform::Kubernetes, Some((uid, gid))) => {
                format!("securityContext: {{runAsUser: {uid}, runAsGroup: {gid}}}")
            }
            _ => format!("user: \"{owner}\""),
        }
    }

    /// Whether root would be able to give the cache to the app.
    fn hands_over(&self, service: &Service) -> bool {
        service.starts_as_root() && ["CHOWN", "SETUID", "SETGID"].iter().all(|cap| service.caps.holds(cap))
    }
}

/// A size for people.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
