//! `likeness enroll DIR` enrols persons from folders. Each folder contains a person's photographs; the folder's name is
//! the person's id.
//!
//! The rules are those of `POST /api/v1/enroll/multi`, for one photograph or more. A person who is enrolled
//! already is not changed, so a second run continues an interrupted one. Reads the folders; writes the store.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ballast::escape;
use likeness::engine::Scratch;
use likeness::examine::Options;
use serde::Serialize;

use super::folders::{inside, persons};
use super::photograph::read;
use super::store::open;
use crate::args::EnrollFolder;
use crate::clock::{now, of_rfc3339};
use crate::config::policy_of_environment;
use crate::examiner::FullExaminer;
use crate::exit::{Exit, Failure};
use crate::handler::enroll_multi::{Looked, of_one_person, one, refuses_all};
use crate::handler::person::template;
use crate::models::{LoadedModels, Role};
use crate::print;
use crate::problem::Problem;
use crate::store::{Consent, Enrollment, MOST_TEMPLATES, Mode, Outcome, Store, Subject, TemplateData, Tenant, Terms};

/// A photograph that gave no template.
#[derive(Debug, Serialize)]
struct LeftOut {
    file: String,
    error_code: &'static str,
    message: String,
}

/// The result for a person.
#[derive(Debug, Serialize)]
struct PersonReport {
    user_id: String,
    /// `enrolled`, `already`, or `refused`.
    outcome: &'static str,
    templates: usize,
    left_out: Vec<LeftOut>,
}

impl PersonReport {
    fn lines(&self) -> String {
        let Self { user_id, outcome, templates, left_out } = self;
        let mut lines = match *outcome {
            "enrolled" => format!("{user_id}: enrolled, {templates} templates\n"),
            outcome => format!("{user_id}: {outcome}\n"),
        };
        for LeftOut { file, error_code, message } in left_out {
            lines += &format!("  {}: {error_code}: {message}\n", escape::line(file));
        }
        lines
    }
}

/// The counts of all persons.
#[derive(Debug, Default, Serialize)]
struct Summary {
    enrolled: usize,
    already: usize,
    refused: usize,
}

/// The arguments that all persons share.
struct Enroller {
    store: std::sync::Arc<Store>,
    examiner: FullExaminer,
    tenant: Tenant,
    terms: Terms,
}

/// Runs the command.
///
/// # Errors
/// A weight, the folder, a setting or the store is not usable. A person who can't be enrolled is no error but
/// a line of the report.
pub fn run(args: &EnrollFolder) -> Result<Exit, Failure> {
    let (policy, terms, folders) = (policy_of_environment()?, terms(args)?, persons(&args.folder)?);
    let store = open(&args.place)?;
    let models = LoadedModels::load(&args.weights, &Role::ALL)?;
    let options = Options { mode: args.look.mode(), ..Options::default() };
    let examiner = FullExaminer::new(&models, policy, options)?;
    let enroller = Enroller { store, examiner, tenant: args.tenant.clone(), terms };
    let (next, summary, failed) = (AtomicUsize::new(0), Mutex::new(Summary::default()), Mutex::new(None));
    let work = || {
        let mut scratch = Scratch::default();
        while let Some(folder) = folders.get(next.fetch_add(1, Ordering::Relaxed)) {
            match enroller.person(&mut scratch, folder) {
                Ok(report) => {
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    match report.outcome {
                        "enrolled" => summary.enrolled += 1,
                        "already" => summary.already += 1,
                        _ => summary.refused += 1,
                    }
                    print::event(&report, args.json, PersonReport::lines);
                }
                Err(failure) => {
                    // After an error of the store or of a file, the other threads stop too.
                    next.store(folders.len(), Ordering::Relaxed);
                    failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
                }
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        (1..cores.min(folders.len())).for_each(|_| drop(scope.spawn(work)));
        work();
    });
    if let Some(failure) = failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(failure);
    }
    let summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    print::event(&summary, args.json, |Summary { enrolled, already, refused }| {
        format!("{enrolled} persons enrolled, {already} already enrolled, {refused} refused\n")
    });
    Ok(if summary.refused == 0 { Exit::Success } else { Exit::Unfit })
}

fn terms(args: &EnrollFolder) -> Result<Terms, Failure> {
    let now = now();
    let given_at = moment(args.consent_given_at.as_deref(), "--consent-given-at")?.unwrap_or(now);
    let consent = args.consent_reference.clone().zip(args.consent_version.clone());
    let expires_at = moment(args.expires_at.as_deref(), "--expires-at")?;
    let wrong = |option, expected, text: &Option<String>| {
        let found = text.as_deref().unwrap_or_default();
        Err(Failure::new(Exit::Usage, format!("{option}: expected a time in the {expected}, found {found}")))
    };
    if given_at > now {
        return wrong("--consent-given-at", "past", &args.consent_given_at);
    }
    if expires_at.is_some_and(|end| end <= now) {
        return wrong("--expires-at", "future", &args.expires_at);
    }
    let consent = consent.map(|(reference, version)| Consent { reference, version, given_at });
    Ok(Terms { consent, expires_at })
}

fn moment(text: Option<&str>, option: &str) -> Result<Option<i64>, Failure> {
    let wrong = |text| format!("{option}: expected a time such as 2027-01-31T12:00:00Z, found {text:?}");
    text.map(|text| of_rfc3339(text).ok_or_else(|| Failure::new(Exit::Usage, wrong(text)))).transpose()
}

impl Enroller {
    fn person(&self, scratch: &mut Scratch, (subject, folder): &(Subject, PathBuf)) -> Result<PersonReport, Failure> {
        let report = |outcome, templates, left_out| {
            Ok(PersonReport { user_id: subject.as_str().to_owned(), outcome, templates, left_out })
        };
        if self.store.load(&self.tenant, subject, now())?.is_some() {
            return report("already", 0, Vec::new());
        }
        let (mut looked, mut left_out) = (Vec::new(), Vec::new());
        for file in inside(folder)? {
            if !file.is_file() {
                left_out.push(LeftOut::unread(&file, "expected a photograph, found no regular file"));
                continue;
            }
            let bytes = match read(&file) {
                Ok(bytes) => bytes,
                Err(Failure { what: message, .. }) => {
                    left_out.push(LeftOut { file: file.display().to_string(), error_code: "FILE_FAILED", message });
                    continue;
                }
            };
            let one = one(&self.examiner, scratch, &bytes);
            match &one.kept {
                Ok(_) => looked.push(one),
                Err(problem) => {
                    left_out.push(LeftOut::of(&file, problem));
                    // If a photograph is not live, the person is refused, as over HTTP. A file of another
                    // type is only left out.
                    if refuses_all(problem.code()) && problem.code() != crate::problem::Code::UnsupportedMediaType {
                        return report("refused", 0, left_out);
                    }
                }
            }
        }
        if let Err(problem) = of_one_person(&looked, self.examiner.examiner.policy.threshold) {
            left_out.push(LeftOut::of(folder, &problem));
            return report("refused", 0, left_out);
        }
        let templates = best(looked);
        if templates.is_empty() {
            if left_out.is_empty() {
                left_out.push(LeftOut::unread(folder, "expected photographs, found no file"));
            }
            return report("refused", 0, left_out);
        }
        let enrollment = Enrollment {
            tenant: &self.tenant,
            subject,
            templates,
            mode: Mode::Add { seen: None, displace: false },
            terms: self.terms.clone(),
            remember: None,
            now: now(),
        };
        match self.store.enroll(&enrollment)? {
            Outcome::Stored { templates, .. } => report("enrolled", templates, left_out),
            // Meanwhile another program enrolled the person.
            _ => report("already", 0, left_out),
        }
    }
}

impl LeftOut {
    fn of(file: &Path, problem: &Problem) -> Self {
        let message = problem.message().to_owned();
        Self { file: file.display().to_string(), error_code: problem.code().name(), message }
    }

    fn unread(path: &Path, message: &str) -> Self {
        Self { file: path.display().to_string(), error_code: "FILE_FAILED", message: message.to_owned() }
    }
}

/// Returns the templates of the best quality, at most [`MOST_TEMPLATES`].
fn best(mut looked: Vec<Looked>) -> Vec<TemplateData> {
    looked.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    let faces = looked.into_iter().filter_map(|one| one.kept.ok()).take(MOST_TEMPLATES);
    faces.map(|face| template(face.embedding(), face.quality().score())).collect()
}
