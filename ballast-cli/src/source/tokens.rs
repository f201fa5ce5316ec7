//! Bearer tokens from the environment, each for one host.
//!
//! `BALLAST_TOKENS` holds `HOST=TOKEN` words; `HF_TOKEN` is for huggingface.co. A token is sent
//! over https only, or to this very machine, and is never printed.

use ureq::http::Uri;

/// Hosts and their tokens.
#[derive(Default)]
pub struct Tokens(Vec<(String, String)>);

impl Tokens {
    /// Reads the variables.
    ///
    /// # Errors
    /// A word without a host or a token; the word itself is not told.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (at, word) in env("BALLAST_TOKENS").unwrap_or_default().split_whitespace().enumerate() {
            match word.split_once('=') {
                Some((host, token)) if !host.is_empty() && !token.is_empty() => {
                    tokens.push((host.to_ascii_lowercase(), token.to_owned()));
                }
                _ => {
                    return Err(format!(
                        "BALLAST_TOKENS: expected HOST=TOKEN as word {}, found something else",
                        at + 1
                    ));
                }
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
}
