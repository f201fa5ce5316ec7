use super::*;

const PIN: &str = "77e394b51108381b4c4f7b4baf1c64ca9f4aba73e5e803b2636419578913b5fe";

fn lock_with(extra: &str) -> String {
    format!("version = 1\n[store]\npath = \"/tmp/cache\"\n[[weight]]\npath = \"a/b.bin\"\nsha256 = \"{PIN}\"\n{extra}")
}

#[test]
fn the_projects_own_lock_file_holds_the_four_pins_of_the_mission() {
    let lock = Lock::parse(include_str!("../../../weights.lock")).expect("weights.lock");
    assert_eq!(lock.weights.len(), 4);
    assert!(lock.weights.iter().all(|w| w.need == Need::Required && w.pin_env.is_some()));
    assert_eq!(lock.weights[1].sha256.to_string(), PIN);
}

#[test]
fn a_bad_lock_file_is_refused_with_the_reason() {
    let two = format!("{}[[weight]]\npath = \"a/b.bin\"\nsha256 = \"{PIN}\"\n", lock_with(""));
    let under = format!("{}[[weight]]\npath = \"a/b.bin/c\"\nsha256 = \"{PIN}\"\n", lock_with(""));
    let dir = |more: &str| lock_with(&format!("[[dir]]\npath = \"/tmp/d\"\n{more}"));
    let twice = dir("env = \"D\"\n[[dir]]\npath = \"/tmp/e\"\nenv = \"D\"\n");
    let view =
        |all: &str| lock_with("").replace("[[weight]]", &format!("env = \"M\"\nviews = {{ {all} }}\n[[weight]]"));
    let cases: &[(&str, String, &str)] = &[
        ("fallback that no variable tells", dir("fallback = \"/tmp/e\"\n"), "expected `env` beside"),
        ("two directories in one variable", twice, "already set"),
        ("directory mode", dir("mode = \"4755\"\n"), "octal mode"),
        ("unknown key", lock_with("colour = 1\n"), "unknown field"),
        ("unknown need", lock_with("need = \"maybe\"\n"), "unknown variant"),
        ("version", lock_with("").replace("version = 1", "version = 2"), "expected version 1"),
        ("climbing path", lock_with("").replace("a/b.bin", "../etc/passwd"), "plain names"),
        ("absolute path", lock_with("").replace("a/b.bin", "/etc/passwd"), "plain names"),
        ("empty name", lock_with("").replace("a/b.bin", "a//b"), "plain names"),
        ("newline in name", lock_with("").replace("a/b.bin", "a\\nb"), "plain names"),
        ("short digest", lock_with("").replace(PIN, "77e3"), "64 hex digits"),
        ("digest with a sign", lock_with("").replace(PIN, "+7"), "64 hex digits"),
        ("root is /etc", lock_with("").replace("/tmp/cache", "/etc"), "belongs to the system"),
        ("root below /proc", lock_with("").replace("/tmp/cache", "/proc/self"), "belongs to the system"),
        ("root is /", lock_with("").replace("/tmp/cache", "/"), "belongs to the system"),
        ("root climbs", lock_with("").replace("/tmp/cache", "/tmp/../etc"), "without `..`"),
        ("relative root", lock_with("").replace("/tmp/cache", "tmp"), "absolute"),
        ("LD_PRELOAD", lock_with("pin_env = \"LD_PRELOAD\"\n"), "decides which programs"),
        ("odd variable", lock_with("pin_env = \"A=B\"\n"), "variable's name"),
        ("odd source", lock_with("sources = [\"ftp://x/y\"]\n"), "expected https://"),
        ("loose pip", lock_with("sources = [\"pip:x>=1!m\"]\n"), "NAME==VERSION"),
        ("pip option", lock_with("sources = [\"pip:-r==1!m\"]\n"), "NAME==VERSION"),
        ("member that climbs", lock_with("sources = [\"https://h/a.zip!../w\"]\n"), "expected ARCHIVE!MEMBER"),
        ("member of nothing", lock_with("sources = [\"https://h/a.tar.gz?x=1!\"]\n"), "expected ARCHIVE!MEMBER"),
        ("member of a strange scheme", lock_with("sources = [\"ftp://h/a.zip!w\"]\n"), "expected https://"),
        ("hub without a commit", lock_with("sources = [\"hf:o/m@main/w\"]\n"), "a commit of 40"),
        ("hub without a file", lock_with("sources = [\"hf:o/m@main\"]\n"), "hf:ORG/NAME@COMMIT/FILE"),
        ("hub that climbs", lock_with("sources = [\"hf:o/../m@main/w\"]\n"), "hf:ORG/NAME@COMMIT/FILE"),
        ("data that needs escapes", lock_with("sources = [\"data:,a%20b\"]\n"), "expected data:,"),
        ("data of a type", lock_with("sources = [\"data:text/plain,a\"]\n"), "expected https://"),
        ("data of nothing", lock_with("sources = [\"data:,\"]\n"), "expected data:,"),
        ("a view of nothing", view("T = \"b\""), "a weight at or below"),
        ("a view of half a name", view("T = \"a/b\""), "a weight at or below"),
        ("a view that climbs", view("T = \"a/../a\""), "plain names"),
        ("a view of a loader's variable", view("LD_PRELOAD = \"a\""), "decides which programs"),
        ("a view of an interpreter's variable", view("PYTHONPATH = \"a\""), "decides which programs"),
        ("a view by the store's own variable", view("M = \"a\""), "M is already the variable"),
        ("a serial below nothing", lock_with("").replace("version", "serial = -1\nversion"), "invalid value"),
        ("two of one path", two, "two weights"),
        ("file as directory", under, "also the directory"),
        ("no weight", "version = 1\n[store]\npath = \"/tmp/cache\"\n".into(), "at least one"),
        (
            "baked onto itself",
            lock_with("").replace("path = \"/tmp/cache\"", "path = \"/tmp/cache\"\nbaked = \"/tmp/cache/\""),
            "same directory",
        ),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(name, text, expected)| match Lock::parse(text) {
            Ok(_) => Some(format!("{name}: accepted")),
            Err(error) if error.to_string().contains(expected) => None,
            Err(error) => Some(format!("{name}: expected {expected:?} in {error}")),
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn variables_lead_to_the_root_and_to_views_of_it() {
    let with = |store: &str| {
        let text = lock_with("").replace("[[weight]]", &format!("{store}\n[[weight]]"));
        Lock::parse(&text).unwrap_or_else(|error| panic!("{error}"))
    };
    type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], bool);
    let rows: [Row; 5] = [
        ("", &[], false),
        ("env = \"M\"", &[("M", "/r")], true),
        ("views = { T = \"a\" }", &[("T", "/r/a")], true),
        ("views = { T = \"a/b.bin\" }", &[("T", "/r/a/b.bin")], true),
        ("env = \"M\"\nviews = { T = \"a\" }", &[("M", "/r"), ("T", "/r/a")], true),
    ];
    for (store, expected, can_repoint) in rows {
        let lock = with(store);
        let expected: Vec<_> =
            expected.iter().map(|(name, place)| ((*name).to_owned(), PathBuf::from(place))).collect();
        assert_eq!((lock.pointed(Path::new("/r")), lock.can_repoint()), (expected, can_repoint), "{store}");
    }
}

#[test]
fn a_syntax_error_names_its_line_and_column() {
    let error = Lock::parse("version = 1\n[store\n").expect_err("accepted").to_string();
    assert!(error.contains("line 2, column"), "{error}");
    let error = Lock::parse(&lock_with("").replace(PIN, "zz")).expect_err("accepted").to_string();
    assert!(error.contains("line 6, column"), "{error}");
}

#[test]
fn pins_of_the_environment_must_repeat_those_of_the_lock() {
    let text = lock_with("pin_env = \"P\"\npin_env_required = true\n")
        .replace("[[weight]]", "[pins]\nrequired_when = \"R\"\n[[weight]]");
    let lock = Lock::parse(&text).expect("lock");
    let upper = format!("sha256:{}", PIN.to_uppercase());
    let zeros = "0".repeat(64);
    let cases: &[(&str, Option<&str>, Option<&str>, usize)] = &[
        ("nothing set", None, None, 0),
        ("empty counts as unset", Some(""), Some(""), 0),
        ("right", Some(PIN), Some("true"), 0),
        ("right, other spelling", Some(&upper), Some("YES"), 0),
        ("wrong", Some(&zeros), None, 1),
        ("no digest", Some("latest"), None, 1),
        ("required and missing", None, Some("1"), 1),
        ("required and empty", Some(" "), Some("on"), 1),
        ("not required", None, Some("off"), 0),
        ("odd truth word", Some(PIN), Some("maybe"), 1),
    ];
    let wrong: Vec<_> = cases
        .iter()
        .filter(|(_, pin, required, faults)| {
            let env = |name: &str| match name {
                "P" => pin.map(str::to_owned),
                "R" => required.map(str::to_owned),
                _ => None,
            };
            lock.check_pins(env).err().map_or(0, |f| f.len()) != *faults
        })
        .map(|(name, ..)| name)
        .collect();
    assert!(wrong.is_empty(), "{wrong:?}");
}
