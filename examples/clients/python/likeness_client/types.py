"""Written by tools/clients from docs/openapi.json: change that, or the script."""
from __future__ import annotations

from typing import Any, Dict, List, Literal, TypedDict, Union


class _AreaResponseOptional(TypedDict, total=False):
    h: int | None
    # The person's own left eye; null outside of the photograph and where no detector ran.
    left_eye: List[int] | None
    # The person's own right eye.
    right_eye: List[int] | None
    w: int | None
    x: int | None
    y: int | None


class AreaResponse(_AreaResponseOptional):
    """A face's area, in DeepFace's fields. Every field is null if the service could compare no pair of faces."""



class BoxResponse(TypedDict):
    """A box in the photograph's pixels."""

    # Height.
    height: int
    # Width.
    width: int
    # Left edge.
    x: int
    # Top edge.
    y: int


class SimilarityResponse(TypedDict):
    """A distance and its threshold, as every report and answer about two faces has them."""

    # The cosine distance.
    distance: float
    # The greatest distance of a match.
    threshold: float
    # Where the threshold comes from: `deepface`, `set` or `request`.
    threshold_source: Literal["deepface", "set", "request"]


class CompareResponse(SimilarityResponse):
    """The answer."""

    # `high`, `medium` or `low`: how far the similarity is above the threshold.
    confidence: str
    # The first.
    face1: ComparedFace
    # The second.
    face2: ComparedFace
    # Whether the distance is within the threshold. Liveness was not judged, so this is no verdict.
    match: bool
    # For a person.
    message: str
    # Which weights answered.
    model: ModelResponse
    # 1 - distance, not below 0.
    similarity: float


class ComparedFace(TypedDict):
    """A face that was compared."""

    # Where, in the photograph as it was turned.
    bounding_box: BoxResponse
    # Always true: without a face there is no answer.
    detected: bool
    # 0 to 100.
    quality_score: float
    # Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270.
    rotated: int


class _ComparisonResponseOptional(SimilarityResponse, total=False):
    # `accept`, `review` or `reject`; null where liveness was not judged.
    verdict: str | None


class ComparisonResponse(_ComparisonResponseOptional):
    """Two photographs' faces, compared."""

    # Whether the distance is within the threshold.
    matched: bool
    # Why not accepted.
    reasons: List[ReasonResponse]


class ConsentResponse(TypedDict):
    """A consent."""

    # When.
    given_at: str
    # Where the caller keeps its proof.
    reference: str
    # Which text was agreed to.
    version: str


class DeepfaceFace(TypedDict):
    """A face with its embedding."""

    # 512 numbers.
    embedding: List[float]
    # The confidence that this is a face, 0 to 1; 0 where no detector ran.
    face_confidence: float
    # Where.
    facial_area: AreaResponse


class DeepfaceRepresented(TypedDict):
    """The answer of `represent`."""

    # Which weights answered; ours, not DeepFace's.
    model: ModelResponse
    # Every face.
    results: List[DeepfaceFace]


class _DeepfaceVerifiedOptional(TypedDict, total=False):
    # The smallest distance of any two faces; null where none is a number.
    distance: float | None


class DeepfaceVerified(_DeepfaceVerifiedOptional):
    """The answer of `verify`."""

    # 0 to 100.
    confidence: float
    # `centerface` or `skip`.
    detector_backend: str
    # The closest pair.
    facial_areas: FacialAreas
    # `Facenet512`.
    model: str
    # As in the request.
    similarity_metric: str
    # The metric's own.
    threshold: float
    # Seconds.
    time: float
    # The smallest distance is within the threshold.
    verified: bool
    # Which weights answered; ours, not DeepFace's.
    weights: ModelResponse


class DeleteResponse(TypedDict):
    """The answer."""

    # `done`, or `pending` until a look at the tables and files finds nothing.
    erasure: Literal["done", "pending"]
    # For a person.
    message: str
    # Always true.
    success: bool
    # Who.
    user_id: str


class DetectResponse(TypedDict):
    """The answer."""

    # How many are reported.
    face_count: int
    # The faces.
    faces: List[FaceResponse]
    # The photograph, upright.
    image_dimensions: SizeResponse
    # Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. Faces lie in the turned
    # one.
    rotated: int


class EmbedderResponse(TypedDict):
    """What the embedder saw."""

    # How many numbers it gave. They stay here.
    embedding_dimension: int
    # The 160 x 160 pixels that it saw, rounded to 8 bits: a PNG as a data URI.
    face: str
    # Its weight file.
    file: str


class EnrollMultiResponse(TypedDict):
    """The answer."""

    # The mean quality of all, 0 to 100.
    average_quality_score: float
    # How many numbers a template has.
    embedding_dimension: int
    # The mean quality of those that are templates now, 0 to 100.
    fused_quality_score: float
    # How templates are compared.
    fusion_strategy: str
    # What became of each.
    images: List[ImageResponse]
    # How many photographs are templates now.
    images_processed: int
    # The quality of each as sent; 0 without a face.
    individual_quality_scores: List[float]
    # For a person.
    message: str
    # Which weights answered.
    model: ModelResponse
    # Templates stored before, of this person, that could not be compared with the photographs, by reason.
    not_compared: NotComparedResponse
    # Always true.
    success: bool
    # Who.
    user_id: str


class EnrollResponse(TypedDict):
    """The answer."""

    # How many numbers a template has.
    embedding_dimension: int
    # The live probability, 0 to 1.
    liveness_score: float
    # For a person.
    message: str
    # Which weights answered.
    model: ModelResponse
    # Templates stored before, of this person, that could not be compared with the photograph, by reason.
    not_compared: NotComparedResponse
    # 0 to 100.
    quality_score: float
    # Always true.
    success: bool
    # Who.
    user_id: str


class _ErasureResponseOptional(TypedDict, total=False):
    receipt: ReceiptResponse | None


class ErasureResponse(_ErasureResponseOptional):
    """An erasure."""

    # When the person was erased.
    erased_at: str
    # `done`; `pending` until a look at the tables and files finds nothing.
    erasure: Literal["done", "pending"]
    # Its number, for `GET /api/v1/erasures/{erasure_id}`.
    erasure_id: str
    # Whose person it was.
    tenant_id: str


class ErasedResponse(ErasureResponse):
    """A person who was erased."""

    # The key of the receipt's `subject_commitment`, 64 hexadecimal digits. The service does not keep it: with
    # it the receipt names the person, without it nothing does.
    subject_salt: str
    # Who.
    user_id: str


class _PersonResponseOptional(TypedDict, total=False):
    consent: ConsentResponse | None
    # From when on the person is gone; null: never.
    expires_at: str | None


class PersonResponse(_PersonResponseOptional):
    """A person."""

    # When the newest of them was made.
    newest_template_at: str
    # When the oldest of them was made.
    oldest_template_at: str
    # How many templates are stored.
    template_count: int
    # Whose.
    tenant_id: str
    # Who.
    user_id: str


class ExportResponse(PersonResponse):
    """Everything that is stored about a person."""

    # When this was read.
    exported_at: str
    # When failed verifications under this name were counted; each ends after 15 minutes.
    failures_at: List[str]
    # When answers to enrolments with an `Idempotency-Key` were remembered; each ends after a day.
    remembered_answers_at: List[str]
    # What is stored.
    templates: List[ExportedTemplate]


class TemplateResponse(TypedDict):
    """A stored template, without its numbers."""

    # The embedding space: only templates of the current one are compared.
    contract_id: str
    # When it was made.
    made_at: str
    # 0 to 100.
    quality_score: float


class ExportedTemplate(TemplateResponse):
    """A stored template with its numbers."""

    # What is compared: 512 numbers of length one.
    embedding: List[float]


class FaceResponse(TypedDict):
    """One face."""

    # Where.
    bounding_box: BoxResponse
    # The confidence that this is a face, 0 to 1.
    confidence: float
    # From 0, the surest first.
    face_id: int
    # Five points.
    landmarks: LandmarksResponse
    # How good its picture is, 0 to 100.
    quality_score: float


class FacialAreas(TypedDict):
    """Two areas: of the closest pair."""

    img1: AreaResponse
    img2: AreaResponse


class FindingResponse(TypedDict):
    """A place that was searched."""

    # How many of them were found: always 0.
    found: int
    # A table, or a file of the database.
    place: str
    # How many things were looked for.
    sought: int


class Greeting(TypedDict):
    """The greeting."""

    # What `detector_backend` may be.
    detector_backend: List[str]
    # What `distance_metric` may be.
    distance_metric: List[str]
    # For a person.
    message: str
    # What `model_name` may be.
    model_name: List[str]
    # The program's.
    version: str


# How the service is.
Health = Literal["healthy", "degraded", "unhealthy"]


class _HealthResponseOptional(TypedDict, total=False):
    # `centerface`, or null where it is not loaded.
    detector: str | None


class HealthResponse(_HealthResponseOptional):
    """The answer."""

    # Which weights answer.
    model: ModelResponse
    # All four.
    models: List[ModelHealth]
    # How the service is.
    status: Health
    # `none`, `ready`, `index_loading` (search waits), or why it does not answer.
    store: str
    # What can't be answered now, with the files that it lacks.
    unmet: List[Any]
    # The program's.
    version: str


class _ImageResponseOptional(TypedDict, total=False):
    # Why not.
    error_code: str | None


class ImageResponse(_ImageResponseOptional):
    """What became of one photograph."""

    # Whether it is a template now.
    accepted: bool
    # From 0, as sent.
    index: int


class _InspectResponseOptional(TypedDict, total=False):
    comparison: ComparisonResponse | None


class InspectResponse(_InspectResponseOptional):
    """The answer."""

    # The models that are not loaded: what they would have said is null.
    missing: List[ModelFault]
    # Which weights answered.
    model: ModelResponse
    # One or two.
    photographs: List[PhotographResponse]


class _LandmarksResponseOptional(TypedDict, total=False):
    # The left eye.
    left_eye: List[int] | None
    # The left corner of the mouth.
    mouth_left: List[int] | None
    # The right corner of the mouth.
    mouth_right: List[int] | None
    # The nose.
    nose: List[int] | None
    # The right eye.
    right_eye: List[int] | None


class LandmarksResponse(_LandmarksResponseOptional):
    """Five points `[x, y]`; left is the person's own left; null outside of the photograph."""



class LivenessVerdict(TypedDict):
    """Live, spoof or neither."""

    # The mean probability of a real face.
    live_probability: float
    # `live`, `spoof` or `indeterminate`.
    verdict: Literal["live", "spoof", "indeterminate"]


class _LivenessInspectionOptional(LivenessVerdict, total=False):
    # Why indeterminate.
    doubt: str | None


class LivenessInspection(_LivenessInspectionOptional):
    """Live, spoof or neither, with both networks' reasons."""

    # For a person.
    message: str
    # The networks of scale 2.7 and 4.0.
    networks: List[SpoofNetworkResponse]
    # Where the lines are.
    thresholds: LivenessThresholds


class LivenessResponse(LivenessVerdict):
    """The answer."""

    # Always `passive`.
    challenge: str
    # Always true: there is nothing to do.
    challenge_completed: bool
    # How sure the networks are of what they say, 0 to 1.
    confidence: float
    # Whether it is surely live.
    is_live: bool
    # For a person.
    message: str
    # 100 times the live probability.
    score: float


class LivenessThresholds(TypedDict):
    """Where the lines between live and spoof are."""

    # Neither live nor spoof where the face has less colour.
    colour: float
    # The crop of scale 2.7 is at least this many times the box.
    context: float
    # Neither network alone gives a live face less.
    each: float
    # Live from here on.
    live: float
    # Spoof up to here.
    spoof: float


class MatchResponse(TypedDict):
    """A person within the threshold."""

    # 1 - distance, 0 to 1.
    confidence: float
    # The cosine distance.
    distance: float
    # Who.
    user_id: str


class ModelFault(TypedDict):
    """A model that is not loaded, for a caller: no path of this machine."""

    # Its weight file.
    file: str
    # The way out.
    hint: str
    # `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`.
    reason: Literal["missing", "wrong_digest", "wrong_size", "unreadable", "refused_format", "loading"]
    # `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: Literal["detector", "liveness_2_7", "liveness_4_0", "embedder"]
    # The SHA-256 that is pinned.
    sha256: str


class _ModelHealthOptional(TypedDict, total=False):
    # The way out.
    hint: str | None
    on_disk: OnDisk | None
    # Why not: `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`.
    reason: Literal["missing", "wrong_digest", "wrong_size", "unreadable", "refused_format", "loading"] | None
    # What the self-test found.
    self_test: str | None


class ModelHealth(_ModelHealthOptional):
    """One network."""

    # The file's name.
    file: str
    # Loaded, from verified bytes, and self-tested.
    held: bool
    # `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: Literal["detector", "liveness_2_7", "liveness_4_0", "embedder"]
    # The SHA-256 that is pinned.
    sha256: str


class _ModelResponseOptional(TypedDict, total=False):
    # The embedding space: embeddings of two spaces can't be compared. Null without detector or embedder.
    contract_id: str | None
    # `published`, `accepted` (by the operator, by its digest), or `unknown`; null where none is loaded.
    embedder: str | None


class ModelResponse(_ModelResponseOptional):
    """Which weights answered."""

    # SHA-256 by role, of those that are loaded.
    sha256: Dict[str, str]


# Stored templates that could not be compared, by reason: `other_contract` (enrolled with other models), `no_direction`. Empty where all were.
NotComparedResponse = Dict[str, int]


# What the file of a loaded model looks like now.
OnDisk = Literal["right", "changed", "missing"]


class OnePersonResponse(PersonResponse):
    """A person with their templates."""

    # What is stored.
    templates: List[TemplateResponse]


class _PersonsResponseOptional(TypedDict, total=False):
    # `cursor` of the next page; null: this is the last one.
    next_cursor: str | None


class PersonsResponse(_PersonsResponseOptional):
    """A page of persons."""

    # In the order of their enrolment.
    persons: List[PersonResponse]
    # How many persons the tenant has.
    total: int


class _PhotographResponseOptional(TypedDict, total=False):
    embedder: EmbedderResponse | None
    liveness: LivenessInspection | None
    quality: QualityResponse | None
    # The face that counts, as a place in `faces`.
    subject: int | None
    unfit: UnfitResponse | None


class PhotographResponse(_PhotographResponseOptional):
    """One photograph."""

    # `exact` or `fast`: how faces were looked for.
    detection: str
    # Every face, the surest first; at most 50.
    faces: List[FaceResponse]
    # The field that it came in.
    field: str
    # The photograph, upright.
    image_dimensions: SizeResponse
    # Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. Faces lie in the turned
    # one.
    rotated: int
    timing_ms: Dict[str, float]


class _ProblemBodyOptional(TypedDict, total=False):
    # `LIVENESS_FAILED`, `ANTISPOOF_BLOCKED`: the same fields once more, where the replaced service had them.
    detail: Any | None
    # `EMBEDDER_UNKNOWN`: `unknown`.
    embedder: str | None
    # `FACE_NOT_DETECTED`, `MULTIPLE_FACES`: how many faces were found.
    face_count: int | None
    # The field of the request that is at fault.
    field: str | None
    # What came instead: a format, or a content coding.
    found: str | None
    # DeepFace's routes: the names that this service has for the field.
    held: List[str] | None
    # `POOR_IMAGE_QUALITY` of several photographs: what became of each.
    images: List[Any] | None
    # Which of several photographs, from 0.
    index: int | None
    # Which two of several photographs, from 0.
    indices: List[int] | None
    # `POOR_IMAGE_QUALITY`: what is wrong with the photograph.
    issues: List[str] | None
    # `ANTISPOOF_BLOCKED`: 0 to 1.
    live_probability: float | None
    # `FILE_TOO_LARGE`: the limit.
    max_size_bytes: int | None
    # `POOR_IMAGE_QUALITY`: the least quality that is accepted.
    min_threshold: float | None
    # `MODEL_UNAVAILABLE`: the models that are not loaded.
    models: List[ModelFault] | None
    # `EMBEDDING_CONTRACT_MISMATCH`: how many templates could not be compared, by reason.
    not_compared: Any | None
    # `POOR_IMAGE_QUALITY`: 0 to 100.
    quality_score: float | None
    # A narrower word than `error_code`.
    reason: str | None
    # `ANTISPOOF_BLOCKED`: what the liveness advises.
    recommended_action: str | None
    # `RATE_LIMIT_EXCEEDED`: when the next request may follow.
    retry_after_seconds: int | None
    # `FORBIDDEN`: the scope that the key lacks. `RATE_LIMIT_EXCEEDED`: by whom requests are counted.
    scope: str | None
    # `LIVENESS_FAILED`: 0 to 100, the live probability.
    score: float | None
    # `EMBEDDER_UNKNOWN`: the digest of the embedder.
    sha256: str | None
    # The person's name, as it was sent.
    user_id: str | None
    # `LIVENESS_FAILED`: `spoof` or `indeterminate`.
    verdict: str | None


class ProblemBody(_ProblemBodyOptional):
    """A problem, as it is written. The first four fields are always there; each other one belongs to some codes."""

    # What went wrong: programs branch on this.
    error_code: Literal["FACE_NOT_DETECTED", "MULTIPLE_FACES", "POOR_IMAGE_QUALITY", "INVALID_INPUT", "INVALID_IMAGE", "LIVENESS_FAILED", "UNAUTHORIZED", "FORBIDDEN", "ANTISPOOF_BLOCKED", "NOT_FOUND", "EMBEDDING_NOT_FOUND", "METHOD_NOT_ALLOWED", "REQUEST_TIMEOUT", "EMBEDDING_ALREADY_EXISTS", "EMBEDDING_CONTRACT_MISMATCH", "IDEMPOTENCY_CONFLICT", "FILE_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "RATE_LIMIT_EXCEEDED", "OVERLOADED", "STORE_UNAVAILABLE", "INDEX_LOADING", "MODEL_UNAVAILABLE", "EMBEDDER_UNKNOWN", "INTERNAL_SERVER_ERROR"]
    # The same, for a person.
    message: str
    # The log has it too.
    request_id: str
    # RFC 9457: a page about the problem, relative to the address of the request.
    type: str


class QualityResponse(TypedDict):
    """What was measured in a face's box."""

    # Variance of the Laplacian.
    blur: float
    # Colour that does not follow from lightness, in units of Lab.
    colour: float
    # Mean of the grey values, 0 to 255.
    light: float
    # 0 to 100.
    score: float
    # Pixels of the shorter side.
    side: int


class ReasonResponse(TypedDict):
    """Why not accepted."""

    # A stable word.
    code: str
    # For a person.
    message: str


class ReceiptResponse(TypedDict):
    """The receipt of an erasure."""

    # The signed receipt: a JSON Web Signature (compact), with Ed25519.
    jws: str
    # Where it was looked for.
    looked: List[FindingResponse]
    # When nothing of the person was found.
    looked_at: str
    # The key that verifies it, 64 hexadecimal digits.
    public_key: str
    # HMAC-SHA-256 of `TENANT_ID/USER_ID` under `subject_salt`, in hexadecimal digits.
    subject_commitment: str


class _SearchResponseOptional(TypedDict, total=False):
    best_match: MatchResponse | None


class SearchResponse(_SearchResponseOptional):
    """The answer."""

    # Whether anybody is near.
    found: bool
    # Nearest first.
    matches: List[MatchResponse]
    # For a person.
    message: str
    # Which weights answered.
    model: ModelResponse
    # Stored templates of the tenant that could not be compared, by reason.
    not_compared: NotComparedResponse
    # The threshold that was used.
    threshold: float
    # Where it comes from: `deepface`, `set` or `request`.
    threshold_source: Literal["deepface", "set", "request"]
    # How many persons were compared.
    total_searched: int


class SizeResponse(TypedDict):
    """A width and a height."""

    # Pixels down.
    height: int
    # Pixels across.
    width: int


class SpoofNetworkResponse(TypedDict):
    """What one liveness network saw and said."""

    # What it saw of the photograph.
    area: BoxResponse
    # The 80 x 80 pixels that it saw: a PNG as a data URI.
    crop: str
    # Its weight file.
    file: str
    # Its probabilities: a fake, a real face, another fake.
    probabilities: List[float]
    # How many times the face's box it is to see.
    scale: float
    # How many times it saw: less where the photograph ends.
    scale_seen: float


class TenantResponse(TypedDict):
    """A tenant."""

    # How many persons it has.
    person_count: int
    # Its name.
    tenant_id: str


class TenantsResponse(TypedDict):
    """Tenants."""

    # By name; those that have a person. A key that is bound to a tenant sees that one alone.
    tenants: List[TenantResponse]


class UnfitResponse(TypedDict):
    """Why no face counts: the code that another route would answer."""

    error_code: str
    message: str


class _VerifyLivenessOptional(LivenessVerdict, total=False):
    # Why it is indeterminate.
    reason: str | None


class VerifyLiveness(_VerifyLivenessOptional):
    """Whether it is a live face."""



class _VerifyResponseOptional(SimilarityResponse, total=False):
    # Always null.
    device_spoof_risk: float | None
    # Always null.
    ear_liveness: float | None


class VerifyResponse(_VerifyResponseOptional):
    """The answer."""

    # What the liveness of the face alone advises, where the original had it.
    antispoof_pipeline: Dict[str, str]
    # 1 - distance, 0 to 1.
    confidence: float
    # Live, spoof or neither.
    liveness: VerifyLiveness
    # The distance is within the threshold.
    matched: bool
    # For a person.
    message: str
    # Which weights answered.
    model: ModelResponse
    # Stored templates of the person that could not be compared, by reason.
    not_compared: NotComparedResponse
    # `allow`, `review` or `block`: what the verdict advises.
    recommended_action: Literal["allow", "review", "block"]
    # In the log too.
    request_id: str
    timing_ms: Dict[str, float]
    # Matched and live.
    verified: bool
