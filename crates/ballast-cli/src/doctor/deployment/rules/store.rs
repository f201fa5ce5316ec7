//! Checks the place of the weights, and whether the app can write there.

use super::{Rules, mib};
use crate::doctor::deployment::service::{At, Mount, MountKind, Platform, Service, is_below};
use crate::doctor::finding::{Code, Finding, Severity};

/// Directories that images contain with mode 1777.
const SHARED: [&str; 4] = ["/tmp", "/var/tmp", "/dev/shm", "/run/lock"];

impl Rules<'_> {
    /// Applies the rules of the cache, the baked layer and the app's other directories.
    pub(super) fn store(&self, service: &Service, found: &mut Vec<Finding>) {
        for place in self.places(service) {
            match place {
                (None, _) => found.extend(self.nowhere(service)),
                (Some(mount), bytes) => {
                    found.extend(self.read_only(service, mount));
                    found.extend(self.too_small(service, mount, bytes));
                    found.extend(self.not_for_app(service, mount));
                }
            }
        }
        found.extend(self.evicted(service));
        found.extend(self.no_layer(service));
        found.extend(self.layer_hidden(service));
        found.extend(service.mounts.iter().filter_map(|mount| self.tmpfs_not_for_app(service, mount)));
    }

    /// Finds a service with neither a baked layer nor a mount, which has no weights to read.
    fn nowhere(&self, service: &Service) -> Option<Finding> {
        if self.has_layer() {
            return None;
        }
        let (root, writable) = match service.read_only_root {
            true => ("the root file system is read-only", false),
            false => ("a new container is empty", true),
        };
        let Some(baked) = &self.lock.store.baked else {
            let what =
                format!("nothing is mounted at {}, {root}, and the lock file names no baked layer", self.store_path());
            let fix = match service.platform {
                Platform::Compose => format!("volumes: [\"models:{}\"]", self.store_path()),
                Platform::Kubernetes => format!("volumeMounts: [{{name: models, mountPath: {}}}]", self.store_path()),
            };
            return Some(self.at(service.line, Severity::Error, Code::WeightsMissing, what, fix));
        };
        // The baked layer fills the cache if the container's own file system is writable there.
        let severity = if writable { Severity::Warning } else { Severity::Error };
        let what = format!(
            "nothing is mounted at {}, {root}, and the layer at {} can't be used: the lock file names no variable for the app",
            self.store_path(),
            baked.as_path().display()
        );
        let fix = "env = the variable that the app reads, under [store] in weights.lock";
        Some(self.at(service.line, severity, Code::WeightsMissing, what, fix))
    }

    fn no_layer(&self, service: &Service) -> Option<Finding> {
        let mount = self.caches(service).find(|_| !self.has_layer())?;
        if self.lock.store.baked.is_some() {
            // The layer repairs the volume; if it can't, the layer itself must serve.
            return None;
        }
        let what = "the lock file names no baked layer: an empty or damaged volume can't be repaired";
        let fix = "[store] baked = \"/opt/baked-models\", and env = the variable that the app reads, in weights.lock";
        Some(self.at(mount.line, Severity::Warning, Code::NoLayer, what, fix))
    }

    /// Finds a mount that hides the image's own weights.
    fn layer_hidden(&self, service: &Service) -> Option<Finding> {
        let baked = self.lock.store.baked.as_ref()?.as_path().display().to_string();
        let over = |mount: &&Mount| is_below(&baked, &mount.target) || is_below(&mount.target, &baked);
        let layer = |mount: &&Mount| matches!(mount.kind, MountKind::Image { .. });
        let mount = service.mounts.iter().filter(over).find(|mount| !layer(mount))?;
        let what = format!("a mount at {} hides the image's own weights in {baked}", mount.target);
        let fix = format!("mount it elsewhere: the cache is {}", self.store_path());
        Some(self.at(mount.line, Severity::Error, Code::LayerHidden, what, fix))
    }

    /// Finds a read-only cache, which can't be repaired (row f).
    fn read_only(&self, service: &Service, mount: &Mount) -> Option<Finding> {
        if !mount.read_only || mount.filled || matches!(mount.kind, MountKind::Image { .. }) {
            return None;
        }
        let what = format!("{} is mounted read-only: missing or wrong weights there can't be repaired", mount.target);
        let fix = match service.platform {
            Platform::Compose => "leave `:ro` (`read_only: true`) out, or drop the mount: the image's own layer serves",
            Platform::Kubernetes => "readOnly: false",
        };
        Some(self.at(mount.line, self.unless_layer(), Code::CacheReadOnly, what, fix))
    }

    /// Finds a volume or a memory limit below the weights' size (rows g and n). A boot with a baked layer
    /// does not use a tmpfs above the cache.
    fn too_small(&self, service: &Service, mount: &Mount, bytes: u64) -> Option<Finding> {
        let direct = is_below(&mount.target, &self.store_path());
        if let MountKind::Claim { size: Some(size), .. } | MountKind::Volume { size: Some(size), .. } = &mount.kind {
            return self.volume_too_small(service, size, bytes);
        }
        match mount.kind {
            MountKind::Scratch { limit: Some(limit) } if limit < bytes => {
                let what = format!(
                    "sizeLimit {} is less than the weights ({} at least): the pod is evicted",
                    mib(limit),
                    mib(bytes)
                );
                Some(self.at(
                    mount.line,
                    Severity::Error,
                    Code::EmptyDirTooSmall,
                    what,
                    format!("sizeLimit: {}Mi", room(bytes)),
                ))
            }
            MountKind::Memory { size, .. } if direct || !self.has_layer() => self.memory(service, mount, size, bytes),
            _ => None,
        }
    }

    fn volume_too_small(&self, service: &Service, size: &At<u64>, bytes: u64) -> Option<Finding> {
        if size.value >= bytes {
            return None;
        }
        let what = format!("{} requested, less than the weights ({} at least)", mib(size.value), mib(bytes));
        let fix = match service.platform {
            Platform::Compose => format!("size={}m", room(bytes)),
            Platform::Kubernetes => format!("storage: {}Mi", room(bytes)),
        };
        Some(self.at(size.line, self.unless_layer(), Code::VolumeTooSmall, what, fix))
    }

    /// Finds weights on the node's disk that exceed the container's limit of ephemeral storage.
    fn evicted(&self, service: &Service) -> Option<Finding> {
        let scratch = |mount: &Mount| matches!(mount.kind, MountKind::Scratch { .. });
        let on_node = self.places(service).into_iter().filter(|(mount, _)| mount.is_some_and(scratch));
        let bytes = on_node.map(|(_, bytes)| bytes).fold(0, u64::saturating_add);
        let limit = service.ephemeral.as_ref().filter(|limit| limit.value < bytes)?;
        let what = format!(
            "ephemeral-storage {} is less than the weights ({} at least), which lie in an emptyDir: the pod is evicted",
            mib(limit.value),
            mib(bytes)
        );
        let fix = format!("ephemeral-storage: {}Mi", room(bytes));
        Some(self.at(limit.line, Severity::Error, Code::VolumeTooSmall, what, fix))
    }

    fn memory(&self, service: &Service, mount: &Mount, size: Option<u64>, bytes: u64) -> Option<Finding> {
        let severity = self.unless_layer();
        if size.is_some_and(|size| size < bytes) {
            let what =
                format!("a tmpfs of {} can't hold the weights ({} at least)", mib(size.unwrap_or(0)), mib(bytes));
            let fix = match service.platform {
                Platform::Compose => format!("- {}:size={}m,mode=1777", mount.target, room(bytes)),
                Platform::Kubernetes => format!("sizeLimit: {}Mi", room(bytes)),
            };
            return Some(self.at(mount.line, severity, Code::TmpfsTooSmall, what, fix));
        }
        let limit = service.memory.as_ref().filter(|limit| limit.value < bytes.saturating_mul(2))?;
        let what = format!(
            "weights in memory at {} ({} at least) count against the limit of {}, which the app needs too",
            mount.target,
            mib(bytes),
            mib(limit.value)
        );
        let fix = format!("drop the tmpfs at {}: the image's own layer serves without a copy", mount.target);
        Some(self.at(limit.line, severity, Code::MemoryTooSmall, what, fix))
    }

    /// Finds a volume that the app can't write and that root does not give to the app.
    fn not_for_app(&self, service: &Service, mount: &Mount) -> Option<Finding> {
        if service.starts_as_root() || mount.read_only {
            return None;
        }
        match &mount.kind {
            MountKind::Volume { no_copy: true, .. } => {
                let what = "with nocopy a new volume is root:root 0755, and the app can't write it";
                let fix = "leave nocopy out, and ship the directory in the image as the app's";
                Some(self.at(mount.line, self.unless_layer(), Code::VolumeNoCopy, what, fix))
            }
            MountKind::Claim { sub_path: true, .. } => {
                let what = "a subPath that does not exist is made as root's, and fsGroup does not reach it";
                let fix = "mount the whole volume, without subPath";
                Some(self.at(mount.line, self.unless_layer(), Code::SubPath, what, fix))
            }
            _ => None,
        }
    }

    /// Finds a tmpfs that the app can't write: it gets the mode of the image's directory, usually root's
    /// 0755.
    fn tmpfs_not_for_app(&self, service: &Service, mount: &Mount) -> Option<Finding> {
        let MountKind::Memory { mode, uid, .. } = mount.kind else { return None };
        let app = self.owner().filter(|app| app.uid != 0)?;
        let app_uid = match &service.user {
            Some(user) if !service.starts_as_root() => user.value.uid?,
            _ => app.uid,
        };
        let shared = mode.is_none() && uid.is_none() && SHARED.contains(&mount.target.trim_end_matches('/'));
        let open = mode.is_some_and(|mode| mode & 0o002 != 0) || uid == Some(app_uid);
        let is_dir = |dir: &ballast::lock::DirSpec| dir.path.as_path() == std::path::Path::new(&mount.target);
        let ours = mount.target == self.store_path() || self.lock.dirs.iter().any(is_dir);
        if shared || open || mount.read_only || (ours && self.hands_over(service)) {
            return None;
        }
        let severity = if ours { self.unless_layer() } else { Severity::Warning };
        let what = format!(
            "a tmpfs at {} is root's unless the image says otherwise: uid {app_uid} can't write it",
            mount.target
        );
        let fix = match service.platform {
            Platform::Compose => format!("- {}:uid={app_uid},gid={},mode=0755", mount.target, app.gid),
            Platform::Kubernetes => format!("fsGroup: {}", app.gid),
        };
        Some(self.at(mount.line, severity, Code::TmpfsNotForApp, what, fix))
    }
}

/// Returns twice the bytes in MiB, rounded up: enough for the weights and the copies of a repair.
fn room(bytes: u64) -> u64 {
    bytes.saturating_mul(2).div_ceil(1 << 20).next_multiple_of(64)
}
