//! A finding of `doctor`: a stable code, the place, the problem, and the line that fixes it. A test checks
//! that `docs/doctor.md` has a row for each code.

use serde::Serialize;

/// How severe a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The weights or the app would fail.
    Error,
    /// The app works only in some cases, or not as well as it should.
    Warning,
    /// Only information.
    Note,
}

impl Severity {
    /// Returns the printed word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The severity.
    pub severity: Severity,
    /// The code of the rule, which does not change between versions.
    pub code: Code,
    /// The place: `FILE:LINE`, a variable, a path, or `environment`.
    pub place: String,
    /// The problem.
    pub what: String,
    /// The line that fixes the problem.
    pub fix: String,
}

impl Finding {
    /// Creates a finding.
    pub fn new(
        severity: Severity,
        code: Code,
        place: impl Into<String>,
        what: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { severity, code, place: place.into(), what: what.into(), fix: fix.into() }
    }
}

/// The most severe first; findings of one severity stay in their order.
pub fn by_severity(findings: Vec<Finding>) -> Vec<Finding> {
    let (errors, others): (Vec<_>, Vec<_>) = findings.into_iter().partition(|one| one.severity == Severity::Error);
    let (warnings, notes): (Vec<_>, Vec<_>) = others.into_iter().partition(|one| one.severity == Severity::Warning);
    errors.into_iter().chain(warnings).chain(notes).collect()
}

/// Declares each code once, and generates the type, the words and the list that the test compares with the
/// document.
macro_rules! codes {
    ($($name:ident $word:literal $meaning:literal),* $(,)?) => {
        /// The rules, by name.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[cfg_attr(not(any(feature = "full", test)), expect(dead_code, reason = "the rules of files are in the full build"))]
        pub enum Code {
            $(#[doc = $meaning] #[serde(rename = $word)] $name,)*
        }

        impl Code {
            /// Every code.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Returns the code's stable word.
            pub fn word(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

codes! {
    BadLock "bad-lock" "The lock file is absent or wrong.",
    LockUntrusted "lock-untrusted" "The app could rewrite the lock file.",
    IndexLeftAside "index-left-aside" "The index is not trusted.",
    PinMismatch "pin-mismatch" "A pin of the environment differs from the lock file's.",
    UnknownUser "unknown-user" "The user can't be read or is in no account file.",
    CannotDrop "cannot-drop" "Root without the capabilities to become the app.",
    WeightsMissing "weights-missing" "A required weight has no source.",
    NotHealed "not-healed" "The cache can't be repaired; the baked layer serves.",
    NoLayer "no-layer" "The image has no baked layer to heal from.",
    DirUnwritable "dir-unwritable" "A `[[dir]]` and its fallback can't be written.",
    VariableUnwritable "variable-unwritable" "A cache variable leads to an unwritable path.",
    BadFile "bad-file" "The file is no compose file and no manifest.",
    NothingExamined "nothing-examined" "No service uses the weights.",
    NotFollowed "not-followed" "A key names another file.",
    CannotChown "cannot-chown" "Root can't give a new volume to the app.",
    TooManyCapabilities "too-many-capabilities" "More capabilities than three.",
    UserDiffers "user-differs" "The user is not the owner of the weights.",
    UserByName "user-by-name" "The user is a name.",
    RunAsNonRoot "run-as-non-root" "A start that the kubelet refuses.",
    FsGroupAbsent "fs-group-absent" "No group is given the volume.",
    NoNewPrivileges "no-new-privileges" "Without no_new_privs no seal is possible.",
    LayerHidden "layer-hidden" "A mount over the image's own weights.",
    CacheReadOnly "cache-read-only" "The cache can't be repaired.",
    TmpfsTooSmall "tmpfs-too-small" "The weights don't fit.",
    MemoryTooSmall "memory-too-small" "Weights in memory leave too little.",
    EmptyDirTooSmall "emptydir-too-small" "The pod would be evicted.",
    TmpfsNotForApp "tmpfs-not-for-app" "The app can't write a tmpfs.",
    VolumeNoCopy "volume-nocopy" "A new volume is root's.",
    SubPath "sub-path" "A directory that the kubelet makes as root.",
    PinNotPassed "pin-not-passed" "A required pin never reaches the container.",
    PinEmpty "pin-empty" "A pin that may arrive empty.",
    BypassesBallast "bypasses-ballast" "Nothing is verified.",
    ImageByTag "image-by-tag" "The image may change.",
    ExtraFiles "extra-files" "Files beside the weights that no entry names.",
    DeepfaceNames "deepface-names" "DeepFace opens files that are not pinned.",
    HubOnline "hub-online" "A client may fetch another revision.",
    NotRead "not-read" "A kind or a key that is not read.",
    ProbeTooSoon "probe-too-soon" "A probe that fails while a boot verifies.",
    VariableWins "variable-wins" "A variable that leads the app to other files.",
    VolumeTooSmall "volume-too-small" "A claim, a volume or a limit below the weights' size.",
    HealthAbsent "health-absent" "No health check tests the weights.",
    HealthBlind "health-blind" "A health check that always passes.",
    LeadsElsewhere "leads-elsewhere" "A path of the cache, where the layer serves.",
    LivenessOfWeights "liveness-of-weights" "A missing weight restarts the app for ever.",
    HealthOfAppAlone "health-of-app-alone" "A health check that may not know of the weights.",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_row_in_the_document() {
        let document = include_str!("../../../../docs/doctor.md");
        let missing: Vec<_> =
            Code::ALL.iter().map(|code| code.word()).filter(|word| !document.contains(&format!("`{word}`"))).collect();
        assert!(missing.is_empty(), "docs/doctor.md lacks {missing:?}");
    }
}
