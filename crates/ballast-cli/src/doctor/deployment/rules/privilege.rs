//! Checks the user and the capabilities at the start, and whether the process can become the app.

use super::Rules;
use crate::doctor::deployment::service::{Mount, MountKind, Platform, Service};
use crate::doctor::finding::{Code, Finding, Severity};
use crate::user::UserSpec;

const NEEDED: [&str; 3] = ["CHOWN", "SETUID", "SETGID"];

impl Rules<'_> {
    /// Applies the rules of privilege.
    pub(super) fn privilege(&self, service: &Service, found: &mut Vec<Finding>) {
        if service.starts_as_root() {
            found.extend(self.cannot_drop(service).or_else(|| self.cannot_chown(service)));
        } else {
            self.user(service, found);
        }
        self.capabilities(service, found);
        found.extend(self.non_root(service));
        found.extend(self.fs_group(service));
        found.extend(self.no_new_privs(service));
    }

    /// Finds root without the capabilities to become the app (row b).
    fn cannot_drop(&self, service: &Service) -> Option<Finding> {
        let app = self.lock.store.owner.as_deref()?;
        if app.parse::<UserSpec>().is_ok_and(|app| app.is_root()) {
            return None;
        }
        let lacking: Vec<_> = ["SETUID", "SETGID"].into_iter().filter(|cap| !service.caps.holds(cap)).collect();
        if lacking.is_empty() {
            return None;
        }
        let line = service.caps.drops_all().or(service.user.as_ref().map(|user| user.line)).unwrap_or(service.line);
        let as_root = if service.user.is_some() { "as root" } else { "as root (no user is set)" };
        let what = format!(
            "{} starts {as_root} without {}: it can't become {app} and ends with 13 at every start",
            service.name,
            lacking.join(" and "),
        );
        Some(self.at(line, Severity::Error, Code::CannotDrop, what, self.user_line(service)))
    }

    /// Finds root without CHOWN: a new volume stays root's (row c2).
    fn cannot_chown(&self, service: &Service) -> Option<Finding> {
        let lasting =
            |mount: &&Mount| matches!(mount.kind, MountKind::Volume { .. } | MountKind::Claim { .. } | MountKind::Host);
        let mount = self.caches(service).filter(|mount| !mount.read_only).find(lasting)?;
        if service.caps.holds("CHOWN") {
            return None;
        }
        let line = service.caps.drops_all().unwrap_or(service.line);
        let what = format!("root without CHOWN can't give a new volume at {} to {}", mount.target, self.owner_text());
        let fix = add_line(service);
        Some(self.at(line, self.unless_layer(), Code::CannotChown, what, fix))
    }

    fn user(&self, service: &Service, found: &mut Vec<Finding>) {
        let (Some(user), Some(app)) = (&service.user, self.owner()) else { return };
        if user.value.named {
            let what = "the image resolves the name, and another image may give it another number";
            found.push(self.at(user.line, Severity::Warning, Code::UserByName, what, self.user_line(service)));
        }
        let uid = user.value.uid.filter(|uid| *uid != app.uid);
        let gid = user.value.gid.filter(|gid| *gid != app.gid && self.owner_text().contains(':'));
        if uid.is_none() && gid.is_none() {
            return;
        }
        let written = self.caches(service).any(|mount| !mount.read_only);
        let severity = if uid.is_some() && written { self.unless_layer() } else { Severity::Warning };
        let number = |id: Option<u32>| id.map_or("its default".into(), |id| id.to_string());
        let what = format!(
            "{} runs as {}:{}, and the weights belong to {}:{}: this user can't repair them",
            service.name,
            number(user.value.uid),
            number(user.value.gid),
            app.uid,
            app.gid
        );
        found.push(self.at(user.line, severity, Code::UserDiffers, what, self.user_line(service)));
    }

    fn capabilities(&self, service: &Service, found: &mut Vec<Finding>) {
        let root = service.starts_as_root();
        if let Some(line) = service.caps.privileged {
            let what = "privileged: every capability, every device";
            found.push(self.at(line, Severity::Warning, Code::TooManyCapabilities, what, "privileged: false"));
            return;
        }
        for cap in service.caps.add.iter().filter(|cap| !root || !NEEDED.contains(&cap.value.as_str())) {
            let why = if root { "Ballast drops it before the command" } else { "a user that is not root never has it" };
            let what = format!("{} has no effect: {why}", cap.value);
            let fix = if root { add_line(service).to_owned() } else { format!("leave {} out", cap.value) };
            found.push(self.at(cap.line, Severity::Warning, Code::TooManyCapabilities, what, fix));
        }
        if root && service.caps.drops_all().is_none() {
            let line = service.user.as_ref().map_or(service.line, |user| user.line);
            let unless = if service.user.is_some() { "" } else { ", unless the image has a user," };
            let what = format!("starts as root{unless} with every default capability, and three are enough");
            let fix = match service.platform {
                Platform::Compose => "cap_drop: [ALL] and cap_add: [CHOWN, SETUID, SETGID]",
                Platform::Kubernetes => "capabilities: {drop: [ALL], add: [CHOWN, SETUID, SETGID]}",
            };
            found.push(self.at(line, Severity::Warning, Code::TooManyCapabilities, what, fix));
        }
    }

    fn non_root(&self, service: &Service) -> Option<Finding> {
        let (severity, what) = match service.user {
            Some(_) => (Severity::Error, "runAsNonRoot beside runAsUser: 0: the kubelet refuses to start it"),
            None => (Severity::Warning, "the kubelet refuses an image whose user is root or a name"),
        };
        service.non_root.map(|line| self.at(line, severity, Code::RunAsNonRoot, what, self.user_line(service)))
    }

    /// Finds a claim without `fsGroup`: root owns it unless the kubelet gives it to a group (row e).
    fn fs_group(&self, service: &Service) -> Option<Finding> {
        let claim = |mount: &&Mount| !mount.read_only && matches!(mount.kind, MountKind::Claim { .. });
        let mount = self.caches(service).find(claim)?;
        if service.starts_as_root() || service.fs_group.is_some() {
            return None;
        }
        let what = format!("a new volume at {} is root:root 0755, and no fsGroup gives it to the app", mount.target);
        let gid =
            service.user.as_ref().and_then(|user| user.value.gid).or(self.owner().map(|app| app.gid)).unwrap_or(101);
        let fix = format!("fsGroup: {gid}");
        Some(self.at(mount.line, self.unless_layer(), Code::FsGroupAbsent, what, fix))
    }

    fn no_new_privs(&self, service: &Service) -> Option<Finding> {
        if service.no_new_privs || service.words().any(|word| word == "--no-new-privs") {
            return None;
        }
        let value = service.variable("BALLAST_SEAL").and_then(|seal| seal.value.as_deref());
        let words: Vec<_> = service.words().collect();
        let option = words.windows(2).any(|pair| pair == ["--seal", "require"]) || words.contains(&"--seal=require");
        let off =
            value == Some("off") || words.contains(&"--seal=off") || words.windows(2).any(|p| p == ["--seal", "off"]);
        if off {
            return None;
        }
        let required = value == Some("require") || option;
        let severity = if required { Severity::Error } else { Severity::Note };
        let then = if required { "--seal require ends with 16" } else { "no seal is possible" };
        let fix = match service.platform {
            Platform::Compose => "security_opt: [\"no-new-privileges:true\"]",
            Platform::Kubernetes => "allowPrivilegeEscalation: false",
        };
        Some(self.at(service.line, severity, Code::NoNewPrivileges, format!("without no_new_privs {then}"), fix))
    }
}

fn add_line(service: &Service) -> &'static str {
    match service.platform {
        Platform::Compose => "cap_add: [CHOWN, SETUID, SETGID]",
        Platform::Kubernetes => "capabilities: {add: [CHOWN, SETUID, SETGID]}",
    }
}
