//! Makes foreign text safe to print: it writes characters that move the cursor, change colours,
//! reverse text or are invisible as `\u{…}`.
//!
//! Both programs escape all that they print and keep line breaks ([`lines()`]). For others' text within a line,
//! [`line()`] also escapes line breaks, so that the text can't forge a line. Pure.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns whether a character must be escaped: controls, and characters that change direction or have no width.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

fn replaced<'a>(text: &'a str, keep: &[char], write: impl Fn(&mut String, char)) -> Cow<'a, str> {
    let odd = |letter: char| is_hidden(letter) && !keep.contains(&letter);
    if !text.contains(odd) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if odd(letter) { write(&mut out, letter) } else { out.push(letter) }
    }
    Cow::Owned(out)
}

fn spelled(out: &mut String, letter: char) {
    out.extend(letter.escape_debug().filter(|_| letter.is_ascii()));
    if !letter.is_ascii() {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(letter));
    }
}

/// Others' text as part of one line.
#[must_use]
pub fn line(text: &str) -> Cow<'_, str> {
    replaced(text, &[], spelled)
}

/// Text to print, whose line breaks stay.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    replaced(text, &['\n'], spelled)
}

/// A JSON document, whose strings then hold the same letters.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    replaced(text, &['\n'], |out, letter| {
        let mut units = [0; 2];
        for unit in letter.encode_utf16(&mut units) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every control and direction character of Unicode, and every character that controls a terminal.
    const HIDDEN: &[char] = &[
        '\0',
        '\x07',
        '\x08',
        '\t',
        '\r',
        '\x1b',
        '\x7f',
        '\u{80}',
        '\u{9b}',
        '\u{9d}',
        '\u{ad}',
        '\u{61c}',
        '\u{200b}',
        '\u{200d}',
        '\u{200e}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202a}',
        '\u{202b}',
        '\u{202c}',
        '\u{202d}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{2067}',
        '\u{2068}',
        '\u{2069}',
        '\u{feff}',
        '\u{e0001}',
    ];

    #[test]
    fn no_hidden_letter_is_printed_and_a_line_stays_one_line() {
        let mut wrong = Vec::new();
        for letter in HIDDEN.iter().copied().chain(['\n']) {
            let text = format!("a{letter}b");
            if line(&text).contains(letter) || (letter != '\n' && lines(&text).contains(letter)) {
                wrong.push(letter.escape_unicode().to_string());
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        assert_eq!(lines("a\nb"), "a\nb");
        assert_eq!(line("\u{1b}]0;x\u{7}\u{202e}\n"), "\\u{1b}]0;x\\u{7}\\u{202e}\\n");
        assert_eq!(line("modèle-模型 ✓"), "modèle-模型 ✓");
    }

    #[test]
    fn a_json_document_says_the_same_after_it() {
        for letter in HIDDEN {
            let value = serde_json::json!({ "name": format!("a{letter}b") });
            let text = serde_json::to_string_pretty(&value).unwrap_or_default();
            let shown = json(&text);
            assert!(!shown.chars().any(|shown| is_hidden(shown) && shown != '\n'), "{letter:?}: {shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).ok(), Some(value), "{letter:?}");
        }
    }
}
