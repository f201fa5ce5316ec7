//! Every reason to refuse a bundle, its signer or a folder, each with a name that does not change. Pure.

use std::fmt;

use crate::exit::{Exit, Failure};

/// Why something is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    // The signer that the user trusts.
    KeyUnreadable,
    KeyAlgorithm,
    ChainUnreadable,
    ChainNoAuthority,
    PrivateKeyUnreadable,
    // The bundle.
    BundleUnreadable,
    BundleTooLarge,
    BundleJson,
    DuplicateKey,
    BundleShape,
    MediaType,
    Method,
    OtherMethod,
    PayloadType,
    Base64,
    // Who signed it.
    WrongKey,
    SignatureWrong,
    SignerAlgorithm,
    CertificateUnreadable,
    CertificateExpired,
    CertificateNotYetValid,
    CertificateForeign,
    CertificateUsage,
    CertificateAuthority,
    CertificateRefused,
    // What it says.
    StatementJson,
    StatementType,
    PredicateType,
    Subject,
    RootDigest,
    NoResources,
    TooManyResources,
    ResourceName,
    ResourceTwice,
    HashType,
    ResourceAlgorithm,
    DigestLength,
    ShardSize,
    Shards,
    IgnoredPath,
    // The folder.
    FolderUnreadable,
    FolderTooLarge,
    FileMissing,
    FileRenamed,
    FileLength,
    FileChanged,
    ShardChanged,
    Symlink,
    NotUtf8,
    FileUnsigned,
}

impl Reason {
    /// Its name, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeyUnreadable => "key-unreadable",
            Self::KeyAlgorithm => "key-algorithm",
            Self::ChainUnreadable => "chain-unreadable",
            Self::ChainNoAuthority => "chain-no-authority",
            Self::PrivateKeyUnreadable => "private-key-unreadable",
            Self::BundleUnreadable => "bundle-unreadable",
            Self::BundleTooLarge => "bundle-too-large",
            Self::BundleJson => "bundle-json",
            Self::DuplicateKey => "duplicate-key",
            Self::BundleShape => "bundle-shape",
            Self::MediaType => "media-type",
            Self::Method => "method",
            Self::OtherMethod => "other-method",
            Self::PayloadType => "payload-type",
            Self::Base64 => "base64",
            Self::WrongKey => "wrong-key",
            Self::SignatureWrong => "signature-wrong",
            Self::SignerAlgorithm => "signer-algorithm",
            Self::CertificateUnreadable => "certificate-unreadable",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::CertificateForeign => "certificate-foreign",
            Self::CertificateUsage => "certificate-usage",
            Self::CertificateAuthority => "certificate-authority",
            Self::CertificateRefused => "certificate-refused",
            Self::StatementJson => "statement-json",
            Self::StatementType => "statement-type",
            Self::PredicateType => "predicate-type",
            Self::Subject => "subject",
            Self::RootDigest => "root-digest",
            Self::NoResources => "no-resources",
            Self::TooManyResources => "too-many-resources",
            Self::ResourceName => "resource-name",
            Self::ResourceTwice => "resource-twice",
            Self::HashType => "hash-type",
            Self::ResourceAlgorithm => "resource-algorithm",
            Self::DigestLength => "digest-length",
            Self::ShardSize => "shard-size",
            Self::Shards => "shards",
            Self::IgnoredPath => "ignored-path",
            Self::FolderUnreadable => "folder-unreadable",
            Self::FolderTooLarge => "folder-too-large",
            Self::FileMissing => "file-missing",
            Self::FileRenamed => "file-renamed",
            Self::FileLength => "file-length",
            Self::FileChanged => "file-changed",
            Self::ShardChanged => "shard-changed",
            Self::Symlink => "symlink",
            Self::NotUtf8 => "not-utf8",
            Self::FileUnsigned => "file-unsigned",
        }
    }

    /// The exit code of a command that it ends.
    fn exit(self) -> Exit {
        match self {
            _ if self <= Self::BundleUnreadable => Exit::Usage,
            Self::FileUnsigned => Exit::ExtraFiles,
            _ if self >= Self::FolderUnreadable => Exit::WeightsMissing,
            _ => Exit::SignatureRefused,
        }
    }

    /// The way out.
    fn hint(self) -> &'static str {
        match self {
            Self::KeyUnreadable | Self::KeyAlgorithm => {
                "name the signer's public key, a PEM file: P-256, P-384 or P-521"
            }
            Self::ChainUnreadable => "name a PEM file of the certificates that you trust to issue signers",
            Self::ChainNoAuthority => "name certificates of authorities, which issue others",
            Self::PrivateKeyUnreadable => {
                "name a private key in PEM without a password, mode 0600: `openssl ecparam -name prime256v1 -genkey`"
            }
            Self::BundleUnreadable => "name the bundle, a file that came with the model, such as model.sig",
            Self::CertificateExpired | Self::CertificateNotYetValid => {
                "have it signed with a certificate that is valid now"
            }
            Self::Method => "have it signed with a key or a certificate: `model_signing sign key`",
            Self::OtherMethod => "a bundle of a key needs --key, one of a certificate --certificate-chain",
            Self::WrongKey => "name the key that signed it, if you trust that one",
            Self::CertificateForeign => "name the root that issued it in --certificate-chain, if you trust that one",
            Self::Symlink => "copy the model without links, with `cp -rL`, or fetch it so",
            Self::FileUnsigned => "remove these files, or have the model signed again with them",
            Self::FolderUnreadable | Self::FolderTooLarge => "name the folder of this model alone, which you can read",
            _ if self >= Self::FolderUnreadable => "fetch the model again from its signer",
            _ if self >= Self::StatementJson => "ask the signer: the signature is right, and the manifest is not",
            _ => "get the bundle again from its signer, byte for byte",
        }
    }
}

/// A bundle, signer or folder that is refused, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadModel {
    /// Why.
    pub reason: Reason,
    what: String,
}

impl BadModel {
    /// Refused for this reason.
    pub fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self { reason, what: what.into() }
    }

    /// As the failure of a command about one file or folder.
    pub fn failure(&self, of: &std::path::Path) -> Failure {
        Failure::new(self.reason.exit(), format!("{}: {self}", of.display())).hint(self.reason.hint())
    }
}

impl fmt::Display for BadModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, digests) = self.what.split_at(self.what.find('\n').unwrap_or(self.what.len()));
        write!(f, "{line} ({}){digests}", self.reason.name())
    }
}
