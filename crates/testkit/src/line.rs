//! The words of a command that a test writes as one line.

/// Splits a line at its spaces and then replaces placeholders within each word: a folder with a space stays one word.
#[must_use]
pub fn words(line: &str, values: &[(char, &str)]) -> Vec<String> {
    let replaced = |word: &str| values.iter().fold(word.to_owned(), |word, (from, to)| word.replace(*from, to));
    line.split(' ').filter(|word| !word.is_empty()).map(replaced).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_spaces_is_a_part_of_one_word() {
        let found = words("init  --store sqlite:@/one --turn %", &[('@', "/a b/c d"), ('%', "7")]);
        assert_eq!(found, ["init", "--store", "sqlite:/a b/c d/one", "--turn", "7"]);
    }
}
