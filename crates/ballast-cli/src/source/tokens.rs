//! Bearer tokens from the environment, each for one host.
//!
//! `BALLAST_TOKENS` holds `HOST=TOKEN` words, `BALLAST_TOKENS_FILE` names a file of them, which is how
//! an image build hands over a secret; `HF_TOKEN` is for huggingface.co. A token is sent over https
//! only, or to this very machine, and is never printed.

use std::fs;
use std::io::ErrorKind;

use ureq::http::Uri;

/// Hosts and their tokens.
#[derive(Default)]
pub struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// Reads the variables, and the file: an optional secret that was not given is no file, and no token.
    ///
    /// # Errors
    /// A word without a host or a token; the word itself is not told. A file that can't be read.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut tokens = words("BALLAST_TOKENS", &env("BALLAST_TOKENS").unwrap_or_default())?;
        if let Some(file) = env("BALLAST_TOKENS_FILE").filter(|file| !file.is_empty()) {
            match fs::read_to_string(&file) {
                Ok(text) => tokens.extend(words(&file, &text)?),
                Err(why) if why.kind() == ErrorKind::NotFound => {}
                Err(why) => return Err(format!("BALLAST_TOKENS_FILE: {file}: {why}")),
            }
        }
        let hf = env("HF_TOKEN").filter(|token| !token.trim().is_empty());
        tokens.extend(hf.map(|token| ("huggingface.co".to_owned(), token.trim().to_owned())));
        Ok(Self(tokens))
    }

    /// The token for a URL's host.
    pub fn for_url(&self, url: &str) -> Option<&str> {
        let uri: Uri = url.parse().ok()?;
        let host = uri.host()?.to_ascii_lowercase();
        let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        let safe = uri.scheme_str() == Some("https") || here;
        self.0.iter().find(|(name, _)| safe && *name == host).map(|(_, token)| token.as_str())
    }
}

/// Hosts and tokens of a text.
fn words(whence: &str, text: &str) -> Result<Vec<(String, String)>, String> {
    let word = |(at, word): (usize, &str)| match word.split_once('=') {
        Some((host, token)) if !host.is_empty() && !token.is_empty() => {
            Ok((host.to_ascii_lowercase(), token.to_owned()))
        }
        _ => Err(format!("{whence}: expected HOST=TOKEN as word {}, found something else", at + 1)),
    };
    text.split_whitespace().enumerate().map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &'static str) -> Result<Tokens, String> {
        Tokens::from_env(|name| match name {
            "BALLAST_TOKENS" => Some(text.into()),
            _ => Some("hf".into()),
        })
    }

    #[test]
    fn a_token_is_for_its_own_host_over_https() {
        let held = tokens("Models.Example=one 127.0.0.1=two").ok();
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
        let of = |url: &str| held.as_ref().and_then(|held| held.for_url(url));
        let wrong: Vec<_> = rows.iter().filter(|(url, token)| of(url) != *token).collect();
        assert!(held.is_some() && wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_word_that_is_no_token_is_an_error_that_does_not_tell_it() {
        for text in ["secret", "=secret", "host=a host="] {
            let error = tokens(text).err().unwrap_or_default();
            assert!(error.contains("expected HOST=TOKEN") && !error.contains("secret"), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_of_tokens_is_read_where_it_is_and_never_told() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name).display().to_string();
        fs::write(at("right"), "models.example=one\n").unwrap();
        fs::write(at("wrong"), "s3cret\n").unwrap();
        fs::create_dir(at("folder")).unwrap();
        let read = |name: &str| {
            Tokens::from_env(|variable| (variable == "BALLAST_TOKENS_FILE").then(|| at(name)))
                .map(|held| held.for_url("https://models.example/a").map(str::to_owned))
        };
        assert_eq!(read("right"), Ok(Some("one".into())));
        assert_eq!(read("absent"), Ok(None));
        let errors = [read("wrong").unwrap_err(), read("folder").unwrap_err()];
        assert!(errors[0].contains("HOST=TOKEN") && !errors[0].contains("s3cret"), "{errors:?}");
        assert!(errors[1].contains("folder"), "{errors:?}");
    }
}
