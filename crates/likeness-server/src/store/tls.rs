//! TLS for the connection to PostgreSQL: when it is required, and which certificate authorities are trusted.
//! Reads the file of authorities, if there is one.
//!
//! Promises: a connection to another machine is encrypted, and the server's certificate and name are
//! verified, unless the URL contains `sslmode=disable`. There is no fallback to an unencrypted connection.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use percent_encoding::percent_decode_str;
use postgres::Config;
use postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::error::{Kind, Result, StoreError};
use crate::certificates;

/// The file of the system's certificate authorities, in Debian. The image has none, unless it is mounted there.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Who may have signed the server's certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorities {
    /// Those of this file, which must exist.
    Named(PathBuf),
    /// Those of the system's file; without such a file, Mozilla's, which are built in.
    System(PathBuf),
}

/// A PostgreSQL URL, without the parameters that its client does not support.
#[derive(Debug, PartialEq, Eq)]
pub struct Address {
    /// The URL for the client. `verify-full` and `verify-ca` become `require`, which verifies the name too.
    pub url: String,
    /// The trusted certificate authorities: those of `sslrootcert`, otherwise the system's.
    pub authorities: Authorities,
}

impl Address {
    /// Parses a URL in the form that libpq accepts.
    pub fn of(url: &str) -> Self {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let mut authorities = Authorities::System(SYSTEM.into());
        let mut left = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("sslrootcert", "system")) => {}
                Some(("sslrootcert", file)) => {
                    authorities = Authorities::Named(percent_decode_str(file).decode_utf8_lossy().into_owned().into());
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
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|why| StoreError::new(Kind::BadSetting, why.to_string()))?;
        let roots = self.authorities.roots()?;
        Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
    }
}

impl Authorities {
    fn roots(&self) -> Result<RootCertStore> {
        let file = match self {
            Self::System(file) if is_absent(file) => return Ok(built_in()),
            Self::System(file) | Self::Named(file) => file,
        };
        let bad = |why: String| {
            StoreError::new(Kind::BadSetting, format!("{}: {why}", file.display()))
                .hint("`sslrootcert=FILE` in the URL names who signed the database's certificate, in PEM")
        };
        let mut roots = RootCertStore::empty();
        for certificate in certificates::read(file).map_err(bad)? {
            roots.add(certificate).map_err(|why| bad(why.to_string()))?;
        }
        Ok(roots)
    }
}

/// Returns whether there is no such name. A file that can't be read, or a link to nothing, is not absent: the
/// operator's own authorities must not be replaced in silence.
fn is_absent(file: &Path) -> bool {
    fs::symlink_metadata(file).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The authorities that Mozilla trusts for web servers.
fn built_in() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
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
            ("postgres://h/d", "postgres://h/d", None),
            ("postgres://h/d?sslrootcert=system", "postgres://h/d", None),
            ("postgres://h/d?sslrootcert=/a%20b&sslmode=verify-full", "postgres://h/d?sslmode=require", Some("/a b")),
            ("postgres://h/d?sslmode=disable&options=-c%20x", "postgres://h/d?sslmode=disable&options=-c%20x", None),
        ];
        for (url, left, named) in rows {
            let authorities = named.map_or(Authorities::System(SYSTEM.into()), |file| Authorities::Named(file.into()));
            let expected = Address { url: left.into(), authorities };
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
    #[test]
    fn the_built_in_authorities_are_used_only_if_the_system_has_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        let own = rcgen::generate_simple_self_signed(["db.example".to_owned()]).unwrap().cert.pem();
        fs::write(file("own.pem"), own).unwrap();
        fs::write(file("empty.pem"), "").unwrap();
        std::os::unix::fs::symlink(file("nothing"), file("dangling.pem")).unwrap();
        let mozilla = webpki_roots::TLS_SERVER_ROOTS.len();
        assert!(mozilla > 100, "{mozilla}");
        let rows = [
            (Authorities::System(file("absent.pem")), Some(mozilla)),
            (Authorities::System(file("no/folder.pem")), Some(mozilla)),
            (Authorities::System(file("own.pem")), Some(1)),
            (Authorities::System(file("empty.pem")), None),
            (Authorities::System(file("dangling.pem")), None),
            (Authorities::System(file("own.pem/below")), None),
            (Authorities::Named(file("own.pem")), Some(1)),
            (Authorities::Named(file("absent.pem")), None),
        ];
        let found = |row: &Authorities| row.roots().ok().map(|roots| roots.len());
        let wrong: Vec<_> = rows.iter().filter(|(row, expected)| found(row) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
