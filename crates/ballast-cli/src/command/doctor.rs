//! `doctor`: what this environment, or a deployment file, will do to the weights.

use std::path::Path;

use crate::boot::plan::{Facts, Plan, Volume, VolumeFacts};

use crate::args::Doctor;
#[cfg(feature = "full")]
use crate::doctor::deployment;
use crate::doctor::environment::{self, Environment};
use crate::doctor::finding::{Finding, Severity};
use crate::exit::{Exit, Failure};
use crate::print;
#[cfg(feature = "full")]
use crate::setting::Setting;
#[cfg(feature = "full")]
use crate::{bounds, foreign};

/// Looks, tells, and changes nothing.
///
/// # Errors
/// [`Exit::DoctorFound`] when something is an error.
pub fn doctor(args: &Doctor) -> Result<(), Failure> {
    if let Some(file) = &args.file {
        return examine(file, args);
    }
    let seen = environment::examine(args);
    if args.json {
        print::answer_json(&seen);
    } else {
        print::answer(&lines(&seen).join("\n"));
    }
    verdict(&seen.findings)
}

#[cfg(feature = "full")]
fn examine(file: &Path, args: &Doctor) -> Result<(), Failure> {
    let setting = Setting::read(&args.place)?;
    let refused = |why: String| Failure::new(Exit::Usage, format!("can't read {}: {why}", file.display()));
    let text = foreign::text_named(file, bounds::DEPLOYMENT).map_err(|error| refused(error.to_string()))?;
    let findings = deployment::examine(&file.display().to_string(), &text, &setting.lock);
    if args.json {
        print::answer_json(&serde_json::json!({ "file": file, "findings": findings }));
    } else if findings.is_empty() {
        print::answer(&format!("{}: nothing found", file.display()));
    } else {
        print::answer(&findings.iter().map(reported).collect::<Vec<_>>().join("\n"));
    }
    verdict(&findings)
}

#[cfg(not(feature = "full"))]
fn examine(file: &Path, _: &Doctor) -> Result<(), Failure> {
    let what = format!("this is the entrypoint build, which can't read {}", file.display());
    Err(Failure::new(Exit::NotInThisBuild, what).hint("`ballast doctor FILE` is in the full build"))
}

fn verdict(findings: &[Finding]) -> Result<(), Failure> {
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    if errors == 0 {
        return Ok(());
    }
    let what = format!("doctor found {errors} error{}", if errors == 1 { "" } else { "s" });
    Err(Failure::new(Exit::DoctorFound, what)
        .hint("the lines after `write:` are to be written; `man ballast-doctor` lists the codes"))
}

fn lines(seen: &Environment) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tell = |name: &str, text: String| lines.push(format!("{name:9}{text}"));
    if let Some(facts) = &seen.facts {
        tell("process", process(facts));
        tell("cache", volume(&facts.volume));
        tell("baked", if facts.baked { "there".into() } else { "none".into() });
    }
    tell("app", format!("{}:{}", seen.app.uid, seen.app.gid));
    for (name, belief) in [("lock", &seen.lock), ("index", &seen.index)] {
        let path = belief.path.as_ref().map_or("none".into(), |path| path.display().to_string());
        let why = belief.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        tell(name, format!("{path}, {}{why}", if belief.believed { "believed" } else { "not believed" }));
    }
    tell("plan", seen.plan.as_ref().map_or("none: no correct start exists".into(), |made| plan(made, seen)));
    let many = seen.weights.len() > print::EACH;
    if many {
        let right = seen.weights.iter().filter(|look| look.right).count();
        tell("weights", format!("{right} of {} would be right", seen.weights.len()));
    }
    for look in
        seen.weights.iter().filter(|look| !many || !look.right).take(if many { print::EACH } else { usize::MAX })
    {
        let kept = look.protection.map(|kept| format!(", {kept}")).unwrap_or_default();
        let then = if look.right { "right" } else { "not right" };
        tell("weight", format!("{}: cache {}, baked {} -> {then}{kept}", look.path, look.cache, look.baked));
    }
    for dir in &seen.dirs {
        let name = dir.variable.as_ref().map(|name| format!("{name}=")).unwrap_or_default();
        let place = dir.place.as_ref().map_or("unwritable".into(), |place| place.display().to_string());
        tell("dir", format!("{name}{place}"));
    }
    let right = seen.variables.iter().filter(|variable| variable.refused.is_none());
    let names: Vec<_> = right.map(|variable| variable.name).collect();
    tell("writable", names.join(" "));
    lines.extend(seen.findings.iter().map(reported));
    lines
}

/// A finding as a person reads it.
fn reported(finding: &Finding) -> String {
    let (word, code) = (finding.severity.word(), finding.code.word());
    let write = if finding.fix.is_empty() { String::new() } else { format!("\n  write: {}", finding.fix) };
    format!("{}: {word} [{code}] {}{write}", finding.place, finding.what)
}

fn process(facts: &Facts) -> String {
    let caps = &facts.who.caps;
    let capabilities = [
        (caps.chown, "CHOWN"),
        (caps.dac_override, "DAC_OVERRIDE"),
        (caps.fowner, "FOWNER"),
        (caps.setuid, "SETUID"),
        (caps.setgid, "SETGID"),
    ];
    let names: Vec<_> = capabilities.iter().filter(|(present, _)| *present).map(|(_, name)| *name).collect();
    let names = if names.is_empty() { "no capability".into() } else { names.join(" ") };
    let privs = if facts.who.no_new_privs { "no_new_privs" } else { "no_new_privs not set" };
    let limit = facts.memory_limit.map(|limit| format!(", memory limit {} MiB", limit >> 20)).unwrap_or_default();
    format!("{}:{}, {names}, {privs}{limit}", facts.who.ids.uid, facts.who.ids.gid)
}

fn volume(volume: &Volume) -> String {
    match volume {
        Volume::Absent { fs } => format!("absent, above it {fs:?}").to_lowercase(),
        Volume::Unusable { errno } => format!("unusable: {}", std::io::Error::from_raw_os_error(*errno)),
        Volume::Present(VolumeFacts { owner, mode, fs, read_only, mount_point, free }) => {
            let mount = if *mount_point { "mounted" } else { "a plain directory" };
            let access = if *read_only { "read-only" } else { "read-write" };
            let free = free.map(|free| format!(", {} MiB free", free >> 20)).unwrap_or_default();
            let fs = format!("{fs:?}").to_lowercase();
            format!("{fs}, {mount}, {access}, {}:{} {mode:04o}{free}", owner.uid, owner.gid)
        }
    }
}

fn plan(plan: &Plan, seen: &Environment) -> String {
    let hand = plan.hand_over.map(|to| match &seen.hand_over_refused {
        Some(why) => format!("the cache stays as it is ({why}), "),
        None => format!("fchown of the cache to {}:{}, then ", to.uid, to.gid),
    });
    let to = plan.drop_to.map_or("stay".into(), |to| format!("become {}:{}", to.uid, to.gid));
    let ways = serde_json::to_value(&plan.serve).unwrap_or_default();
    let ways: Vec<_> = ways.as_array().into_iter().flatten().filter_map(|way| way.as_str()).collect();
    format!("{}{to}, then {}", hand.unwrap_or_default(), ways.join(", else "))
}
