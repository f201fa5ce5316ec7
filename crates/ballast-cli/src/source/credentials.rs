//! Who we are to a registry: variables, tokens of `BALLAST_TOKENS`, Docker's own configuration. And
//! whose certificates are trusted.
//!
//! The first of these that speaks for the host is used. A password or token is never printed.

use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError as Why, DockerCredential};
use oci_client::client::{Certificate, CertificateEncoding};
use oci_client::secrets::RegistryAuth;
use ureq::tls::{PemItem, parse_pem};

use super::tokens::Tokens;

const USER: &str = "BALLAST_REGISTRY_USER";
const PASSWORD: &str = "BALLAST_REGISTRY_PASSWORD";

/// The credentials for a registry's host.
///
/// # Errors
/// Half of a pair of variables, or a Docker configuration that can't be used.
pub fn of(host: &str, scheme: &str, env: impl Fn(&str) -> Option<String>) -> Result<RegistryAuth, String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match (set(USER), set(PASSWORD)) {
        (Some(user), Some(password)) => return Ok(RegistryAuth::Basic(user, password)),
        (None, None) => {}
        _ => return Err(format!("expected both {USER} and {PASSWORD}, found one of them")),
    }
    if let Some(token) = Tokens::from_env(&env)?.for_url(&format!("{scheme}://{host}/")) {
        return Ok(RegistryAuth::Bearer(token.to_owned()));
    }
    of_docker(host, config_file(&env))
}

/// Docker's configuration file, if there is one.
fn config_file(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let dir = env("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(PathBuf::from(env("HOME")?).join(".docker")))?;
    Some(dir.join("config.json")).filter(|path| path.exists())
}

fn of_docker(host: &str, file: Option<PathBuf>) -> Result<RegistryAuth, String> {
    let Some(path) = file else { return Ok(RegistryAuth::Anonymous) };
    let told = |why: &dyn std::fmt::Display| format!("{}: {host}: {why}", path.display());
    let reader = std::fs::File::open(&path).map_err(|error| told(&error))?;
    // Docker's own name for its hub.
    let server = if host == "index.docker.io" { "https://index.docker.io/v1/" } else { host };
    match docker_credential::get_credential_from_reader(reader, server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => {
            Err(told(&format!("an identity token can't be used here; set {USER} and {PASSWORD}")))
        }
        Err(Why::NoCredentialConfigured | Why::ConfigNotFound) => Ok(RegistryAuth::Anonymous),
        // What a helper prints may hold a secret.
        Err(Why::HelperFailure { helper, .. }) => Err(told(&format!("the credential helper {helper} failed"))),
        Err(why) => Err(told(&why)),
    }
}

/// The certificates that are trusted: those of a PEM file, else Mozilla's.
///
/// # Errors
/// A file that can't be read, or has none.
pub fn roots(ca_file: Option<&Path>) -> Result<Vec<Certificate>, String> {
    let der = |data: Vec<u8>| Certificate { encoding: CertificateEncoding::Der, data };
    let Some(path) = ca_file else {
        return Ok(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().map(|root| der(root.to_vec())).collect());
    };
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(der(certificate.der().to_vec())),
        _ => None,
    };
    let found: Vec<_> = parse_pem(&pem).filter_map(certificate).collect();
    if found.is_empty() { Err(format!("{}: expected PEM certificates, found none", path.display())) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Held<'a> = &'a [(&'a str, &'a str)];

    fn asked(host: &str, held: Held) -> Result<RegistryAuth, String> {
        of(host, "https", |name| held.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables_come_first_then_a_token_of_the_host_then_dockers_file() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let file = r#"{"auths": {"reg.example:5000": {"auth": "dXNlcjpmcm9tLWZpbGU="}}}"#;
        assert!(std::fs::write(dir.path().join("config.json"), file).is_ok());
        let docker = ("DOCKER_CONFIG", dir.path().to_str().unwrap_or_default());
        let basic = |password: &str| Ok(RegistryAuth::Basic("user".into(), password.into()));
        let (user, password) = ((USER, "user"), (PASSWORD, "set"));
        let token = ("BALLAST_TOKENS", "reg.example=token");
        let rows: [(&str, Held, Result<RegistryAuth, String>); 6] = [
            ("reg.example:5000", &[user, password, token, docker], basic("set")),
            ("reg.example:5000", &[token, docker], Ok(RegistryAuth::Bearer("token".into()))),
            ("reg.example:5000", &[docker], basic("from-file")),
            ("other.example", &[token, docker], Ok(RegistryAuth::Anonymous)),
            ("reg.example:5000", &[], Ok(RegistryAuth::Anonymous)),
            ("reg.example:5000", &[user], Err(format!("expected both {USER} and {PASSWORD}, found one of them"))),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(host, held, expected)| asked(host, held) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_docker_file_that_can_not_be_read_is_an_error_and_not_a_stranger() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        for text in ["no json", r#"{"auths": {"reg.example": {"auth": "%%"}}}"#] {
            assert!(std::fs::write(dir.path().join("config.json"), text).is_ok());
            let found = asked("reg.example", &[("DOCKER_CONFIG", dir.path().to_str().unwrap_or_default())]);
            assert!(found.is_err(), "{text}: {found:?}");
        }
    }
}
