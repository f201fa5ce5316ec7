//! Every reason to refuse a bundle, its signer or a folder, each with a name that does not change. Pure.

use std::fmt;

use crate::exit::{Exit, Failure};

/// Declares each reason once, with its name for programs.
macro_rules! reasons {
    ($($reason:ident = $name:literal,)*) => {
        /// The reason why something is refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Reason {
            $($reason,)*
        }

        impl Reason {
            /// Every reason.
            #[cfg(test)]
            pub const ALL: &[Self] = &[$(Self::$reason,)*];

            /// Its name, for programs.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$reason => $name,)*
                }
            }
        }
    };
}

reasons! {
    // The signer that the user trusts.
    KeyUnreadable = "key-unreadable",
    KeyAlgorithm = "key-algorithm",
    ChainUnreadable = "chain-unreadable",
    ChainNoAuthority = "chain-no-authority",
    PrivateKeyUnreadable = "private-key-unreadable",
    // The bundle.
    BundleUnreadable = "bundle-unreadable",
    BundleTooLarge = "bundle-too-large",
    BundleJson = "bundle-json",
    DuplicateKey = "duplicate-key",
    BundleShape = "bundle-shape",
    MediaType = "media-type",
    Method = "method",
    OtherMethod = "other-method",
    PayloadType = "payload-type",
    Base64 = "base64",
    // Who signed it.
    WrongKey = "wrong-key",
    SignatureWrong = "signature-wrong",
    SignerAlgorithm = "signer-algorithm",
    CertificateUnreadable = "certificate-unreadable",
    CertificateExpired = "certificate-expired",
    CertificateNotYetValid = "certificate-not-yet-valid",
    CertificateForeign = "certificate-foreign",
    CertificateUsage = "certificate-usage",
    CertificateAuthority = "certificate-authority",
    IssuerNoAuthority = "issuer-no-authority",
    CertificateRefused = "certificate-refused",
    // What it says.
    StatementJson = "statement-json",
    StatementType = "statement-type",
    PredicateType = "predicate-type",
    Subject = "subject",
    RootDigest = "root-digest",
    NoResources = "no-resources",
    TooManyResources = "too-many-resources",
    ResourceName = "resource-name",
    ResourceTwice = "resource-twice",
    HashType = "hash-type",
    ResourceAlgorithm = "resource-algorithm",
    DigestLength = "digest-length",
    ShardSize = "shard-size",
    Shards = "shards",
    IgnoredPath = "ignored-path",
    // The folder.
    FolderUnreadable = "folder-unreadable",
    FolderTooLarge = "folder-too-large",
    FileMissing = "file-missing",
    FileKind = "file-kind",
    FileRenamed = "file-renamed",
    FileLength = "file-length",
    FileChanged = "file-changed",
    ShardChanged = "shard-changed",
    Symlink = "symlink",
    NotUtf8 = "not-utf8",
    FileUnsigned = "file-unsigned",
}

impl Reason {
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
            Self::SignerAlgorithm
            | Self::CertificateUsage
            | Self::CertificateAuthority
            | Self::IssuerNoAuthority
            | Self::CertificateRefused => {
                "have it signed with another certificate: RSA of 2048 bits or more, P-256, P-384 or Ed25519, for digital signatures and signing code, no authority; its issuers are authorities"
            }
            Self::Method => "have it signed with a key or a certificate: `model_signing sign key`",
            Self::OtherMethod => "a bundle of a key needs --key, one of a certificate --certificate-chain",
            Self::WrongKey => "name the key that signed it, if you trust that one",
            Self::CertificateForeign => "name the root that issued it in --certificate-chain, if you trust that one",
            Self::Symlink => "copy the model without links, with `cp -rL`, or fetch it without links",
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

    /// Returns the failure of a command about one file or folder.
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
