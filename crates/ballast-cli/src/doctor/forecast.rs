//! Predicts a boot's result for each weight: which attempt of the plan succeeds, what it repairs, and how the weights
//! are protected. The forecast only reads the cache and the baked layer.

use std::path::Path;

use crate::boot::plan::{Facts, Plan, Serve, Volume};
use crate::boot::protection::Protection;
use ballast::disk::LinuxDisk;
use ballast::heal;
use ballast::lock::Need;
use ballast::store::Strictness;

use super::environment::{Environment, State, WeightLook};
use super::finding::{Code, Severity};
use super::path_access::PathAccess;
use crate::setting::Setting;
use crate::write_access::WriteAccess;
use crate::{boot, facts};

impl Environment {
    /// Examines each weight in the cache and in the baked layer, and predicts the result of a boot.
    pub(super) fn look_at_weights(&mut self, setting: &Setting, found: &Facts, access: &PathAccess) {
        let wanted = setting.all_wanted();
        let outcomes = |root: Option<&Path>, strict| {
            let disk = root.and_then(|root| LinuxDisk::open(root).ok());
            disk.map(|disk| heal::verify(&disk, &wanted, strict, facts::threads))
        };
        let cache = outcomes(Some(&setting.store), Strictness::Volume);
        let layer = outcomes(setting.baked.as_deref(), Strictness::Layer);
        let keepable = boot::permitted_store(setting, access.app, &access.groups).is_ok();
        let looks = setting.lock.weights.iter().enumerate().map(|(at, weight)| {
            let words = |all: &Option<Vec<heal::Outcome>>| {
                all.as_ref().map_or("missing".into(), |all| all[at].found.to_string())
            };
            let right = |all: &Option<Vec<heal::Outcome>>| all.as_ref().is_some_and(|all| all[at].is_right());
            WeightLook {
                path: weight.path.to_string(),
                need: weight.need,
                cache: words(&cache),
                baked: words(&layer),
                right: false,
                protection: None,
                state: State {
                    in_cache: right(&cache),
                    in_layer: right(&layer),
                    repairable: self.repairable(setting, found, access, weight.path.as_str()),
                    keepable,
                },
            }
        });
        self.weights = looks.collect();
        self.foresee(setting, found, access);
    }

    /// Checks whether a weight could be written to the cache by the app, after root has given the cache to
    /// it.
    fn repairable(&self, setting: &Setting, found: &Facts, access: &PathAccess, path: &str) -> Result<(), String> {
        let given = self
            .plan
            .as_ref()
            .is_some_and(|plan| plan.serve.contains(&Serve::RootOwnedVolume) || plan.hand_over.is_some());
        let denied = given.then(|| boot::permitted_store(setting, access.app, &access.groups).err()).flatten();
        if given && found.who.caps.chown && denied.is_none() {
            return Ok(());
        }
        let target = setting.store.join(path);
        let inside = target.ancestors().skip(1).filter(|at| at.starts_with(&setting.store));
        // A user who can write to a directory can rename an entry of it that is in the way.
        let answers = inside.filter(|at| at.exists()).map(|at| access.can_write(at));
        let root = answers.reduce(|best, next| best.or(next));
        root.unwrap_or_else(|| access.can_write(&setting.store)).map_err(|why| match (denied, given) {
            (Some(denied), _) => format!("{why}; {denied}"),
            (None, true) => format!("{why}; root lacks CHOWN to give it to the app"),
            (None, false) => why,
        })
    }

    /// Finds the first attempt of the plan that would succeed, and the resulting state of each weight.
    fn foresee(&mut self, setting: &Setting, found: &Facts, access: &PathAccess) {
        let Some(plan) = self.plan.clone() else { return };
        let short = short_of_space(setting, found, &self.weights);
        let would = |way: Serve, look: &WeightLook| match way {
            Serve::Baked => look.state.in_layer,
            Serve::VerifyVolume => look.state.in_cache,
            Serve::RootOwnedVolume if !look.state.keepable => false,
            Serve::HealVolume | Serve::RootOwnedVolume => {
                look.state.in_cache || (look.state.in_layer && look.state.repairable.is_ok() && short.is_none())
            }
        };
        let holds = |way: &Serve| self.weights.iter().all(|look| look.need != Need::Required || would(*way, look));
        self.serve = plan.serve.iter().copied().find(holds);
        if let Some(way) = self.serve {
            for look in &mut self.weights {
                look.right = would(way, look);
                look.protection = look.right.then(|| protection(way, setting, look, access)).flatten();
            }
        }
        self.judge_weights(setting, &plan, short);
    }

    fn judge_weights(&mut self, setting: &Setting, plan: &Plan, short: Option<String>) {
        let cache = setting.store.display().to_string();
        let unrepaired = self.weights.iter().filter(|look| !look.state.in_cache);
        let why = short.or_else(|| unrepaired.filter_map(|look| look.state.repairable.clone().err()).next());
        let wanted = plan.serve.first().is_some_and(|way| *way != Serve::Baked);
        if self.serve.is_none() {
            let required = || self.weights.iter().filter(|look| look.need == Need::Required);
            let missing = required().filter(|look| !look.state.in_layer);
            let mut names: Vec<_> =
                missing.map(|look| format!("{} (baked layer: {})", look.path, look.baked)).collect();
            // The layer has each weight, and can't serve: the cache lacks some.
            if names.is_empty() {
                let missing = required().filter(|look| !look.state.in_cache);
                names = missing.map(|look| format!("{} (cache: {})", look.path, look.cache)).collect();
            }
            let because = why.map(|why| format!("; {why}")).unwrap_or_default();
            let what = format!("no way has every required weight: {}{because}", names.join(", "));
            let fix = match required().all(|look| look.state.in_layer) && !setting.lock.can_repoint() {
                true => "env = \"VARIABLE\" under [store], the variable that the app reads: then the layer can serve",
                false => {
                    "bake the image's own layer: RUN [\"ballast\", \"bake\", \"--from\", \"/mirror\", \"/opt/baked-models\"]"
                }
            };
            self.find(Severity::Error, Code::WeightsMissing, &cache, &what, fix);
        } else if let (true, Some(Serve::Baked), Some(why)) = (wanted, self.serve, why) {
            let (uid, gid) = (self.app.uid, self.app.gid);
            let fix = format!(
                "make it writable for {uid}:{gid} (chown {uid}:{gid} on the volume, or cap_add: [CHOWN, SETUID, SETGID] and a start as root), or drop the mount"
            );
            self.find(
                Severity::Warning,
                Code::NotHealed,
                &cache,
                &format!("can't be repaired, so the baked layer serves: {why}"),
                &fix,
            );
        }
        if self.weights.iter().any(|look| look.need == Need::Required && !look.state.in_layer) && self.serve.is_some() {
            let what = "the cache is right, but the image has no copy to repair it from";
            let fix = "bake the image's own layer and name it in weights.lock: [store] baked = \"/opt/baked-models\"";
            self.find(Severity::Warning, Code::NoLayer, &cache, what, fix);
        }
    }
}

/// Returns why the missing weights do not fit in the free space, if they do not.
fn short_of_space(setting: &Setting, found: &Facts, looks: &[WeightLook]) -> Option<String> {
    let Volume::Present(volume) = &found.volume else { return None };
    let missing = setting.lock.weights.iter().zip(looks).filter(|(_, look)| !look.state.in_cache);
    let needed: u64 = missing.filter_map(|(weight, _)| setting.wanted(weight).size()).sum();
    let free = volume.free.filter(|free| *free < needed)?;
    Some(format!("{} has {free} bytes free, and {needed} are to be copied (ENOSPC)", setting.store.display()))
}

fn protection(way: Serve, setting: &Setting, look: &WeightLook, access: &PathAccess) -> Option<Protection> {
    let custody = WriteAccess::new(access.app, &access.groups);
    let judged = |root: &Path| custody.protection(&root.join(&look.path));
    match way {
        Serve::Baked => setting.baked.as_deref().and_then(judged),
        Serve::RootOwnedVolume => Some(Protection::Sticky),
        Serve::HealVolume if !look.state.in_cache => Some(Protection::Owned),
        Serve::HealVolume | Serve::VerifyVolume => judged(&setting.store),
    }
}
