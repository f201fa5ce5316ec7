//! Hugging Face's hub under another address: a mirror or a proxy that keeps the hub's own paths. Pure.
//!
//! `HF_ENDPOINT` names one, as for the hub's own client: it replaces huggingface.co in sources.
//! A mirror (`--mirror`) is searched for the hub's path too.

use std::borrow::Cow;

use ballast::digest::Digest;
use ballast::lock::{HubFile, Source, Weight};

use super::url::escaped;

/// The hub's own address.
pub const HUB: &str = "https://huggingface.co/";

/// The hub, or the endpoint that replaces it.
#[derive(Debug, Default)]
pub struct Hub(Option<String>);

impl Hub {
    /// The endpoint of the environment.
    ///
    /// # Errors
    /// The value is not a URL of https or http.
    pub fn from_env(env: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let Some(endpoint) = env("HF_ENDPOINT").map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
        else {
            return Ok(Self(None));
        };
        if !endpoint.starts_with("https://") && !endpoint.starts_with("http://") {
            return Err("HF_ENDPOINT: expected a URL of https or http, found something else".into());
        }
        Ok(Self(Some(endpoint)))
    }

    /// The URL that is requested for a source's URL.
    pub fn address<'a>(&self, url: &'a str) -> Cow<'a, str> {
        match (&self.0, url.strip_prefix(HUB)) {
            (Some(endpoint), Some(path)) => Cow::Owned(format!("{}/{path}", endpoint.trim_end_matches('/'))),
            _ => Cow::Borrowed(url),
        }
    }
}

/// The hub's URL of a file.
pub fn url(file: &HubFile) -> String {
    let names: Vec<_> = file.file.names().map(escaped).collect();
    format!("{HUB}{}/resolve/{}/{}", file.repository, file.revision, names.join("/"))
}

/// The hub's paths of a weight, from its sources; they are escaped already.
pub fn paths(weight: &Weight) -> impl Iterator<Item = String> {
    weight.sources.iter().filter_map(|source| match source {
        Source::Web(url) => Some(url.strip_prefix(HUB)?.to_owned()),
        Source::Hub(file) => Some(url(file).strip_prefix(HUB)?.to_owned()),
        _ => None,
    })
}

/// A hub's headers about a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct HubHeaders {
    /// The commit behind the revision.
    pub commit: Option<String>,
    /// The SHA-256 of a large file.
    pub digest: Option<Digest>,
    /// The tag of a release, if a redirect led to it.
    pub tag: Option<String>,
}

impl HubHeaders {
    /// Adds the headers of one response, which replace those of an earlier response.
    pub fn read(&mut self, header: impl Fn(&'static str) -> Option<String>) {
        self.commit = header("x-repo-commit").or(self.commit.take());
        let tag = header("x-linked-etag");
        let digits = tag.as_deref().map(|tag| tag.trim_start_matches("W/").trim_matches('"'));
        let digest = digits.filter(|digits| digits.len() == 64).and_then(|digits| Digest::parse(digits).ok());
        self.digest = digest.or(self.digest);
    }

    /// Adds the address that a redirect leads to.
    pub fn follow(&mut self, path: &str) {
        let tag = path.split_once("/releases/download/").and_then(|(_, rest)| rest.split_once('/'));
        self.tag = tag.map(|(tag, _)| tag.to_owned()).or(self.tag.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_stands_for_the_hub_and_for_nothing_else() {
        let hub = "https://huggingface.co/o/m/resolve/abc/a%20b.bin?download=true";
        let rows = [
            (None, hub, hub),
            (Some(""), hub, hub),
            (Some("https://mirror/hf/"), hub, "https://mirror/hf/o/m/resolve/abc/a%20b.bin?download=true"),
            (Some("http://127.0.0.1:1"), hub, "http://127.0.0.1:1/o/m/resolve/abc/a%20b.bin?download=true"),
            (Some("https://mirror"), "https://huggingface.company/x", "https://huggingface.company/x"),
            (Some("https://mirror"), "https://host/x", "https://host/x"),
        ];
        let mut wrong = Vec::new();
        for (endpoint, url, expected) in rows {
            let found = Hub::from_env(|_| endpoint.map(str::to_owned)).map(|hub| hub.address(url).into_owned());
            if found.as_deref() != Ok(expected) {
                wrong.push(format!("{endpoint:?} {url}: {found:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
        let error = Hub::from_env(|_| Some("joe:hunter2@mirror".into())).map(|_| ()).unwrap_err();
        assert!(error.contains("HF_ENDPOINT"), "{error}");
    }
}
