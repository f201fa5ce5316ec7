//! Corrects the completions for bash, which offer options where a file or a command is expected. Pure.

/// What a function of completion begins with: after `--`, a command and its files.
const COMMAND: &str = r#"    opts=""

    for i in "${COMP_WORDS[@]:1:COMP_CWORD-1}"
    do
        if [[ "${i}" == "--" ]] ; then
            if [[ "${prev}" == "--" ]] ; then
                COMPREPLY=( $(compgen -c -- "${cur}") )
            fi
            return 0
        fi
    done
"#;

/// Returns the script with options offered only for a word that begins with `-`, in commands without subcommands: an
/// empty list makes bash offer files.
pub fn corrected(script: &str) -> String {
    let script = script.replacen("    opts=\"\"\n", COMMAND, 1);
    let (mut text, mut leaf) = (String::new(), false);
    for line in script.lines() {
        let trimmed = line.trim();
        if let Some(words) = trimmed.strip_prefix("opts=\"").and_then(|rest| rest.strip_suffix('"')) {
            leaf = !words.is_empty() && words.split(' ').all(|word| word.starts_with('-'));
        }
        let line = match trimmed {
            // The last line of a command's part; its options were offered before.
            "COMPREPLY=( $(compgen -W \"${opts}\" -- \"${cur}\") )"
                if leaf && line.starts_with("            COMPREPLY") =>
            {
                "            COMPREPLY=()".to_owned()
            }
            _ if leaf && trimmed.starts_with("if [[ ${cur} == -* || ${COMP_CWORD} -eq ") => {
                "            if [[ ${cur} == -* ]] ; then".to_owned()
            }
            _ => line.to_owned(),
        };
        text += &line;
        text.push('\n');
    }
    text
}
