//! What the service was told: the command line and the environment, read once, checked as a whole.
//!
//! A value that makes no sense refuses the start; all of them are named at once. Reads the
//! environment through the function that it is given; touches nothing else.

mod names;
mod number;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use likeness::find::Mode;

use crate::args::Serve;
use crate::exit::{Exit, Failure};
use crate::routes::ANSWERING;
use number::Reader;

pub use names::unhonoured;
#[cfg(test)]
pub use names::{HONOURED, Unhonoured};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Routes that must be able to answer for health to be good; empty means all.
    pub require: Vec<String>,
    /// How faces are looked for.
    pub mode: Mode,
    /// A face's score must be above this.
    pub detector_threshold: f32,
    /// The verdict's lines.
    pub verdict: Verdict,
    /// What a photograph must offer.
    pub quality: Quality,
    /// What a request may cost.
    pub limits: Limits,
    /// Who may ask.
    pub access: Access,
    /// Where templates are kept.
    pub store: Store,
    /// Where metrics have a loopback address of their own.
    pub metrics_listen: Option<SocketAddr>,
    /// Certificate chain and private key, PEM files.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Whether DeepFace's routes are at the root as well as under `/deepface`.
    pub deepface_root: bool,
}

/// The verdict's lines.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// A match is closer than this cosine distance.
    pub distance: f64,
    /// The same for aged templates.
    pub distance_aged: f64,
    /// Templates older than this are aged.
    pub aged: Duration,
    /// A live face's live probability is at least this.
    pub live: f64,
    /// Whether a spoof is refused (403) instead of answered with `block`.
    pub block: bool,
}

/// What a photograph must offer.
#[derive(Debug, Clone, Copy)]
pub struct Quality {
    /// The score (0-100) at enrolment.
    pub enroll: f64,
    /// The score (0-100) at verification.
    pub verify: f64,
    /// Variance of the Laplacian at enrolment.
    pub blur: f64,
    /// Pixels of the face's shorter side at enrolment.
    pub side: i64,
}

/// What a request may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of one photograph.
    pub file: usize,
    /// From its first byte to its answer.
    pub time: Duration,
    /// Inferences at once.
    pub workers: usize,
    /// Requests a minute of one address without a key; `None`: unlimited.
    pub per_minute: Option<u32>,
}

/// Who may ask.
#[derive(Debug, Clone)]
pub struct Access {
    /// A key from the environment, in clear.
    pub secret: Option<secrecy::SecretString>,
    /// The header that carries a key.
    pub header: String,
    /// Origins that browsers may call from.
    pub origins: Vec<String>,
    /// Networks of proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
}

/// Where templates are kept.
#[derive(Debug, Clone)]
pub enum Store {
    /// Nowhere: only the stateless routes.
    None,
    /// `sqlite:PATH` or `postgres://…`, and the file of the master key.
    At {
        /// The place.
        url: String,
        /// The master key's file.
        key_file: PathBuf,
    },
}

/// The environment, by name.
pub type Environment<'e> = &'e dyn Fn(&str) -> Option<String>;

impl Settings {
    /// Reads and checks everything.
    ///
    /// # Errors
    /// [`Exit::BadSetting`] names each setting that is wrong, with what was expected and found.
    pub fn read(args: &Serve, environment: Environment) -> Result<Self, Failure> {
        let mut read = Reader::new(environment);
        let settings = Self {
            listen: SocketAddr::new(args.host, args.port),
            require: require(args, &mut read),
            mode: args.look.mode(),
            detector_threshold: read.number("CENTERFACE_THRESHOLD", 0.35, 0.0..=1.0) as f32,
            verdict: verdict(&mut read),
            quality: quality(&mut read),
            limits: limits(&mut read),
            access: access(&mut read),
            store: store(args, &mut read),
            metrics_listen: metrics_listen(args, &mut read),
            tls: args.tls_cert.clone().zip(args.tls_key.clone()),
            deepface_root: args.deepface_root,
        };
        read.end()?;
        Ok(settings)
    }
}

fn require(args: &Serve, read: &mut Reader) -> Vec<String> {
    let known: Vec<&str> = ANSWERING.iter().map(|route| route.name).collect();
    for name in args.require.iter().filter(|name| !known.contains(&name.as_str())) {
        read.wrong(format!("--require: expected some of {}, found {name:?}", known.join(", ")));
    }
    args.require.clone()
}

fn metrics_listen(args: &Serve, read: &mut Reader) -> Option<SocketAddr> {
    if let Some(beyond) = args.metrics_listen.filter(|address| !address.ip().to_canonical().is_loopback()) {
        read.wrong(format!("--metrics-listen: expected a loopback address, found {beyond}"));
    }
    args.metrics_listen
}

fn verdict(read: &mut Reader) -> Verdict {
    let distance = read.number("VERIFICATION_THRESHOLD", 0.45, 0.0..=2.0);
    let distance_aged = read.number("VERIFICATION_THRESHOLD_AGED", 0.55_f64.max(distance), 0.0..=2.0);
    if distance_aged < distance {
        read.refuse("VERIFICATION_THRESHOLD_AGED", &format!("at least VERIFICATION_THRESHOLD, {distance}"));
    }
    let years = read.number("VERIFICATION_THRESHOLD_AGED_YEARS", 2.0, 0.0..=100.0);
    if !read.truth("ANTI_SPOOFING_ENABLED", true) {
        read.refuse("ANTI_SPOOFING_ENABLED", "true: a verdict without spoof detection can't be built");
    }
    Verdict {
        distance,
        distance_aged,
        aged: Duration::from_secs_f64(years * 365.25 * 86_400.0),
        live: read.number("LIVENESS_THRESHOLD", 0.70, 0.0..=100.0),
        block: read.truth("ANTISPOOF_BLOCK_ENFORCE", true),
    }
    .with_live_as_a_part()
}

impl Verdict {
    /// The original wrote this threshold as 0 to 100; up to 1 it is a probability.
    fn with_live_as_a_part(self) -> Self {
        let live = if self.live > 1.0 { self.live / 100.0 } else { self.live };
        Self { live, ..self }
    }
}

fn quality(read: &mut Reader) -> Quality {
    Quality {
        enroll: read.number("QUALITY_THRESHOLD", 70.0, 0.0..=100.0),
        verify: 50.0,
        blur: read.number("BLUR_THRESHOLD", 5.0, 0.0..=1e6),
        side: read.number("MIN_FACE_SIZE", 80.0, 1.0..=10_000.0) as i64,
    }
}

fn limits(read: &mut Reader) -> Limits {
    let file = read.number("MAX_FILE_SIZE", 10_485_760.0, 1024.0..=20_971_520.0);
    let file = read.number("MAX_UPLOAD_SIZE", file, 1024.0..=20_971_520.0).min(file);
    let limited = read.truth("RATE_LIMIT_ENABLED", true);
    let per_minute = read.number("RATE_LIMIT_PER_MINUTE", 60.0, 1.0..=1e6) as u32;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Limits {
        file: file as usize,
        time: Duration::from_secs_f64(read.number("REQUEST_TIMEOUT_SECONDS", 30.0, 0.1..=600.0)),
        workers: cores,
        per_minute: limited.then_some(per_minute),
    }
}

fn access(read: &mut Reader) -> Access {
    let secret = read.secret("API_KEY_SECRET").or_else(|| read.secret("DEEPFACE_AUTH_TOKEN"));
    let header = read.text("API_KEY_HEADER").unwrap_or_else(|| "X-API-Key".into());
    if header.parse::<axum::http::HeaderName>().is_err() {
        read.refuse("API_KEY_HEADER", "a header's name");
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

/// A scheme and an authority, no more.
fn is_origin(text: &str) -> bool {
    let uri = text.parse::<axum::http::Uri>().ok();
    let web = |uri: &axum::http::Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.authority().is_some();
    uri.is_some_and(|uri| web(&uri)) && text.matches('/').count() == 2
}

/// An address, or a network.
fn network(word: &str) -> Option<IpNet> {
    word.parse().ok().or_else(|| word.parse::<IpAddr>().ok().map(IpNet::from))
}

fn store(args: &Serve, read: &mut Reader) -> Store {
    let url = args.store.clone().or_else(|| read.text("DATABASE_URL"));
    let key_file = args.key_file.clone().or_else(|| read.text("LIKENESS_KEY_FILE").map(PathBuf::from));
    match (url.as_deref(), key_file) {
        (Some("none"), _) => Store::None,
        (None, None) => Store::None,
        (url, Some(key_file)) => {
            Store::At { url: url.unwrap_or("sqlite:/var/lib/likeness/templates.db").to_owned(), key_file }
        }
        (Some(_), None) => {
            read.refuse("LIKENESS_KEY_FILE", "the file of the master key (`likeness store init --key-file F`)");
            Store::None
        }
    }
}

/// A setting that makes no sense.
fn bad(lines: &[String]) -> Failure {
    Failure::new(Exit::BadSetting, lines.join("\n")).hint("docs/service.md has every setting")
}

#[cfg(test)]
mod tests;
