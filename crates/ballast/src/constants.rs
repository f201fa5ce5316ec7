//! `[env]` and `views`: variables that Ballast sets for the command, as checked values.
//!
//! A lock file decides which weights an app reads. The lock file must not decide which programs run,
//! where secrets go, or whom a connection trusts: one table here refuses the names of variables that
//! decide these. Values are literals. Touches nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::names::EnvName;

/// The constants, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Constants(Vec<(EnvName, String)>);

/// The most constants of a lock file.
const MOST: usize = 64;
/// Bytes of a value.
const LONGEST: usize = 4096;

/// Says whether a name, in upper case, is of a kind that is refused.
type IsOfKind = fn(&str) -> bool;

/// The refused kinds of names: the reason, and the test for the kind.
const WHY: [(&str, IsOfKind); 6] = [
    ("decides which programs or libraries run", |name| {
        begins(
            name,
            &[
                "LD_", "DYLD_", "PYTHON", "PERL", "RUBY", "LUA_", "BASH_", "GIT_", "JULIA_", "R_", "NODE_", "NPM_",
                "PIP_", "UV_",
            ],
        ) || [
            "ENV",
            "PATH",
            "IFS",
            "PS4",
            "SHELL",
            "SHELLOPTS",
            "BASHOPTS",
            "PROMPT_COMMAND",
            "GCONV_PATH",
            "GLIBC_TUNABLES",
            "LOCPATH",
            "NLSPATH",
            "CLASSPATH",
            "EDITOR",
            "PAGER",
            "CUDA_INJECTION64_PATH",
            "VIRTUAL_ENV",
            "GEM_PATH",
            "GEM_HOME",
            "GOROOT",
            "GODEBUG",
        ]
        .contains(&name)
            || ["JAVA_OPTIONS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_PRELOAD", "_STARTUP", "_INIT_FILE"]
                .iter()
                .any(|end| name.ends_with(end))
    }),
    ("decides through whom connections go", |name| name.ends_with("_PROXY")),
    ("decides whom connections trust", |name| {
        begins(name, &["SSL_", "OPENSSL_", "TLS_"])
            || ["CA_BUNDLE", "CA_CERT", "CA_CERTS", "CA_FILE", "CA_PATH", "_VERIFY"]
                .iter()
                .any(|part| name.contains(part))
            || name.contains("INSECURE")
    }),
    ("holds a secret, which does not belong into a lock file", |name| {
        let words: Vec<&str> = name.split('_').collect();
        [
            "TOKEN",
            "TOKENS",
            "SECRET",
            "SECRETS",
            "PASSWORD",
            "PASSWD",
            "PASSPHRASE",
            "CREDENTIAL",
            "CREDENTIALS",
            "APIKEY",
            "AUTH",
        ]
        .iter()
        .any(|word| words.contains(word))
            || ["API_KEY", "ACCESS_KEY", "PRIVATE_KEY"].iter().any(|part| name.contains(part))
    }),
    ("decides whom the app asks", |name| {
        let words: Vec<&str> = name.split('_').collect();
        ["ENDPOINT", "ENDPOINTS", "URL", "URI", "HOST", "REGISTRY", "MIRROR", "INDEX"]
            .iter()
            .any(|word| words.contains(word))
    }),
    ("is Ballast's own, or the user's", |name| {
        begins(name, &["BALLAST_"]) || ["HOME", "USER", "LOGNAME", "PWD"].contains(&name)
    }),
];

fn begins(name: &str, starts: &[&str]) -> bool {
    starts.iter().any(|start| name.starts_with(start))
}

/// Returns the reason to refuse a constant of this name.
fn refusal(name: &str) -> Option<&'static str> {
    let upper = name.to_ascii_uppercase();
    WHY.iter().find(|(_, refuses)| refuses(&upper)).map(|(why, _)| *why)
}

impl TryFrom<BTreeMap<String, String>> for Constants {
    type Error = String;

    fn try_from(all: BTreeMap<String, String>) -> Result<Self, String> {
        if all.len() > MOST {
            return Err(format!("expected at most {MOST} variables, found {}", all.len()));
        }
        let constants = all.into_iter().map(|(name, value)| {
            let name = EnvName::try_from(name)?;
            if let Some(why) = refusal(name.as_str()) {
                return Err(format!("{}: a lock file may not set it: it {why}", name.as_str()));
            }
            if value.len() > LONGEST || value.contains(char::is_control) {
                return Err(format!("{}: expected one line of at most {LONGEST} bytes", name.as_str()));
            }
            Ok((name, value))
        });
        constants.collect::<Result<_, String>>().map(Self)
    }
}

impl Constants {
    /// Returns each name and its value, in order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lock::Lock;

    fn lock(env: &str) -> Result<Constants, String> {
        let pin = "ab".repeat(32);
        let text = format!(
            "version = 1\n[store]\npath = \"/srv/m\"\nenv = \"MODELS\"\n[env]\n{env}\n[[weight]]\npath = \"a\"\nsha256 = \"{pin}\"\npin_env = \"PIN\"\n[[dir]]\npath = \"/srv/d\"\nenv = \"CACHE\"\n"
        );
        Lock::parse(&text).map(|lock| lock.env).map_err(|error| error.to_string())
    }

    #[test]
    fn constants_are_literals_by_name() {
        let env = lock("TRANSFORMERS_OFFLINE = \"1\"\nHF_HUB_OFFLINE = \"$X\"").unwrap();
        assert_eq!(env.iter().collect::<Vec<_>>(), [("HF_HUB_OFFLINE", "$X"), ("TRANSFORMERS_OFFLINE", "1")]);
        assert_eq!((env.get("HF_HUB_OFFLINE"), env.get("OTHER")), (Some("$X"), None));
        assert_eq!(lock(""), Ok(Constants::default()));
    }

    #[test]
    fn what_decides_about_programs_secrets_or_connections_is_refused() {
        let refused = [
            "LD_PRELOAD",
            "PATH",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "BASH_ENV",
            "ENV",
            "NODE_OPTIONS",
            "PERL5OPT",
            "RUBYOPT",
            "JAVA_TOOL_OPTIONS",
            "_JAVA_OPTIONS",
            "GCONV_PATH",
            "GLIBC_TUNABLES",
            "DYLD_INSERT_LIBRARIES",
            "GIT_SSH_COMMAND",
            "HTTPS_PROXY",
            "https_proxy",
            "ALL_PROXY",
            "NO_PROXY",
            "SSL_CERT_FILE",
            "REQUESTS_CA_BUNDLE",
            "CURL_CA_BUNDLE",
            "OPENSSL_CONF",
            "NODE_EXTRA_CA_CERTS",
            "HF_TOKEN",
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "HF_ENDPOINT",
            "AWS_ENDPOINT_URL",
            "OPENAI_BASE_URL",
            "OLLAMA_HOST",
            "PIP_INDEX_URL",
            "BALLAST_TOKENS",
            "BALLAST_STORE",
            "HOME",
            "MODELS",
            "PIN",
            "CACHE",
            "1X",
            "a-b",
            "",
        ];
        let allowed = [
            "HF_HUB_OFFLINE",
            "TRANSFORMERS_OFFLINE",
            "HF_DATASETS_OFFLINE",
            "TOKENIZERS_PARALLELISM",
            "OMP_NUM_THREADS",
            "TF_CPP_MIN_LOG_LEVEL",
            "CUDA_VISIBLE_DEVICES",
            "HF_HUB_DISABLE_TELEMETRY",
            "OLLAMA_KEEP_ALIVE",
            "MODEL_NAME",
        ];
        let ok = |name: &&&str| lock(&format!("\"{name}\" = \"1\"")).is_ok();
        let wrong: Vec<_> = refused.iter().filter(ok).collect();
        assert!(wrong.is_empty(), "not refused: {wrong:?}");
        let wrong: Vec<_> = allowed.iter().filter(|name| !ok(name)).collect();
        assert!(wrong.is_empty(), "refused: {wrong:?}");
    }

    #[test]
    fn a_value_is_one_line_of_text() {
        let long = "x".repeat(LONGEST + 1);
        let many: String = (0..=MOST).map(|at| format!("V{at} = \"1\"\n")).collect();
        let values = ["A = 1", "A = true", "A = \"a\\nb\"", "A = \"\\u0000\"", &format!("A = \"{long}\""), &many];
        let wrong: Vec<_> = values.iter().filter(|text| lock(text).is_ok()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
