//! Which problems each route may answer. The description says so, and a test asks for each of them.

use crate::models::Role;
use crate::problem::Code;
use crate::routes::{self, Needs, Route};

/// The codes of a route, in the order of [`Code::ALL`].
pub fn codes(route: &Route) -> impl Iterator<Item = Code> {
    Code::ALL.into_iter().map(|(code, ..)| code).filter(|code| may(route, *code))
}

fn may(route: &Route, code: Code) -> bool {
    use routes::{
        DEEPFACE_REPRESENT, DEEPFACE_VERIFY, DELETE, DETECT, ENROLL, ENROLL_MULTI, INSPECT, RECORDS, SEARCH, VERIFY,
    };
    use routes::{PERSON, PERSON_ERASE, PERSON_EXPORT, PERSONS};
    let is = |some: &[Route]| some.contains(route);
    let (photographs, deepface) = (route.images > 0, is(&[DEEPFACE_VERIFY, DEEPFACE_REPRESENT]));
    // One of several photographs that can't be used is left out and reported.
    let one_face = photographs && !is(&[DETECT, INSPECT, ENROLL_MULTI]);
    match code {
        Code::FaceNotDetected => one_face,
        Code::MultipleFaces => one_face && !deepface,
        Code::PoorImageQuality => one_face && !deepface || is(&[ENROLL_MULTI]),
        Code::InvalidInput => photographs || is(&[DELETE, PERSONS, PERSON, PERSON_EXPORT, PERSON_ERASE]),
        Code::InvalidImage => photographs && !is(&[ENROLL_MULTI]),
        Code::LivenessFailed => deepface || is(&[ENROLL, ENROLL_MULTI]),
        Code::Unauthorized | Code::RateLimitExceeded => route.scope.is_some(),
        // Without keys a foreign host or origin is refused everywhere.
        Code::Forbidden => true,
        Code::AntispoofBlocked => is(&[VERIFY, SEARCH]),
        Code::NotFound | Code::StoreUnavailable => route.store || is(&[RECORDS]),
        Code::EmbeddingNotFound => is(&[VERIFY, DELETE, PERSON, PERSON_EXPORT, PERSON_ERASE]),
        Code::EmbeddingAlreadyExists | Code::IdempotencyConflict => is(&[ENROLL, ENROLL_MULTI]),
        Code::EmbeddingContractMismatch => is(&[VERIFY, SEARCH, ENROLL, ENROLL_MULTI]),
        Code::IndexLoading => is(&[SEARCH]),
        Code::ModelUnavailable => route.needs != Needs::Nothing,
        Code::EmbedderUnknown => route.needs.roles().contains(&Role::Embedder),
        Code::RequestTimeout
        | Code::FileTooLarge
        | Code::UnsupportedMediaType
        | Code::Overloaded
        | Code::InternalServerError => photographs,
        // Of no operation that is described.
        Code::MethodNotAllowed => false,
    }
}
