//! Parses values: sizes, durations, and the variables of compose.

/// A compose value after its variables were replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interpolated {
    /// The text with defaults in place of variables; the variable's name if nothing else is left.
    pub filled: String,
    /// Whether `filled` is the value in the container if no variable is set.
    pub known: bool,
    /// The variable without which the container gets an empty value.
    pub empty_without: Option<String>,
}

/// Defaults that are nested deeper are treated as text.
const MAX_NESTING: usize = 8;

/// Replaces `$NAME`, `${NAME}`, `${NAME:-default}`, `${NAME-default}`, `${NAME:?error}` and `${NAME:+other}`,
/// as if no variable were set. `$$` is a dollar sign.
pub fn interpolate(text: &str) -> Interpolated {
    let mut seen = Seen::default();
    let filled = fill(text, 0, &mut seen);
    let first = seen.first.unwrap_or_default();
    let empty_without = (filled.is_empty() && !seen.demanded && !first.is_empty()).then(|| first.to_owned());
    let filled = if seen.unknown && filled.is_empty() { first.to_owned() } else { filled };
    Interpolated { filled, known: !seen.unknown, empty_without }
}

/// The state of a replacement.
#[derive(Default)]
struct Seen<'a> {
    first: Option<&'a str>,
    unknown: bool,
    demanded: bool,
}

fn fill<'a>(text: &'a str, nesting: usize, seen: &mut Seen<'a>) -> String {
    if nesting > MAX_NESTING {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out += &rest[..at];
        let after = &rest[at + 1..];
        if let Some(next) = after.strip_prefix('$') {
            out.push('$');
            rest = next;
            continue;
        }
        let Some((variable, next)) = variable(after) else {
            out.push('$');
            if after.starts_with('{') {
                // A brace that is not closed or not valid: the rest is text. The filled-in text is not searched again,
                // so that the time stays linear.
                return out + after;
            }
            rest = after;
            continue;
        };
        seen.first.get_or_insert(variable.name);
        match variable.rule {
            Rule::Plain => seen.unknown = true,
            Rule::Demanded => (seen.unknown, seen.demanded) = (true, true),
            Rule::Other => {}
            Rule::Default(default) => out += &fill(default, nesting + 1, seen),
        }
        rest = next;
    }
    out + rest
}

struct Placeholder<'a> {
    name: &'a str,
    rule: Rule<'a>,
}

enum Rule<'a> {
    Plain,
    Default(&'a str),
    Demanded,
    Other,
}

/// Parses a variable after its dollar sign; returns the rest of the text too.
fn variable(after: &str) -> Option<(Placeholder<'_>, &str)> {
    let word = |text: &str| text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    let Some(braced) = after.strip_prefix('{') else {
        let (name, rest) = after.split_at(word(after));
        return (!name.is_empty()).then_some((Placeholder { name, rule: Rule::Plain }, rest));
    };
    let end = closing(braced)?;
    let (inside, rest) = (&braced[..end], &braced[end + 1..]);
    let (name, tail) = inside.split_at(word(inside));
    let rule = match tail.strip_prefix(':').unwrap_or(tail) {
        "" => Rule::Plain,
        tail if tail.starts_with('-') => Rule::Default(&tail[1..]),
        tail if tail.starts_with('?') => Rule::Demanded,
        tail if tail.starts_with('+') => Rule::Other,
        _ => return None,
    };
    (!name.is_empty()).then_some((Placeholder { name, rule }, rest))
}

fn closing(text: &str) -> Option<usize> {
    let mut open = 0usize;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '{' if before == '$' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        before = c;
    }
    None
}

/// Parses a size of compose, tmpfs options or Kubernetes, in bytes. Returns `None` for a percentage.
pub fn size(text: &str, binary: bool) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().ok()?;
    let unit = unit.trim();
    let (letter, rest) = unit.split_at(unit.chars().next().map_or(0, char::len_utf8));
    let power = match letter {
        "" | "b" | "B" => 0,
        "k" | "K" => 1,
        "m" if !binary => return Some((number / 1000.0) as u64),
        "m" | "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        _ => return None,
    };
    let step: f64 = match (binary, rest) {
        (true, "" | "b" | "B" | "ib" | "iB") | (false, "i") => 1024.0,
        (false, "") => 1000.0,
        _ => return None,
    };
    Some((number * step.powi(power)) as u64)
}

/// Parses a duration of compose, such as `1m30s`, `500ms` or `1h`, to whole seconds.
pub fn duration(text: &str) -> Option<u64> {
    let (mut rest, mut all) = (text.trim(), 0.0);
    while !rest.is_empty() {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let unit = rest[number..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |at| at + number);
        let seconds = match &rest[number..unit] {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "ns" => 0.0,
            _ => return None,
        };
        all += rest[..number].parse::<f64>().ok()? * seconds;
        rest = &rest[unit..];
    }
    (!text.trim().is_empty()).then_some(all as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_as_if_none_were_set() {
        let rows = [
            ("plain", "plain", true, None),
            ("a $$b", "a $b", true, None),
            ("${X:-}", "", true, Some("X")),
            ("${X-}", "", true, Some("X")),
            ("${X}", "X", false, Some("X")),
            ("$X", "X", false, Some("X")),
            ("${X:?set it}", "X", false, None),
            ("${X:-true}", "true", true, None),
            ("${X:-${Y:-z}}", "z", true, None),
            ("${X:-${Y}}", "X", false, Some("X")),
            ("a${X}b", "ab", false, None),
            ("${X:+y}", "", true, Some("X")),
            ("${", "${", true, None),
            ("$", "$", true, None),
            ("${X:-a}:${Y:-b}", "a:b", true, None),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .map(|(text, filled, known, empty)| (text, interpolate(text), (*filled, *known, *empty)))
            .filter(|(_, found, expected)| {
                (found.filled.as_str(), found.known, found.empty_without.as_deref()) != *expected
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
        // The time is linear: otherwise these texts take minutes.
        let open = "${A:-".repeat(200_000);
        assert_eq!(interpolate(&open).empty_without, None);
        assert!(interpolate(&format!("{open}{}", "}".repeat(200_000))).known);
        assert!(interpolate(&"${ }".repeat(200_000)).known);
    }

    #[test]
    fn durations_are_read_as_compose_writes_them() {
        let rows = [
            ("30s", Some(30)),
            ("1m30s", Some(90)),
            ("1h", Some(3600)),
            ("1500ms", Some(1)),
            ("1.5m", Some(90)),
            ("10us", Some(0)),
            ("30", None),
            ("s", None),
            ("", None),
            ("a lot", None),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(text, expected)| duration(text) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn sizes_are_read_in_both_dialects() {
        let rows = [
            ("64m", true, Some(64 << 20)),
            ("64M", true, Some(64 << 20)),
            ("1.5g", true, Some(3 << 29)),
            ("4GiB", true, Some(4 << 30)),
            ("512kb", true, Some(512 << 10)),
            ("67108864", true, Some(64 << 20)),
            ("64Mi", false, Some(64 << 20)),
            ("64M", false, Some(64_000_000)),
            ("1Gi", false, Some(1 << 30)),
            ("128974848000m", false, Some(128_974_848)),
            ("50%", true, None),
            ("lots", true, None),
            ("", false, None),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(text, binary, expected)| size(text, *binary) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
