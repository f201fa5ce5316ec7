//! TLS for the connection to PostgreSQL: when it is required, and which certificate authorities are trusted.
//! Reads the file of authorities.
//!
//! Promises: a connection to another machine is encrypted, and the server's certificate and name are
//! verified, unless the URL contains `sslmode=disable`. There is no fallback to an unencrypted connection.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::{Kind, Result, StoreError};
use crate::certificates;

/// The file of the system's certificate authorities, in Debian and in the image.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// A PostgreSQL URL, without the parameters that its client does not support.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL for the client. `verify-full` and `verify-ca` become `require`, which verifies the name too.
    pub url: String,
    /// The file of trusted certificate authorities, from `sslrootcert`.
    pub authorities: PathBuf,
}

impl Address {
    /// Parses a URL in the form that libpq accepts.
    pub fn of(url: &str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut authorities = PathBuf::from(AUTHORITIES);
        let mut left = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => {
                    authorities = percent_decode_str(file).decode_utf8_lossy().into_owned().into();
                }
                Some(("sslmode", "verify-full" | "verify-ca")) => left.push("sslmode=require"),
                _ => left.push(pair),
            }
        }
        let url = if left.is_empty() { base.to_owned() } else { format!("{base}?{}", left.join("&")) };
        Self { url, authorities }
    }

    /// Returns the TLS connector for these hosts; `None` if the connection stays on this machine or the URL
    /// disables TLS.
    ///
    /// # Errors
    /// The file of authorities can't be read, or contains no certificate.
    pub fn tls(&self, config: &mut Config) -> Result<Option<MakeRustlsConnect>> {
        let encrypted = encrypted(config);
        config.ssl_mode(if encrypted { SslMode::Require } else { SslMode::Disable });
        encrypted.then(|| self.connector()).transpose()
    }

    fn connector(&self) -> Result<MakeRustlsConnect> {
        let bad = |why: String| {
            StoreError::new(Kind::BadSetting, format!("{}: {why}", self.authorities.display()))
                .hint("`sslrootcert=FILE` in the URL names who signed the database's certificate, in PEM")
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates::read(&self.authorities).map_err(bad)? {
            roots.add(certificate).map_err(|why| bad(why.to_string()))?;
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| bad(why.to_string()))?;
        Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

/// Returns whether to encrypt: as the URL's `sslmode` says, otherwise if any host is another machine.
fn encrypted(config: &Config) -> bool {
    let here = |host: &Host| match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
    };
    match config.get_ssl_mode() {
        SslMode::Disable => false,
        SslMode::Prefer => {
            !(config.get_hosts().iter().all(here) && config.get_hostaddrs().iter().all(IpAddr::is_loopback))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::str::FromStr as _;

    use super::*;

    #[test]
    fn only_what_stays_on_this_machine_or_says_so_is_in_clear() {
        let rows = [
            ("postgres://u@localhost/d", false),
            ("postgres://u@127.0.0.1:6432/d", false),
            ("postgres://u@[::1]/d", false),
            ("postgres://u@%2Frun%2Fpostgresql/d", false),
            ("postgres://u@localhost/d?sslmode=require", true),
            ("postgres://u@localhost/d?sslmode=verify-full", true),
            ("postgres://u@db.example/d", true),
            ("postgres://u@db.example/d?sslmode=prefer", true),
            ("postgres://u@10.0.0.7/d", true),
            ("postgres://u@localhost,db.example/d", true),
            ("postgres://u@localhost/d?hostaddr=10.0.0.7", true),
            ("postgres://u@db.example/d?sslmode=disable", false),
        ];
        let found = |url: &str| encrypted(&Config::from_str(&Address::of(url).url).unwrap());
        let wrong: Vec<_> = rows.iter().filter(|(url, expected)| found(url) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn of_a_url_tls_keeps_what_the_client_does_not_know() {
        let rows = [
            ("postgres://h/d", "postgres://h/d", AUTHORITIES),
            ("postgres://h/d?sslrootcert=system", "postgres://h/d", AUTHORITIES),
            ("postgres://h/d?sslrootcert=/a%20b&sslmode=verify-full", "postgres://h/d?sslmode=require", "/a b"),
            (
                "postgres://h/d?sslmode=disable&options=-c%20x",
                "postgres://h/d?sslmode=disable&options=-c%20x",
                AUTHORITIES,
            ),
        ];
        for (url, left, authorities) in rows {
            let expected = Address { url: left.into(), authorities: authorities.into() };
            assert_eq!(Address::of(url), expected, "{url}");
        }
    }

    #[test]
    fn a_file_without_authorities_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let empty = dir.path().join("empty.pem");
        std::fs::write(&empty, "").unwrap();
        for file in [empty, dir.path().join("absent.pem")] {
            let address = Address::of(&format!("postgres://db.example/d?sslrootcert={}", file.display()));
            let refused = address.tls(&mut Config::from_str(&address.url).unwrap()).err().unwrap();
            assert!(refused.kind == Kind::BadSetting && refused.what.contains(file.to_str().unwrap()), "{refused}");
        }
    }
}
