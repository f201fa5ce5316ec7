//! Reads values of the environment one by one, collects the errors and reports them together.

use std::ops::RangeInclusive;

use secrecy::SecretString;

use crate::exit::{Exit, Failure};
use crate::secrets::{self, Refusal};

/// A function that returns the value of a variable.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

/// Reads settings and collects their errors.
pub struct SettingsReader<'e> {
    environment: Environment<'e>,
    wrong: Vec<String>,
}

impl<'e> SettingsReader<'e> {
    /// Reads from this environment.
    pub fn new(environment: Environment<'e>) -> Self {
        Self { environment, wrong: Vec::new() }
    }

    /// Returns the collected errors, if any.
    ///
    /// # Errors
    /// Names every setting that is wrong.
    pub fn end(self) -> Result<(), Failure> {
        if self.wrong.is_empty() {
            return Ok(());
        }
        Err(Failure::new(Exit::BadSetting, self.wrong.join("\n")).hint("`likeness serve --help` names every setting"))
    }

    /// Adds an error with the setting's value. Never call this for a secret.
    pub fn refuse(&mut self, name: &str, expected: &str) {
        let found = self.text(name).map_or("nothing".into(), |text| format!("{text:?}"));
        self.wrong.push(format!("{name}: expected {expected}, found {found}"));
    }

    /// Adds an error with this message.
    pub fn wrong(&mut self, line: String) {
        self.wrong.push(line);
    }

    /// Reads a text; an empty one counts as unset.
    pub fn text(&self, name: &str) -> Option<String> {
        (self.environment)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Reads a secret from the variable itself or from the file that `NAME_FILE` names.
    pub fn secret(&mut self, name: &str) -> Option<SecretString> {
        let file_name = format!("{name}_FILE");
        let from_file = self.text(&file_name).and_then(|path| match secrets::read(path.as_ref()) {
            Ok(text) => Some(text.trim().to_owned()),
            Err(Refusal { what, hint }) => {
                let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
                self.wrong.push(format!("{file_name}: {path}: {what}{hint}"));
                None
            }
        });
        let found = self.text(name).or(from_file)?;
        if found.len() < 16 {
            self.wrong.push(format!("{name}: expected a secret of at least 16 characters, found {}", found.len()));
        }
        Some(found.into())
    }

    /// Reads a number in a range; `otherwise` if it is unset or wrong.
    pub fn number(&mut self, name: &str, otherwise: f64, range: RangeInclusive<f64>) -> f64 {
        self.optional(name, range).unwrap_or(otherwise)
    }

    /// Reads a number in a range, if it is set.
    pub fn optional(&mut self, name: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let number = self.text(name)?.parse::<f64>().ok().filter(|number| range.contains(number));
        if number.is_none() {
            self.refuse(name, &format!("a number from {} to {}", range.start(), range.end()));
        }
        number
    }

    /// Reads a truth value; `otherwise` if it is unset or wrong.
    pub fn truth(&mut self, name: &str, otherwise: bool) -> bool {
        let Some(text) = self.text(name) else { return otherwise };
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => true,
            "0" | "false" | "no" | "off" => false,
            _ => {
                self.refuse(name, "true or false");
                otherwise
            }
        }
    }

    /// Reads words separated by commas, or a JSON array of them as in the replaced service.
    pub fn list(&self, name: &str) -> Vec<String> {
        let text = self.text(name).unwrap_or_default();
        if let Ok(words) = serde_json::from_str(&text) {
            return words;
        }
        text.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }
}
