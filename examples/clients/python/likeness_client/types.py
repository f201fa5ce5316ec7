"""Written by tools/clients from docs/openapi.json: change that, or the script."""
from __future__ import annotations

from typing import Any, Dict, List, Literal, TypedDict, Union


class AreaResponse(TypedDict):
    """A face's area, in DeepFace's fields. Every field is null if the service could compare no pair of faces."""

    h: int | None
    # The person's own left eye; null if outside of the photograph or if no detector ran.
    left_eye: List[int] | None
    # The person's own right eye.
    right_eye: List[int] | None
    w: int | None
    x: int | None
    y: int | None


class BoxResponse(TypedDict):
    """A box, in pixels of the photograph."""

    # Height.
    height: int
    # Width.
    width: int
    # Left edge.
    x: int
    # Top edge.
    y: int


class GuidanceResponse(TypedDict):
    """The face of a frame, and the advice for the person."""

    # The most urgent advice for the person; null if the face is well placed.
    advice: Literal["show_face", "one_face_only", "come_closer", "move_back", "move_to_middle", "more_light", "less_light", "look_straight", "hold_still"] | None
    face: FrameFace | None
    # The number of faces.
    face_count: int
    # The size of the frame.
    image_dimensions: SizeResponse
    # Always 0: frames are not turned.
    rotated: int


class CaptureResponse(GuidanceResponse):
    """A capture after a request."""

    # The value of `previous` for the next frame: a hash over the responses and frames so far; null unless the
    # state is `open`.
    answer_sha256: str | None
    # The frame to send with `capture_id`, from 1; null unless the state is `complete`.
    best_frame: int | None
    # The number of the capture.
    capture_id: str
    # When the capture can no longer be used.
    expires_at: str
    # The number of frames that were taken.
    frame_count: int
    # The person's present task; null unless the state is `open`.
    prompt: Literal["look_straight", "turn_left", "turn_right", "come_closer", "move_back"] | None
    # The purpose of the capture: `verify`, `enroll` or `liveness`.
    purpose: Literal["verify", "enroll", "liveness"]
    # `open`: send a frame; `complete`: use the capture; `ended`: begin another.
    state: Literal["open", "complete", "ended"]
    # The number of the prompt, from 1; 0 before the first frame that can be used.
    step: int
    # The number of prompts; 0 before the first frame that can be used.
    step_count: int
    # The tenant.
    tenant_id: str
    # The person; null for `liveness`.
    user_id: str | None


class SimilarityResponse(TypedDict):
    """A distance and its threshold."""

    # The cosine distance.
    distance: float
    fmr_at_threshold: ErrorRateResponse | None
    # The largest distance of a match.
    threshold: float
    # The source of the threshold: `deepface`, `set`, `calibrated` or `request`.
    threshold_source: Literal["deepface", "set", "calibrated", "request"]


class CompareResponse(SimilarityResponse):
    """The result of a comparison."""

    # `high`, `medium` or `low`: how far the similarity is above the threshold.
    confidence: str
    # The face in the first photograph.
    face1: ComparedFace
    # The face in the second photograph.
    face2: ComparedFace
    # Whether the distance is within the threshold. Liveness was not judged, so this is no verdict.
    match: bool
    # The result as text for a person.
    message: str
    # The weights that were used.
    model: ModelResponse
    # 1 - distance, at least 0.
    similarity: float


class ComparedFace(TypedDict):
    """A compared face."""

    # The face's box in the rotated photograph.
    bounding_box: BoxResponse
    # Always true: a photograph without a face is an error.
    detected: bool
    # The quality of the face, 0 to 100.
    quality_score: float
    # Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270.
    rotated: int


class ComparisonResponse(SimilarityResponse):
    """The comparison of the two faces."""

    # Whether the distance is within the threshold.
    matched: bool
    # The reasons against acceptance.
    reasons: List[ReasonResponse]
    # `accept`, `review` or `reject`; null if liveness was not judged.
    verdict: str | None


class ConsentResponse(TypedDict):
    """A consent."""

    # When the consent was given.
    given_at: str
    # The caller's reference to the proof of consent.
    reference: str
    # The version of the text that the person agreed to.
    version: str


class DeepfaceFace(TypedDict):
    """A face with its embedding."""

    # The embedding: 512 numbers.
    embedding: List[float]
    # The confidence that this is a face, 0 to 1; 0 if no detector ran.
    face_confidence: float
    # The area of the face.
    facial_area: AreaResponse


class DeepfaceRepresented(TypedDict):
    """The response of `represent`."""

    # The weights that were used. DeepFace does not have this field.
    model: ModelResponse
    # Each face with its embedding.
    results: List[DeepfaceFace]


class DeepfaceVerified(TypedDict):
    """The response of `verify`."""

    # The confidence, 0 to 100.
    confidence: float
    # `centerface` or `skip`.
    detector_backend: str
    # The smallest distance of any two faces; null if no distance is a number.
    distance: float | None
    # The areas of the closest pair of faces.
    facial_areas: FacialAreas
    # `Facenet512`.
    model: str
    # The metric of the request.
    similarity_metric: str
    # The threshold of the metric.
    threshold: float
    # The duration in seconds.
    time: float
    # Whether the smallest distance is within the threshold.
    verified: bool
    # The weights that were used. DeepFace does not have this field.
    weights: ModelResponse


class DeleteResponse(TypedDict):
    """The result of a deletion."""

    # `done`; `pending` until a search of the tables and files finds nothing.
    erasure: Literal["done", "pending"]
    # The result as text for a person.
    message: str
    # Always true.
    success: bool
    # The person's name.
    user_id: str


class DetectResponse(TypedDict):
    """The faces of a photograph."""

    # The number of faces in this response.
    face_count: int
    # The faces.
    faces: List[FaceResponse]
    # The size of the upright photograph.
    image_dimensions: SizeResponse
    # Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated
    # photograph.
    rotated: int


class EmbedderResponse(TypedDict):
    """The embedder's input."""

    # The number of components of the embedding, which this response does not contain.
    embedding_dimension: int
    # The embedder's input of 160 x 160 pixels, rounded to 8 bits: a PNG as a data URI.
    face: str
    # The embedder's weight file.
    file: str


class EnrollMultiResponse(TypedDict):
    """The result of an enrolment with several photographs."""

    # The mean quality of all photographs, 0 to 100.
    average_quality_score: float
    # The number of components of a template.
    embedding_dimension: int
    # The mean quality of the stored photographs, 0 to 100.
    fused_quality_score: float
    # The method that combines several templates for a comparison.
    fusion_strategy: str
    # The result for each photograph.
    images: List[ImageResponse]
    # The number of photographs stored as templates.
    images_processed: int
    # The quality of each photograph in the order of the request; 0 without a face.
    individual_quality_scores: List[float]
    # The result as text for a person.
    message: str
    # The weights that were used.
    model: ModelResponse
    # The person's stored templates that could not be compared with the photographs, by reason.
    not_compared: NotComparedResponse
    # Always true.
    success: bool
    # The person's name.
    user_id: str


class EnrollResponse(TypedDict):
    """The result of an enrolment."""

    # The capture that the request used; null if it named none.
    capture_id: str | None
    # The number of components of a template.
    embedding_dimension: int
    # The live probability, 0 to 1.
    liveness_score: float
    # The result as text for a person.
    message: str
    # The weights that were used.
    model: ModelResponse
    # The person's stored templates that could not be compared with the photograph, by reason.
    not_compared: NotComparedResponse
    # The quality of the face, 0 to 100.
    quality_score: float
    # Always true.
    success: bool
    # The person's name.
    user_id: str


class ErasureResponse(TypedDict):
    """The state of an erasure."""

    # When the person was erased.
    erased_at: str
    # `done`; `pending` until a search of the tables and files finds nothing.
    erasure: Literal["done", "pending"]
    # The erasure's number, for `GET /api/v1/erasures/{erasure_id}`.
    erasure_id: str
    receipt: ReceiptResponse | None
    # The tenant of the erased person.
    tenant_id: str


class ErasedResponse(ErasureResponse):
    """The result of erasing a person."""

    # The key of the receipt's `subject_commitment`, 64 hexadecimal digits. The service does not keep it. Only
    # with this key does the receipt identify the person.
    subject_salt: str
    # The person's name.
    user_id: str


class ErrorRateResponse(TypedDict):
    """An error rate that a calibration measured."""

    # The upper limit of the confidence interval of 95 %.
    high: float
    # The lower limit of the confidence interval of 95 %.
    low: float
    # The measured rate, 0 to 1.
    value: float


class PersonResponse(TypedDict):
    """An enrolled person."""

    consent: ConsentResponse | None
    # When the person expires; null means never.
    expires_at: str | None
    # When the newest template was created.
    newest_template_at: str
    # When the oldest template was created.
    oldest_template_at: str
    # The random number that stands for the person in decision records and the journal.
    pseudonym: str
    # The number of stored templates.
    template_count: int
    # The person's tenant.
    tenant_id: str
    # The person's name.
    user_id: str


class ExportResponse(PersonResponse):
    """All data that the store has about a person."""

    # The time of this export.
    exported_at: str
    # When failed comparisons with this person were counted; each expires after 15 minutes.
    failures_at: List[str]
    # When responses to enrolments with an `Idempotency-Key` were remembered; each expires after a day.
    remembered_answers_at: List[str]
    # The stored templates.
    templates: List[ExportedTemplate]


class TemplateResponse(TypedDict):
    """A stored template, without its numbers."""

    # The embedding space; only templates of the current space are compared.
    contract_id: str
    # When the template was created.
    made_at: str
    # The quality of the face, 0 to 100.
    quality_score: float


class ExportedTemplate(TemplateResponse):
    """A stored template with its numbers."""

    # The embedding: 512 numbers, a vector of length one.
    embedding: List[float]


class FaceResponse(TypedDict):
    """A face."""

    # The face's box.
    bounding_box: BoxResponse
    # The confidence that this is a face, 0 to 1.
    confidence: float
    # The number of the face, from 0, most confident first.
    face_id: int
    # The five landmarks.
    landmarks: LandmarksResponse
    # The quality of the face, 0 to 100.
    quality_score: float


class FacialAreas(TypedDict):
    """The areas of the closest pair of faces."""

    img1: AreaResponse
    img2: AreaResponse


class FindingResponse(TypedDict):
    """A place that was searched."""

    # The number of rows or pieces that the search found: always 0.
    found: int
    # A table, or a file of the database.
    place: str
    # The number of rows or pieces that the search looked for.
    sought: int


class FrameFace(TypedDict):
    """The largest face of a frame."""

    # The face's box.
    bounding_box: BoxResponse
    # The confidence that this is a face, 0 to 1.
    confidence: float
    # The five landmarks.
    landmarks: LandmarksResponse


class FrameResponse(GuidanceResponse):
    """The guidance for a frame."""

    liveness: LivenessVerdict | None
    timing_ms: Dict[str, float]


class Greeting(TypedDict):
    """The name and the version of the service."""

    # The accepted values of `detector_backend`.
    detector_backend: List[str]
    # The accepted values of `distance_metric`.
    distance_metric: List[str]
    # The name as text for a person.
    message: str
    # The accepted values of `model_name`.
    model_name: List[str]
    # The program's version.
    version: str


# The state of the service.
Health = Literal["healthy", "degraded", "unhealthy"]


class HealthResponse(TypedDict):
    """The state of the service and its models."""

    # `centerface`, or null if the detector is not loaded.
    detector: str | None
    # The loaded weights.
    model: ModelResponse
    # The state of each of the four models.
    models: List[ModelHealth]
    # The state of the service.
    status: Health
    # `none`, `ready`, `index_loading` (only search must wait), or the kind of the store's error.
    store: str
    # The routes that do not work now, with the missing files.
    unmet: List[Any]
    # The program's version.
    version: str


class ImageResponse(TypedDict):
    """The result for one photograph."""

    # Whether the photograph is stored as a template.
    accepted: bool
    # The reason why the photograph is not stored.
    error_code: str | None
    # The number of the photograph in the request, from 0.
    index: int


class InspectResponse(TypedDict):
    """The inputs and results of the networks."""

    comparison: ComparisonResponse | None
    # The models that are not loaded. Their results are null.
    missing: List[ModelFault]
    # The weights that were used.
    model: ModelResponse
    # One or two photographs.
    photographs: List[PhotographResponse]


class LandmarksResponse(TypedDict):
    """Five points `[x, y]`; left is the person's own left; null outside of the photograph."""

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


class LivenessVerdict(TypedDict):
    """The verdict on liveness."""

    # The mean probability of a real face.
    live_probability: float
    # `live`, `spoof` or `indeterminate`.
    verdict: Literal["live", "spoof", "indeterminate"]


class LivenessInspection(LivenessVerdict):
    """The judgement of liveness, with the results of both networks."""

    # The reason why the verdict is `indeterminate`.
    doubt: str | None
    # The result as text for a person.
    message: str
    # The results of the networks of scale 2.7 and 4.0.
    networks: List[SpoofNetworkResponse]
    # The thresholds of the judgement.
    thresholds: LivenessThresholds


class LivenessResponse(LivenessVerdict):
    """The judgement of liveness."""

    # The capture that counted for this request; null if the request named none, and then no prompts were
    # followed. A capture that does not count is `CAPTURE_REFUSED`.
    capture_id: str | None
    # `capture` if the request used a capture, otherwise `passive`.
    challenge: str
    # Always true, as in the replaced service, also without a challenge. It proves nothing: `capture_id`
    # counts.
    challenge_completed: bool
    # The live probability, or 1 minus it if that is larger.
    confidence: float
    # The reason why the verdict is `indeterminate`.
    doubt: str | None
    # Whether the verdict is `live`.
    is_live: bool
    # The result as text for a person.
    message: str
    # The live probability in percent.
    score: float


class LivenessThresholds(TypedDict):
    """The thresholds between live, spoof and indeterminate."""

    # The smallest colour; a face with less colour is indeterminate.
    colour: float
    # The smallest side of the crop of scale 2.7, as a multiple of the face's box.
    context: float
    # The smallest probability that each network must give a live face.
    each: float
    # A face is live from this probability on.
    live: float
    # A face is a spoof up to this probability.
    spoof: float


class MatchResponse(TypedDict):
    """A person within the threshold."""

    # 1 - distance, 0 to 1.
    confidence: float
    # The cosine distance.
    distance: float
    # The person's name.
    user_id: str


class ModelFault(TypedDict):
    """A model that is not loaded. The response contains no path of this machine."""

    # The model's weight file.
    file: str
    # What the operator can do.
    hint: str
    # `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`.
    reason: Literal["missing", "wrong_digest", "wrong_size", "unreadable", "refused_format", "loading"]
    # `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: Literal["detector", "liveness_2_7", "liveness_4_0", "embedder"]
    # The pinned SHA-256.
    sha256: str


class _ModelHealthOptional(TypedDict, total=False):
    # What the operator can do.
    hint: str | None
    on_disk: OnDisk | None
    # The reason why the model is not loaded: `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable`
    # or `refused_format`.
    reason: Literal["missing", "wrong_digest", "wrong_size", "unreadable", "refused_format", "loading"] | None
    # The result of the self-test.
    self_test: str | None


class ModelHealth(_ModelHealthOptional):
    """The state of one network."""

    # The file's name.
    file: str
    # Whether the model is loaded from verified bytes and has passed its self-test.
    held: bool
    # `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: Literal["detector", "liveness_2_7", "liveness_4_0", "embedder"]
    # The pinned SHA-256.
    sha256: str


class ModelResponse(TypedDict):
    """The weights that were used."""

    # The embedding space. Embeddings of two spaces can't be compared. Null if the detector or the embedder is
    # not loaded.
    contract_id: str | None
    # The embedder's trust: `published`, `accepted` (by the operator, by its digest), or `unknown`; null if
    # none is loaded.
    embedder: str | None
    # The SHA-256 of each loaded model, by role.
    sha256: Dict[str, str]


# Stored templates that could not be compared, by reason: `other_contract` (enrolled with other models), `no_direction`. Empty where all were.
NotComparedResponse = Dict[str, int]


# The state of a loaded model's file.
OnDisk = Literal["right", "changed", "missing"]


class OnePersonResponse(PersonResponse):
    """A person with their templates."""

    # The stored templates.
    templates: List[TemplateResponse]


class PersonsResponse(TypedDict):
    """A page of persons."""

    # `cursor` of the next page; null on the last page.
    next_cursor: str | None
    # The persons in the order of their enrolment.
    persons: List[PersonResponse]
    # The number of the tenant's persons.
    total: int


class PhotographResponse(TypedDict):
    """The results for one photograph."""

    # `exact` or `fast`: how the detector searched for faces.
    detection: str
    embedder: EmbedderResponse | None
    # The faces, most confident first; at most 50.
    faces: List[FaceResponse]
    # The form field that contained the photograph.
    field: str
    # The size of the upright photograph.
    image_dimensions: SizeResponse
    liveness: LivenessInspection | None
    quality: QualityResponse | None
    # Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated
    # photograph.
    rotated: int
    # The chosen face, as an index into `faces`.
    subject: int | None
    timing_ms: Dict[str, float]
    unfit: UnfitResponse | None


class _ProblemBodyOptional(TypedDict, total=False):
    # `LIVENESS_FAILED`, `ANTISPOOF_BLOCKED`: the same fields again, in the place of the replaced service.
    detail: Any | None
    # `EMBEDDER_UNKNOWN`: `unknown`.
    embedder: str | None
    # `FACE_NOT_DETECTED`, `MULTIPLE_FACES`: the number of faces found.
    face_count: int | None
    # The field of the request that is wrong.
    field: str | None
    # The format, or the content coding, that the request contained instead.
    found: str | None
    # DeepFace's routes: the accepted values of the field.
    held: List[str] | None
    # `POOR_IMAGE_QUALITY` of several photographs: the result for each photograph.
    images: List[Any] | None
    # The number of the wrong photograph among several, from 0.
    index: int | None
    # The numbers of two photographs that do not match, from 0.
    indices: List[int] | None
    # `POOR_IMAGE_QUALITY`: the faults of the photograph.
    issues: List[str] | None
    # `ANTISPOOF_BLOCKED`: the live probability, 0 to 1.
    live_probability: float | None
    # `FILE_TOO_LARGE`: the limit.
    max_size_bytes: int | None
    # `POOR_IMAGE_QUALITY`: the smallest accepted quality.
    min_threshold: float | None
    # `MODEL_UNAVAILABLE`: the models that are not loaded.
    models: List[ModelFault] | None
    # `EMBEDDING_CONTRACT_MISMATCH`: the number of templates that could not be compared, by reason.
    not_compared: Any | None
    # `POOR_IMAGE_QUALITY`: the quality of the face, 0 to 100.
    quality_score: float | None
    # The reason, more precise than `error_code`.
    reason: str | None
    # `ANTISPOOF_BLOCKED`: the action that liveness recommends.
    recommended_action: str | None
    # `RATE_LIMIT_EXCEEDED`: after how many seconds the next request may follow.
    retry_after_seconds: int | None
    # `FORBIDDEN`: the scope that the key lacks. `RATE_LIMIT_EXCEEDED`: the limit that was reached.
    scope: str | None
    # `LIVENESS_FAILED`: the live probability in percent.
    score: float | None
    # `EMBEDDER_UNKNOWN`: the digest of the embedder.
    sha256: str | None
    # The person's name in the request.
    user_id: str | None
    # `LIVENESS_FAILED`: `spoof` or `indeterminate`.
    verdict: str | None


class ProblemBody(_ProblemBodyOptional):
    """A problem, as it is written. The first four fields are always there; each other one belongs to some codes."""

    # The kind of the error, for programs.
    error_code: Literal["FACE_NOT_DETECTED", "MULTIPLE_FACES", "POOR_IMAGE_QUALITY", "INVALID_INPUT", "INVALID_IMAGE", "LIVENESS_FAILED", "UNAUTHORIZED", "FORBIDDEN", "ANTISPOOF_BLOCKED", "CAPTURE_REFUSED", "NOT_FOUND", "EMBEDDING_NOT_FOUND", "METHOD_NOT_ALLOWED", "REQUEST_TIMEOUT", "EMBEDDING_ALREADY_EXISTS", "EMBEDDING_CONTRACT_MISMATCH", "IDEMPOTENCY_CONFLICT", "CAPTURE_ENDED", "FILE_TOO_LARGE", "UNSUPPORTED_MEDIA_TYPE", "RATE_LIMIT_EXCEEDED", "OVERLOADED", "STORE_UNAVAILABLE", "INDEX_LOADING", "MODEL_UNAVAILABLE", "EMBEDDER_UNKNOWN", "CALIBRATION_MISMATCH", "INTERNAL_SERVER_ERROR"]
    # The error as text for a person.
    message: str
    # The id of the request, which the log contains too.
    request_id: str
    # RFC 9457: a page about the problem, relative to the address of the request.
    type: str


class QualityResponse(TypedDict):
    """The measurements of a face's box."""

    # The variance of the Laplacian.
    blur: float
    # Colour that does not follow from lightness, in units of Lab.
    colour: float
    # The mean grey value, 0 to 255.
    light: float
    # The quality, 0 to 100.
    score: float
    # The shorter side of the box, in pixels.
    side: int


class ReasonResponse(TypedDict):
    """A reason against acceptance."""

    # The reason's code, which does not change between versions.
    code: str
    # The reason as text for a person.
    message: str


class ReceiptResponse(TypedDict):
    """The receipt of an erasure."""

    # The signed receipt: a JSON Web Signature (compact), with Ed25519.
    jws: str
    # The places that were searched.
    looked: List[FindingResponse]
    # When the search found nothing of the person.
    looked_at: str
    # The public key that verifies the receipt, 64 hexadecimal digits.
    public_key: str
    # HMAC-SHA-256 of `TENANT_ID/USER_ID` under `subject_salt`, in hexadecimal digits.
    subject_commitment: str


class RecordResponse(TypedDict):
    """A decision record."""

    # The signed record: a JSON Web Signature with Ed25519.
    jws: str
    # The public key that verifies the record, in hexadecimal digits.
    public_key: str
    # All values that the judgement depends on.
    record: Any


class SearchResponse(TypedDict):
    """The result of a search."""

    best_match: MatchResponse | None
    fmr_at_threshold: ErrorRateResponse | None
    # Whether any person is within the threshold.
    found: bool
    # The persons within the threshold, nearest first.
    matches: List[MatchResponse]
    # The result as text for a person.
    message: str
    # The weights that were used.
    model: ModelResponse
    # Stored templates of the tenant that could not be compared, by reason.
    not_compared: NotComparedResponse
    # The threshold that was used.
    threshold: float
    # The source of the threshold: `deepface`, `set`, `calibrated` or `request`.
    threshold_source: Literal["deepface", "set", "calibrated", "request"]
    # The number of the tenant's persons in the index.
    total_searched: int


class SizeResponse(TypedDict):
    """A width and a height."""

    # Pixels down.
    height: int
    # Pixels across.
    width: int


class SpoofNetworkResponse(TypedDict):
    """The input and the result of one liveness network."""

    # The part of the photograph in the crop.
    area: BoxResponse
    # The network's input of 80 x 80 pixels: a PNG as a data URI.
    crop: str
    # The network's weight file.
    file: str
    # The probabilities of the three classes: a fake, a real face, another fake.
    probabilities: List[float]
    # The scale for which the network was trained: the crop's width divided by that of the face's box.
    scale: float
    # The actual side of the crop, as a multiple of the face's box; smaller near the photograph's edge.
    scale_seen: float


class StatedDigest(TypedDict):
    """A digest."""

    # The SHA-256 of the bytes that were loaded.
    sha256: str


class StatedModel(TypedDict):
    """A model whose bytes this process hashed, compared with their pin, and loaded."""

    # What the process knows about it.
    annotations: StatementAnnotations
    # Its digest.
    digest: StatedDigest
    # The file's name.
    name: str


class StatementAnnotations(TypedDict):
    """What the process knows about a model."""

    # The state of the file now; a change does not affect the loaded model.
    onDisk: OnDisk
    # `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`.
    role: Literal["detector", "liveness_2_7", "liveness_4_0", "embedder"]
    # The result of the self-test.
    selfTest: str
    # When its bytes were verified, before they were loaded.
    verifiedAt: str


class StatementPredicate(TypedDict):
    """The predicate."""

    # The embedder's trust: `published`, `accepted` or `unknown`; null if no embedder is loaded.
    embedder: str | None
    # The program that verified the models.
    verifier: StatementVerifier


class StatementResponse(TypedDict):
    """An in-toto statement, v1, without a signature."""

    # `https://in-toto.io/Statement/v1`.
    _type: str
    # Who verified them.
    predicate: StatementPredicate
    # `urn:likeness:models:v1`.
    predicateType: str
    # The loaded models; a model that is not loaded is not in the list.
    subject: List[StatedModel]


class StatementVerifier(TypedDict):
    """A program."""

    # `likeness`.
    name: str
    # Its version.
    version: str


class TenantResponse(TypedDict):
    """A tenant."""

    # The number of the tenant's persons.
    person_count: int
    # The tenant's id.
    tenant_id: str


class TenantsResponse(TypedDict):
    """A list of tenants."""

    # The tenants with at least one person, sorted by id. A key that is bound to a tenant gets only that
    # tenant.
    tenants: List[TenantResponse]


class UnfitResponse(TypedDict):
    """The reason why no face was chosen: the error code that other routes return."""

    error_code: str
    message: str
    # The reason, more precise than `error_code`.
    reason: str


class _VerifyLivenessOptional(LivenessVerdict, total=False):
    # The reason why the verdict is `indeterminate`.
    reason: str | None


class VerifyLiveness(_VerifyLivenessOptional):
    """The judgement of liveness."""



class VerifyResponse(SimilarityResponse):
    """The result of a verification."""

    # The action that liveness alone recommends, in the field of the replaced service.
    antispoof_pipeline: Dict[str, str]
    # The capture that the request used; null if it named none.
    capture_id: str | None
    # 1 - distance, 0 to 1.
    confidence: float
    # Always null.
    device_spoof_risk: float | None
    # Always null.
    ear_liveness: float | None
    # The judgement of liveness.
    liveness: VerifyLiveness
    # Whether the distance is within the threshold.
    matched: bool
    # The result as text for a person.
    message: str
    # The weights that were used.
    model: ModelResponse
    # The person's stored templates that could not be compared, by reason.
    not_compared: NotComparedResponse
    # The action that the verdict recommends: `allow`, `review` or `block`.
    recommended_action: Literal["allow", "review", "block"]
    # The id of the request, which the log contains too.
    request_id: str
    timing_ms: Dict[str, float]
    # Whether the face matches and is live.
    verified: bool
