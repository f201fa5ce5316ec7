//! Tests access to a registry: passwords, tokens, TLS, and plain http only to this machine or with
//! --plain-http.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use crate::between::{Between, Deed, Request};
use crate::ground::{Registry, World, ready};
use crate::support::stderr;

/// bcrypt of `correct horse`.
const LINE: &str = "user:$2y$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n";
const PASSWORD: &str = "correct horse";
/// The same pair as Docker writes it: base64 of `user:correct horse`.
const DOCKER: &str = "dXNlcjpjb3JyZWN0IGhvcnNl";

fn guarded() -> Registry {
    Registry::with("127.0.0.1", "", |dir| {
        fs::write(dir.join("htpasswd"), LINE).unwrap();
        format!("auth:\n  htpasswd: {{realm: here, path: {}}}\n", dir.join("htpasswd").display())
    })
}

fn docker_config(world: &World, port: u16) -> String {
    let text = format!("{{\"auths\": {{\"127.0.0.1:{port}\": {{\"auth\": \"{DOCKER}\"}}}}}}");
    fs::create_dir_all(world.path("docker")).unwrap();
    fs::write(world.path("docker/config.json"), text).unwrap();
    world.path("docker").display().to_string()
}

#[test]
fn a_password_opens_from_the_environment_or_dockers_file_and_is_never_printed() {
    if !ready("a_password_opens_from_the_environment_or_dockers_file_and_is_never_printed") {
        return;
    }
    let (registry, world) = (guarded(), World::pair());
    let url = registry.url("models:v1");
    let docker = docker_config(&world, registry.port);
    let user = ("BALLAST_REGISTRY_USER", "user");
    let mut wrong = Vec::new();
    let rows = [
        ("a stranger", vec![], 17),
        ("another password", vec![user, ("BALLAST_REGISTRY_PASSWORD", "battery staple")], 17),
        ("half of it", vec![user], 2),
        ("the environment", vec![user, ("BALLAST_REGISTRY_PASSWORD", PASSWORD)], 0),
        ("Docker's file", vec![("DOCKER_CONFIG", &docker)], 0),
    ];
    for (name, env, code) in rows {
        for args in [vec!["push", &url, "--from", "from"], vec!["pull", &url]] {
            let output = world.command(&args).envs(env.iter().copied()).output().unwrap();
            let reported = stderr(&output);
            if output.status.code() != Some(code) || (code == 17 && !reported.contains("denied: ")) {
                wrong.push(format!("{name}, {}: {output:?}", args[0]));
            }
            if reported.contains("battery") || reported.contains("horse") || reported.contains(DOCKER) {
                wrong.push(format!("{name}: the password was printed"));
            }
        }
    }
    assert!(wrong.is_empty() && world.right("large.bin"), "{}", wrong.join("\n"));
}

/// Starts a registry that sends its callers to a token service, as large registries do.
fn with_tokens(registry: &Registry, expected: &'static str) -> Between {
    let own = Arc::new(std::sync::OnceLock::<u16>::new());
    let port = own.clone();
    let answer = move |request: &Request| -> Option<Vec<u8>> {
        let say = |status: &str, more: &str, body: &str| {
            let len = body.len();
            format!("HTTP/1.1 {status}\r\n{more}Content-Length: {len}\r\nConnection: close\r\n\r\n{body}").into_bytes()
        };
        let sent = request.authorization.as_deref();
        if request.line.contains(" /token?") {
            let right = sent == Some(expected) && request.line.contains("repository");
            let body = "{\"token\": \"a-token\", \"expires_in\": 300}";
            return Some(if right { say("200 OK", "", body) } else { say("401 Unauthorized", "", "{}") });
        }
        if sent == Some("Bearer a-token") {
            return None;
        }
        let realm = format!("http://127.0.0.1:{}/token", port.get()?);
        let more = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"here\"\r\n");
        Some(say("401 Unauthorized", &more, "{}"))
    };
    let upstream = format!("127.0.0.1:{}", registry.port);
    let between = Between::with("127.0.0.1", &upstream, Deed::Nothing, Some(Arc::new(answer)), None);
    own.set(between.port).unwrap();
    between
}

#[test]
fn a_token_service_gives_a_token_for_the_password_and_none_to_a_stranger() {
    if !ready("a_token_service_gives_a_token_for_the_password_and_none_to_a_stranger") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let between = with_tokens(&registry, "Basic dXNlcjpjb3JyZWN0IGhvcnNl");
    let url = format!("oci://127.0.0.1:{}/models:v1", between.port);
    let password = [("BALLAST_REGISTRY_USER", "user"), ("BALLAST_REGISTRY_PASSWORD", PASSWORD)];
    let token = format!("127.0.0.1={}", "a-token");
    let mut wrong = Vec::new();
    for (name, env, code) in [
        ("a stranger", vec![], 17),
        ("the password", password.to_vec(), 0),
        ("a token at hand", vec![("BALLAST_TOKENS", token.as_str())], 0),
        ("another token", vec![("BALLAST_TOKENS", "127.0.0.1=other")], 17),
    ] {
        for args in [vec!["push", &url, "--from", "from"], vec!["pull", &url]] {
            let output = world.command(&args).envs(env.iter().copied()).output().unwrap();
            if output.status.code() != Some(code) || (code == 17 && !stderr(&output).contains("denied: ")) {
                wrong.push(format!("{name}, {}: {output:?}", args[0]));
            }
        }
    }
    assert!(wrong.is_empty() && world.right("large.bin"), "{}", wrong.join("\n"));
}

#[test]
fn elsewhere_nothing_is_sent_in_the_clear_without_plain_http() {
    if !ready("elsewhere_nothing_is_sent_in_the_clear_without_plain_http") {
        return;
    }
    let (registry, world) = (Registry::with("127.0.0.2", "", |_| String::new()), World::pair());
    let url = registry.url("models:v1");
    let refused = world.ballast(&["push", &url, "--from", "from"]);
    assert!(refused.status.code() == Some(17) && stderr(&refused).contains("tls: "), "{refused:?}");
    for args in [vec!["push", &url, "--from", "from", "--plain-http"], vec!["pull", &url, "--plain-http"]] {
        let output = world.ballast(&args);
        assert!(output.status.success(), "{output:?}");
    }
    assert!(world.right("large.bin"));
}

#[test]
fn a_certificate_is_trusted_only_if_it_was_named() {
    if !ready("a_certificate_is_trusted_only_if_it_was_named") {
        return;
    }
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.2".into()]).unwrap();
    let write = |dir: &Path| {
        fs::write(dir.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(dir.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        String::new()
    };
    let http = "  tls: {certificate: cert.pem, key: key.pem}\n";
    let (registry, world) = (Registry::with("127.0.0.2", http, write), World::pair());
    let url = registry.url("models:v1");
    let refused = world.ballast(&["push", &url, "--from", "from"]);
    assert!(refused.status.code() == Some(17) && stderr(&refused).contains("tls: "), "{refused:?}");
    let ca = registry.dir.path().join("cert.pem").display().to_string();
    for args in [vec!["push", &url, "--from", "from", "--ca-file", &ca], vec!["pull", &url, "--ca-file", &ca]] {
        let output = world.ballast(&args);
        assert!(output.status.success(), "{output:?}");
    }
    assert!(world.right("large.bin"));
}

#[test]
fn a_proxy_of_the_environment_is_used_unless_no_proxy_names_the_host() {
    if !ready("a_proxy_of_the_environment_is_used_unless_no_proxy_names_the_host") {
        return;
    }
    let (registry, world) = (Registry::start(), World::pair());
    let url = registry.url("models:v1");
    world.push(&url);
    let mut wrong = Vec::new();
    for (variable, exempt, used) in [
        ("HTTP_PROXY", "", true),
        ("ALL_PROXY", "", true),
        ("HTTPS_PROXY", "", false),
        ("HTTP_PROXY", "127.0.0.1", false),
        ("ALL_PROXY", "10.0.0.0/8,127.0.0.0/8", false),
    ] {
        let _ = fs::remove_dir_all(world.path("mirror"));
        let between = Between::start("127.0.0.1", &format!("127.0.0.1:{}", registry.port), Deed::Nothing);
        let proxy = format!("http://127.0.0.1:{}", between.port);
        let mut command = world.command(&["pull", &url]);
        // A variable in capitals is ignored only in a CGI program, where the request method is set.
        let output =
            command.env_remove("REQUEST_METHOD").env(variable, &proxy).env("NO_PROXY", exempt).output().unwrap();
        if !output.status.success() || !world.right("large.bin") || between.requests().is_empty() == used {
            wrong.push(format!("{variable}, but not for {exempt:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
