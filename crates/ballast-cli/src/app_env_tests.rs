//! The table of what a command gets, and what is said of it.

use super::*;

const HUB: &str = "hub/models--o--n/snapshots/0123/model.safetensors";

fn lock(weight: &str, store: &str, env: &str) -> Lock {
    let pin = "ab".repeat(32);
    let text = format!(
        "version = 1\n[store]\npath = \"/cache\"\n{store}\n[env]\n{env}\n[[weight]]\npath = \"{weight}\"\nsha256 = \"{pin}\"\n[[weight]]\npath = \"plus/b\"\nsha256 = \"{pin}\"\nneed = \"optional\"\n"
    );
    Lock::parse(&text).unwrap_or_else(|error| panic!("{error}"))
}

struct Row<'a> {
    name: &'a str,
    lock: Lock,
    believed: bool,
    served: &'a str,
    env: &'a [(&'a str, &'a str)],
    command: &'a [&'a str],
    set: &'a [(&'a str, &'a str)],
    notes: &'a [&'a str],
    astray: &'a [&'a str],
}

/// A row about a cache that serves itself.
fn plain() -> Row<'static> {
    Row {
        name: "",
        lock: lock("sub/a", "env = \"MODELS\"", ""),
        believed: true,
        served: "/cache",
        env: &[],
        command: &["app"],
        set: &[],
        notes: &[],
        astray: &[],
    }
}

fn constants() -> Vec<Row<'static>> {
    let offline = || lock(HUB, "env = \"HF_HOME\"", "HF_HUB_OFFLINE = \"1\"");
    let row = || Row { lock: offline(), ..plain() };
    vec![
        Row { name: "a constant is set", set: &[("HF_HUB_OFFLINE", "1")], ..row() },
        Row { name: "the same value is the operator's", env: &[("HF_HUB_OFFLINE", "1")], ..row() },
        Row {
            name: "the operator's own value wins, and the hub may be used",
            env: &[("HF_HUB_OFFLINE", "0")],
            notes: &["HF_HUB_OFFLINE stays \"0\"", "HF_HUB_OFFLINE is not 1"],
            ..row()
        },
        Row {
            name: "a lock file that the app could rewrite sets nothing",
            believed: false,
            notes: &["HF_HUB_OFFLINE is not set", "HF_HUB_OFFLINE is not 1"],
            ..row()
        },
        Row {
            name: "a hub's cache without it",
            lock: lock(HUB, "", ""),
            notes: &["HF_HUB_OFFLINE is not 1"],
            ..plain()
        },
        Row { name: "the operator says it", lock: lock(HUB, "", ""), env: &[("HF_HUB_OFFLINE", "YES")], ..plain() },
    ]
}

fn variables() -> Vec<Row<'static>> {
    let home = || Row { lock: lock("hub/a", "env = \"HF_HOME\"", ""), ..plain() };
    vec![
        Row { name: "no word where all is plain", env: &[("MODELS", "/cache"), ("PATH", "/bin")], ..plain() },
        Row { name: "with a slash at its end", env: &[("MODELS", "/cache/")], ..plain() },
        Row { name: "another value is replaced", env: &[("MODELS", "/mine")], notes: &["MODELS was /mine"], ..plain() },
        Row {
            name: "a variable wins",
            env: &[("HF_HUB_CACHE", "/elsewhere")],
            notes: &["HF_HUB_CACHE has priority over HF_HOME"],
            ..home()
        },
        Row { name: "it leads to the same place", env: &[("HF_HUB_CACHE", "/cache/hub")], ..home() },
    ]
}

fn views() -> Vec<Row<'static>> {
    let two = |env: &str| lock("sub/a", &format!("{env}\nviews = {{ TORCH_HOME = \"sub\" }}"), "");
    let row = || Row { lock: two("env = \"MODELS\""), ..plain() };
    vec![
        Row { name: "a view follows the cache", env: &[("TORCH_HOME", "/cache/sub/")], ..row() },
        Row { name: "a view follows the layer", env: &[("TORCH_HOME", "/cache/sub")], served: "/baked", ..row() },
        Row {
            name: "a view's other value is replaced",
            env: &[("TORCH_HOME", "/mine")],
            notes: &["TORCH_HOME was /mine, and is /cache/sub"],
            ..row()
        },
        Row {
            name: "what a boot sets itself does not win elsewhere",
            lock: two("env = \"XDG_CACHE_HOME\""),
            env: &[("TORCH_HOME", "/cache/torch")],
            notes: &["TORCH_HOME was /cache/torch"],
            ..plain()
        },
    ]
}

fn layer() -> Vec<Row<'static>> {
    let row = || Row { served: "/baked", ..plain() };
    vec![
        Row { name: "the store's own variable follows", env: &[("MODELS", "/cache")], ..row() },
        Row {
            name: "a second variable to a required weight",
            env: &[("TORCH_HOME", "/cache/sub")],
            astray: &["TORCH_HOME leads to /cache/sub"],
            ..row()
        },
        Row {
            name: "in a list",
            env: &[("NLTK_DATA", "/usr/share:/cache/sub/")],
            astray: &["NLTK_DATA leads to /cache/sub/"],
            ..row()
        },
        Row {
            name: "a second variable to what is optional",
            env: &[("EXTRA", "/cache/plus")],
            notes: &["EXTRA leads to /cache/plus"],
            ..row()
        },
        Row {
            name: "arguments",
            command: &["app", "--model", "/cache/sub/a", "--other=/cache/plus/b", "/cachet", "cache/sub"],
            notes: &["the argument --other=/cache/plus/b"],
            astray: &["the argument /cache/sub/a"],
            ..row()
        },
        Row {
            name: "in an argument's list, in JSON, after a letter, in a shell's line, relative",
            command: &[
                "app",
                "a=/x,path=/cache/sub/a",
                "{\"p\":\"/cache/sub\"}",
                "-m/cache/sub/a",
                "run /cache/sub",
                "sub/a",
            ],
            astray: &[
                "the argument a=/x",
                "the argument {",
                "the argument -m",
                "the argument run",
                "the argument sub/a",
            ],
            ..row()
        },
        Row {
            name: "a constant of the lock file",
            lock: lock("sub/a", "env = \"MODELS\"", "MODEL = \"/cache/sub/a\""),
            set: &[("MODEL", "/cache/sub/a")],
            astray: &["MODEL leads to /cache/sub/a"],
            ..row()
        },
        Row { name: "words that are no path", command: &["app", "serve", "sub", "http://h/cache/sub", "x=y"], ..row() },
        Row {
            name: "a directory for several libraries",
            env: &[("XDG_CACHE_HOME", "/cache")],
            notes: &["XDG_CACHE_HOME leads to /cache"],
            ..row()
        },
        Row { name: "where a process is", env: &[("HOME", "/cache"), ("PWD", "/cache/sub")], ..row() },
        Row { name: "the cache serves", env: &[("TORCH_HOME", "/cache/sub")], ..plain() },
    ]
}

#[test]
fn each_variable_and_argument_is_set_kept_or_named() {
    let mut wrong = Vec::new();
    for row in constants().into_iter().chain(variables()).chain(views()).chain(layer()) {
        let env: Vec<_> = row.env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let command: Vec<_> = row.command.iter().map(OsString::from).collect();
        let (store, served) = (Path::new("/cache"), Some(Path::new(row.served)));
        let facts = EnvFacts {
            lock: &row.lock,
            believed: row.believed,
            store,
            served,
            env: &env,
            command: &command,
            dir: Some(Path::new("/cache")),
        };
        let found = decide(&facts);
        let set: Vec<_> = found.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let begin = |found: &[String], expected: &[&str]| {
            found.len() == expected.len() && found.iter().zip(expected).all(|(line, start)| line.starts_with(start))
        };
        if set != row.set || !begin(&found.notes, row.notes) || !begin(&found.astray, row.astray) {
            wrong.push(format!("{}: {found:#?}", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
