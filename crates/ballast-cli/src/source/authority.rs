//! Answers a registry that demands credentials: with a password, a given token, or a token from the
//! token service that the registry names.
//!
//! Promise: a secret goes only to its own registry, and to the token service that this registry
//! named; `address` enforces both. A response of the token service is bounded.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Deserialize;
use ureq::http::{Method, header};

use super::address::{Address, Refused, Secret};
use super::client::{Ask, Client, HttpResponse};
use super::credentials::Credentials;
use super::fault::Fault;
use super::url::escaped;
use crate::bounds;

/// The repository, and the actions that the program requests.
pub struct Scope {
    /// The repository's name.
    pub repository: String,
    /// `pull`, or `pull,push`.
    pub actions: String,
}

/// The credentials and the present token for one registry.
pub struct Authority {
    /// The user's own secret, and whether it is a password.
    own: Option<(Secret, bool)>,
    /// The secret that requests carry now.
    now: Mutex<Option<Secret>>,
}

/// The kind of authentication that a registry demands.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    Basic,
    Bearer { realm: String, service: Option<String> },
}

#[derive(Deserialize)]
struct Granted {
    token: Option<String>,
    access_token: Option<String>,
}

impl Authority {
    /// Takes the user's credentials for this registry.
    ///
    /// # Errors
    /// [`Refused::Secret`] if they would go in the clear.
    pub fn new(root: &Address, credentials: &Credentials) -> Result<Self, Refused> {
        let own = match credentials {
            Credentials::None => None,
            Credentials::Basic(user, password) => Some((Secret::basic(root, &format!("{user}:{password}"))?, true)),
            Credentials::Bearer(token) => Some((Secret::bearer(root, token)?, false)),
        };
        let at_once = own.as_ref().filter(|(_, password)| !password).map(|(token, _)| token.clone());
        Ok(Self { own, now: Mutex::new(at_once) })
    }

    /// What a request carries.
    pub fn secret(&self) -> Option<Secret> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn carry(&self, secret: Secret) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = Some(secret);
    }

    /// Authenticates before the first request, which would otherwise be anonymous.
    ///
    /// # Errors
    /// The token service gives no response, or refuses.
    pub fn ask_first(&self, client: &Client, root: &Address, scope: &Scope, until: Instant) -> Result<(), Fault> {
        if self.secret().is_some() {
            return Ok(());
        }
        let answer = client.ask(root, &Ask { method: Method::GET, headers: &[], secret: None, until })?;
        if answer.status() == 401 {
            self.answers(client, &answer, root, scope, until)?;
        }
        Ok(())
    }

    /// Answers a 401; returns whether a new attempt makes sense.
    ///
    /// # Errors
    /// The token service's address is refused, or the service refuses.
    pub fn answers(
        &self,
        client: &Client,
        answer: &HttpResponse,
        root: &Address,
        scope: &Scope,
        until: Instant,
    ) -> Result<bool, Fault> {
        let password = self.own.as_ref().filter(|(_, password)| *password).map(|(secret, _)| secret);
        match answer.text(&header::WWW_AUTHENTICATE).and_then(challenge) {
            // A given token can't be replaced by a better one.
            _ if self.own.is_some() && password.is_none() => Ok(false),
            Some(Challenge::Basic) => {
                let news = password.filter(|_| self.secret().is_none());
                news.into_iter().for_each(|secret| self.carry(secret.clone()));
                Ok(news.is_some())
            }
            Some(Challenge::Bearer { realm, service }) => {
                let mut query =
                    format!("scope={}", escaped(&format!("repository:{}:{}", scope.repository, scope.actions)));
                if let Some(service) = service {
                    query += &format!("&service={}", escaped(&service));
                }
                let realm = root.lead(&realm)?.with_query(&query)?;
                let secret = password.and_then(|secret| secret.for_realm(&realm));
                let granted = granted(client, &realm, secret.as_ref(), until)?;
                self.carry(Secret::bearer(root, &granted).map_err(|_| Fault::BadAnswer("an odd token".into()))?);
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// The token service's token.
fn granted(client: &Client, realm: &Address, secret: Option<&Secret>, until: Instant) -> Result<String, Fault> {
    let answer = client.ask(realm, &Ask { method: Method::GET, headers: &[], secret, until })?;
    match answer.status() {
        200 => {}
        code @ (408 | 425 | 429 | 500..=599) => return Err(Fault::Status(code)),
        code => return Err(Fault::Denied(format!("the token service refused: status {code}"))),
    }
    let bytes = answer.bytes(bounds::TOKEN_ANSWER)?;
    let granted: Result<Granted, _> = serde_json::from_slice(&bytes);
    let token = granted.ok().and_then(|granted| granted.token.or(granted.access_token));
    token.ok_or_else(|| Fault::BadAnswer("expected a token of the token service, found none".into()))
}

/// Parses `WWW-Authenticate`; `None` if this program does not support the scheme.
fn challenge(text: &str) -> Option<Challenge> {
    let (scheme, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    if scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut service) = (None, None);
    for (name, value) in parameters(rest) {
        match name.to_ascii_lowercase().as_str() {
            "realm" => realm = Some(value),
            "service" => service = Some(value),
            _ => {}
        }
    }
    Some(Challenge::Bearer { realm: realm?, service })
}

/// `NAME="VALUE", NAME=VALUE`: a quoted value may contain commas, and `\` before any character.
fn parameters(mut rest: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, after)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_owned();
        let (value, left) = match after.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted),
            None => {
                let (value, left) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), left)
            }
        };
        found.push((name, value));
        rest = left;
    }
    found
}

fn unquoted(text: &str) -> (String, &str) {
    let (mut value, mut escaped) = (String::new(), false);
    for (at, letter) in text.char_indices() {
        match letter {
            '"' if !escaped => return (value, &text[at + 1..]),
            '\\' if !escaped => escaped = true,
            letter => {
                value.push(letter);
                escaped = false;
            }
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_whatever_its_order_and_quotes() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.into(), service: service.map(str::to_owned) })
        };
        let rows = [
            ("Basic realm=\"here\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            ("Bearer realm=\"https://a/token\",service=\"s\"", bearer("https://a/token", Some("s"))),
            ("bearer service=s , realm=https://a/token", bearer("https://a/token", Some("s"))),
            ("Bearer realm=\"https://a/token\",scope=\"repository:x:pull,push\"", bearer("https://a/token", None)),
            ("Bearer scope=\"a,realm=https://evil/\",realm=\"https://a/\"", bearer("https://a/", None)),
            ("Bearer realm=\"https://a/\\\"b\"", bearer("https://a/\"b", None)),
            ("Bearer realm=\"https://a/", bearer("https://a/", None)),
            ("Bearer service=\"s\"", None),
            ("Negotiate", None),
            ("", None),
        ];
        let wrong: Vec<_> = rows
            .iter()
            .map(|(text, right)| (text, right, challenge(text)))
            .filter(|(_, right, found)| *right != found)
            .collect();
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
