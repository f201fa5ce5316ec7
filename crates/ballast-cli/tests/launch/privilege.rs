//! Tests which privileges remain after the drop, and which the drop needs.

use crate::stage::{Stage, out, output, status, zero};
use testkit::need::skip;

use crate::support::stderr;

#[test]
fn root_is_gone() {
    let Some(stage) = Stage::root("root_is_gone") else {
        return;
    };
    let found = status(&stage.run(&["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!(found["Uid"], "100 100 100 100");
    assert_eq!(found["Gid"], "101 101 101 101");
    assert_eq!(found["Groups"], "101");
    let kept: Vec<_> = found.iter().filter(|(name, set)| name.starts_with("Cap") && !zero(set)).collect();
    assert!(kept.is_empty(), "{kept:?}");
}

#[test]
fn root_by_the_option_stays() {
    let Some(stage) = Stage::root("root_by_the_option_stays") else {
        return;
    };
    let before = status(&output(&["cat", "/proc/self/status"]));
    let found = status(&stage.run(&["--user", "0:5"], "cat /proc/self/status"));
    assert_eq!((found["Uid"].as_str(), found["Gid"].as_str()), ("0 0 0 0", "5 5 5 5"));
    assert_eq!(found["CapEff"], before["CapEff"]);
}

#[test]
fn inherited_and_ambient_capabilities_are_cleared() {
    let Some(stage) = Stage::root("inherited_and_ambient_capabilities_are_cleared") else {
        return;
    };
    let setpriv = ["setpriv", "--inh-caps", "+chown,+kill", "--ambient-caps", "+chown,+kill"];
    let plain = [&setpriv[..], &["--reuid", "100", "--regid", "101", "--clear-groups"]].concat();
    let mut wrong = Vec::new();
    for (starter, options) in
        [(&setpriv[..], &["--user", "100:101"][..]), (&plain, &["--user", "100:101"]), (&plain, &[])]
    {
        let found = status(&stage.under(starter, options, "cat /proc/self/status"));
        let left = ["CapInh", "CapPrm", "CapEff", "CapAmb"].map(|name| found[name].clone());
        if found["Uid"] != "100 100 100 100" || !left.iter().all(|set| zero(set)) {
            wrong.push(format!("{starter:?} {options:?}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn two_capabilities_are_enough() {
    let Some(stage) = Stage::root("two_capabilities_are_enough") else {
        return;
    };
    let starter = ["setpriv", "--bounding-set", "-all,+setuid,+setgid"];
    let found = status(&stage.under(&starter, &["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!((found["Uid"].as_str(), found["Groups"].as_str()), ("100 100 100 100", "101"));
    assert!(!zero(&found["CapBnd"]), "without SETPCAP the bounding set stays: {found:?}");
}

#[test]
fn an_impossible_drop_is_refused_with_the_line_to_change() {
    let Some(stage) = Stage::root("an_impossible_drop_is_refused_with_the_line_to_change") else {
        return;
    };
    let other = ["setpriv", "--reuid", "5", "--regid", "5", "--clear-groups"];
    let mut wrong = Vec::new();
    for (starter, facts) in [
        (&other[..], "without SETUID, without SETGID"),
        (&["setpriv", "--bounding-set", "-all,+setuid"], "with SETUID, without SETGID"),
        (&["setpriv", "--bounding-set", "-all,+setgid"], "without SETUID, with SETGID"),
    ] {
        let output = stage.under(starter, &["--user", "100:101"], "echo started");
        let said = stderr(&output);
        let hinted = said.contains("user: \"100:101\"") && said.contains("cap_add: [CHOWN, SETUID, SETGID]");
        if output.status.success() || !output.stdout.is_empty() || !hinted || !said.contains(facts) {
            wrong.push(format!("{starter:?}: {output:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn groups_that_the_platform_gave_to_the_right_user_stay() {
    let Some(stage) = Stage::root("groups_that_the_platform_gave_to_the_right_user_stay") else {
        return;
    };
    let fs_group = ["setpriv", "--reuid", "100", "--regid", "101", "--groups", "44"];
    let found = status(&stage.under(&fs_group, &["--user", "100:101"], "cat /proc/self/status"));
    assert_eq!(found["Groups"], "44");
}

#[test]
fn a_kernel_that_only_says_yes_is_not_believed() {
    let name = "a_kernel_that_only_says_yes_is_not_believed";
    let Some(stage) = Stage::root(name) else { return };
    if output(&["sh", "-c", "command -v strace"]).stdout.is_empty() {
        skip(name, "strace");
        return;
    }
    let mut wrong = Vec::new();
    for lie in [
        "setgroups:retval=0",
        "setresgid:retval=0",
        "setresuid:retval=0:when=1",
        "setresuid:retval=0:when=2",
        "capset:retval=0",
    ] {
        let inject = format!("inject={lie}");
        let inherited = ["setpriv", "--inh-caps", "+chown", "--groups", "0,27"];
        let liar = ["strace", "-f", "-o", "/dev/null", "-e", &inject];
        let found = stage.under(&[&inherited[..], &liar].concat(), &["--user", "100:101"], "echo started");
        let refused = stderr(&found).contains("cannot prove the drop to 100:101");
        if found.status.success() || !found.stdout.is_empty() || !refused {
            wrong.push(format!("{lie}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn who_is_the_user_already_needs_nothing() {
    let Some(stage) = Stage::root("who_is_the_user_already_needs_nothing") else {
        return;
    };
    for groups in [&["--clear-groups"][..], &["--groups", "101"]] {
        let starter = [&["setpriv", "--reuid", "100", "--regid", "101"], groups].concat();
        let found = status(&stage.under(&starter, &["--user", "100:101"], "cat /proc/self/status"));
        assert_eq!(found["Uid"], "100 100 100 100", "{groups:?}");
    }
}

#[test]
fn a_user_namespace_that_denies_setgroups_is_named() {
    let Some(stage) = Stage::root("a_user_namespace_that_denies_setgroups_is_named") else {
        return;
    };
    // If the groups match already, no call can be denied.
    let plain = ["setpriv", "--reuid", "100", "--regid", "101", "--clear-groups"];
    let mapped = [&plain[..], &["unshare", "--user", "--map-root-user"]].concat();
    let probe = [&mapped[..], &["true"]].concat();
    if !output(&probe).status.success() {
        skip("a_user_namespace_that_denies_setgroups_is_named", "user namespaces");
        return;
    }
    assert_eq!(out(&stage.under(&mapped, &["--user", "0:0"], "id -u")), "0");
    let extra = ["setpriv", "--reuid", "100", "--regid", "101", "--groups", "44"];
    let mapped = [&extra[..], &["unshare", "--user", "--map-root-user"]].concat();
    let output = stage.under(&mapped, &["--user", "0:0"], "id -u");
    assert!(stderr(&output).contains("setgroups denied"), "{output:?}");
}
