//! `heal` and `run`: a boot, with or without a command after it.

use std::path::PathBuf;
use std::time::Instant;

use crate::boot::plan::Ids;
use crate::boot::protection::Protection;
use ballast::lock::Need;

use super::run_env;
use crate::args::{FailureArg, Heal, Healing, HoldArg, LogArg, Run, SealArg, TrustArg};
use crate::boot::{self, Boot};
use crate::dirs::{self, DirLine};
use crate::dry_run;
use crate::exit::{Exit, Failure};
use crate::extra::{self, Extras};
use crate::facts;
use crate::hints::Lack;
use crate::launch::{self, DropOptions, Dropped, ExecOptions, LaunchError};
use crate::print;
use crate::receipts::ReceiptFile;
use crate::report::{Outlook, Report, ReportFile, WeightLine};
use crate::seal;
use crate::setting::Setting;
use crate::target;
use crate::termination;
use crate::write_access::WriteAccess;

/// Weights that one error names.
const NAMES: usize = 20;

/// Heals, reports, and ends.
///
/// # Errors
/// A named refusal, or [`Exit::WeightsMissing`].
pub fn heal(args: &Heal) -> Result<(), Failure> {
    let log = args.healing.termination_log.as_deref();
    match healed(args) {
        Err(failure) if !args.dry_run => Err(termination::failed(log, failure)),
        Ok(summary) if !args.dry_run => {
            termination::note(log, &format!("{summary}\n"));
            Ok(())
        }
        done => done.map(drop),
    }
}

fn healed(args: &Heal) -> Result<String, Failure> {
    let mut booted = start(&args.healing, args.dry_run, &DropOptions::default())?;
    tell(&mut booted.report, args.healing.log, booted.file.take());
    let would = |line: &WeightLine| line.need != Need::Required || line.outlook == Outlook::WouldHeal;
    let ready = booted.report.weights.iter().all(|line| line.right || (args.dry_run && would(line)));
    if !booted.report.ready && !ready {
        return Err(missing(&booted));
    }
    booted.extra_verdict()?;
    dirs::failure(&booted.report.dirs).map_or_else(|| Ok(print::summary(&booted.report)), Err)
}

/// Heals, drops, and becomes the command. Returns only on a failure.
///
/// # Errors
/// A named refusal; a pin mismatch and an impossible drop are errors for any `--on-failure`.
pub fn run(args: &Run) -> Result<(), Failure> {
    started(args).map_err(|failure| termination::failed(args.healing.termination_log.as_deref(), failure))
}

fn started(args: &Run) -> Result<(), Failure> {
    let mut booted = start(&args.healing, false, &DropOptions { no_new_privs: args.no_new_privs })?;
    let sealed = seal(args.seal, &mut booted);
    let mut app_env = run_env::of(&booted.setting, &booted.report, booted.guarded, &booted.groups, &args.command);
    booted.report.notes.append(&mut app_env.notes);
    tell(&mut booted.report, args.healing.log, booted.file.take());
    sealed?;
    let stop = args.on_failure == FailureArg::Stop;
    if !booted.report.ready {
        let mut failure = missing(&booted);
        failure.hint = failure.hint.map(|hint| hint + "; --on-failure start runs the command anyway");
        if stop {
            return Err(failure);
        }
        print::remark(&format!("starting the command anyway: {}", failure.what));
    }
    for failure in [booted.extra_verdict(), run_env::verdict(&app_env)].into_iter().filter_map(Result::err) {
        if stop {
            return Err(failure);
        }
        print::remark(&format!("starting the command anyway: {}", failure.what));
    }
    let mut environment = app_env.set;
    let pointed = boot::pointed(&booted.report, &booted.setting);
    environment.extend(pointed.into_iter().map(|(name, place)| (name, place.display().to_string())));
    environment.extend(booted.report.dirs.iter().filter_map(DirLine::assignment));
    if let (true, Some(failure)) = (stop, dirs::failure(&booted.report.dirs)) {
        return Err(failure);
    }
    if booted.dropped.is_root() {
        print::remark(
            "the command runs as root: no user was named by --user or by the lock file's owner, or it is root",
        );
    }
    let error = launch::exec(
        booted.dropped,
        &args.command,
        &environment,
        &ExecOptions { keep_fds: args.keep_fds, drop_env: &args.drop_env },
    );
    Err(not_launched(&error))
}

/// Seals the verified weights; if it can't, `auto` reports why and `require` refuses.
fn seal(wanted: SealArg, booted: &mut Booted) -> Result<(), Failure> {
    let Some(served) = booted.report.served.as_ref().filter(|_| wanted != SealArg::Off) else { return Ok(()) };
    let owned = booted.report.weights.iter_mut().filter(|line| line.protection == Some(Protection::Owned));
    let mut owned: Vec<_> = owned.collect();
    if owned.is_empty() {
        return Ok(());
    }
    let paths: Vec<_> = owned.iter().map(|line| served.root.join(&line.path)).collect();
    match seal::seal(&paths, booted.guarded, &booted.groups) {
        Ok(()) => {
            owned.iter_mut().for_each(|line| line.protection = Some(Protection::Landlock));
            Ok(())
        }
        Err(why) if wanted == SealArg::Require => {
            Err(Failure::new(Exit::SealRefused, format!("no seal: {why}")).hint("--seal auto starts without one"))
        }
        Err(why) => {
            booted.report.notes.push(format!("no seal: {why}"));
            Ok(())
        }
    }
}

/// A finished boot, privilege dropped.
struct Booted {
    setting: Setting,
    report: Report,
    dropped: Dropped,
    file: Option<ReportFile>,
    guarded: Ids,
    groups: Vec<u32>,
    extras: Extras,
}

impl Booted {
    /// Decides whether files without an entry end this boot.
    fn extra_verdict(&self) -> Result<(), Failure> {
        let root = self.report.served.as_ref().map_or(&self.setting.store, |served| &served.root);
        self.extras.verdict(&self.setting.lock, root)
    }
}

fn start(healing: &Healing, dry_run: bool, drop: &DropOptions) -> Result<Booted, Failure> {
    let start = Instant::now();
    launch::prepare();
    print::be_patient_no_more();
    let mut setting = Setting::read(&healing.place)?;
    setting.check_pins()?;
    let target = target::target(healing.user.as_deref(), &setting)?;
    let app = target.as_ref().map(|(account, explicit)| target::app(account, *explicit));
    let (guarded, groups) = target::guarded(target.as_ref().map(|(account, _)| account), app);
    let look = WriteAccess::new(guarded, &groups);
    if facts::ids().uid == 0 && guarded.uid != 0 {
        setting.must_be_out_of_reach(&look)?;
    }
    setting.serial_out_of_reach(&look)?;
    if !dry_run {
        let note = setting.remember_serial()?;
        setting.notes.extend(note);
    }
    // Trees also have lengths that the lock file lacks and a plan needs.
    let put_off = healing.trust == TrustArg::Receipt && setting.lock.weights.iter().all(|weight| weight.size.is_some());
    if !put_off {
        setting.believe_index(&look);
    }
    let mut boot = Boot {
        receipts: None,
        groups: &groups,
        setting,
        healing,
        app,
        guarded,
        dry_run,
        would_hand_over: false,
        start,
    };
    let (_, plan) = boot.plan()?;
    let may_give = facts::who().ids.uid == 0 && facts::who().caps.chown && guarded.uid != 0;
    boot.would_hand_over = may_give && boot.hands_over(&plan);
    let would_give = dry_run::given(&boot.setting.lock.dirs, guarded, &groups, may_give);
    let mut refused = Vec::new();
    boot.hand_over(&plan, &mut refused);
    let given = boot.hand_over_dirs(&plan, &mut refused);
    let file = if dry_run { None } else { open_report(&boot, &look, &mut refused) };
    let taken = boot.take(&plan);
    // Checked again: the cache may now be root's.
    let look = WriteAccess::new(guarded, &groups);
    let believed = receipts(healing, &mut boot.setting, &look, dry_run);
    boot.receipts = believed.as_ref().map(|file| &file.receipts);
    let vouched = taken.as_ref().and_then(|taken| boot.vouched(taken.as_ref().ok()?, &look));
    if put_off && vouched.is_none() {
        boot.setting.believe_index(&look);
    }
    let kept = vouched.map(Ok).or_else(|| Some(taken?.map(|disk| boot.keep(&disk, &look))));
    let dropped = match (&target, plan.drop_to) {
        (Some((account, _)), Some(_)) => launch::drop_to(account, drop),
        _ => launch::stay(drop),
    };
    let dropped = dropped.map_err(|error| not_launched(&error))?;
    let mut report = boot.serve(plan, refused, kept);
    report.dirs = match dry_run {
        true => dry_run::unwritable(&boot.setting.lock.dirs, &would_give, guarded, &groups),
        false => dirs::as_app(&boot.setting.lock.dirs, &given),
    };
    let verified = boot.firm(&report);
    let setting = boot.setting;
    if let Some(Err(error)) = believed.map(|file| file.write(&verified)) {
        report.notes.push(format!("receipts: {error}; the next boot verifies every byte"));
    }
    let extras = report.served.as_ref().map(|served| extra::find(&setting.lock, &served.root)).unwrap_or_default();
    report.notes.extend(report.served.as_ref().and_then(|served| extras.words(&served.root)));
    Ok(Booted { setting, report, dropped, file, guarded, groups, extras })
}

/// Opens the receipts of `--trust receipt`; adds a remark if they can't be used.
fn receipts(healing: &Healing, setting: &mut Setting, look: &WriteAccess, dry_run: bool) -> Option<ReceiptFile> {
    if healing.trust == TrustArg::Bytes || dry_run {
        return None;
    }
    let path = healing.receipts.clone().unwrap_or_else(|| match healing.hold {
        HoldArg::Sticky => setting.store.join(".ballast/receipts.json"),
        HoldArg::Owned => PathBuf::from("/var/lib/ballast/receipts.json"),
    });
    ReceiptFile::open(&path, look).map_err(|why| setting.notes.push(format!("receipts: {why}"))).ok()
}

fn open_report(boot: &Boot, look: &WriteAccess, refused: &mut Vec<String>) -> Option<ReportFile> {
    let obeyed: Vec<_> = [&boot.setting.lock_path].into_iter().chain(&boot.setting.proofs).collect();
    ReportFile::open(boot.healing.report.as_deref(), &obeyed, look)
        .map_err(|error| refused.push(format!("report: {error}; without one `status` is not ready")))
        .ok()
}

/// Writes the report file last, so that it can report what stderr did not accept.
fn tell(report: &mut Report, log: LogArg, file: Option<ReportFile>) {
    match log {
        LogArg::Text => print::boot(report),
        LogArg::Json => print::boot_json(report),
    }
    let lost = print::stderr_fault().map(|error| format!("stderr did not take the report: {error}"));
    report.notes.extend(lost);
    if let Some(Err(error)) = file.map(|file| file.write(report)) {
        print::remark(&format!("the report could not be written: {error}"));
    }
}

fn missing(booted: &Booted) -> Failure {
    let is_wrong = |line: &&WeightLine| !line.right && line.outlook != Outlook::WouldHeal;
    let wrong: Vec<_> = booted.report.weights.iter().filter(is_wrong).collect();
    let names = wrong.iter().take(NAMES).map(|line| format!("{} ({}, {})", line.path, line.found, line.done));
    let more = wrong.len().checked_sub(NAMES + 1).map(|more| format!("and {} more, which the report names", more + 1));
    let names: Vec<_> = names.chain(more).collect();
    let lack = Lack::of_boot(&booted.setting, &booted.report);
    let cause = lack.cause().map(|cause| format!("{cause}: ")).unwrap_or_default();
    let what = format!("{cause}a required weight is missing or wrong: {}", names.join("; "));
    Failure::new(Exit::WeightsMissing, what).hint(lack.hint())
}

fn not_launched(error: &LaunchError) -> Failure {
    let exit = match error.kind() {
        launch::Kind::NotFound => Exit::NotFound,
        launch::Kind::NotExecutable => Exit::NotExecutable,
        _ => Exit::CannotDrop,
    };
    let failure = Failure::new(exit, error.to_string());
    let hint = &error.problem().hint;
    if hint.is_empty() { failure } else { failure.hint(hint.clone()) }
}
