//! Lists the environment variables that the service reads, and finds variables without effect, which the
//! start reports.

/// Variables of the replaced service that have no effect here.
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

/// Every variable that `likeness serve` reads; `.env.example`, and with it the man page, explains them.
pub const HONOURED: [&str; 40] = [
    "ANTISPOOF_BLOCK_ENFORCE",
    "ANTI_SPOOFING_ENABLED",
    "API_KEY_HEADER",
    "API_KEY_SECRET",
    "API_KEY_SECRET_FILE",
    "BALLAST_LOCK",
    "BLUR_THRESHOLD",
    "CAPTURE_SECONDS",
    "CENTERFACE_THRESHOLD",
    "CORS_ORIGINS",
    "DATABASE_URL",
    "DEEPFACE_AUTH_TOKEN",
    "DEEPFACE_AUTH_TOKEN_FILE",
    "DEEPFACE_CENTERFACE_SHA256",
    "DEEPFACE_FACENET512_SHA256",
    "DEEPFACE_HOME",
    "DEEPFACE_MINIFASNET_V1SE_SHA256",
    "DEEPFACE_MINIFASNET_V2_SHA256",
    "DEEPFACE_SHA256_REQUIRED",
    "LIKENESS_ACCEPT_EMBEDDER",
    "LIKENESS_CALIBRATION_FILE",
    "LIKENESS_CALIBRATION_KEY",
    "LIKENESS_KERNEL",
    "LIKENESS_KEY_FILE",
    "LIKENESS_POLICY_FILE",
    "LIKENESS_REQUIRE_CONSENT",
    "LIVENESS_THRESHOLD",
    "LOG_LEVEL",
    "MAX_FILE_SIZE",
    "MAX_UPLOAD_SIZE",
    "MIN_FACE_SIZE",
    "QUALITY_THRESHOLD",
    "QUEUE_WAIT_SECONDS",
    "RATE_LIMIT_ENABLED",
    "RATE_LIMIT_PER_MINUTE",
    "REQUEST_TIMEOUT_SECONDS",
    "TRUSTED_PROXIES",
    "VERIFICATION_THRESHOLD",
    "VERIFICATION_THRESHOLD_AGED",
    "VERIFICATION_THRESHOLD_AGED_YEARS",
];

/// Returns the names for `--help`, on short lines.
pub fn listed() -> String {
    let mut lines = Vec::<String>::new();
    for name in HONOURED {
        match lines.last_mut() {
            Some(line) if line.len() + name.len() < 90 => *line += &format!("  {name}"),
            _ => lines.push(format!("  {name}")),
        }
    }
    format!("Variables of the environment, which `man likeness-serve` explains:\n{}", lines.join("\n"))
}

/// The prefix of this program's own variables.
const OURS: &str = "LIKENESS_";

/// A variable without effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unhonoured {
    /// A variable of the replaced service.
    Original(String),
    /// An unknown variable with this program's prefix.
    Unknown {
        /// The variable's name.
        name: String,
        /// The most similar variable that the service reads.
        nearest: &'static str,
    },
}

/// Returns the variables without effect among these names.
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
    if !name.starts_with(OURS) || HONOURED.contains(&name.as_str()) {
        return None;
    }
    let ours = HONOURED.into_iter().filter(|honoured| honoured.starts_with(OURS));
    let nearest = ours.min_by_key(|ours| strsim::levenshtein(ours, &name))?;
    Some(Unhonoured::Unknown { name, nearest })
}
