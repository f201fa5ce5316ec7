//! Reads the settings of the service from the command line and the environment, and checks all of them.
//!
//! If any value is not valid, the start fails, and the error names every such value. Reads the environment
//! through the given function, and the files of secrets and of the policy.

pub mod names;
mod policy;
mod reader;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::HeaderName;
use ipnet::IpNet;
use likeness::find::Mode;
use likeness::policy::Policy;
use tracing_subscriber::filter::LevelFilter;

use crate::args::Serve;
use crate::exit::Failure;
use crate::routes::ANSWERING;
use reader::SettingsReader;

pub use names::unhonoured;
#[cfg(test)]
pub use names::{HONOURED, Unhonoured};
pub use policy::{of_environment as policy_of_environment, without_calibration as policy_without_calibration};
pub use reader::Environment;

/// Headers that HTTP, a browser, a proxy or this service uses for something else, so that no key can be in them.
const NOT_FOR_KEYS: [&str; 30] = [
    "accept",
    "accept-encoding",
    "access-control-request-headers",
    "access-control-request-method",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "cookie",
    "date",
    "expect",
    "forwarded",
    "host",
    "idempotency-key",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "referer",
    "te",
    "traceparent",
    "tracestate",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
    "x-forwarded-for",
    "x-request-id",
];

/// The settings of the service.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Routes that must be able to answer for health to be good; empty means all.
    pub require: Vec<String>,
    /// How the detector searches for faces.
    pub mode: Mode,
    /// Every number that turns measurements into an outcome.
    pub policy: Policy,
    /// Whether the response to a spoof has status 403 instead of the verdict `block`.
    pub block_spoofs: bool,
    /// The limits on a request.
    pub limits: RequestLimits,
    /// The settings of access.
    pub access: Access,
    /// The store of templates.
    pub store: StoreSettings,
    /// Whether an enrolment must name a consent.
    pub require_consent: bool,
    /// A separate loopback address for metrics and health.
    pub metrics_listen: Option<SocketAddr>,
    /// The level of the log.
    pub log: LevelFilter,
    /// The PEM files of the certificate chain and of the private key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether DeepFace's routes are at the root as well as under `/deepface`.
    pub deepface_root: bool,
}

/// The limits on a request.
#[derive(Debug, Clone, Copy)]
pub struct RequestLimits {
    /// The largest number of bytes of a photograph.
    pub file: usize,
    /// The longest time that a handler may take until its response.
    pub time: Duration,
    /// The number of inferences that run at once.
    pub workers: usize,
    /// The longest time that work waits for a core.
    pub wait: Duration,
    /// The largest number of requests a minute of an address without a valid key; `None` sets no limit.
    pub per_minute: Option<u32>,
}

/// The settings of access.
#[derive(Debug, Clone)]
pub struct Access {
    /// A key from the environment.
    pub secret: Option<secrecy::SecretString>,
    /// The header that carries a key.
    pub header: String,
    /// Origins whose pages may call the service from a browser.
    pub origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is trusted.
    pub trusted_proxies: Vec<IpNet>,
}

/// The store of templates.
#[derive(Debug, Clone)]
pub enum StoreSettings {
    /// No store: only the stateless routes work.
    None,
    /// `sqlite:PATH` or `postgres://…`, and the file of the master key.
    At {
        /// The location of the store.
        url: String,
        /// The file of the master key.
        key_file: PathBuf,
    },
}

impl Settings {
    /// Reads and checks every setting.
    ///
    /// # Errors
    /// [`crate::exit::Exit::BadSetting`] names each setting that is wrong, with what was expected and found.
    pub fn read(args: &Serve, environment: Environment) -> Result<Self, Failure> {
        let mut read = SettingsReader::new(environment);
        let settings = Self {
            listen: SocketAddr::new(args.host, args.port),
            require: require(args, &mut read),
            mode: args.look.mode(),
            policy: policy::policy(&mut read),
            block_spoofs: block_spoofs(&mut read),
            limits: limits(&mut read),
            access: access(&mut read),
            store: store(args, &mut read),
            require_consent: read.truth("LIKENESS_REQUIRE_CONSENT", false) || args.require_consent,
            metrics_listen: metrics_listen(args, &mut read),
            log: log(&mut read),
            tls: args.tls_cert.clone().zip(args.tls_key.clone()),
            deepface_root: args.deepface_root,
        };
        read.end()?;
        Ok(settings)
    }
}

fn require(args: &Serve, read: &mut SettingsReader) -> Vec<String> {
    let known: Vec<&str> = ANSWERING.iter().map(|route| route.name).collect();
    for name in args.require.iter().filter(|name| !known.contains(&name.as_str())) {
        read.wrong(format!("--require: expected some of {}, found {name:?}", known.join(", ")));
    }
    args.require.clone()
}

fn metrics_listen(args: &Serve, read: &mut SettingsReader) -> Option<SocketAddr> {
    if let Some(beyond) = args.metrics_listen.filter(|address| !address.ip().to_canonical().is_loopback()) {
        read.wrong(format!("--metrics-listen: expected a loopback address, found {beyond}"));
    }
    args.metrics_listen
}

/// Reads the level of the log: `info` logs each request, `debug` also probes, scrapes and the page's files.
fn log(read: &mut SettingsReader) -> LevelFilter {
    match read.text("LOG_LEVEL").unwrap_or_else(|| "info".into()).to_ascii_lowercase().as_str() {
        "error" => LevelFilter::ERROR,
        "warn" | "warning" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        _ => {
            read.refuse("LOG_LEVEL", "error, warn, info or debug");
            LevelFilter::INFO
        }
    }
}

/// Returns whether the response to a spoof has status 403 instead of the verdict `block`.
fn block_spoofs(read: &mut SettingsReader) -> bool {
    if !read.truth("ANTI_SPOOFING_ENABLED", true) {
        read.refuse("ANTI_SPOOFING_ENABLED", "true: a verdict without spoof detection can't be built");
    }
    read.truth("ANTISPOOF_BLOCK_ENFORCE", true)
}

fn limits(read: &mut SettingsReader) -> RequestLimits {
    let most = likeness::image::Limits::default().bytes as f64;
    let file = read.number("MAX_FILE_SIZE", most, 1024.0..=most);
    let file = read.number("MAX_UPLOAD_SIZE", file, 1024.0..=most).min(file);
    let limited = read.truth("RATE_LIMIT_ENABLED", true);
    let per_minute = read.number("RATE_LIMIT_PER_MINUTE", 60.0, 1.0..=1e6) as u32;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    RequestLimits {
        file: file as usize,
        time: Duration::from_secs_f64(read.number("REQUEST_TIMEOUT_SECONDS", 30.0, 0.1..=600.0)),
        workers: cores,
        wait: Duration::from_secs_f64(read.number("QUEUE_WAIT_SECONDS", 5.0, 0.0..=600.0)),
        per_minute: limited.then_some(per_minute),
    }
}

fn access(read: &mut SettingsReader) -> Access {
    let secret = read.secret("API_KEY_SECRET").or_else(|| read.secret("DEEPFACE_AUTH_TOKEN"));
    let header = read.text("API_KEY_HEADER").unwrap_or_else(|| "X-API-Key".into());
    let own = |name: &HeaderName| !NOT_FOR_KEYS.contains(&name.as_str());
    if !header.parse::<HeaderName>().is_ok_and(|name| own(&name)) {
        read.refuse("API_KEY_HEADER", "the name of a header that has no other use, such as X-API-Key");
    }
    let trusted_proxies = read.list("TRUSTED_PROXIES").iter().map(|word| network(word)).collect::<Option<_>>();
    let trusted_proxies = trusted_proxies.unwrap_or_else(|| {
        read.refuse("TRUSTED_PROXIES", "addresses or networks such as 10.0.0.0/8, separated by commas");
        Vec::new()
    });
    let origins = read.list("CORS_ORIGINS");
    if !origins.iter().all(|origin| is_origin(origin)) {
        read.refuse("CORS_ORIGINS", "origins such as https://app.example, each by name, separated by commas");
    }
    Access { secret, header, origins, trusted_proxies }
}

/// Returns whether a text is an origin: a scheme and an authority only.
fn is_origin(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>().ok();
    let web = |uri: &axum::http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
    uri.is_some_and(|uri| web(&uri)) && text.matches('/').count() == 2
}

/// Parses an address or a network.
fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

fn store(args: &Serve, read: &mut SettingsReader) -> StoreSettings {
    let url = args.store.clone().or_else(|| read.text("DATABASE_URL"));
    let key_file = args.key_file.clone().or_else(|| read.text("LIKENESS_KEY_FILE").map(PathBuf::from));
    match (url.as_deref(), key_file) {
        (Some("none"), _) => StoreSettings::None,
        (None, None) => StoreSettings::None,
        (url, Some(key_file)) => {
            StoreSettings::At { url: url.unwrap_or("sqlite:/var/lib/likeness/templates.db").to_owned(), key_file }
        }
        (Some(_), None) => {
            read.refuse("LIKENESS_KEY_FILE", "the file of the master key (`likeness store init --key-file F`)");
            StoreSettings::None
        }
    }
}

#[cfg(test)]
mod tests;
