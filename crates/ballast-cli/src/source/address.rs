//! Only this file decides where the program may connect, and which secret may go there.
//!
//! Promise: an [`Address`] is https, or http to this machine, or http to the one host that the user
//! named by http. A secret goes to its own origin, or to the token service that this origin named;
//! unencrypted only to this machine. Pure: nothing is resolved or opened.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::uri::{Authority, PathAndQuery, Scheme};
use ureq::http::{HeaderValue, Uri};

use super::url::decoded;

/// Whether the user may name another machine by http.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clear {
    /// Only https, or this machine.
    Refused,
    /// Http too, without a secret.
    Named,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    scheme: Scheme,
    host: String,
    port: u16,
}

/// A URL that this program may connect to. The address contains no user name and no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    uri: Uri,
    origin: Endpoint,
    /// The origin whose response led here; `None` if the user named the address.
    via: Option<Endpoint>,
}

/// The reason why an address is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// The text is not a URL of http or https with a host.
    NoUrl,
    /// The address is http, and the host is not this machine.
    InClear(String),
    /// A server elsewhere leads to this machine.
    ToThisMachine(String),
    /// An answer names a user.
    User(String),
    /// The user's secret would go there unencrypted.
    Secret(String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUrl => f.write_str("expected a URL of https or http with a host, found something else"),
            Self::InClear(host) => write!(f, "expected https, found http to {host}, which is not this machine"),
            Self::ToThisMachine(host) => write!(f, "a remote server leads to this machine ({host})"),
            Self::User(host) => write!(f, "the address of {host} that a server sent contains a user name"),
            Self::Secret(host) => write!(f, "a password or token for {host} would be sent unencrypted, by http"),
        }
    }
}

/// Returns whether a host name always means this machine.
pub fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

impl Endpoint {
    fn of(uri: &Uri) -> Result<Self, Refused> {
        let scheme = uri.scheme().filter(|scheme| [Scheme::HTTP, Scheme::HTTPS].contains(scheme));
        let (Some(scheme), Some(host)) = (scheme, uri.host().filter(|host| !host.is_empty())) else {
            return Err(Refused::NoUrl);
        };
        let usual = if *scheme == Scheme::HTTPS { 443 } else { 80 };
        let port = uri.port_u16().unwrap_or(usual);
        Ok(Self { scheme: scheme.clone(), host: host.to_ascii_lowercase(), port })
    }

    /// Returns whether the connection is encrypted, or stays on this machine.
    fn is_private(&self) -> bool {
        self.scheme == Scheme::HTTPS || is_here(&self.host)
    }
}

impl Address {
    /// Takes an address that the user named; also returns the user name and password in it.
    ///
    /// # Errors
    /// [`Refused`]; a password for an http address of another machine is refused for any `clear`.
    pub fn named(text: &str, clear: Clear) -> Result<(Self, Option<Secret>), Refused> {
        let uri: Uri = text.split('#').next().unwrap_or(text).parse().map_err(|_| Refused::NoUrl)?;
        let origin = Endpoint::of(&uri)?;
        if !origin.is_private() && clear == Clear::Refused {
            return Err(Refused::InClear(origin.host));
        }
        let (uri, login) = without_login(uri)?;
        let address = Self { uri, origin, via: None };
        let secret = login.map(|login| Secret::basic(&address, &plain(&login))).transpose()?;
        Ok((address, secret))
    }

    /// Returns the address that a response leads to: of a redirect, a token service, or an upload.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn lead(&self, location: &str) -> Result<Self, Refused> {
        let uri = self.joined(location)?;
        let origin = Endpoint::of(&uri)?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(Refused::User(origin.host));
        }
        if is_here(&origin.host) && !is_here(&self.origin.host) {
            return Err(Refused::ToThisMachine(origin.host));
        }
        if !origin.is_private() && origin != self.origin {
            return Err(Refused::InClear(origin.host));
        }
        Ok(Self { uri, origin, via: Some(self.origin.clone()) })
    }

    /// A location is a whole URL, one without a scheme, a path from the root, or a path beside this one.
    fn joined(&self, location: &str) -> Result<Uri, Refused> {
        let location = location.split('#').next().unwrap_or(location);
        let parse = |text: String| text.parse::<Uri>().map_err(|_| Refused::NoUrl);
        let authority = self.uri.authority().map_or("", Authority::as_str);
        let root = format!("{}://{authority}", self.origin.scheme);
        let colon = location.find(':').filter(|at| !location[..*at].contains(['/', '?']));
        match location {
            _ if colon.is_some() => parse(location.to_owned()),
            _ if location.starts_with("//") => parse(format!("{}:{location}", self.origin.scheme)),
            _ if location.starts_with('/') => parse(root + location),
            _ if location.starts_with('?') => parse(root + self.uri.path() + location),
            _ => {
                let dir = self.uri.path().rsplit_once('/').map_or("", |(dir, _)| dir);
                parse(format!("{root}{dir}/{location}"))
            }
        }
    }

    /// Returns the same address with more query parameters, which must be escaped already.
    ///
    /// # Errors
    /// [`Refused::NoUrl`].
    pub fn with_query(&self, more: &str) -> Result<Self, Refused> {
        let path = self.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let joint = if path.contains('?') { '&' } else { '?' };
        let uri = self.joined(&format!("{path}{joint}{more}"))?;
        Ok(Self { uri, ..self.clone() })
    }

    /// As the client takes it.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// Returns whether it is https.
    pub fn is_tls(&self) -> bool {
        self.origin.scheme == Scheme::HTTPS
    }

    /// Returns whether it is this machine.
    pub fn is_here(&self) -> bool {
        is_here(&self.origin.host)
    }

    /// The host, in lower case, `[]` around an address of IPv6.
    pub fn host(&self) -> &str {
        &self.origin.host
    }
}

/// A URL's `USER:PASSWORD`, whose words are escaped.
fn plain(login: &str) -> String {
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    format!("{}:{}", decoded(user), decoded(password))
}

fn without_login(uri: Uri) -> Result<(Uri, Option<String>), Refused> {
    let mut parts = uri.into_parts();
    let authority = parts.authority.take().ok_or(Refused::NoUrl)?;
    let (login, host) = match authority.as_str().rsplit_once('@') {
        Some((login, host)) => (Some(login.to_owned()), host.to_owned()),
        None => (None, authority.as_str().to_owned()),
    };
    parts.authority = Some(host.parse().map_err(|_| Refused::NoUrl)?);
    parts.path_and_query = Some(parts.path_and_query.unwrap_or(PathAndQuery::from_static("/")));
    Ok((Uri::from_parts(parts).map_err(|_| Refused::NoUrl)?, login))
}

/// The value of an `Authorization` header, and its one origin. Never printed.
#[derive(Clone)]
pub struct Secret {
    origin: Endpoint,
    value: HeaderValue,
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret for {}", self.origin.host)
    }
}

impl Secret {
    /// A user name and a password, as `USER:PASSWORD`.
    ///
    /// # Errors
    /// [`Refused::Secret`] if they would go unencrypted.
    pub fn basic(to: &Address, login: &str) -> Result<Self, Refused> {
        let login = if login.contains(':') { login.to_owned() } else { format!("{login}:") };
        Self::new(to, &format!("Basic {}", STANDARD.encode(login)))
    }

    /// A token.
    ///
    /// # Errors
    /// [`Refused::Secret`] if it would go unencrypted, or can't be sent at all.
    pub fn bearer(to: &Address, token: &str) -> Result<Self, Refused> {
        Self::new(to, &format!("Bearer {token}"))
    }

    fn new(to: &Address, value: &str) -> Result<Self, Refused> {
        let refused = || Refused::Secret(to.origin.host.clone());
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        let origin = Some(to.origin.clone()).filter(Endpoint::is_private).ok_or_else(refused)?;
        Ok(Self { origin, value })
    }

    /// The header's value for the secret's own origin; none for any other.
    pub fn at(&self, to: &Address) -> Option<&HeaderValue> {
        (self.origin == to.origin).then_some(&self.value)
    }

    /// Returns this secret for the token service that the secret's own origin named.
    pub fn for_realm(&self, realm: &Address) -> Option<Self> {
        let named = realm.via.as_ref() == Some(&self.origin) && realm.origin.is_private();
        named.then(|| Self { origin: realm.origin.clone(), value: self.value.clone() })
    }
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
