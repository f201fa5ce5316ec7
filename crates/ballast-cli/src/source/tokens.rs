//! Bearer tokens from the environment, each for one host.
//!
//! `BALLAST_TOKENS` contains `HOST=TOKEN` words. `BALLAST_TOKENS_FILE` names a file of such words,
//! as image builds pass secrets; other users must not be able to read it. `HF_TOKEN` is for
//! huggingface.co, or for the host of `HF_ENDPOINT`. A token is sent only over https or to this
//! machine, and is never printed.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;

use ureq::http::HeaderValue;

use super::address::{Address, Clear, Secret};
use crate::{bounds, foreign};

/// Hosts and their tokens.
#[derive(Default)]
pub struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// Reads the variables and the file; a missing file means no token.
    ///
    /// # Errors
    /// A word without a host or a token; the word itself is not printed. A file that can't be read.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut tokens = words("BALLAST_TOKENS", &env("BALLAST_TOKENS").unwrap_or_default())?;
        if let Some(file) = env("BALLAST_TOKENS_FILE").filter(|file| !file.is_empty()) {
            match foreign::read_secret(Path::new(&file), bounds::SECRETS) {
                Ok(bytes) => tokens.extend(words(&file, &String::from_utf8_lossy(&bytes))?),
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(format!("BALLAST_TOKENS_FILE: {file}: {why}")),
            }
        }
        let hf = env("HF_TOKEN").filter(|token| !token.trim().is_empty());
        // The hub's own client also sends the token to the endpoint that replaces the hub.
        let endpoint = env("HF_ENDPOINT").filter(|endpoint| !endpoint.trim().is_empty());
        let hub = endpoint.map_or(Some("huggingface.co".to_owned()), |endpoint| {
            Some(Address::named(endpoint.trim(), Clear::Named).ok()?.0.host().to_owned())
        });
        tokens.extend(hf.and_then(|token| Some((hub?, token.trim().to_owned()))));
        Ok(Self(tokens))
    }

    /// The token for the host of an address that the user named, if the connection is encrypted or local.
    pub fn secret(&self, to: &Address) -> Option<Secret> {
        Secret::bearer(to, self.of(to.host())?).ok()
    }

    /// The token for a host.
    pub fn of(&self, host: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| *name == host).map(|(_, token)| token.as_str())
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tokens for {} hosts", self.0.len())
    }
}

/// Hosts and tokens of a text.
fn words(whence: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let word = |(at, word): (usize, &str)| match word.split_once('=') {
        Some((host, token)) if !host.is_empty() && !token.is_empty() && HeaderValue::from_str(token).is_ok() => {
            Ok((host.to_ascii_lowercase(), token.to_owned()))
        }
        _ => Err(format!("{whence}: expected HOST=TOKEN as word {}, found something else", at + 1)),
    };
    text.split_whitespace().enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn tokens(text: &'static str) -> Result<Tokens, String> {
        Tokens::from_env(|name| match name {
            "BALLAST_TOKENS" => Some(text.into()),
            "HF_TOKEN" => Some("hf".into()),
            _ => None,
        })
    }

    #[test]
    fn a_token_is_for_its_own_host_over_https() {
        let parsed = tokens("Models.Example=one 127.0.0.1=two").ok();
        let rows = [
            ("https://models.example/a", Some("one")),
            ("https://MODELS.example:8443/a", Some("one")),
            ("http://models.example/a", None),
            ("https://models.example.evil/a", None),
            ("https://models.example@evil/a", None),
            ("https://sub.models.example/a", None),
            ("http://127.0.0.1:9/a", Some("two")),
            ("https://huggingface.co/a", Some("hf")),
            ("https://other/a", None),
        ];
        let of = |url: &str| {
            let to = Address::named(url, Clear::Named).ok()?.0;
            let secret = parsed.as_ref().and_then(|tokens| tokens.secret(&to))?;
            Some(String::from_utf8_lossy(secret.at(&to)?.as_bytes()).replace("Bearer ", ""))
        };
        let wrong: Vec<_> = rows.iter().filter(|(url, token)| of(url).as_deref() != *token).collect();
        assert!(parsed.is_some() && wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn the_hub_s_token_is_for_the_endpoint_that_stands_for_the_hub() {
        let rows = [
            (None, "huggingface.co", Some("hf")),
            (Some(""), "huggingface.co", Some("hf")),
            (Some("https://mirror.example/hf"), "mirror.example", Some("hf")),
            (Some("https://mirror.example/hf"), "huggingface.co", None),
            (Some("no url"), "huggingface.co", None),
        ];
        let of = |endpoint: Option<&str>, host: &str| {
            let env = |name: &str| match name {
                "HF_TOKEN" => Some("hf".to_owned()),
                "HF_ENDPOINT" => endpoint.map(str::to_owned),
                _ => None,
            };
            Tokens::from_env(env).ok().and_then(|tokens| tokens.of(host).map(str::to_owned))
        };
        let wrong: Vec<_> =
            rows.iter().filter(|(endpoint, host, token)| of(*endpoint, host).as_deref() != *token).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_word_that_is_no_token_is_an_error_that_does_not_tell_it() {
        for text in ["secret", "=secret", "host=a host="] {
            let error = tokens(text).err().unwrap_or_default();
            assert!(error.contains("expected HOST=TOKEN") && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_of_tokens_is_read_and_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        for (name, text, mode) in
            [("right", "models.example=one\n", 0o600), ("wrong", "s3cret\n", 0o400), ("open", "h=s3cret", 0o640)]
        {
            fs::write(at(name), text).unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(at("folder")).unwrap();
        let read = |name: &str| {
            Tokens::from_env(|variable| (variable == "BALLAST_TOKENS_FILE").then(|| at(name)))
                .map(|tokens| tokens.of("models.example").map(str::to_owned))
        };
        assert_eq!(read("right"), Ok(Some("one".into())));
        assert_eq!(read("absent"), Ok(None));
        let errors = [read("wrong").unwrap_err(), read("folder").unwrap_err(), read("open").unwrap_err()];
        assert!(errors[0].contains("HOST=TOKEN") && !errors[0].contains("s3cret"), "{errors:?}");
        assert!(errors[1].contains("folder"), "{errors:?}");
        assert!(errors[2].contains("0600") && !errors[2].contains("s3cret"), "{errors:?}");
    }
}
