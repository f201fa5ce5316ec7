//! Renders man pages from a grammar and the [`Manual`]. Touches nothing.

use std::io;

use clap::Command;
use clap_mangen::Man;

use super::facts::{Manual, Row};

/// Renders the page of a command, which belongs to a program of this version.
///
/// # Errors
/// None: the page is made in memory.
pub fn page(command: &Command, program: &Command, manual: &Manual) -> io::Result<Vec<u8>> {
    let (name, version) = (program.get_name(), program.get_version().unwrap_or_default());
    let man = Man::new(command.clone()).source(format!("{name} {version}"));
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    synopsis(&mut page, &usage(command));
    man.render_description_section(&mut page)?;
    if command.get_arguments().any(|arg| !arg.is_hide_set()) {
        man.render_options_section(&mut page)?;
    }
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let own = title(command);
    for (command, heading, rows) in &manual.sections {
        if *command == own {
            section(&mut page, heading, rows);
        }
    }
    if own == name {
        section(&mut page, "EXIT STATUS", &manual.exit_codes);
        section(&mut page, "FILES", &manual.files);
    } else {
        let text = format!("0 if the command did all its work. {name}(1) lists every code.");
        section(&mut page, "EXIT STATUS", &[(String::new(), text)]);
    }
    section(&mut page, "ENVIRONMENT", &variables(command, manual));
    section(&mut page, "SEE ALSO", &[(String::new(), see_also(command, program, manual))]);
    Ok(page)
}

/// The name of a command's page.
pub fn title(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

/// How the command is called, with the values of its options.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    usage.lines().map(str::trim).collect::<Vec<_>>().join("\n")
}

/// The variables that the command's options read, and those that its help lists.
pub fn variables(command: &Command, manual: &Manual) -> Vec<Row> {
    let mut rows = Vec::new();
    let below = command.get_subcommands().flat_map(Command::get_arguments);
    for arg in command.get_arguments().chain(below) {
        let Some(name) = arg.get_env().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let long = arg.get_long().map(|long| format!("--{long}: ")).unwrap_or_default();
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        rows.push((name, format!("{long}{help}")));
    }
    let listed = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let listed: Vec<_> = listed.split_whitespace().collect();
    rows.extend(manual.variables.iter().filter(|(name, _)| listed.contains(&name.as_str())).cloned());
    rows.sort();
    rows.dedup_by(|one, other| one.0 == other.0);
    rows
}

fn see_also(command: &Command, program: &Command, manual: &Manual) -> String {
    let own = title(command);
    let mut pages: Vec<String> = match own == program.get_name() {
        true => program.get_subcommands().filter(|command| command.get_name() != "help").map(title).collect(),
        false => vec![program.get_name().to_owned()],
    };
    pages.extend(manual.others.iter().map(|other| (*other).to_owned()));
    pages.iter().map(|page| format!("{page}(1)")).collect::<Vec<_>>().join(", ")
}

fn synopsis(page: &mut Vec<u8>, usage: &str) {
    page.extend_from_slice(format!(".SH SYNOPSIS\n.nf\n{}\n.fi\n", escaped(usage)).as_bytes());
}

/// Writes a section of rows, each with a term or without one; nothing if there are no rows.
fn section(page: &mut Vec<u8>, heading: &str, rows: &[Row]) {
    if rows.is_empty() {
        return;
    }
    let mut text = format!(".SH \"{heading}\"\n");
    for (term, meaning) in rows {
        let term = if term.is_empty() { ".PP\n".to_owned() } else { format!(".TP\n\\fB{}\\fR\n", escaped(term)) };
        text += &format!("{term}{}\n", escaped(meaning));
    }
    page.extend_from_slice(text.as_bytes());
}

/// Text as roff prints it.
fn escaped(text: &str) -> String {
    let line = |line: &str| {
        let line = line.replace('\\', "\\e").replace('-', "\\-");
        if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_is_read_as_a_request_of_roff() {
        assert_eq!(escaped(".env \\ a-b\n'x"), "\\&.env \\e a\\-b\n\\&'x");
    }
}
