//! Writes the man pages and the shell completions of `ballast` and `ballast-entrypoint` into a folder (`tools/manual`).

/// The commands of the entrypoint build.
const ENTRYPOINT: [&str; 5] = ["run", "heal", "verify", "status", "doctor"];

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).ok_or_else(|| std::io::Error::other("a folder is missing"))?;
    testkit::manual::write(&ballast_cli::grammar(), folder.as_ref())?;
    testkit::manual::write_build(&ballast_cli::grammar(), "ballast-entrypoint", &ENTRYPOINT, folder.as_ref())
}
