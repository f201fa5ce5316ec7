//! The command line, as types.

#[cfg(feature = "full")]
mod fetch;
#[cfg(feature = "full")]
mod image;
mod lock_file;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

#[cfg(feature = "full")]
pub use fetch::{Adopt, FETCHED, Fetch, Fetching, Init, Outdated, Pin, Sign, SignedModel, SourceLimits};
#[cfg(feature = "full")]
pub use image::{Export, Import, Pull, Push, Trust, Weights};
pub use lock_file::LockFile;

/// Verifies and repairs pinned model weights, under any privilege.
#[derive(Debug, Parser)]
#[command(name = "ballast", version = crate::version(), max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// Each command's parser is built only if the command is used.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Heal the weights, drop privilege and exec a command: the entrypoint
    Run(Run),
    /// Verify every weight of the cache, and repair the wrong ones
    Heal(Heal),
    /// Compare every byte of every file with the pins
    Verify(Verify),
    /// For probes: exit 0 only if this boot verified all required weights and the files are unchanged
    Status(Status),
    /// Report what this environment, or a compose or Kubernetes file, will do to the weights
    Doctor(Doctor),
    /// Begin a lock file from a folder of models, a Dockerfile and a compose file
    #[cfg(feature = "full")]
    Init(Init),
    /// Write a weight into the lock file: a first trust
    #[cfg(feature = "full")]
    Pin(Pin),
    /// Write every weight of an existing cache into the lock file: a first trust
    #[cfg(feature = "full")]
    Adopt(Adopt),
    /// Sign the pins of a lock file, as a bundle of OpenSSF Model Signing
    #[cfg(feature = "full")]
    Sign(Sign),
    /// Fetch every pinned file into a store, from mirrors and sources
    #[cfg(feature = "full")]
    Fetch(Fetch),
    /// Check whether sources still have the pinned bytes, without fetching them
    #[cfg(feature = "full")]
    Outdated(Outdated),
    /// Lay out the image layer from a folder of weights, with its index
    #[cfg(feature = "full")]
    Bake(Bake),
    /// Upload the weights as an ordinary image
    #[cfg(feature = "full")]
    Push(Push),
    /// Fetch every pinned file from an image into a store; repair damaged files by chunks
    #[cfg(feature = "full")]
    Pull(Pull),
    /// Write the weights, or a whole service, as one image archive
    #[cfg(feature = "full")]
    Export(Export),
    /// Copy every pinned file from an image archive into a store
    #[cfg(feature = "full")]
    Import(Import),
    /// Write what this boot verified, for other programs: in-toto, CycloneDX or Prometheus
    #[cfg(feature = "full")]
    Statement(Statement),
    /// Only in the full build, for build machines
    #[cfg(not(feature = "full"))]
    #[command(
        name = "init",
        visible_aliases = [
            "pin", "adopt", "sign", "fetch", "outdated", "bake", "push", "pull", "export", "import", "statement",
        ],
        disable_help_flag = true,
    )]
    Elsewhere(Elsewhere),
}

// A command of the full build, whatever its arguments. Doc comments of argument structs would
// become a deferred command's help.
#[cfg(not(feature = "full"))]
#[derive(Debug, Args)]
pub struct Elsewhere {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    pub rest: Vec<OsString>,
}

// The places that a command uses; each has a default in the lock file.
#[derive(Debug, Clone, Args)]
pub struct Place {
    #[command(flatten)]
    pub file: LockFile,
    /// The cache's root, instead of the lock file's
    #[arg(long, value_name = "DIR", env = "BALLAST_STORE")]
    pub store: Option<PathBuf>,
    /// The baked layer's root, instead of the lock file's
    #[arg(long, value_name = "DIR", env = "BALLAST_BAKED")]
    pub baked: Option<PathBuf>,
}

#[derive(Debug, Clone, Args)]
pub struct Healing {
    #[command(flatten)]
    pub place: Place,
    /// The user to become: `user` or `user:group`, by name or number [default: the lock file's owner]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// How healed weights are kept
    #[arg(long, value_enum, default_value_t = HoldArg::Owned)]
    pub hold: HoldArg,
    /// What a boot may rely on instead of reading every byte
    #[arg(long, value_enum, default_value_t = TrustArg::Bytes)]
    pub trust: TrustArg,
    /// The file of receipts [default: .ballast/receipts.json in a sticky cache, otherwise in /var/lib/ballast]
    #[arg(long, value_name = "FILE")]
    pub receipts: Option<PathBuf>,
    /// A further directory, besides the baked layer, from which weights may be copied
    #[arg(long, value_name = "DIR")]
    pub mirror: Vec<PathBuf>,
    /// The file for the JSON report [default: the first writable of /run/ballast, /var/log/ballast, /tmp/ballast-UID]
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Also write the reason of a failed boot, or what `heal` did, to this file [default: /dev/termination-log, if it
    /// exists]
    #[arg(long, value_name = "FILE", env = "BALLAST_TERMINATION_LOG")]
    pub termination_log: Option<PathBuf>,
    /// How much of the boot is reported on stderr
    #[arg(long, value_enum, default_value_t = LogArg::Text)]
    pub log: LogArg,
    /// Seconds to wait for another replica's heal
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    pub lock_wait: u64,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub healing: Healing,
    /// What to do if a required weight can't be obtained
    #[arg(long, value_enum, default_value_t = FailureArg::Stop, env = "BALLAST_ON_FAILURE")]
    pub on_failure: FailureArg,
    /// Protect the verified weights by Landlock before the command starts
    #[arg(long, value_enum, default_value_t = SealArg::Auto, env = "BALLAST_SEAL")]
    pub seal: SealArg,
    /// Leave descriptors 3 and above open for the command
    #[arg(long)]
    pub keep_fds: bool,
    /// Remove this variable from the command's environment
    #[arg(long, value_name = "NAME")]
    pub drop_env: Vec<OsString>,
    /// Set no_new_privs before the command
    #[arg(long)]
    pub no_new_privs: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct Heal {
    #[command(flatten)]
    pub healing: Healing,
    /// Report what is wrong, and change nothing
    #[arg(long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub place: Place,
    /// The tree to verify, or the folder of a signed model [default: the cache, otherwise the baked layer]
    pub dir: Option<PathBuf>,
    #[cfg(feature = "full")]
    #[command(flatten)]
    pub signed: SignedModel,
    // Options of the full build, which the entrypoint build names as such.
    #[cfg(not(feature = "full"))]
    #[arg(long, hide = true, aliases = ["key", "certificate-chain"], value_name = "FILE")]
    pub signed: Vec<PathBuf>,
    /// Print also owner, mode and sha256
    #[arg(long)]
    pub long: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Status {
    #[command(flatten)]
    pub place: Place,
    /// The file with the report
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Hash every byte of the served weights, instead of reading the boot's report
    #[arg(long)]
    pub verify: bool,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "full")]
#[derive(Debug, Args)]
pub struct Statement {
    #[command(flatten)]
    pub place: Place,
    /// The file with the report
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// The form of the statement
    #[arg(long, value_enum, default_value_t = FormatArg::InToto)]
    pub format: FormatArg,
    /// Write it to this file and not to stdout: a reader sees the old file or the whole new one
    #[arg(long, value_name = "FILE")]
    pub to: Option<PathBuf>,
}

#[cfg(feature = "full")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// An unsigned in-toto statement, v1
    InToto,
    /// A CycloneDX 1.6 bill of materials
    #[value(name = "cyclonedx")]
    CycloneDx,
    /// Metrics for a textfile collector
    Prometheus,
}

#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    pub place: Place,
    /// A compose file or Kubernetes manifests, instead of this environment (full build)
    pub file: Option<PathBuf>,
    /// The user that the command would become: `user` or `user:group` [default: the lock file's owner]
    #[arg(long, value_name = "USER")]
    pub user: Option<String>,
    /// The owner that healed weights would have
    #[arg(long, value_enum, default_value_t = HoldArg::Owned)]
    pub hold: HoldArg,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

#[cfg(feature = "full")]
#[derive(Debug, Args)]
pub struct Bake {
    #[command(flatten)]
    pub place: Place,
    /// The image layer's root
    pub dir: PathBuf,
    /// The folder with the weights: a fetched store, or a plain folder of files
    #[arg(long, value_name = "DIR", default_value = FETCHED)]
    pub from: Vec<PathBuf>,
    /// The owner of the files, in numbers [default: the lock file's owner, if this process may set it]
    #[arg(long, value_name = "UID:GID", value_parser = crate::user::numbers)]
    pub owner: Option<crate::boot::plan::Ids>,
    /// The path of the index [default: DIR/.ballast/weights.index]
    #[arg(long, value_name = "FILE")]
    pub index: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HoldArg {
    /// The app owns healed files
    Owned,
    /// Root owns healed files, in sticky directories
    Sticky,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustArg {
    /// Verify every byte
    Bytes,
    /// Trust receipts, for weights in a sticky cache or an image layer
    Receipt,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SealArg {
    /// Use it if it can do no harm; otherwise the report says why not
    Auto,
    /// Refuse to start if it is not possible
    Require,
    /// Never use it
    Off,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogArg {
    /// One line per weight
    Text,
    /// Print one JSON document
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FailureArg {
    /// Do not start the command
    Stop,
    /// Start the command although a weight is missing
    Start,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn a_commands_own_help_begins_as_the_list_of_commands_has_it() {
        let about = |grammar: &clap::Command| {
            let reported = |command: &clap::Command| command.get_about().map(ToString::to_string);
            let all = grammar.get_subcommands().filter(|command| command.get_name() != "help");
            all.map(|command| (command.get_name().to_owned(), reported(command))).collect::<Vec<_>>()
        };
        let mut grammar = Cli::command();
        let listed = about(&grammar);
        grammar.build();
        assert_eq!(about(&grammar), listed);
        assert!(listed.iter().all(|(_, about)| about.is_some()), "{listed:?}");
    }
}
