//! The grammar and the account files, as tables: every failing row is named.

use super::*;

const PASSWD_TEXT: &str = "\
root:x:0:0:root:/root:/bin/sh
app:x:100:101:an app:/home/app:/bin/sh
app:x:200:201:the second of that name::
nohome:x:300:301:::
# a comment
broken
bad:x:abc:0::/:
minus:x:-1:0::/:
all:x:4294967295:0::/:
100:x:555:555:a digit name:/digits:
+::0:0:::
";
const GROUP_TEXT: &str = "\
root:x:0:
grp:x:500:app,other
video:x:44: other , app
app:x:101:
twin:x:101:app
101:x:900:
bad:x:x:app
";

fn accounts() -> Accounts {
    Accounts { passwd: PASSWD_TEXT.into(), group: GROUP_TEXT.into() }
}

/// uid, gid, groups, home; or a word of the refusal.
type Row<'a> = (&'a str, Result<(u32, u32, &'a [u32], &'a str), &'a str>);

fn check(rows: &[Row<'_>]) {
    let mut wrong = Vec::new();
    for (spec, wanted) in rows {
        let found = spec.parse().and_then(|spec| accounts().resolve(&spec, 7));
        let right = match (&found, wanted) {
            (Ok(id), Ok((uid, gid, groups, home))) => {
                (id.uid, id.gid, &id.groups[..], id.home.as_path()) == (*uid, *gid, *groups, Path::new(home))
            }
            (Err(problem), Err(word)) => problem.what.contains(word) && !problem.hint.is_empty(),
            _ => false,
        };
        if !right {
            wrong.push(format!("{spec:?}: wanted {wanted:?}, found {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn specs_become_identities() {
    check(&[
        ("root", Ok((0, 0, &[0], "/root"))),
        ("0", Ok((0, 0, &[0], "/root"))),
        ("0:5", Ok((0, 5, &[5], "/root"))),
        ("app", Ok((100, 101, &[44, 101, 500], "/home/app"))),
        ("100", Ok((100, 101, &[44, 101, 500], "/home/app"))),
        ("0100", Ok((100, 101, &[44, 101, 500], "/home/app"))),
        ("100:101", Ok((100, 101, &[101], "/home/app"))),
        ("app:grp", Ok((100, 500, &[500], "/home/app"))),
        ("app:999", Ok((100, 999, &[999], "/home/app"))),
        ("nohome", Ok((300, 301, &[301], "/"))),
        ("1234", Ok((1234, 7, &[7], "/"))),
        ("1234:1235", Ok((1234, 1235, &[1235], "/"))),
        ("4294967294:4294967294", Ok((u32::MAX - 1, u32::MAX - 1, &[u32::MAX - 1], "/"))),
    ]);
}

#[test]
fn odd_specs_are_refused() {
    let grammar = ["", ":", "100:", ":101", "app:", "1:2:3", "4294967295", "0:4294967295", "4294967296"];
    let odd = ["99999999999999999999", " 100", "100 ", "a b", "a\nb", "a\0b", "app:g\tp"];
    let rows = grammar.iter().chain(&odd).map(|spec| (*spec, Err("cannot read the user")));
    check(&rows.collect::<Vec<_>>());
    check(&[
        ("nosuch", Err("cannot find the user")),
        ("-1", Err("cannot find the user")),
        ("+5", Err("cannot find the user")),
        ("0x0", Err("cannot find the user")),
        ("+", Err("cannot find the user")),
        ("bad", Err("cannot find the user")),
        ("minus", Err("cannot find the user")),
        ("all", Err("cannot find the user")),
        ("broken", Err("cannot find the user")),
        ("app:nosuch", Err("cannot find the group")),
        ("app:bad", Err("cannot find the group")),
        ("app:-1", Err("cannot find the group")),
    ]);
}

#[test]
fn names_are_kept_and_numbers_without_an_entry_have_none() {
    let name = |spec: &str| accounts().resolve(&spec.parse().unwrap(), 7).unwrap().name;
    assert_eq!(name("100"), Some("app".into()));
    assert_eq!(name("1234"), None);
}

#[test]
fn a_group_given_by_number_asks_for_no_second_file() {
    let read = |spec: &str| Accounts::read_for(&spec.parse().unwrap()).unwrap();
    assert_eq!(read("0:5").group, "");
    assert_eq!(read("0:5").passwd, read("0").passwd);
    assert_eq!(read("0").group, read_bounded(Path::new(GROUP)).unwrap());
    assert_eq!(read("0:root").group, read("0").group);
}

#[test]
fn account_files_that_are_no_plain_bounded_files_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let long = dir.path().join("long");
    std::fs::write(&long, vec![b'x'; bounds::ACCOUNTS as usize + 1]).unwrap();
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    for path in [&long, &fifo, &dir.path().to_path_buf(), &PathBuf::from("/dev/zero")] {
        assert!(read_bounded(path).is_err(), "{path:?} was read");
    }
    std::fs::write(&long, vec![b'x'; bounds::ACCOUNTS as usize]).unwrap();
    assert_eq!(read_bounded(&long).unwrap().len() as u64, bounds::ACCOUNTS);
    assert_eq!(read_bounded(&dir.path().join("absent")).unwrap(), "");
}

#[test]
fn bytes_that_are_not_text_are_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("passwd");
    std::fs::write(&path, b"\xff\xfe:x:1:1::/:\napp:x:100:101:\xff:/a:/b\n").unwrap();
    let accounts = Accounts { passwd: read_bounded(&path).unwrap(), group: String::new() };
    assert_eq!(accounts.resolve(&"app".parse().unwrap(), 7).unwrap().uid, 100);
}
