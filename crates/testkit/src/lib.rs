//! Helpers that the tests of all crates share. No program contains it: every crate has it as a
//! dev-dependency.
//!
//! - [`busybox`]: a root directory with busybox and static programs alone.
//! - [`need`]: the only way to skip a test. Each skip is printed and recorded; `./test` lists the record.
//! - [`data`]: networks of the four architectures and photographs, generated below the target folder.
//! - [`documents`]: the commands that the documents show, parsed by the program.
//! - [`ground`]: folders that uid 100 reaches and that have only root's closed directories above them.
//! - [`mod@line`]: the words of a command that a test writes as one line.
//! - [`manual`]: man pages and shell completions, and what they lack.
//! - [`odd_files`]: what may lie under a file's name and is no file.
//! - [`outputs`]: stdout and stderr that are closed, full, bounded or without a reader.
//! - [`paths`]: the target folder, the repository, the shared test data, the static programs.
//! - [`random`]: seeded numbers.
//! - [`rows`]: the rows of a table test, tested on all cores.
//! - [`transcript`]: whole outputs of commands as snapshots.
//! - [`summary`]: the last lines of `./test`, from the log and the record of skips.

pub mod busybox;
pub mod data;
pub mod documents;
pub mod ground;
pub mod line;
pub mod manual;
pub mod need;
pub mod odd_files;
pub mod outputs;
pub mod paths;
pub mod random;
pub mod rows;
pub mod summary;
pub mod transcript;
