//! The rules compare a service with a lock file and return findings; `docs/doctor.md` has a row for each
//! rule.

mod pins;
mod privilege;
mod start;
mod store;
mod times;
mod variables;

use ballast::lock::Lock;

use super::service::{At, Mount, MountKind, Platform, Service, is_ballast, is_below};
use crate::boot::plan::Ids;
use crate::doctor::finding::{Code, Finding, Severity};
use crate::user::UserSpec;

/// The arguments that all rules share.
pub struct Rules<'a> {
    /// The file's name, for findings.
    pub file: &'a str,
    /// The lock file.
    pub lock: &'a Lock,
}

impl Rules<'_> {
    /// Returns every finding about one service.
    pub fn examine(&self, service: &Service) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(service.unread.iter().map(|key| self.unread(key, Severity::Note)));
        for line in &service.elsewhere {
            let what = format!("{} is not followed: its content is not examined", line.value);
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

    /// Returns whether a service uses the weights: by a mount, a variable or a command.
    pub fn is_ours(&self, service: &Service) -> bool {
        let store = self.store_path();
        let names = self.lock.weights.iter().filter_map(|weight| weight.pin_env.as_ref());
        let names = names.chain(&self.lock.pins.required_when).map(|name| name.as_str().to_owned());
        let names = names.chain(self.pointed().into_iter().map(|(name, _)| name));
        let mounted = service.mounts.iter().any(|mount| {
            is_below(&mount.target, &store) || {
                is_below(&store, &mount.target)
                    && !matches!(mount.kind, MountKind::Memory { .. } | MountKind::Scratch { .. })
            }
        });
        mounted || names.into_iter().any(|name| service.variable(&name).is_some()) || service.words().any(is_ballast)
    }

    /// Returns the finding for a kind or a key that is not read.
    pub fn unread(&self, found: &At<String>, severity: Severity) -> Finding {
        let what = format!("{} is not read: its content is not examined", found.value);
        let fix = "examine the resulting Pod, or the service with those mounts written out";
        self.at(found.line, severity, Code::NotRead, what, fix)
    }

    /// Returns the finding that no service uses the weights.
    pub fn nothing_examined(&self) -> Finding {
        let what = format!(
            "no service mounts {}, sets a variable of the lock file or runs ballast: none was examined",
            self.store_path()
        );
        let (name, place) = self.pointed().into_iter().next().unwrap_or(("DEEPFACE_HOME".into(), self.store_path()));
        self.at(1, Severity::Warning, Code::NothingExamined, what, format!("{name}: {place}"))
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

    /// Returns the variables that name the app's weights, with their paths.
    fn pointed(&self) -> Vec<(String, String)> {
        let all = self.lock.pointed(self.lock.store.path.as_path()).into_iter();
        all.map(|(name, place)| (name, place.display().to_string())).collect()
    }

    /// Returns the mounts that weights are read from, with the weights' known bytes; `None` means no mount.
    fn places<'s>(&self, service: &'s Service) -> Vec<(Option<&'s Mount>, u64)> {
        let mut all: Vec<(Option<&Mount>, u64)> = Vec::new();
        for weight in &self.lock.weights {
            let mount = service.over(&format!("{}/{}", self.store_path(), weight.path.parent()));
            let size = weight.size.unwrap_or(0);
            match all.iter_mut().find(|(known, _)| *known == mount) {
                Some((_, bytes)) => *bytes = bytes.saturating_add(size),
                None => all.push((mount, size)),
            }
        }
        all
    }

    /// Returns the mounts that weights are read from.
    fn caches<'s>(&self, service: &'s Service) -> impl Iterator<Item = &'s Mount> {
        self.places(service).into_iter().filter_map(|(mount, _)| mount)
    }

    /// Returns whether a boot can serve from the image's baked layer.
    fn has_layer(&self) -> bool {
        self.lock.store.baked.is_some() && self.lock.can_repoint()
    }

    /// Returns the severity of a failing cache: a warning with a baked layer, otherwise an error.
    fn unless_layer(&self) -> Severity {
        if self.has_layer() { Severity::Warning } else { Severity::Error }
    }

    /// Returns the total bytes of the weights with a known size.
    fn bytes(&self) -> u64 {
        self.lock.weights.iter().filter_map(|weight| weight.size).fold(0, u64::saturating_add)
    }

    /// Returns the lock file's owner, if it consists of numbers.
    fn owner(&self) -> Option<Ids> {
        self.lock.store.owner.as_deref()?.parse::<UserSpec>().ok()?.numbers()
    }

    /// Returns the lock file's owner as text, or `100:101`.
    fn owner_text(&self) -> String {
        self.lock.store.owner.clone().unwrap_or_else(|| "100:101".into())
    }

    /// Returns the line that starts the container as the app's user.
    fn user_line(&self, service: &Service) -> String {
        let owner = self.owner_text();
        match (service.platform, self.owner()) {
            (Platform::Compose, _) => format!("user: \"{owner}\""),
            (Platform::Kubernetes, Some(Ids { uid, gid })) => {
                format!("securityContext: {{runAsUser: {uid}, runAsGroup: {gid}}}")
            }
            (Platform::Kubernetes, None) => {
                format!("securityContext: {{runAsUser: UID, runAsGroup: GID}}, the numbers of {owner} in the image")
            }
        }
    }

    /// Returns whether root could give the cache to the app.
    fn hands_over(&self, service: &Service) -> bool {
        service.starts_as_root() && ["CHOWN", "SETUID", "SETGID"].iter().all(|cap| service.caps.holds(cap))
    }
}

/// Formats a size in MiB.
fn mib(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}
