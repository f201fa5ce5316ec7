//! Attack: a registry, its token service, an upload location, a redirect, a proxy or a mirror sends passwords
//! or weights unencrypted, to a stranger, or to an internal address.
//!
//! Each server listens in a network namespace of the test, where 198.51.100.7 stands for another machine.
//! Each server logs what it receives unencrypted.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::ground::World;
use crate::support::{is_root, stderr};

/// An address that is not loopback, inside the test's own network namespace.
const ELSEWHERE: &str = "198.51.100.7";
const PASSWORD: &str = "s3cret";
/// base64 of `user:s3cret`.
const BASIC: &str = "dXNlcjpzM2NyZXQ=";

/// A received request.
#[derive(Debug, Clone)]
struct Heard {
    server: &'static str,
    line: String,
    authorization: Option<String>,
    body: usize,
}

type Log = Arc<Mutex<Vec<Heard>>>;
type Reply = Arc<dyn Fn(&Heard) -> String + Send + Sync>;

/// Starts a server without or with TLS; returns its port.
fn serve(server: &'static str, host: &str, tls: Option<Arc<rustls::ServerConfig>>, log: &Log, reply: Reply) -> u16 {
    let listener = TcpListener::bind((host, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let log = log.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (tls, log, reply) = (tls.clone(), log.clone(), reply.clone());
            std::thread::spawn(move || answer(server, stream, tls, &log, &reply));
        }
    });
    port
}

fn answer(server: &'static str, stream: TcpStream, tls: Option<Arc<rustls::ServerConfig>>, log: &Log, reply: &Reply) {
    for set in [TcpStream::set_read_timeout, TcpStream::set_write_timeout] {
        set(&stream, Some(Duration::from_secs(20))).unwrap();
    }
    match tls {
        Some(tls) => {
            speak(server, rustls::StreamOwned::new(rustls::ServerConnection::new(tls).unwrap(), stream), log, reply)
        }
        None => speak(server, stream, log, reply),
    };
}

fn speak(server: &'static str, stream: impl Read + Write, log: &Log, reply: &Reply) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut heard = Heard { server, line: String::new(), authorization: None, body: 0 };
    stream.read_line(&mut heard.line).ok().filter(|got| *got > 0)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|got| *got > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "authorization" | "proxy-authorization" => heard.authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    heard.body = std::io::copy(&mut (&mut stream).take(length), &mut std::io::sink()).ok()? as usize;
    log.lock().unwrap().push(heard.clone());
    stream.get_mut().write_all(reply(&heard).as_bytes()).ok()
}

fn say(status: &str, headers: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: 0\r\nConnection: close\r\n\r\n")
}

/// An attack by a registry; `{clear}` and `{inward}` are the two addresses that it redirects to.
struct Deed {
    name: &'static str,
    command: &'static str,
    /// The responses to a request without and with a password.
    stranger: fn(&str) -> String,
    known: fn(&Heard, &str) -> String,
}

fn challenge(realm: &str) -> String {
    say("401 Unauthorized", &format!("WWW-Authenticate: Bearer realm=\"{realm}/token\",service=\"s\"\r\n"))
}

fn basic(_: &str) -> String {
    say("401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n")
}

fn to(status: &str, place: &str) -> String {
    say(status, &format!("Location: {place}/elsewhere\r\n"))
}

const DEEDS: &[Deed] = &[
    Deed { name: "a token service", command: "pull", stranger: challenge, known: |_, _| say("404 Not Found", "") },
    Deed { name: "a token service", command: "push", stranger: challenge, known: |_, _| say("404 Not Found", "") },
    Deed {
        name: "a redirect at once",
        command: "pull",
        stranger: |place| to("307 Temporary Redirect", place),
        known: |_, place| to("307 Temporary Redirect", place),
    },
    Deed {
        name: "a redirect of who is known",
        command: "pull",
        stranger: basic,
        known: |_, place| to("302 Found", place),
    },
    Deed {
        name: "a redirect of a question",
        command: "push",
        stranger: basic,
        known: |_, place| to("308 Permanent Redirect", place),
    },
    Deed {
        name: "a place to upload to",
        command: "push",
        stranger: basic,
        known: |heard, place| match heard.line.split(' ').next() {
            Some("HEAD") => say("404 Not Found", ""),
            _ => to("202 Accepted", place),
        },
    },
    Deed {
        name: "a redirect of the upload",
        command: "push",
        stranger: basic,
        known: |heard, place| match heard.line.split(' ').next() {
            Some("HEAD") => say("404 Not Found", ""),
            Some("POST") => say("202 Accepted", "Location: /here\r\n"),
            _ => to("307 Temporary Redirect", place),
        },
    },
];

fn certificates() -> (Arc<rustls::ServerConfig>, String) {
    let made = rcgen::generate_simple_self_signed(vec![ELSEWHERE.into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.pem())
}

/// Moves this thread and its children to a new network namespace with the address of the other machine.
fn own_network() {
    #[expect(unsafe_code, reason = "no safe call enters a new namespace")]
    // SAFETY: the flag concerns this thread's network alone; its descriptors stay what they are.
    unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) }.unwrap();
    for words in [vec!["link", "set", "lo", "up"], vec!["addr", "add", &format!("{ELSEWHERE}/32"), "dev", "lo"]] {
        assert!(Command::new("ip").args(&words).status().unwrap().success(), "{words:?}");
    }
}

/// Returns the secrets that any server other than the named registry received.
fn leaks(log: &Log) -> Vec<String> {
    let log = log.lock().unwrap();
    log.iter().filter(|heard| heard.server != "registry").map(|heard| format!("{heard:?}")).collect()
}

#[test]
fn no_registry_leads_a_password_or_a_weight_into_the_clear_or_inward() {
    let test = "no_registry_leads_a_password_or_a_weight_into_the_clear_or_inward";
    if !is_root(test) {
        return;
    }
    own_network();
    let (config, pem) = certificates();
    let world = World::pair();
    fs::write(world.path("ca.pem"), pem).unwrap();
    let mut wrong = Vec::new();
    for deed in DEEDS {
        for (server, host) in [("clear", ELSEWHERE), ("inward", "127.0.0.1")] {
            let log = Log::default();
            let open: Reply = Arc::new(|_: &Heard| say("201 Created", "Location: /x\r\n"));
            let place = format!("http://{host}:{}", serve(server, host, None, &log, open));
            let (stranger, known) = (deed.stranger, deed.known);
            let reply: Reply = Arc::new(move |heard: &Heard| match heard.authorization {
                None => stranger(&place),
                Some(_) => known(heard, &place),
            });
            let port = serve("registry", ELSEWHERE, Some(config.clone()), &log, reply);
            let url = format!("oci://{ELSEWHERE}:{port}/x/y:z");
            let from: &[&str] = if deed.command == "push" { &["--from", "from"] } else { &[] };
            let mut command = world.command(&[deed.command, &url, "--ca-file", "ca.pem"]);
            let command = command.args(from);
            let command = command.env("BALLAST_REGISTRY_USER", "user").env("BALLAST_REGISTRY_PASSWORD", PASSWORD);
            let output = command.output().unwrap();
            let reported = stderr(&output);
            let heard = leaks(&log);
            // A redirect of an upload is never followed.
            let named = reported.contains("refused: ") || reported.contains("status 307");
            if !heard.is_empty() || output.status.code() != Some(17) || !named || reported.contains(PASSWORD) {
                wrong.push(format!("{}, {}, to {server}: {heard:?} {output:?}", deed.name, deed.command));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_password_goes_to_the_token_service_that_the_registry_names_over_tls_and_to_no_other_host() {
    let test = "a_password_goes_to_the_token_service_that_the_registry_names_over_tls_and_to_no_other_host";
    if !is_root(test) {
        return;
    }
    own_network();
    let (config, pem) = certificates();
    let (world, log) = (World::pair(), Log::default());
    fs::write(world.path("ca.pem"), pem).unwrap();
    let granted: Reply = Arc::new(|_: &Heard| {
        let body = "{\"token\":\"a-token\"}";
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
    });
    let service = serve("token service", ELSEWHERE, Some(config.clone()), &log, granted);
    let storage =
        serve("storage", ELSEWHERE, Some(config.clone()), &log, Arc::new(|_: &Heard| say("404 Not Found", "")));
    let reply: Reply = Arc::new(move |heard: &Heard| match &heard.authorization {
        None => challenge(&format!("https://{ELSEWHERE}:{service}")),
        Some(_) => to("307 Temporary Redirect", &format!("https://{ELSEWHERE}:{storage}")),
    });
    let port = serve("registry", ELSEWHERE, Some(config), &log, reply);
    let mut command = world.command(&["pull", &format!("oci://{ELSEWHERE}:{port}/x/y:z"), "--ca-file", "ca.pem"]);
    let output =
        command.env("BALLAST_REGISTRY_USER", "user").env("BALLAST_REGISTRY_PASSWORD", PASSWORD).output().unwrap();
    assert_eq!(output.status.code(), Some(17), "{output:?}");
    let log = log.lock().unwrap();
    let sent = |server: &str| -> Vec<Option<String>> {
        log.iter().filter(|heard| heard.server == server).map(|heard| heard.authorization.clone()).collect()
    };
    assert_eq!(sent("token service"), [Some(format!("Basic {BASIC}"))]);
    assert_eq!(sent("registry"), [None, Some("Bearer a-token".to_owned())]);
    assert_eq!(sent("storage"), [None], "a secret went to another host");
}

/// An http address of another machine is requested without a secret, and a secret for that address is
/// refused.
#[test]
fn what_the_user_names_by_http_gets_no_secret() {
    let test = "what_the_user_names_by_http_gets_no_secret";
    if !is_root(test) {
        return;
    }
    own_network();
    let (world, log) = (World::pair(), Log::default());
    let port = serve("clear", ELSEWHERE, None, &log, Arc::new(|_: &Heard| say("404 Not Found", "")));
    let (at, named) = (format!("{ELSEWHERE}:{port}"), format!("oci://{ELSEWHERE}:{port}/x/y:z"));
    let token = format!("{ELSEWHERE}={PASSWORD}");
    let mirror = |login: &str| format!("http://{login}{at}/models");
    let (proxy, user) = (format!("http://user:{PASSWORD}@{at}"), ("BALLAST_REGISTRY_USER", "user"));
    let docker = world.path("docker");
    fs::create_dir(&docker).unwrap();
    fs::write(docker.join("config.json"), format!("{{\"auths\": {{\"{at}\": {{\"auth\": \"{BASIC}\"}}}}}}")).unwrap();
    let password = ("BALLAST_REGISTRY_PASSWORD", PASSWORD);
    type Row<'a> = (&'a str, Vec<String>, Vec<(&'a str, &'a str)>, i32, bool);
    let pull =
        |more: &[&str]| [&["pull", named.as_str()][..], more].concat().iter().map(|word| (*word).to_owned()).collect();
    let fetch = |mirror: String| vec!["fetch".to_owned(), "--retries".into(), "0".into(), "--mirror".into(), mirror];
    let rows: Vec<Row> = vec![
        ("plain http, without a secret", pull(&["--plain-http"]), vec![], 17, true),
        ("plain http, with a password", pull(&["--plain-http"]), vec![user, password], 2, false),
        ("plain http, with a token", pull(&["--plain-http"]), vec![("BALLAST_TOKENS", &token)], 2, false),
        (
            "plain http, with Docker's password",
            pull(&["--plain-http"]),
            vec![("DOCKER_CONFIG", docker.to_str().unwrap())],
            2,
            false,
        ),
        ("https", pull(&[]), vec![user, password], 17, false),
        ("a mirror", fetch(mirror("")), vec![("BALLAST_TOKENS", &token)], 17, true),
        ("a mirror with a password", fetch(mirror(&format!("user:{PASSWORD}@"))), vec![], 17, false),
        ("a mirror of no kind", fetch(format!("ftp://user:{PASSWORD}@{at}/")), vec![], 2, false),
        ("an image as a mirror", fetch(format!("oci://user:{PASSWORD}@{at}/x/y:z")), vec![], 2, false),
        ("a proxy with a password", fetch("https://models.invalid/".into()), vec![("HTTPS_PROXY", &proxy)], 2, false),
    ];
    let mut wrong = Vec::new();
    for (name, args, env, code, request) in rows {
        log.lock().unwrap().clear();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let output = world.command(&args).envs(env).output().unwrap();
        let heard = log.lock().unwrap().clone();
        let secret = heard.iter().any(|heard| heard.authorization.is_some());
        let requests = heard.iter().any(|heard| heard.line.contains("HTTP/"));
        if output.status.code() != Some(code)
            || secret
            || requests != request
            || format!("{output:?}").contains(PASSWORD)
        {
            wrong.push(format!("{name}: {heard:?} {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Attack: a name service or a hosts file gives this machine's name another address.
#[test]
fn a_name_of_this_machine_that_leads_elsewhere_is_not_connected_to() {
    let test = "a_name_of_this_machine_that_leads_elsewhere_is_not_connected_to";
    if !is_root(test) {
        return;
    }
    own_network();
    let (world, log) = (World::pair(), Log::default());
    let port = serve("clear", ELSEWHERE, None, &log, Arc::new(|_: &Heard| say("404 Not Found", "")));
    fs::write(world.path("hosts"), format!("{ELSEWHERE} localhost\n")).unwrap();
    let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
    let mut wrong = Vec::new();
    for name in ["localhost", "LOCALHOST"] {
        let source = format!("http://{name}:{port}/models");
        let mut command = Command::new("unshare");
        command.args(["--mount", "/bin/sh", "-c", script]).arg(world.path("hosts")).arg(crate::support::program());
        command
            .args(["fetch", "--retries", "0", "--mirror", &source])
            .env("BALLAST_TOKENS", format!("localhost={PASSWORD}"));
        let output = command.current_dir(world.dir.path()).env_remove("BALLAST_LOCK").output().unwrap();
        if output.status.code() != Some(17) || !stderr(&output).contains("no-such-host: ") {
            wrong.push(format!("{name}: {output:?}"));
        }
    }
    assert!(wrong.is_empty() && log.lock().unwrap().is_empty(), "{wrong:?}, {:?}", log.lock().unwrap());
}
