//! Names of the environment that are not honoured, each to be told once at the start.

/// Settings of the service that this one replaces, without effect here.
const ORIGINALS: [&str; 15] = [
    "ANTI_SPOOFING_THRESHOLD",
    "CORS_ALLOW_CREDENTIALS",
    "DEBUG",
    "EMBEDDING_DIMENSION",
    "ENVIRONMENT",
    "FACE_DETECTION_BACKEND",
    "FACE_RECOGNITION_MODEL",
    "LIVENESS_BACKEND",
    "LIVENESS_MODE",
    "LOG_FORMAT",
    "REDIS_URL",
    "SIMILARITY_METRIC",
    "UNIFACE_CACHE_DIR",
    "UPLOAD_FOLDER",
    "USE_PGVECTOR",
];

/// The names that begin with `LIKENESS_` and mean something.
const OURS: [&str; 4] = ["LIKENESS_KERNEL", "LIKENESS_KEY_FILE", "LIKENESS_LOG", "LIKENESS_TESTDATA"];

/// A name without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unhonoured {
    /// A setting of the service that this one replaces.
    Original(String),
    /// A name of ours that nothing reads, and the nearest that something does.
    Unknown {
        /// As it was found.
        name: String,
        /// The nearest.
        nearest: &'static str,
    },
}

/// Those among these names.
pub fn unhonoured(names: impl Iterator<Item = String>) -> Vec<Unhonoured> {
    let mut found: Vec<Unhonoured> = names.filter_map(one).collect();
    found.sort_by_key(|found| match found {
        Unhonoured::Original(name) | Unhonoured::Unknown { name, .. } => name.clone(),
    });
    found
}

fn one(name: String) -> Option<Unhonoured> {
    if ORIGINALS.contains(&name.as_str()) {
        return Some(Unhonoured::Original(name));
    }
    if !name.starts_with("LIKENESS_") || OURS.contains(&name.as_str()) {
        return None;
    }
    let nearest = OURS.into_iter().min_by_key(|ours| strsim::levenshtein(ours, &name)).unwrap_or(OURS[0]);
    Some(Unhonoured::Unknown { name, nearest })
}
