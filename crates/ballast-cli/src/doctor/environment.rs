//! `doctor` without a file examines this environment: its facts, the resulting plan, what a boot would
//! refuse, and cache variables whose path the app can't write.
//!
//! Only reads. The process may become the app's user, so that the kernel decides what the app can write.

use std::path::{Path, PathBuf};

use crate::boot::plan::{self, CacheOwner, Facts, Ids, Plan, Serve};
use crate::boot::protection::Protection;
use ballast::lock::{Extra, Need};
use serde::Serialize;

use super::finding::{Code, Finding, Severity, by_severity};
use super::path_access::PathAccess;
use super::variables::{self, Use};
use crate::args::{Doctor, HoldArg};
use crate::exit::Failure;
use crate::launch::{self, DropOptions};
use crate::setting::Setting;
use crate::user::Account;
use crate::write_access::WriteAccess;
use crate::{app_env, boot, deepface, dirs, extra, facts, target, wins};

/// The results of the examination.
#[derive(Debug, Serialize)]
pub struct Environment {
    /// The facts that determine the plan; `None` without a lock file.
    pub facts: Option<Facts>,
    /// The user that the command would run as.
    pub app: Ids,
    /// The lock file, and whether a boot would trust it.
    pub lock: Belief,
    /// The index, and whether a boot would trust it.
    pub index: Belief,
    /// The order of attempts; `None` if no correct start exists.
    pub plan: Option<Plan>,
    /// Why root would not give the cache to the app, if the plan says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hand_over_refused: Option<String>,
    /// The first attempt that would provide every required weight.
    pub serve: Option<Serve>,
    /// One entry for each weight.
    pub weights: Vec<WeightLook>,
    /// One entry for each `[[dir]]`.
    pub dirs: Vec<DirLook>,
    /// One entry for each cache variable with a path.
    pub variables: Vec<VariableLook>,
    /// The findings, worst first.
    pub findings: Vec<Finding>,
}

/// A file that a boot uses only if it trusts it.
#[derive(Debug, Default, Serialize)]
pub struct Belief {
    /// The path of the file.
    pub path: Option<PathBuf>,
    /// Whether a boot would trust and use the file.
    pub believed: bool,
    /// The reason why a boot would not use the file.
    pub why: Option<String>,
}

/// The state of a weight, and the result that a boot would have.
#[derive(Debug, Serialize)]
pub struct WeightLook {
    /// The path below the root.
    pub path: String,
    /// Whether the weight is required.
    pub need: Need,
    /// The weight's state in the cache.
    pub cache: String,
    /// The weight's state in the baked layer.
    pub baked: String,
    /// Whether the weight would be right after a boot.
    pub right: bool,
    /// The protection that the weight would have after a boot.
    #[serde(rename = "firmness")]
    pub protection: Option<Protection>,
    #[serde(skip)]
    pub(super) state: State,
}

/// The facts about a weight before a boot.
#[derive(Debug, Clone)]
pub struct State {
    pub(super) in_cache: bool,
    pub(super) in_layer: bool,
    pub(super) repairable: Result<(), String>,
    /// Whether root may become the owner of the cache.
    pub(super) keepable: bool,
}

/// A directory of the lock file.
#[derive(Debug, Serialize)]
pub struct DirLook {
    /// The variable that the entry sets.
    pub variable: Option<String>,
    /// The directory that a boot would choose; `None` if it would fail.
    pub place: Option<PathBuf>,
    /// The reasons why earlier candidates would be refused.
    pub refused: Vec<String>,
}

/// A cache variable.
#[derive(Debug, Serialize)]
pub struct VariableLook {
    /// The variable's name.
    pub name: &'static str,
    /// The variable's path.
    pub path: PathBuf,
    /// Whether the variable is set; otherwise the path is the default.
    pub set: bool,
    /// The reason why the app can't write there, if it can't.
    pub refused: Option<String>,
}

/// Examines the environment and changes no file.
pub fn examine(args: &Doctor) -> Environment {
    let mut seen = Environment {
        facts: None,
        app: facts::ids(),
        lock: Belief::default(),
        index: Belief::default(),
        plan: None,
        hand_over_refused: None,
        serve: None,
        weights: Vec::new(),
        dirs: Vec::new(),
        variables: Vec::new(),
        findings: Vec::new(),
    };
    match Setting::read(&args.place) {
        Ok(setting) => seen.look(setting, args),
        Err(failure) => {
            seen.refuse(Code::BadLock, "weights.lock", &failure);
            let access = PathAccess { app: seen.app, groups: facts::who().groups, ask: true };
            seen.look_at_variables(None, None, &access);
        }
    }
    seen.findings = by_severity(seen.findings);
    seen
}

impl Environment {
    pub(super) fn find(&mut self, severity: Severity, code: Code, place: &str, what: &str, fix: &str) {
        self.findings.push(Finding::new(severity, code, place, what, fix));
    }

    fn refuse(&mut self, code: Code, place: &str, failure: &Failure) {
        self.find(Severity::Error, code, place, &failure.what, failure.hint.as_deref().unwrap_or_default());
    }

    fn look(&mut self, mut setting: Setting, args: &Doctor) {
        if let Err(failure) = setting.check_pins() {
            self.refuse(Code::PinMismatch, "environment", &failure);
        }
        let target = target::target(args.user.as_deref(), &setting).unwrap_or_else(|failure| {
            self.refuse(Code::UnknownUser, "environment", &failure);
            None
        });
        let app = target.as_ref().map(|(account, explicit)| target::app(account, *explicit));
        let app_groups = target.as_ref().map_or(&[][..], |(account, _)| &account.groups);
        let found = Facts { memory_limit: facts::memory_limit(), ..setting.facts(app, app_groups) };
        let hold = if args.hold == HoldArg::Sticky { CacheOwner::Root } else { CacheOwner::App };
        let plan = plan::plan(&found, hold).map_err(|refusal| boot::refused(refusal, found.who.caps));
        let account = target.map(|(account, _)| account);
        let (app, groups) = target::guarded(account.as_ref(), app);
        self.app = app;
        self.look_at_trust(&mut setting, &groups);
        let given = self.look_at_given(&setting, &plan, &groups, &found);
        let hand_over = plan.as_ref().is_ok_and(|plan| plan.hand_over.is_some());
        let denied = || boot::permitted_store(&setting, self.app, &groups).err();
        self.hand_over_refused = hand_over.then(denied).flatten();
        let ask = match &plan {
            Ok(plan) => self.become_app(plan, account.as_ref()),
            Err(failure) => {
                self.refuse(Code::CannotDrop, "environment", failure);
                false
            }
        };
        let access = PathAccess { app: self.app, groups, ask };
        self.plan = plan.ok();
        self.look_at_weights(&setting, &found, &access);
        self.look_at_dirs(&setting, &given, &access);
        self.look_at_variables(Some(&setting), account.as_ref(), &access);
        self.facts = Some(found);
    }

    /// Checks whether root would trust the lock file and the index.
    fn look_at_trust(&mut self, setting: &mut Setting, groups: &[u32]) {
        let trusted = facts::ids().uid != 0 || self.app.uid == 0;
        let look = WriteAccess::new(self.app, groups);
        let judged = if trusted { Ok(()) } else { setting.must_be_out_of_reach(&look) };
        let why = judged.as_ref().err().map(|failure| failure.what.clone());
        self.lock = Belief { path: Some(setting.lock_path.clone()), believed: why.is_none(), why };
        if let Err(failure) = judged {
            self.refuse(Code::LockUntrusted, &setting.lock_path.display().to_string(), &failure);
        }
        let index = setting.baked.as_ref().map(|root| root.join(crate::setting::INDEX));
        let there = index.as_ref().is_some_and(|path| path.exists());
        setting.believe_index(&look);
        let why = match setting.notes.pop() {
            Some(why) => Some(why),
            None => (!there).then(|| "there is none: SHA-256 is used, at a tenth of the speed".to_owned()),
        };
        if let (Some(why), Some(path)) = (&why, &index) {
            let fix = "bake it in a layer of root's: RUN [\"ballast\", \"bake\", \"--from\", \"/mirror\", \"/opt/baked-models\"]";
            let severity = if there { Severity::Warning } else { Severity::Note };
            self.find(severity, Code::IndexLeftAside, &path.display().to_string(), why, fix);
        }
        self.index = Belief { path: index, believed: why.is_none(), why };
    }

    /// Returns which `[[dir]]` entries root would give to the app.
    fn look_at_given(
        &self,
        setting: &Setting,
        plan: &Result<Plan, Failure>,
        groups: &[u32],
        found: &Facts,
    ) -> Vec<bool> {
        let drops = plan.as_ref().is_ok_and(|plan| plan.drop_to.is_some());
        let root = found.who.ids.uid == 0 && found.who.caps.chown && drops && self.app.uid != 0;
        let due = |path: &Path| root && dirs::is_due(path, self.app, groups);
        setting.lock.dirs.iter().map(|spec| due(spec.path.as_path())).collect()
    }

    /// Becomes the app's user; returns whether that succeeded, so that the kernel's answers are the app's.
    fn become_app(&mut self, plan: &Plan, account: Option<&Account>) -> bool {
        let options = DropOptions::default();
        let dropped = match account.filter(|_| plan.drop_to.is_some()) {
            Some(account) => launch::drop_to(account, &options),
            None => launch::stay(&options),
        };
        match dropped {
            Ok(_) => true,
            Err(error) => {
                self.find(Severity::Error, Code::CannotDrop, "environment", &error.to_string(), &error.problem().hint);
                false
            }
        }
    }

    fn look_at_dirs(&mut self, setting: &Setting, given: &[bool], access: &PathAccess) {
        for (spec, given) in setting.lock.dirs.iter().zip(given) {
            let mut refused = Vec::new();
            let tries = std::iter::once(&spec.path).chain(&spec.fallback);
            let place = tries.map(|root| root.as_path()).find(|root| {
                let answer = if *given && *root == spec.path.as_path() { Ok(()) } else { access.can_write(root) };
                answer.map_err(|why| refused.push(why)).is_ok()
            });
            let place = place.map(Path::to_owned);
            if place.is_none() {
                let path = spec.path.as_path().display().to_string();
                let fix = format!("tmpfs: [\"{path}:uid={},gid={},mode=0755\"]", access.app.uid, access.app.gid);
                self.find(Severity::Error, Code::DirUnwritable, &path, &refused.join("; "), &fix);
            }
            let variable = spec.env.as_ref().map(|name| name.as_str().to_owned());
            self.dirs.push(DirLook { variable, place, refused });
        }
    }

    fn look_at_variables(&mut self, setting: Option<&Setting>, account: Option<&Account>, access: &PathAccess) {
        let kept = kept_variables(setting, &self.dirs);
        let home = account.filter(|account| ids(account) == access.app).map(|account| account.home.clone());
        let env = |name: &str| match (kept.iter().find(|(kept, _)| kept == name), &home) {
            (Some((_, place)), _) => Some(place.display().to_string()),
            (None, Some(home)) if name == "HOME" => Some(home.display().to_string()),
            _ => std::env::var(name).ok(),
        };
        let pointed = pointed(setting);
        let others = |name: &str| env(name).filter(|_| !pointed.iter().any(|(known, _)| known == name));
        for (name, place) in &pointed {
            for winner in wins::over(name, &place.display().to_string(), &others) {
                let fix = format!("leave {} out, or {}={}", winner.name, winner.name, winner.expected);
                self.find(Severity::Warning, Code::VariableWins, winner.name, &winner.words(name), &fix);
            }
        }
        if let Some(setting) = setting {
            self.look_beside(setting, &env);
        }
        let room = ["/tmp", "/var/tmp", "/dev/shm"].into_iter().find(|dir| access.can_write(Path::new(dir)).is_ok());
        for variable in variables::ALL.iter().filter(|variable| !kept.iter().any(|(name, _)| name == variable.name)) {
            let Some((path, set)) = variables::leads_to(variable, &env) else { continue };
            let refused = access.can_write(&path).err();
            // A variable that is not set and has no path in the store may belong to a library that is not
            // installed.
            let concerned = set || setting.is_some_and(|setting| path.starts_with(&setting.store));
            if let Some(why) = refused.as_ref().filter(|_| concerned) {
                let severity = if set && variable.usage == Use::Writes { Severity::Error } else { Severity::Warning };
                let by = if set { "set to" } else { "not set, leads to" };
                let what = format!("{by} {}, where uid {} can't write: {why}", path.display(), access.app.uid);
                self.find(severity, Code::VariableUnwritable, variable.name, &what, &fix(variable.name, room));
            }
            self.variables.push(VariableLook { name: variable.name, path, set, refused });
        }
    }
}

impl Environment {
    /// Finds files that no entry names, a DeepFace that opens other names, and a hub client that may go
    /// online.
    fn look_beside(&mut self, setting: &Setting, env: &dyn Fn(&str) -> Option<String>) {
        let refuses = setting.lock.store.extra == Extra::Refuse;
        for root in std::iter::once(&setting.store).chain(&setting.baked) {
            if let Some(words) = extra::find(&setting.lock, root).words(root) {
                let severity = if refuses { Severity::Error } else { Severity::Note };
                let fix = "remove them, or pin them with `ballast adopt`; extra = \"ignore\" under [store] says that they are known";
                self.find(severity, Code::ExtraFiles, &root.display().to_string(), &words, fix);
            }
        }
        if let Some(found) = deepface::concerned(&setting.lock, env)
            && let Some(words) = found.words(&setting.lock)
        {
            self.find(Severity::Error, Code::DeepfaceNames, "deepface", &words, found.fix());
        }
        let offline = env(app_env::OFFLINE).or_else(|| setting.lock.env.get(app_env::OFFLINE).map(str::to_owned));
        if app_env::in_hub_layout(&setting.lock) && !offline.as_deref().is_some_and(app_env::is_on) {
            let fix = "HF_HUB_OFFLINE = \"1\" under [env] in the lock file";
            self.find(Severity::Warning, Code::HubOnline, app_env::OFFLINE, &app_env::hub_words(), fix);
        }
    }
}

fn ids(account: &Account) -> Ids {
    Ids { uid: account.uid, gid: account.gid }
}

/// Returns the variables that a boot sets, with their paths.
fn kept_variables(setting: Option<&Setting>, dirs: &[DirLook]) -> Vec<(String, PathBuf)> {
    let dirs = dirs.iter().filter_map(|dir| Some((dir.variable.clone()?, dir.place.clone()?)));
    pointed(setting).into_iter().chain(dirs).collect()
}

fn pointed(setting: Option<&Setting>) -> Vec<(String, PathBuf)> {
    setting.map(|setting| setting.lock.pointed(&setting.store)).unwrap_or_default()
}

/// Returns the line that fixes a variable. The drop to the app sets HOME, so only the lock file can change
/// HOME.
fn fix(name: &str, room: Option<&str>) -> String {
    let place = format!("{}/{}", room.unwrap_or("/tmp"), name.to_lowercase());
    let first = if room.is_none() { "tmpfs: [\"/tmp:mode=1777\"] and " } else { "" };
    match name {
        "HOME" => format!("{first}[[dir]] path = \"{place}\", env = \"HOME\" in weights.lock"),
        _ => format!("{first}{name}={place}"),
    }
}
