//! The options that name the lock file, for every command. Touches nothing.

use std::path::PathBuf;

use clap::Args;

// The lock file, and the proofs that it needs before it is used.
#[derive(Debug, Clone, Args)]
pub struct LockFile {
    /// The lock file [default: /etc/ballast/weights.lock, otherwise ./weights.lock]
    #[arg(long, value_name = "FILE", env = "BALLAST_LOCK")]
    pub lock: Option<PathBuf>,
    /// Use the lock file only if this minisign key signed it: a public key, or the file of one
    #[arg(long, value_name = "KEY", env = "BALLAST_REQUIRE_SIGNATURE")]
    pub require_signature: Option<String>,
    /// The file that remembers the highest serial of a signed lock file: a lower one is refused
    #[arg(long, value_name = "FILE", env = "BALLAST_SERIAL_FILE", requires = "require_signature")]
    pub serial_file: Option<PathBuf>,
}
