//! Attack: names, responses and files of others contain terminal control sequences, change the direction of
//! text, or forge a line of the program.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::{PAIR, World, program};

/// Clears the screen, sets the window's title, reverses the text that follows, and imitates the program's
/// output.
const EVIL: &str = "\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2066}\r\u{8}\u{200b}";
const FORGED: &str = "ballast: 2 of 2 right";

/// Starts a registry whose every response is an error with this message.
fn registry(message: &str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let error = serde_json::json!({ "errors": [{ "code": "DENIED", "message": message }] }).to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut from = BufReader::new(stream.try_clone().unwrap());
            let mut line = String::new();
            while from.read_line(&mut line).is_ok_and(|got| got > 2) {
                line.clear();
            }
            let head = format!("HTTP/1.1 403 No\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", error.len());
            let _ = stream.write_all((head + &error).as_bytes());
        }
    });
    port
}

fn hidden(output: &Output) -> Vec<char> {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let odd = |letter: &char| letter.is_control() && *letter != '\n' || EVIL.contains(*letter) && !letter.is_ascii();
    let mut found: Vec<char> = String::from_utf8_lossy(&text).chars().filter(odd).collect();
    found.dedup();
    found
}

/// Writes a bundle of a signed model, and two altered ones with this name in them; returns the path of their key.
fn bundles(root: &Path, name: &str) -> String {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oms/recorded");
    let bundle = fs::read_to_string(recorded.join("files-1.json")).unwrap();
    let mut forged: serde_json::Value = serde_json::from_str(&bundle).unwrap();
    forged["verificationMaterial"]["publicKey"]["hint"] = name.into();
    forged["dsseEnvelope"]["payload"] = "AAAA".into();
    fs::write(root.join("model.sig"), bundle).unwrap();
    fs::write(root.join("forged.sig"), forged.to_string()).unwrap();
    forged[name] = 1.into();
    fs::write(root.join("odd.sig"), forged.to_string()).unwrap();
    recorded.join("secp256r1.pub").display().to_string()
}

#[test]
fn what_others_say_orders_no_terminal_about_and_forges_no_line() {
    let world = World::new(&PAIR);
    let evil = format!("{EVIL}\n{FORGED}\n");
    let name = format!("{EVIL}\n{FORGED}");
    let root = world.dir.path();
    let folder = root.join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("w.bin"), "w").unwrap();
    fs::write(folder.join(&name), "x").unwrap();
    // The user's own path is not text of others, so its line breaks are kept.
    let odd = root.join(EVIL);
    fs::create_dir(&odd).unwrap();
    let write = |file: &str, text: String| fs::write(root.join(file), text).unwrap();
    write(
        "compose.yaml",
        format!("services: {{\"{}\": {{image: x, user: \"{}\"}}}}\n", "a\\e[2J", "\\u202e0:0\\nroot"),
    );
    write("bad.yaml", format!("services: [{EVIL}\n"));
    write("bad.lock", format!("version = 1\n{EVIL} = '{EVIL}'\n"));
    write(
        "odd.lock",
        format!(
            "version = 1\n[store]\npath = \"/srv/m\"\n[[weight]]\npath = \"\\u202ew\"\nsha256 = \"{}\"\n",
            "0".repeat(64)
        ),
    );
    fs::write(folder.join(OsStr::from_bytes(&[b"\xff\n", FORGED.as_bytes()].concat())), "x").unwrap();
    fs::create_dir(folder.join(format!(".ballast-aside.{name}"))).unwrap();
    let key = bundles(root, &name);
    write("serial", evil.clone());
    write("image.toml", format!("{EVIL}\n"));
    let url = format!("oci://127.0.0.1:{}/x/y:z", registry(&evil));
    let at = |file: &str| root.join(file).display().to_string();
    let (folder, odd) = (folder.display().to_string(), odd.display().to_string());
    let rows: Vec<Vec<String>> = [
        vec!["adopt", "--lock", "new.lock", "--store", "/srv/m", &folder],
        vec!["verify", "--signed", "model.sig", "--key", &key, &folder],
        vec!["verify", "--signed", "model.sig", "--key", &key, "--json", &folder],
        vec!["verify", "--signed", "forged.sig", "--key", &key, &folder],
        vec!["verify", "--signed", "odd.sig", "--key", &key, &folder],
        vec!["pull", "--retries", "0", "--into", "m", &url],
        vec!["doctor", &at("compose.yaml")],
        vec!["doctor", "--json", &at("compose.yaml")],
        vec!["doctor", &at("bad.yaml")],
        vec!["verify", "--lock", &at("bad.lock")],
        vec!["verify", "--lock", &at("odd.lock")],
        vec!["verify", "--json", "--lock", &at("odd.lock")],
        vec!["heal", "--lock", &at("odd.lock"), "--report", &at("report.json")],
        vec!["heal", "--log", "json", "--lock", &at("odd.lock"), "--report", &at("report.json")],
        vec!["verify", &odd],
        vec!["verify", "--json", &odd],
        vec!["import", "--into", "m", &odd],
        vec!["fetch", "--mirror", &odd, "--into", &at("fetched")],
        vec!["export", "--from", &at("source"), &format!("--image={}", at("image.toml")), "out.tar"],
        vec!["run", &odd],
        vec!["status", "--json", "--lock", &odd],
    ]
    .iter()
    .map(|words| words.iter().map(|word| (*word).to_owned()).collect())
    .collect();
    let mut wrong = Vec::new();
    for words in rows {
        let mut command = Command::new(program());
        let output = command.args(&words).env("BALLAST_LOCK", world.lock()).current_dir(root).output().unwrap();
        let text = [output.stdout.as_slice(), &output.stderr].concat();
        let forged = String::from_utf8_lossy(&text).lines().any(|line| line == FORGED);
        if !hidden(&output).is_empty() || forged || text.is_empty() {
            wrong.push(format!("{words:?}: {:?}, forged {forged}: {output:?}", hidden(&output)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
