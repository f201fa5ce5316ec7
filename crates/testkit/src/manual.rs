//! Writes the man pages and the shell completions of a program into a folder, and finds what they lack. An example of
//! each program writes them (`tools/manual`); a test of each program checks them.

mod completion;
mod facts;
mod page;

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command as Process;

use clap::Command;
use clap_complete::{Shell, generate_to};
use facts::Manual;

/// The shells with completions.
const SHELLS: [Shell; 3] = [Shell::Bash, Shell::Zsh, Shell::Fish];

/// Writes `man1` with a page for the program and for each of its commands, and `completions`.
///
/// # Errors
/// The folder can't be written.
pub fn write(program: &Command, folder: &Path) -> io::Result<()> {
    let pages = folder.join("man1");
    fs::create_dir_all(&pages)?;
    completions(program, folder)?;
    let program = built(program);
    let manual = Manual::of(program.get_name());
    for command in commands(&program) {
        fs::write(pages.join(format!("{}.1", page::title(command))), page::page(command, &program, &manual)?)?;
    }
    Ok(())
}

/// Writes the page and the completions of a build of the program under another name, with these commands alone.
///
/// # Errors
/// The folder can't be written.
pub fn write_build(program: &Command, name: &'static str, commands: &[&str], folder: &Path) -> io::Result<()> {
    let all = program.get_subcommands().filter(|command| commands.contains(&command.get_name())).cloned();
    let mut build = Command::new(name).version(env!("CARGO_PKG_VERSION")).subcommand_required(true).subcommands(all);
    if let Some(about) = program.get_about() {
        build = build.about(format!("{about}: the build for images, which has no network code"));
    }
    completions(&build, folder)?;
    let build = built(&build);
    let manual = Manual { others: &["ballast"], ..Manual::of(program.get_name()) };
    let page = String::from_utf8_lossy(&page::page(&build, &build, &manual)?).into_owned();
    // Its commands have the program's pages.
    let named = |name: &str, command: &str| format!("{name}-{command}(1)").replace('-', "\\-");
    let page = commands
        .iter()
        .fold(page, |page, command| page.replace(&named(name, command), &named(program.get_name(), command)));
    fs::write(folder.join(format!("man1/{name}.1")), page)
}

fn completions(program: &Command, folder: &Path) -> io::Result<()> {
    let folder = folder.join("completions");
    fs::create_dir_all(&folder)?;
    for shell in SHELLS {
        let file = generate_to(shell, &mut program.clone(), program.get_name(), &folder)?;
        if shell == Shell::Bash {
            fs::write(&file, completion::corrected(&fs::read_to_string(&file)?))?;
        }
    }
    Ok(())
}

/// `help` repeats every command; a page for each of these would say nothing.
fn built(program: &Command) -> Command {
    let mut program = program.clone().disable_help_subcommand(true);
    program.build();
    program
}

/// The program and each command below it.
fn commands(program: &Command) -> Vec<&Command> {
    let below = program.get_subcommands().filter(|command| !command.is_hide_set()).flat_map(commands);
    std::iter::once(program).chain(below).collect()
}

/// Writes the manual into a temporary folder; returns the commands without a page or a completion, and the pages without
/// a section.
///
/// # Panics
/// If the folder can't be written or has none of the files.
#[must_use]
pub fn lacking(program: &Command) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    write(program, folder.path()).expect("the manual");
    let name = program.get_name();
    let read = |file: String| fs::read_to_string(folder.path().join(file)).unwrap_or_default();
    let shells = [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish")];
    let shells = shells.map(|file| read(format!("completions/{file}")));
    let mut lacking = Vec::new();
    let (built, manual) = (built(program), Manual::of(name));
    let version = format!("\"{name} {}\"", program.get_version().unwrap_or_default());
    for command in commands(&built) {
        let title = page::title(command);
        let page = read(format!("man1/{title}.1"));
        let mut wanted: Vec<String> = ["SYNOPSIS", "DESCRIPTION"].map(|section| format!(".SH {section}")).into();
        wanted.extend(["EXIT STATUS", "SEE ALSO"].map(|section| format!(".SH \"{section}\"")));
        wanted.extend([format!(".TH {title} 1"), version.clone()]);
        wanted.extend(page::variables(command, &manual).into_iter().map(|(variable, _)| format!("\\fB{variable}\\fR")));
        let absent = wanted.into_iter().filter(|part| !page.contains(part.as_str()));
        lacking.extend(absent.map(|part| format!("{title}.1: {part}")));
        let words = title.rsplit('-').next().unwrap_or_default().to_owned();
        lacking.extend(shells.iter().filter(|shell| !shell.contains(&words)).map(|_| format!("{title} in a shell")));
    }
    let rows = [(manual.exit_codes.len(), 15, "exit codes"), (manual.files.len(), 1, "files")];
    lacking.extend(rows.iter().filter(|(found, least, _)| found < least).map(|(.., what)| (*what).to_owned()));
    if folder.path().join(format!("man1/{name}-help.1")).exists() {
        lacking.push("no page of help, which repeats every command".into());
    }
    lacking
}

/// Returns what bash would offer for the last of these words, by the program's completions.
///
/// # Panics
/// If the folder can't be written, or bash does not start.
#[must_use]
pub fn offered(program: &Command, words: &[&str]) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    write(program, folder.path()).expect("the manual");
    let name = program.get_name();
    let script = format!(
        "source completions/{name}.bash; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1))\n\
         _{name} {name} \"${{@: -1}}\" \"${{@: -2:1}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
    );
    let mut bash = Process::new("bash");
    let output = bash.args(["-c", &script, "bash"]).args(words).current_dir(folder.path()).output().expect("bash");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut offered: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    // A command may lie in several folders of PATH.
    offered.dedup();
    offered
}
