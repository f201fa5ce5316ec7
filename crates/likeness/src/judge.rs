//! The only one who reaches a verdict: he owns the detector, both spoof networks and the embedder.
//!
//! A judge without spoof detection can't be built, and what he can't see he does not judge: a
//! photograph that gives no answer is [`Stopped`], never a verdict. Touches nothing.

use crate::contract::ContractId;
use crate::detect::Face;
use crate::embed::{Embedding, OtherContract};
use crate::engine::Scratch;
use crate::find::{Finder, Look};
use crate::liveness::Liveness;
use crate::net::Digest;
use crate::pipeline::{Identity, NoAnswer, Options, Stage, Watch, embedding, liveness, subject};
use crate::selftest::SelfTest;
use crate::spoof::SpoofPair;
use crate::verdict::{Comparison, Reference, Verdict, decide};

/// One examined photograph.
#[derive(Debug, Clone)]
pub struct Examined {
    /// How it was looked.
    pub look: Look,
    /// The face.
    pub face: Face,
    /// Live, spoof or neither.
    pub liveness: Liveness,
    /// Who.
    pub embedding: Embedding,
}

/// Two photographs, compared.
#[derive(Debug, Clone)]
pub struct Compared {
    /// Both photographs.
    pub examined: [Examined; 2],
    /// How far apart.
    pub comparison: Comparison,
    /// The verdict.
    pub verdict: Verdict,
}

/// A photograph that gave no answer: the first or the second.
#[derive(Debug, Clone, PartialEq)]
pub struct Stopped {
    /// 0 or 1.
    pub photograph: usize,
    /// Why.
    pub why: NoAnswer,
}

/// All four networks. The only one who reaches a verdict.
pub struct Judge {
    name: String,
    finder: Finder,
    pair: SpoofPair,
    identity: Identity,
}

/// A network of a bundle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Member<'a> {
    /// What it is for.
    pub role: &'static str,
    /// Its architecture.
    pub network: &'static str,
    /// The file that it was loaded from.
    pub digest: Digest,
    /// What the self-test found.
    pub tested: &'a SelfTest,
}

impl Judge {
    /// Takes all networks, under a name for the bundle. The embedder's faces must come from this
    /// finder, or its contract would be another.
    ///
    /// # Errors
    /// [`OtherContract`]: the identity was made for another detector.
    pub fn new(name: &str, finder: Finder, pair: SpoofPair, identity: Identity) -> Result<Self, OtherContract> {
        let expected = ContractId::of(finder.detector(), identity.embedder());
        if identity.contract() != expected {
            return Err(OtherContract { expected, found: identity.contract() });
        }
        Ok(Self { name: name.to_owned(), finder, pair, identity })
    }

    /// The bundle's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The contract of its embeddings.
    pub fn contract(&self) -> ContractId {
        self.identity.contract()
    }

    /// Its networks, by role.
    pub fn members(&self) -> [Member<'_>; 4] {
        fn member<'a>(role: &'static str, network: &'static str, tested: &'a SelfTest) -> Member<'a> {
            Member { role, network, digest: tested.digest(), tested }
        }
        [
            member("detector", "CenterFace", self.finder.detector().tested()),
            member("spoof 2.7", "MiniFASNetV2", self.pair.v2().tested()),
            member("spoof 4.0", "MiniFASNetV1SE", self.pair.v1se().tested()),
            member("embedder", "Facenet512", self.identity.embedder().tested()),
        ]
    }

    /// Examines one photograph.
    ///
    /// # Errors
    /// [`NoAnswer`]
    pub fn examine(
        &self,
        scratch: &mut Scratch,
        bytes: &[u8],
        options: &Options,
        watch: Watch,
    ) -> Result<Examined, NoAnswer> {
        let subject = subject(&self.finder, scratch, bytes, options, watch)?;
        let liveness = liveness(&self.pair, scratch, &subject, options, watch)?;
        let embedding = embedding(&self.identity, scratch, &subject, watch)?;
        Ok(Examined { look: subject.look, face: subject.face, liveness, embedding })
    }

    /// Compares two photographs; both must be live to be accepted.
    ///
    /// # Errors
    /// [`Stopped`] says which photograph gave no answer, and why.
    pub fn compare(
        &self,
        scratch: &mut Scratch,
        photographs: [&[u8]; 2],
        options: &Options,
        mut watch: impl FnMut(usize, Stage),
    ) -> Result<Compared, Stopped> {
        let mut examine = |photograph: usize| {
            let mut watch = |stage| watch(photograph, stage);
            let examined = self.examine(scratch, photographs[photograph], options, &mut watch);
            examined.map_err(|why| Stopped { photograph, why })
        };
        let examined = [examine(0)?, examine(1)?];
        let [a, b] = &examined;
        let comparison = Comparison::of(&a.embedding, &b.embedding, options.distance);
        let comparison = comparison.map_err(|why| Stopped { photograph: 1, why: why.into() })?;
        let verdict = decide(&a.liveness, Reference::Photograph(&b.liveness), &comparison);
        Ok(Compared { examined, comparison, verdict })
    }
}
