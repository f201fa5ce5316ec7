use super::*;
use crate::lock::Lock;

const PIN: &str = "77e394b51108381b4c4f7b4baf1c64ca9f4aba73e5e803b2636419578913b5fe";

fn with(group: &str) -> String {
    format!("version = 1\n[store]\npath = \"/srv/models\"\n{group}")
}

fn inline(lines: &str) -> String {
    with(&format!("[[group]]\npath = \"m\"\nneed = \"optional\"\nfiles = \"\"\"\n{lines}\"\"\"\n"))
}

fn listed(sha256: &Digest) -> String {
    with(&format!("[[group]]\npath = \"m\"\nlist = \"m.list\"\nlist_sha256 = \"{sha256}\"\n"))
}

fn with_list(text: &str, list: &[u8]) -> Result<Lock, String> {
    let open = |name: &ListName| -> io::Result<Box<dyn Read>> {
        assert_eq!(name.as_str(), "m.list");
        Ok(Box::new(io::Cursor::new(list.to_vec())))
    };
    Lock::parse_with(text, open).map_err(|error| error.to_string())
}

#[test]
fn a_group_is_the_same_weights_from_the_lock_file_and_from_a_list() {
    let lines = line(&Digest::parse(PIN).unwrap(), 9, "a b.bin") + &format!("{PIN} - c/d.bin\n");
    let inside = Lock::parse(&inline(&lines)).unwrap();
    let found: Vec<_> = inside.weights.iter().map(|one| (one.path.as_str(), one.size, one.need, one.group)).collect();
    assert_eq!(found, [("m/a b.bin", Some(9), Need::Optional, Some(0)), ("m/c/d.bin", None, Need::Optional, Some(0))]);
    assert_eq!((inside.groups[0].members.clone(), inside.groups[0].within(&inside.weights[1].path)), (0..2, "c/d.bin"));
    let sha256 = Digest::from_bytes(Sha256::digest(lines.as_bytes()).into());
    let beside = with_list(&listed(&sha256), lines.as_bytes()).unwrap();
    let paths = |lock: &Lock| lock.weights.iter().map(|one| (one.path.clone(), one.sha256)).collect::<Vec<_>>();
    assert_eq!(paths(&inside), paths(&beside));
    assert_eq!(beside.groups[0].sha256, inside.groups[0].sha256);
}

#[test]
fn a_bad_group_is_refused_with_the_reason() {
    let row = format!("{PIN} 9 w.bin\n");
    let base = |source: &str| inline(&row).replace("need =", &format!("sources = [\"{source}\"]\nneed ="));
    let rows = [
        ("a short digest", inline("77e3 9 w.bin\n"), "line 1: expected 64 hex digits"),
        ("no size", inline(&format!("{PIN} w.bin\n")), "line 1: expected SHA256 SIZE PATH"),
        ("a size that is none", inline(&format!("{row}{PIN} x w2.bin\n")), "line 2: expected SHA256 SIZE PATH"),
        ("a path that climbs", inline(&format!("{PIN} 9 ../w.bin\n")), "plain names"),
        ("an absolute path", inline(&format!("{PIN} 9 /etc/passwd\n")), "plain names"),
        ("a path twice", inline(&format!("{row}{row}")), "two weights have the path"),
        ("no file", inline(""), "at least one file"),
        ("neither", with("[[group]]\npath = \"m\"\n"), "either `files`, or `list`"),
        ("both", inline(&row).replace("need =", "list = \"m.list\"\nneed ="), "either `files`, or `list`"),
        ("a list without its digest", with("[[group]]\nlist = \"m.list\"\n"), "either `files`, or `list`"),
        ("a list elsewhere", with("[[group]]\nlist = \"../m.list\"\n"), "a name beside the lock file"),
        ("no folder of lists", listed(&Digest::parse(PIN).unwrap()), "no folder of lists"),
        ("a source that is a file", base("https://host/w.bin"), "with / at its end"),
        ("a source with a query", base("https://host/?f=/"), "with / at its end"),
        ("a hub without a commit", base("hf:o/m@main/"), "a commit of 40"),
        ("an unknown key", inline(&row).replace("need =", "pin_env = \"X\"\nneed ="), "unknown field"),
    ];
    let said = |text: &str| Lock::parse(text).map_or_else(|error| error.to_string(), |_| "accepted".into());
    let mut wrong: Vec<_> = rows
        .iter()
        .map(|(name, text, expected)| (*name, said(text), *expected))
        .filter(|(_, said, expected)| !said.contains(expected))
        .collect();
    let other = with_list(&listed(&Digest::parse(PIN).unwrap()), row.as_bytes()).unwrap_err();
    let letters = with_list(&listed(&Digest::parse(PIN).unwrap()), b"\xff\xff\n").unwrap_err();
    let endless = with_list(&listed(&Digest::parse(PIN).unwrap()), &[b'x'; 5000]).unwrap_err();
    wrong.extend(
        [
            ("another list", other, "is another list\n  expected 77e3"),
            ("no text", letters, "m.list, line 1"),
            ("a line without an end", endless, "m.list, line 1: expected SHA256 SIZE PATH"),
        ]
        .into_iter()
        .filter(|(_, said, expected)| !said.contains(expected)),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_list_with_one_file_too_many_is_refused() {
    let lines: String = (0..=LISTED).map(|at| format!("{PIN} 9 {at}\n")).collect();
    let sha256 = Digest::from_bytes(Sha256::digest(lines.as_bytes()).into());
    let error = with_list(&listed(&sha256), lines.as_bytes()).unwrap_err();
    assert!(error.contains("expected at most 200000 files"), "{error}");
    let most = lines.len() - lines.lines().last().map_or(0, |last| last.len() + 1);
    let sha256 = Digest::from_bytes(Sha256::digest(&lines.as_bytes()[..most]).into());
    let lock = with_list(&listed(&sha256), &lines.as_bytes()[..most]).unwrap();
    assert_eq!(lock.weights.len(), LISTED);
}

#[test]
fn the_provenance_of_a_group_counts_only_for_the_lines_that_were_adopted() {
    let lines = format!("{PIN} 9 w.bin\n");
    let files = Provenance::files_of("m", &Digest::of(lines.as_bytes()));
    let signed = |text: &str| inline(&lines) + "signed = \"" + text + "\"\n";
    let good = format!("key {PIN} {PIN} {files}");
    let lock = Lock::parse(&signed(&good)).unwrap();
    let found = lock.groups[0].signed.as_ref().map(|signed| (signed.signer.to_string(), signed.to_string()));
    assert_eq!(found, Some((PIN.to_owned(), good.clone())));
    let rows = [
        ("other lines", signed(&good).replace("w.bin", "v.bin"), "are not those that were adopted"),
        (
            "another path",
            signed(&good).replace("path = \"m\"", "path = \"d\""),
            "remove this group and adopt again, or remove `signed`",
        ),
        ("another method", signed(&good.replace("key", "mail")), "expected METHOD SIGNER BUNDLE FILES"),
        ("no signer", signed(&format!("key {PIN} {files}")), "expected METHOD SIGNER BUNDLE FILES"),
        ("a word too many", signed(&(good.clone() + " x")), "expected METHOD SIGNER BUNDLE FILES"),
        ("two spaces", signed(&good.replacen(' ', "  ", 1)), "expected METHOD SIGNER BUNDLE FILES"),
        ("nothing", signed(""), "expected METHOD SIGNER BUNDLE FILES"),
        ("a number", inline(&lines) + "signed = 1\n", "invalid type"),
        ("a short digest", signed(&good.replacen(PIN, "77e3", 1)), "expected METHOD SIGNER BUNDLE FILES"),
    ];
    let said = |text: &str| Lock::parse(text).map_or_else(|error| error.to_string(), |_| "accepted".into());
    let wrong: Vec<_> = rows
        .iter()
        .map(|(name, text, expected)| (*name, said(text), *expected))
        .filter(|(_, said, expected)| !said.contains(expected))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
