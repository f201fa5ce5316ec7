//! The statement of a bundle's signer: the files of one model, whole or in shards, with a digest each. Pure.

use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

use ballast::QUARANTINE_PREFIX;
use ballast::bounds::LISTED;
use ballast::digest::Digest;
use ballast::disk::STAGED_PREFIX;
use ballast::lock::RelPath;
use ballast::receive::PART_PREFIX;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Number;

use super::json;
use super::refusal::{BadModel, Reason};
use crate::escape;
use crate::image::BALLAST;

/// The accepted type of statement.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The accepted type of predicate.
pub const PREDICATE_TYPE: &str = "https://model_signing/signature/v1.0";
/// Names at the root of a model that no manifest covers.
pub const IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// The method of a manifest's digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    /// 32 bytes.
    Sha256,
    /// 64 bytes.
    Blake2b,
    /// 32 bytes.
    Blake3,
}

/// A signed model.
#[derive(Debug, PartialEq)]
pub struct SignedManifest {
    /// The SHA-256 over all digests, which names the model.
    pub root: Digest,
    /// How its digests are made.
    pub hash: Hash,
    /// Whether the digests are of shards.
    pub in_shards: bool,
    /// Whether links are read as the files that they lead to.
    pub follows_links: bool,
    /// Paths that it does not cover, each with all below; those of [`IGNORED`] too.
    pub ignored: Vec<String>,
    /// The files of the model, in order of their paths.
    pub files: Vec<SignedFile>,
}

/// One file of it.
#[derive(Debug, PartialEq)]
pub struct SignedFile {
    /// Below the model's root.
    pub path: RelPath,
    /// The length of the file; known only if it is in shards.
    pub size: Option<u64>,
    /// The digest of each range of its bytes, in order; without shards of all.
    pub parts: Vec<Part>,
}

/// A range of a file's bytes, and its digest.
pub type Part = (Range<u64>, Vec<u8>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InTotoStatement {
    #[serde(rename = "_type")]
    kind: String,
    subject: Vec<Subject>,
    #[serde(rename = "predicateType")]
    predicate_type: String,
    #[serde(rename = "predicate")]
    _predicate: IgnoredAny,
}

/// A statement with a predicate of the known type.
#[derive(Deserialize)]
struct WithPredicate {
    predicate: Predicate,
}

#[derive(Deserialize)]
struct Subject {
    name: String,
    digest: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    resources: Vec<Resource>,
    serialization: Serialization,
}

#[derive(Deserialize)]
struct Resource {
    name: String,
    digest: String,
    algorithm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Serialization {
    method: String,
    hash_type: String,
    allow_symlinks: bool,
    shard_size: Option<Number>,
    #[serde(default)]
    ignore_paths: Vec<String>,
}

impl SignedManifest {
    /// Reads a signed payload.
    ///
    /// # Errors
    /// A [`Reason`] for each way in which it is no manifest, or contradicts itself.
    pub fn parse(payload: &[u8]) -> Result<Self, BadModel> {
        let statement: InTotoStatement = json::read(payload, Reason::StatementJson, Reason::StatementJson)?;
        expect(Reason::StatementType, "statement", STATEMENT_TYPE, &statement.kind)?;
        expect(Reason::PredicateType, "predicate", PREDICATE_TYPE, &statement.predicate_type)?;
        let root = root_of(&statement.subject)?;
        let WithPredicate { predicate } = serde_json::from_slice(payload).map_err(|error| {
            BadModel::new(Reason::StatementJson, format!("predicate: {}", escape::line(&error.to_string())))
        })?;
        let (made, resources) = (&predicate.serialization, predicate.resources);
        let hash = Hash::named(&made.hash_type)?;
        let shard = made.shard_size()?;
        if resources.is_empty() || resources.len() > LISTED {
            let reason = if resources.is_empty() { Reason::NoResources } else { Reason::TooManyResources };
            let what = format!("expected 1 to {LISTED} resources, found {}", resources.len());
            return Err(BadModel::new(reason, what));
        }
        let mut digests = Vec::with_capacity(resources.len());
        let mut names = HashSet::with_capacity(resources.len());
        for resource in &resources {
            if !names.insert(resource.name.as_str()) {
                let what = format!("it has the resource {:?} twice", resource.name);
                return Err(BadModel::new(Reason::ResourceTwice, what));
            }
            digests.push((resource.name.as_str(), resource.digest(hash, made, shard)?));
        }
        check_root(root, &digests)?;
        let ignored = made.ignored()?;
        let files = shard.map_or_else(|| whole_files(&digests), |size| sharded_files(&digests, size))?;
        check_names(&files, &ignored)?;
        Ok(Self { root, hash, in_shards: shard.is_some(), follows_links: made.allow_symlinks, ignored, files })
    }
}

fn expect(reason: Reason, of: &str, expected: &str, found: &str) -> Result<(), BadModel> {
    if expected == found {
        return Ok(());
    }
    Err(BadModel::new(reason, format!("expected a {of} of the type {expected}, found {found:?}")))
}

/// The root digest of the one subject.
fn root_of(subjects: &[Subject]) -> Result<Digest, BadModel> {
    let wrong = |what: String| BadModel::new(Reason::Subject, what);
    let [subject] = subjects else {
        return Err(wrong(format!("expected one subject, found {}", subjects.len())));
    };
    if subject.name.is_empty() {
        return Err(wrong("expected a subject with a name, found an empty one".into()));
    }
    let digest = subject.digest.get("sha256").ok_or_else(|| wrong("the subject has no digest `sha256`".into()))?;
    let bytes = hex(digest).and_then(|bytes| bytes.try_into().ok());
    bytes.map(Digest::from_bytes).ok_or_else(|| wrong(format!("expected 64 hex digits, found {digest:?}")))
}

/// The root digest covers the resources as they are listed, or in order of their names: signers differ.
fn check_root(root: Digest, digests: &[(&str, Vec<u8>)]) -> Result<(), BadModel> {
    let over =
        |digests: &[(&str, Vec<u8>)]| Digest::of(&digests.iter().flat_map(|(_, one)| one).copied().collect::<Vec<_>>());
    let found = over(digests);
    let mut sorted = digests.to_vec();
    sorted.sort();
    if root == found || root == over(&sorted) {
        return Ok(());
    }
    let what = format!("its root digest is not that of its resources\n  expected {root}\n  found    {found}");
    Err(BadModel::new(Reason::RootDigest, what))
}

impl Hash {
    fn named(name: &str) -> Result<Self, BadModel> {
        match name {
            "sha256" => Ok(Self::Sha256),
            "blake2b" => Ok(Self::Blake2b),
            "blake3" => Ok(Self::Blake3),
            _ => Err(BadModel::new(Reason::HashType, format!("expected sha256, blake2b or blake3, found {name:?}"))),
        }
    }

    fn bytes(self) -> usize {
        if self == Self::Blake2b { 64 } else { 32 }
    }
}

impl Serialization {
    /// The bytes of a shard, if files are in shards. Protobuf's writers make a number such as `1000.0` of it.
    fn shard_size(&self) -> Result<Option<u64>, BadModel> {
        let wrong = |what: String| Err(BadModel::new(Reason::ShardSize, what));
        let whole = |size: &Number| {
            let float = size.as_f64().filter(|size| size.fract() == 0.0 && (1.0..=9e15).contains(size))?;
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "it is a whole number from 1 to 9e15"
            )]
            size.as_u64().filter(|size| *size > 0).or(Some(float as u64))
        };
        match (self.method.as_str(), &self.shard_size) {
            ("files", None) => Ok(None),
            ("files", Some(size)) => wrong(format!("expected no shard_size beside the method `files`, found {size}")),
            ("shards", Some(size)) => match whole(size) {
                Some(size) => Ok(Some(size)),
                None => wrong(format!("expected a shard_size of whole bytes, found {size}")),
            },
            ("shards", None) => wrong("expected a shard_size beside the method `shards`, found none".into()),
            (method, _) => {
                let what = format!("serialization: expected the method `files` or `shards`, found {method:?}");
                Err(BadModel::new(Reason::StatementJson, what))
            }
        }
    }

    /// The paths that are not covered, each once.
    fn ignored(&self) -> Result<Vec<String>, BadModel> {
        let mut all: Vec<_> = IGNORED.map(str::to_owned).into();
        for path in &self.ignore_paths {
            if RelPath::try_from(path.clone()).is_err() || path.contains(['*', '?', '[']) {
                let what = format!("ignore_paths: expected a relative path of plain names, found {path:?}");
                return Err(BadModel::new(Reason::IgnoredPath, what));
            }
            all.push(path.clone());
        }
        all.sort();
        all.dedup();
        Ok(all)
    }
}

impl Resource {
    /// Returns the digest of a file; for shards, the package `model-signing` names the algorithm `sha256-sharded-SIZE`.
    fn digest(&self, hash: Hash, made: &Serialization, shard: Option<u64>) -> Result<Vec<u8>, BadModel> {
        let sharded = shard.map(|size| format!("{}-sharded-{size}", made.hash_type));
        if self.algorithm != made.hash_type && Some(&self.algorithm) != sharded.as_ref() {
            let what =
                format!("{:?}: expected the algorithm {}, found {:?}", self.name, made.hash_type, self.algorithm);
            return Err(BadModel::new(Reason::ResourceAlgorithm, what));
        }
        let bytes = hex(&self.digest).filter(|bytes| bytes.len() == hash.bytes());
        bytes.ok_or_else(|| {
            let (digits, found) = (2 * hash.bytes(), self.digest.chars().count());
            let what = format!(
                "{:?}: expected {digits} lower-case hex digits of {}, found {found} characters",
                self.name, made.hash_type
            );
            BadModel::new(Reason::DigestLength, what)
        })
    }
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some(digit(pair.first()?)? << 4 | digit(pair.get(1)?)?)).collect()
}

fn path_of(name: &str) -> Result<RelPath, BadModel> {
    RelPath::try_from(name.to_owned()).map_err(|why| BadModel::new(Reason::ResourceName, why))
}

fn whole_files(digests: &[(&str, Vec<u8>)]) -> Result<Vec<SignedFile>, BadModel> {
    let file = |(name, digest): &(&str, Vec<u8>)| {
        Ok(SignedFile { path: path_of(name)?, size: None, parts: vec![(0..u64::MAX, digest.clone())] })
    };
    let mut files = digests.iter().map(file).collect::<Result<Vec<_>, BadModel>>()?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

/// Joins the shards of each file, which must cover it from its first byte in steps of the shard's size.
fn sharded_files(digests: &[(&str, Vec<u8>)], size: u64) -> Result<Vec<SignedFile>, BadModel> {
    let mut files: BTreeMap<RelPath, Vec<Part>> = BTreeMap::new();
    for (name, digest) in digests {
        let (path, range) = split(name).ok_or_else(|| {
            BadModel::new(
                Reason::ResourceName,
                format!("expected a shard PATH:START:END in decimal digits, found {name:?}"),
            )
        })?;
        files.entry(path_of(path)?).or_default().push((range, digest.clone()));
    }
    let file = |(path, mut parts): (RelPath, Vec<Part>)| {
        parts.sort_by_key(|(range, _)| range.start);
        let mut end = 0;
        for (at, (range, _)) in parts.iter().enumerate() {
            let length = range.end.saturating_sub(range.start);
            let is_last = at + 1 == parts.len();
            if range.start != end || length == 0 || length > size || (length < size && !is_last) {
                let Range { start, end: to } = range;
                let what = format!("{path}: expected a shard from byte {end} of {size} bytes, found {start} to {to}");
                return Err(BadModel::new(Reason::Shards, what));
            }
            end = range.end;
        }
        Ok(SignedFile { path, size: Some(end), parts })
    };
    files.into_iter().map(file).collect()
}

/// Splits a shard's name at the last two colons: a path may have colons too.
fn split(name: &str) -> Option<(&str, Range<u64>)> {
    let (rest, end) = name.rsplit_once(':')?;
    let (path, start) = rest.rsplit_once(':')?;
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        text.parse().ok().filter(|_| plain)
    };
    Some((path, number(start)?..number(end)?))
}

/// Returns whether a path is one of these paths, or lies below one.
pub fn is_below(path: &str, of: &[String]) -> bool {
    of.iter().any(|top| path.strip_prefix(top.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Returns whether a path is Ballast's own folder at the root, or contains a name that Ballast gives to a staged or
/// partial file or to a bad copy.
pub fn is_ours(path: &str) -> bool {
    let given = [STAGED_PREFIX, PART_PREFIX, QUARANTINE_PREFIX];
    let is_given = |name: &str| given.iter().any(|prefix| name.starts_with(prefix));
    path.split('/').next() == Some(BALLAST) || path.split('/').any(is_given)
}

/// No file may be one that the search for unsigned files passes over.
fn check_names(files: &[SignedFile], ignored: &[String]) -> Result<(), BadModel> {
    let odd = files.iter().find(|file| is_below(file.path.as_str(), ignored) || is_ours(file.path.as_str()));
    odd.map_or(Ok(()), |file| {
        let what = format!("it has the resource {:?}, and also ignores that path", file.path.as_str());
        Err(BadModel::new(Reason::ResourceName, what))
    })
}
