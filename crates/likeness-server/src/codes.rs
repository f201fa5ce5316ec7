//! The error codes that each route may return. The OpenAPI description lists them, and a test provokes each
//! one.

use crate::models::Role;
use crate::problem::Code;
use crate::routes::{self, Needs, Route};

/// Returns the codes of a route, in the order of [`Code::ALL`].
pub fn codes(route: &Route) -> impl Iterator<Item = Code> {
    Code::ALL.into_iter().map(|(code, ..)| code).filter(|code| may(route, *code))
}

fn may(route: &Route, code: Code) -> bool {
    use routes::{CAPTURE_FRAMES, CAPTURES, LIVENESS};
    use routes::{
        DEEPFACE_REPRESENT, DEEPFACE_VERIFY, DELETE, DETECT, ENROLL, ENROLL_MULTI, FRAMES, INSPECT, RECORDS, SEARCH,
        VERIFY,
    };
    use routes::{PERSON, PERSON_ERASE, PERSON_EXPORT, PERSONS};
    let is = |some: &[Route]| some.contains(route);
    let (photographs, deepface) = (route.images > 0, is(&[DEEPFACE_VERIFY, DEEPFACE_REPRESENT]));
    // `enroll/multi` leaves out and reports an unusable photograph among several.
    let one_face = photographs && !is(&[CAPTURE_FRAMES, DETECT, FRAMES, INSPECT, ENROLL_MULTI]);
    match code {
        Code::FaceNotDetected => one_face,
        Code::MultipleFaces => one_face && !deepface,
        Code::PoorImageQuality => one_face && !deepface || is(&[ENROLL_MULTI]),
        Code::InvalidInput => photographs || is(&[CAPTURES, DELETE, PERSONS, PERSON, PERSON_EXPORT, PERSON_ERASE]),
        Code::InvalidImage => photographs && !is(&[ENROLL_MULTI]),
        Code::LivenessFailed => deepface || is(&[ENROLL, ENROLL_MULTI]),
        Code::Unauthorized | Code::RateLimitExceeded => route.scope.is_some(),
        // If no key was created, every route refuses a foreign host or origin.
        Code::Forbidden => true,
        Code::AntispoofBlocked => is(&[VERIFY, SEARCH]),
        Code::CaptureRefused => is(&[VERIFY, ENROLL, LIVENESS]),
        Code::CaptureEnded => is(&[CAPTURE_FRAMES]),
        Code::NotFound | Code::StoreUnavailable => route.store || is(&[LIVENESS, RECORDS]),
        Code::EmbeddingNotFound => is(&[VERIFY, DELETE, PERSON, PERSON_EXPORT, PERSON_ERASE]),
        Code::EmbeddingAlreadyExists | Code::IdempotencyConflict => is(&[ENROLL, ENROLL_MULTI]),
        Code::EmbeddingContractMismatch => is(&[VERIFY, SEARCH, ENROLL, ENROLL_MULTI]),
        Code::IndexLoading => is(&[SEARCH]),
        Code::ModelUnavailable => route.needs != Needs::Nothing,
        Code::EmbedderUnknown => route.needs.roles().contains(&Role::Embedder),
        Code::CalibrationMismatch => route.uses_threshold() || is(&[CAPTURES, CAPTURE_FRAMES]),
        Code::RequestTimeout | Code::FileTooLarge | Code::UnsupportedMediaType => photographs || is(&[CAPTURES]),
        Code::Overloaded | Code::InternalServerError => photographs,
        // Only requests outside the description get this code.
        Code::MethodNotAllowed => false,
    }
}
