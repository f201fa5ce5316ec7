//! Tests of what Dockerfiles say, and of the store that follows from facts.

use super::dockerfile::{Dockerfile, read};
use super::*;

fn user(of: &Dockerfile) -> Option<&str> {
    of.user.as_ref().map(|user| user.value.as_str())
}

#[test]
fn the_last_stage_s_user_and_literal_variables_are_read_with_their_lines() {
    let text = "# syntax=docker/dockerfile:1
FROM builder AS one
ENV HF_HOME=/wrong
USER builder
FROM python:3.11 AS two
env HF_HOME=/data/hf \\
    # a comment between
    TORCH_HOME=\"/data/to rch\" OTHER=${X}
ENV NLTK_DATA=/old A=b
ENV NLTK_DATA /data/nltk words
USER $APP
User 1000:1000
CMD [\"python\"]";
    let found = read("Dockerfile", text);
    let variables: Vec<_> = found.variables.iter().map(|(name, said)| (name.as_str(), said.value.as_str())).collect();
    let expected =
        [("HF_HOME", "/data/hf"), ("TORCH_HOME", "/data/to rch"), ("A", "b"), ("NLTK_DATA", "/data/nltk words")];
    assert_eq!(variables, expected);
    assert_eq!(found.variables[1].1.place, "Dockerfile, line 6");
    assert_eq!(
        (user(&found), found.user.as_ref().map(|user| user.place.as_str())),
        (Some("1000:1000"), Some("Dockerfile, line 12"))
    );
}

#[test]
fn what_is_no_dockerfile_says_nothing_and_a_cut_one_what_it_has() {
    for text in ["", "\\", "USER", "\n\n#", "ENV", "ENV =", "ENV 'A", "\u{0}\u{1}\u{2}"] {
        assert_eq!(user(&read("Dockerfile", text)), None, "{text:?}");
    }
    assert_eq!(user(&read("D", "USER app \\")), Some("app"));
}

/// Users, variables, layout; then path, owner and variable.
type Row<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], Option<&'static str>, &'a str, &'a str, Option<&'a str>);

#[test]
fn the_store_follows_from_the_variables_the_user_and_the_layout() {
    let rows: [Row; 12] = [
        (&[], &[("MODEL_NAME", "x"), ("MODEL_DIR", "/srv/m")], None, "/srv/m", "1000:1000", Some("MODEL_DIR")),
        (&[], &[("MODEL_DIR", "/srv/m"), ("HF_HOME", "/hf")], None, "/hf", "1000:1000", Some("HF_HOME")),
        (&[], &[("MODEL_PATH", "/srv/m.onnx")], None, "/models", "1000:1000", None),
        (&[], &[], None, "/models", "1000:1000", None),
        (&["app"], &[("HF_HOME", "/data/hf")], None, "/data/hf", "app", Some("HF_HOME")),
        (&["5:6", "app"], &[], Some("HF_HOME"), "/models", "5:6", Some("HF_HOME")),
        (&["root"], &[("HF_HOME", "/data/hf")], Some("HF_HOME"), "/data/hf", "1000:1000", Some("HF_HOME")),
        (&["0:0", "7"], &[("TORCH_HOME", "/t")], Some("HF_HOME"), "/models", "7", Some("HF_HOME")),
        (&[], &[("PATH", "/bin"), ("TORCH_HOME", "/t")], None, "/t", "1000:1000", Some("TORCH_HOME")),
        // No models lie there, or a lock file may not name it.
        (&[], &[("TMPDIR", "/data/tmp"), ("HOME", "/home/app")], None, "/models", "1000:1000", None),
        (&[], &[("HF_HOME", "/etc")], None, "/models", "1000:1000", None),
        (&[], &[("HF_HOME", "relative")], None, "/models", "1000:1000", None),
    ];
    let mut wrong = Vec::new();
    for (users, variables, layout, path, owner, env) in rows {
        let said = |value: &&str| Said::new(*value, "a file");
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), said(value))).collect();
        let store =
            plan(&ProjectFacts { users: users.iter().map(said).collect(), variables, layout, views: Vec::new() });
        let found =
            (store.path.value.as_str(), store.owner.value.as_str(), store.env.as_ref().map(|env| env.value.as_str()));
        if found != (path, owner, env) {
            wrong.push(format!("{users:?}, {layout:?}: {store:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_folder_of_several_layouts_has_a_view_for_each_and_the_root_above_them() {
    let views = vec![("HF_HOME", "hf".to_owned()), ("TORCH_HOME", "a/torch".to_owned())];
    let said = |value: &str| Said::new(value, "a file");
    let rows: [(&[(&str, &str)], &str); 5] = [
        (&[], "/models"),
        (&[("HF_HOME", "/data/hf"), ("TORCH_HOME", "/data/a/torch")], "/data"),
        (&[("TORCH_HOME", "/data/a/torch/")], "/data"),
        (&[("HF_HOME", "/elsewhere")], "/models"),
        (&[("HF_HOME", "/etc/hf")], "/models"),
    ];
    let mut wrong = Vec::new();
    for (variables, path) in rows {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), said(value))).collect();
        let store = plan(&ProjectFacts { variables, views: views.clone(), ..ProjectFacts::default() });
        if store.path.value != path || store.env.is_some() || store.views != views {
            wrong.push(format!("{path}: {store:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn lists_beside_the_lock_file_are_copied_with_it() {
    let store = plan(&ProjectFacts::default());
    let text = lines(&store, None, true);
    assert!(text.contains("COPY weights.lock weights.*.list /etc/ballast/\n"), "{text}");
    assert!(lines(&store, None, false).contains("COPY weights.lock /etc/ballast/weights.lock\n"));
}
