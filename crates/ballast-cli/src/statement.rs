//! Statements of one boot: in-toto, CycloneDX, Prometheus. The statements name only what this boot verified. Pure.
//!
//! `docs/statement.schema.json` describes the predicate.

use std::collections::HashSet;
use std::fmt::Write as _;

use ballast::digest::Digest;
use ballast::lock::{Group, Lock, Provenance};
use serde_json::{Value, json};

use crate::escape;
use crate::record::StatedWeight;

/// The name of the predicate for readers of in-toto.
const PREDICATE: &str = "urn:ballast:boot:v1";

/// What a boot verified.
pub struct Verified<'a> {
    /// The boot's name.
    pub boot: &'a str,
    /// How long it took.
    pub seconds: f64,
    /// When it verified them, in seconds since 1970.
    pub time: i64,
    /// The user that wrote its report, and could have written another.
    pub writer: u32,
    /// The lock file's digest.
    pub lock: Digest,
    /// Its serial.
    pub serial: Option<u64>,
    /// The weights whose bytes had the pinned digests, and whose files are the same still.
    pub weights: Vec<StatedWeight<'a>>,
    /// The lock file's groups, of which some are signed models.
    pub groups: &'a [Group],
}

impl Verified<'_> {
    /// The signed models of which every file was verified. The lock file records the signer; a boot verifies no bundle.
    fn models(&self) -> impl Iterator<Item = (&str, &Provenance)> {
        let whole = |(at, group): &(usize, &Group)| {
            let files = self.weights.iter().filter(|stated| stated.weight.group.is_some_and(|of| of as usize == *at));
            files.count() == group.members.len()
        };
        let groups = self.groups.iter().enumerate().filter(whole);
        groups.filter_map(|(_, group)| Some((group.name(), group.signed.as_ref()?)))
    }
}

/// An in-toto statement, v1, without a signature.
pub fn in_toto(verified: &Verified) -> Value {
    let subject = |StatedWeight { weight, protection }: &StatedWeight| {
        let mut subject = json!({"name": weight.path.as_str(), "digest": {"sha256": weight.sha256.to_string()}});
        if let Some(protection) = protection {
            subject["annotations"] = json!({"protection": protection});
        }
        subject
    };
    let model = |(path, signed): (&str, &Provenance)| {
        json!({
            "path": path,
            "method": signed.method,
            "signer": {"sha256": signed.signer.to_string()},
            "bundle": {"sha256": signed.bundle.to_string()},
        })
    };
    let subjects: Vec<_> = verified.weights.iter().map(subject).collect();
    let mut lock = json!({"digest": {"sha256": verified.lock.to_string()}});
    if let Some(serial) = verified.serial {
        lock["serial"] = serial.into();
    }
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": PREDICATE,
        "predicate": {
            "verifier": {"name": "ballast", "version": env!("CARGO_PKG_VERSION")},
            "boot": verified.boot,
            "verifiedAt": rfc3339(verified.time),
            "bootSeconds": verified.seconds,
            "report": {"uid": verified.writer},
            "lockFile": lock,
            "signedModels": verified.models().map(model).collect::<Vec<_>>(),
        },
    })
}

/// A CycloneDX 1.6 bill of materials.
pub fn cyclone_dx(verified: &Verified) -> Value {
    let component = |StatedWeight { weight, protection }: &StatedWeight| {
        let mut component = json!({
            "type": "machine-learning-model",
            "bom-ref": weight.path.as_str(),
            "name": weight.path.as_str(),
            "hashes": [{"alg": "SHA-256", "content": weight.sha256.to_string()}],
        });
        let group = weight.group.and_then(|at| verified.groups.get(at as usize));
        // A group's license is written once, for all of its files.
        if let Some(license) = weight.license.as_ref().or_else(|| group?.license.as_ref()) {
            component["licenses"] = json!([{"expression": license}]);
        }
        let mut properties: Vec<_> = protection.map(|kept| property("ballast:protection", kept)).into_iter().collect();
        if let Some(signed) = group.and_then(|group| group.signed.as_ref()) {
            properties.push(property(&format!("ballast:signed-with-{}", signed.method), &signed.signer.to_string()));
            properties.push(property("ballast:bundle-sha256", &signed.bundle.to_string()));
        }
        if !properties.is_empty() {
            component["properties"] = properties.into();
        }
        component
    };
    let components: Vec<_> = verified.weights.iter().map(component).collect();
    let mut properties =
        vec![property("ballast:boot", verified.boot), property("ballast:lock-file-sha256", &verified.lock.to_string())];
    properties.push(property("ballast:report-uid", &verified.writer.to_string()));
    properties.extend(verified.serial.map(|serial| property("ballast:serial", &serial.to_string())));
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": rfc3339(verified.time),
            "tools": {"components": [
                {"type": "application", "name": "ballast", "version": env!("CARGO_PKG_VERSION")},
            ]},
            "properties": properties,
        },
        "components": components,
    })
}

fn property(name: &str, value: &str) -> Value {
    json!({"name": name, "value": value})
}

/// Metrics for a textfile collector: complete also if nothing was verified.
pub fn prometheus(lock: &Lock, verified: Option<&Verified>, ready: bool) -> String {
    let mut text = format!(
        "# HELP ballast_ready Whether the last boot verified every required weight, and these are unchanged.\n\
         # TYPE ballast_ready gauge\n\
         ballast_ready {}\n\
         # HELP ballast_weight_verified Whether the last boot verified this weight, and its file is unchanged.\n\
         # TYPE ballast_weight_verified gauge\n",
        u8::from(ready)
    );
    let right: HashSet<_> = verified.into_iter().flat_map(|it| &it.weights).map(|it| &it.weight.path).collect();
    for weight in &lock.weights {
        // Hidden letters first: what printing would make of them later is no escape of this format.
        let path = escape::line(weight.path.as_str()).replace('\\', "\\\\").replace('"', "\\\"");
        let is_right = u8::from(right.contains(&weight.path));
        let _ = writeln!(text, "ballast_weight_verified{{path=\"{path}\",sha256=\"{}\"}} {is_right}", weight.sha256);
    }
    let Some(Verified { seconds, time, .. }) = verified else { return text };
    let metrics = [
        ("ballast_boot_seconds", "How long the last boot took.", seconds.to_string()),
        ("ballast_boot_timestamp_seconds", "When the last boot verified the weights.", time.to_string()),
    ];
    for (name, help, value) in metrics {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
    }
    text
}

/// Seconds since 1970 as RFC 3339 writes them, in UTC.
pub fn rfc3339(time: i64) -> String {
    let (days, second) = (time.div_euclid(86_400), time.rem_euclid(86_400));
    // Days since 1 March of the year 0; eras of 400 years.
    let (era, day) = ((days + 719_468).div_euclid(146_097), (days + 719_468).rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let (date, month) = (day - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = include_str!("statement_expected.txt");

    #[test]
    fn each_form_has_these_bytes() {
        let pin = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
        let line = format!("{pin} 9 w.bin\n");
        let lines = Provenance::files_of("signed", &Digest::of(line.as_bytes()));
        let lock = format!(
            "version = 1\nserial = 7\n[store]\npath = \"/srv/models\"\n[[weight]]\npath = \"m/a \\\"b\\\".h5\"\nsha256 = \"{pin}\"\nlicense = \"MIT\"\n[[group]]\npath = \"signed\"\nlicense = \"Apache-2.0\"\nfiles = \"\"\"\n{line}\"\"\"\nsigned = \"key {pin} {pin} {lines}\"\n"
        );
        let parsed = Lock::parse(&lock).unwrap();
        let verified = Verified {
            boot: "kernel/pid:[1]/2",
            seconds: 0.25,
            time: 1_795_953_600,
            writer: 0,
            lock: Digest::of(b"lock"),
            serial: parsed.serial,
            weights: parsed.weights.iter().map(|weight| StatedWeight { weight, protection: Some("sticky") }).collect(),
            groups: &parsed.groups,
        };
        let pretty = |value: &Value| serde_json::to_string_pretty(value).unwrap();
        let parts =
            [pretty(&in_toto(&verified)), pretty(&cyclone_dx(&verified)), prometheus(&parsed, Some(&verified), true)];
        let found = parts.join("\n\n").replace(env!("CARGO_PKG_VERSION"), "VERSION");
        assert!(found == EXPECTED, "{found}");
    }

    #[test]
    fn a_signed_model_is_stated_only_if_each_of_its_files_was_verified() {
        let pin = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
        let text = format!("{pin} 9 a\n{pin} 9 b\n");
        let lines = Provenance::files_of(".", &Digest::of(text.as_bytes()));
        let lock = format!(
            "version = 1\n[store]\npath = \"/srv/models\"\n[[group]]\nfiles = \"\"\"\n{text}\"\"\"\nsigned = \"key {pin} {pin} {lines}\"\n"
        );
        let parsed = Lock::parse(&lock).unwrap();
        let stated = |files: usize| {
            let weights =
                parsed.weights.iter().take(files).map(|weight| StatedWeight { weight, protection: None }).collect();
            let lock = Digest::of(b"");
            let verified = Verified {
                boot: "b",
                seconds: 0.5,
                time: 0,
                writer: 0,
                lock,
                serial: None,
                weights,
                groups: &parsed.groups,
            };
            in_toto(&verified)["predicate"]["signedModels"].as_array().map(Vec::len)
        };
        assert_eq!((stated(1), stated(2)), (Some(0), Some(1)));
    }

    #[test]
    fn a_path_with_hidden_letters_is_a_valid_label_on_a_terminal_too() {
        let pin = "3f76b5117a9ca574d536af8199e6720089eb4ad3dc7e93534496d88265de864f";
        let lock = format!(
            "version = 1\n[store]\npath = \"/srv/models\"\n[[weight]]\npath = 'a\\\u{200b}\"'\nsha256 = \"{pin}\"\n"
        );
        let parsed = Lock::parse(&lock).unwrap();
        let weights = parsed.weights.iter().map(|weight| StatedWeight { weight, protection: None }).collect();
        let lock = Digest::of(b"");
        let verified =
            Verified { boot: "b", seconds: 0.5, time: 0, writer: 0, lock, serial: None, weights, groups: &[] };
        let text = prometheus(&parsed, Some(&verified), true);
        assert!(text.contains(r#"{path="a\\\\u{200b}\"","#), "{text}");
        assert_eq!(escape::lines(&text), text);
    }

    #[test]
    fn the_schema_describes_each_key_of_the_predicate() {
        let schema: Value = serde_json::from_str(include_str!("../../../docs/statement.schema.json")).unwrap();
        let verified = Verified {
            boot: "b",
            seconds: 0.5,
            time: 0,
            writer: 0,
            lock: Digest::of(b""),
            serial: Some(1),
            weights: Vec::new(),
            groups: &[],
        };
        let statement = in_toto(&verified);
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let mut listed = keys(&schema["properties"]);
        listed.sort();
        let mut found = keys(&statement["predicate"]);
        found.sort();
        assert_eq!(found, listed);
        assert_eq!(schema["$id"], statement["predicateType"]);
    }

    #[test]
    fn seconds_are_written_as_dates_over_leap_years() {
        let rows = [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ];
        let wrong: Vec<_> = rows.iter().filter(|(time, text)| rfc3339(*time) != *text).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
