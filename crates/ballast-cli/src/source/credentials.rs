//! Credentials for a registry: variables, tokens of `BALLAST_TOKENS`, Docker's own configuration.
//!
//! The first of these that names the host is used. A password or token is never printed.

use std::fmt;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError as Why, DockerCredential};

use super::address::Address;
use super::tokens::Tokens;
use crate::{bounds, foreign};

const USER: &str = "BALLAST_REGISTRY_USER";
/// The variable of a password.
pub const PASSWORD: &str = "BALLAST_REGISTRY_PASSWORD";

/// The credentials that a registry may get.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A user's name and password.
    Basic(String, String),
    /// A token.
    Bearer(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Basic(..) => "a password",
            Self::Bearer(_) => "a token",
        })
    }
}

/// The credentials for a registry, by its host as the user named it.
///
/// # Errors
/// Half of a pair of variables, or a Docker configuration that can't be used.
pub fn of(host: &str, root: &Address, env: impl Fn(&str) -> Option<String>) -> Result<Credentials, String> {
    let set = |name: &str| env(name).filter(|value| !value.is_empty());
    match (set(USER), set(PASSWORD)) {
        (Some(user), Some(password)) => return Ok(Credentials::Basic(user, password)),
        (None, None) => {}
        _ => return Err(format!("expected both {USER} and {PASSWORD}, found one of them")),
    }
    if let Some(token) = Tokens::from_env(&env)?.of(root.host()) {
        return Ok(Credentials::Bearer(token.to_owned()));
    }
    of_docker(host, config_file(&env))
}

/// Docker's configuration file, if there is one.
fn config_file(env: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let dir = env("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(PathBuf::from(env("HOME")?).join(".docker")))?;
    Some(dir.join("config.json")).filter(|path| path.exists())
}

fn of_docker(host: &str, file: Option<PathBuf>) -> Result<Credentials, String> {
    let Some(path) = file else { return Ok(Credentials::None) };
    let named = |why: &dyn std::fmt::Display| format!("{}: {host}: {why}", path.display());
    let text = foreign::read_named(&path, bounds::SECRETS).map_err(|error| named(&error))?;
    // Docker's own name for its hub.
    let server = if host == "index.docker.io" { "https://index.docker.io/v1/" } else { host };
    match docker_credential::get_credential_from_reader(text.as_slice(), server) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Credentials::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(_)) => {
            Err(named(&format!("an identity token can't be used here; set {USER} and {PASSWORD}")))
        }
        Err(Why::NoCredentialConfigured | Why::ConfigNotFound) => Ok(Credentials::None),
        // A helper's output may contain a secret.
        Err(Why::HelperFailure { helper, .. }) => Err(named(&format!("the credential helper {helper} failed"))),
        Err(why) => Err(named(&why)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::address::Clear;
    use super::*;

    type Environment<'a> = &'a [(&'a str, &'a str)];

    fn found(host: &str, environment: Environment) -> Result<Credentials, String> {
        let (root, _) =
            Address::named(&format!("https://{host}/v2/"), Clear::Refused).map_err(|why| why.to_string())?;
        of(host, &root, |name| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn variables_come_first_then_a_token_of_the_host_then_dockers_file() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        let file = r#"{"auths": {"reg.example:5000": {"auth": "dXNlcjpmcm9tLWZpbGU="}}}"#;
        assert!(std::fs::write(dir.path().join("config.json"), file).is_ok());
        let docker = ("DOCKER_CONFIG", dir.path().to_str().unwrap_or_default());
        let basic = |password: &str| Ok(Credentials::Basic("user".into(), password.into()));
        let (user, password) = ((USER, "user"), (PASSWORD, "set"));
        let token = ("BALLAST_TOKENS", "reg.example=token");
        let rows: [(&str, Environment, Result<Credentials, String>); 6] = [
            ("reg.example:5000", &[user, password, token, docker], basic("set")),
            ("reg.example:5000", &[token, docker], Ok(Credentials::Bearer("token".into()))),
            ("reg.example:5000", &[docker], basic("from-file")),
            ("other.example", &[token, docker], Ok(Credentials::None)),
            ("reg.example:5000", &[], Ok(Credentials::None)),
            ("reg.example:5000", &[user], Err(format!("expected both {USER} and {PASSWORD}, found one of them"))),
        ];
        let wrong: Vec<_> =
            rows.iter().filter(|(host, environment, expected)| found(host, environment) != *expected).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    #[test]
    fn a_docker_file_that_can_not_be_read_is_an_error_and_not_a_stranger() {
        let dir = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
        for text in ["no json", r#"{"auths": {"reg.example": {"auth": "%%"}}}"#] {
            assert!(std::fs::write(dir.path().join("config.json"), text).is_ok());
            let found = found("reg.example", &[("DOCKER_CONFIG", dir.path().to_str().unwrap_or_default())]);
            assert!(found.is_err(), "{text}: {found:?}");
        }
    }
}
