// Written by tools/clients from docs/openapi.json: change that, or the script.

/** A face's area, in DeepFace's fields. Every field is null if the service could compare no pair of faces. */
export interface AreaResponse {
  h: number | null;
  /** The person's own left eye; null if outside of the photograph or if no detector ran. */
  left_eye: Array<number> | null;
  /** The person's own right eye. */
  right_eye: Array<number> | null;
  w: number | null;
  x: number | null;
  y: number | null;
}

/** A box, in pixels of the photograph. */
export interface BoxResponse {
  /** Height. */
  height: number;
  /** Width. */
  width: number;
  /** Left edge. */
  x: number;
  /** Top edge. */
  y: number;
}

/** A capture after a request. */
export interface CaptureResponse extends GuidanceResponse {
  /** The value of `previous` for the next frame: a hash over the responses and frames so far; null unless the state is `open`. */
  answer_sha256: string | null;
  /** The frame to send with `capture_id`, from 1; null unless the state is `complete`. */
  best_frame: number | null;
  /** The number of the capture. */
  capture_id: string;
  /** When the capture can no longer be used. */
  expires_at: string;
  /** The number of frames that were taken. */
  frame_count: number;
  /** The person's present task; null unless the state is `open`. */
  prompt: "look_straight" | "turn_left" | "turn_right" | "come_closer" | "move_back" | null;
  /** The purpose of the capture: `verify`, `enroll` or `liveness`. */
  purpose: "verify" | "enroll" | "liveness";
  /** `open`: send a frame; `complete`: use the capture; `ended`: begin another. */
  state: "open" | "complete" | "ended";
  /** The number of the prompt, from 1; 0 before the first frame that can be used. */
  step: number;
  /** The number of prompts; 0 before the first frame that can be used. */
  step_count: number;
  /** The tenant. */
  tenant_id: string;
  /** The person; null for `liveness`. */
  user_id: string | null;
}

/** The result of a comparison. */
export interface CompareResponse extends SimilarityResponse {
  /** `high`, `medium` or `low`: how far the similarity is above the threshold. */
  confidence: string;
  /** The face in the first photograph. */
  face1: ComparedFace;
  /** The face in the second photograph. */
  face2: ComparedFace;
  /** Whether the distance is within the threshold. Liveness was not judged, so this is no verdict. */
  match: boolean;
  /** The result as text for a person. */
  message: string;
  /** The weights that were used. */
  model: ModelResponse;
  /** 1 - distance, at least 0. */
  similarity: number;
}

/** A compared face. */
export interface ComparedFace {
  /** The face's box in the rotated photograph. */
  bounding_box: BoxResponse;
  /** Always true: a photograph without a face is an error. */
  detected: boolean;
  /** The quality of the face, 0 to 100. */
  quality_score: number;
  /** Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. */
  rotated: number;
}

/** The comparison of the two faces. */
export interface ComparisonResponse extends SimilarityResponse {
  /** Whether the distance is within the threshold. */
  matched: boolean;
  /** The reasons against acceptance. */
  reasons: Array<ReasonResponse>;
  /** `accept`, `review` or `reject`; null if liveness was not judged. */
  verdict: string | null;
}

/** A consent. */
export interface ConsentResponse {
  /** When the consent was given. */
  given_at: string;
  /** The caller's reference to the proof of consent. */
  reference: string;
  /** The version of the text that the person agreed to. */
  version: string;
}

/** A face with its embedding. */
export interface DeepfaceFace {
  /** The embedding: 512 numbers. */
  embedding: Array<number>;
  /** The confidence that this is a face, 0 to 1; 0 if no detector ran. */
  face_confidence: number;
  /** The area of the face. */
  facial_area: AreaResponse;
}

/** The response of `represent`. */
export interface DeepfaceRepresented {
  /** The weights that were used. DeepFace does not have this field. */
  model: ModelResponse;
  /** Each face with its embedding. */
  results: Array<DeepfaceFace>;
}

/** The response of `verify`. */
export interface DeepfaceVerified {
  /** The confidence, 0 to 100. */
  confidence: number;
  /** `centerface` or `skip`. */
  detector_backend: string;
  /** The smallest distance of any two faces; null if no distance is a number. */
  distance: number | null;
  /** The areas of the closest pair of faces. */
  facial_areas: FacialAreas;
  /** `Facenet512`. */
  model: string;
  /** The metric of the request. */
  similarity_metric: string;
  /** The threshold of the metric. */
  threshold: number;
  /** The duration in seconds. */
  time: number;
  /** Whether the smallest distance is within the threshold. */
  verified: boolean;
  /** The weights that were used. DeepFace does not have this field. */
  weights: ModelResponse;
}

/** The result of a deletion. */
export interface DeleteResponse {
  /** `done`; `pending` until a search of the tables and files finds nothing. */
  erasure: "done" | "pending";
  /** The result as text for a person. */
  message: string;
  /** Always true. */
  success: boolean;
  /** The person's name. */
  user_id: string;
}

/** The faces of a photograph. */
export interface DetectResponse {
  /** The number of faces in this response. */
  face_count: number;
  /** The faces. */
  faces: Array<FaceResponse>;
  /** The size of the upright photograph. */
  image_dimensions: SizeResponse;
  /** Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated photograph. */
  rotated: number;
}

/** The embedder's input. */
export interface EmbedderResponse {
  /** The number of components of the embedding, which this response does not contain. */
  embedding_dimension: number;
  /** The embedder's input of 160 x 160 pixels, rounded to 8 bits: a PNG as a data URI. */
  face: string;
  /** The embedder's weight file. */
  file: string;
}

/** The result of an enrolment with several photographs. */
export interface EnrollMultiResponse {
  /** The mean quality of all photographs, 0 to 100. */
  average_quality_score: number;
  /** The number of components of a template. */
  embedding_dimension: number;
  /** The mean quality of the stored photographs, 0 to 100. */
  fused_quality_score: number;
  /** The method that combines several templates for a comparison. */
  fusion_strategy: string;
  /** The result for each photograph. */
  images: Array<ImageResponse>;
  /** The number of photographs stored as templates. */
  images_processed: number;
  /** The quality of each photograph in the order of the request; 0 without a face. */
  individual_quality_scores: Array<number>;
  /** The result as text for a person. */
  message: string;
  /** The weights that were used. */
  model: ModelResponse;
  /** The person's stored templates that could not be compared with the photographs, by reason. */
  not_compared: NotComparedResponse;
  /** Always true. */
  success: boolean;
  /** The person's name. */
  user_id: string;
}

/** The result of an enrolment. */
export interface EnrollResponse {
  /** The capture that the request used; null if it named none. */
  capture_id: string | null;
  /** The number of components of a template. */
  embedding_dimension: number;
  /** The live probability, 0 to 1. */
  liveness_score: number;
  /** The result as text for a person. */
  message: string;
  /** The weights that were used. */
  model: ModelResponse;
  /** The person's stored templates that could not be compared with the photograph, by reason. */
  not_compared: NotComparedResponse;
  /** The quality of the face, 0 to 100. */
  quality_score: number;
  /** Always true. */
  success: boolean;
  /** The person's name. */
  user_id: string;
}

/** The result of erasing a person. */
export interface ErasedResponse extends ErasureResponse {
  /** The key of the receipt's `subject_commitment`, 64 hexadecimal digits. The service does not keep it. Only with this key does the receipt identify the person. */
  subject_salt: string;
  /** The person's name. */
  user_id: string;
}

/** The state of an erasure. */
export interface ErasureResponse {
  /** When the person was erased. */
  erased_at: string;
  /** `done`; `pending` until a search of the tables and files finds nothing. */
  erasure: "done" | "pending";
  /** The erasure's number, for `GET /api/v1/erasures/{erasure_id}`. */
  erasure_id: string;
  receipt: ReceiptResponse | null;
  /** The tenant of the erased person. */
  tenant_id: string;
}

/** An error rate that a calibration measured. */
export interface ErrorRateResponse {
  /** The upper limit of the confidence interval of 95 %. */
  high: number;
  /** The lower limit of the confidence interval of 95 %. */
  low: number;
  /** The measured rate, 0 to 1. */
  value: number;
}

/** All data that the store has about a person. */
export interface ExportResponse extends PersonResponse {
  /** The time of this export. */
  exported_at: string;
  /** When failed comparisons with this person were counted; each expires after 15 minutes. */
  failures_at: Array<string>;
  /** When responses to enrolments with an `Idempotency-Key` were remembered; each expires after a day. */
  remembered_answers_at: Array<string>;
  /** The stored templates. */
  templates: Array<ExportedTemplate>;
}

/** A stored template with its numbers. */
export interface ExportedTemplate extends TemplateResponse {
  /** The embedding: 512 numbers, a vector of length one. */
  embedding: Array<number>;
}

/** A face. */
export interface FaceResponse {
  /** The face's box. */
  bounding_box: BoxResponse;
  /** The confidence that this is a face, 0 to 1. */
  confidence: number;
  /** The number of the face, from 0, most confident first. */
  face_id: number;
  /** The five landmarks. */
  landmarks: LandmarksResponse;
  /** The quality of the face, 0 to 100. */
  quality_score: number;
}

/** The areas of the closest pair of faces. */
export interface FacialAreas {
  img1: AreaResponse;
  img2: AreaResponse;
}

/** A place that was searched. */
export interface FindingResponse {
  /** The number of rows or pieces that the search found: always 0. */
  found: number;
  /** A table, or a file of the database. */
  place: string;
  /** The number of rows or pieces that the search looked for. */
  sought: number;
}

/** The largest face of a frame. */
export interface FrameFace {
  /** The face's box. */
  bounding_box: BoxResponse;
  /** The confidence that this is a face, 0 to 1. */
  confidence: number;
  /** The five landmarks. */
  landmarks: LandmarksResponse;
}

/** The guidance for a frame. */
export interface FrameResponse extends GuidanceResponse {
  liveness: LivenessVerdict | null;
  timing_ms: Record<string, number>;
}

/** The name and the version of the service. */
export interface Greeting {
  /** The accepted values of `detector_backend`. */
  detector_backend: Array<string>;
  /** The accepted values of `distance_metric`. */
  distance_metric: Array<string>;
  /** The name as text for a person. */
  message: string;
  /** The accepted values of `model_name`. */
  model_name: Array<string>;
  /** The program's version. */
  version: string;
}

/** The face of a frame, and the advice for the person. */
export interface GuidanceResponse {
  /** The most urgent advice for the person; null if the face is well placed. */
  advice: "show_face" | "one_face_only" | "come_closer" | "move_back" | "move_to_middle" | "more_light" | "less_light" | "look_straight" | "hold_still" | null;
  face: FrameFace | null;
  /** The number of faces. */
  face_count: number;
  /** The size of the frame. */
  image_dimensions: SizeResponse;
  /** Always 0: frames are not turned. */
  rotated: number;
}

/** The state of the service. */
export type Health = "healthy" | "degraded" | "unhealthy";

/** The state of the service and its models. */
export interface HealthResponse {
  /** `centerface`, or null if the detector is not loaded. */
  detector: string | null;
  /** The loaded weights. */
  model: ModelResponse;
  /** The state of each of the four models. */
  models: Array<ModelHealth>;
  /** The state of the service. */
  status: Health;
  /** `none`, `ready`, `index_loading` (only search must wait), or the kind of the store's error. */
  store: string;
  /** The routes that do not work now, with the missing files. */
  unmet: Array<unknown>;
  /** The program's version. */
  version: string;
}

/** The result for one photograph. */
export interface ImageResponse {
  /** Whether the photograph is stored as a template. */
  accepted: boolean;
  /** The reason why the photograph is not stored. */
  error_code: string | null;
  /** The number of the photograph in the request, from 0. */
  index: number;
}

/** The inputs and results of the networks. */
export interface InspectResponse {
  comparison: ComparisonResponse | null;
  /** The models that are not loaded. Their results are null. */
  missing: Array<ModelFault>;
  /** The weights that were used. */
  model: ModelResponse;
  /** One or two photographs. */
  photographs: Array<PhotographResponse>;
}

/** Five points `[x, y]`; left is the person's own left; null outside of the photograph. */
export interface LandmarksResponse {
  /** The left eye. */
  left_eye: Array<number> | null;
  /** The left corner of the mouth. */
  mouth_left: Array<number> | null;
  /** The right corner of the mouth. */
  mouth_right: Array<number> | null;
  /** The nose. */
  nose: Array<number> | null;
  /** The right eye. */
  right_eye: Array<number> | null;
}

/** The judgement of liveness, with the results of both networks. */
export interface LivenessInspection extends LivenessVerdict {
  /** The reason why the verdict is `indeterminate`. */
  doubt: string | null;
  /** The result as text for a person. */
  message: string;
  /** The results of the networks of scale 2.7 and 4.0. */
  networks: Array<SpoofNetworkResponse>;
  /** The thresholds of the judgement. */
  thresholds: LivenessThresholds;
}

/** The judgement of liveness. */
export interface LivenessResponse extends LivenessVerdict {
  /** The capture that counted for this request; null if the request named none, and then no prompts were followed. A capture that does not count is `CAPTURE_REFUSED`. */
  capture_id: string | null;
  /** `capture` if the request used a capture, otherwise `passive`. */
  challenge: string;
  /** Always true, as in the replaced service, also without a challenge. It proves nothing: `capture_id` counts. */
  challenge_completed: boolean;
  /** The live probability, or 1 minus it if that is larger. */
  confidence: number;
  /** The reason why the verdict is `indeterminate`. */
  doubt: string | null;
  /** Whether the verdict is `live`. */
  is_live: boolean;
  /** The result as text for a person. */
  message: string;
  /** The live probability in percent. */
  score: number;
}

/** The thresholds between live, spoof and indeterminate. */
export interface LivenessThresholds {
  /** The smallest colour; a face with less colour is indeterminate. */
  colour: number;
  /** The smallest side of the crop of scale 2.7, as a multiple of the face's box. */
  context: number;
  /** The smallest probability that each network must give a live face. */
  each: number;
  /** A face is live from this probability on. */
  live: number;
  /** A face is a spoof up to this probability. */
  spoof: number;
}

/** The verdict on liveness. */
export interface LivenessVerdict {
  /** The mean probability of a real face. */
  live_probability: number;
  /** `live`, `spoof` or `indeterminate`. */
  verdict: "live" | "spoof" | "indeterminate";
}

/** A person within the threshold. */
export interface MatchResponse {
  /** 1 - distance, 0 to 1. */
  confidence: number;
  /** The cosine distance. */
  distance: number;
  /** The person's name. */
  user_id: string;
}

/** A model that is not loaded. The response contains no path of this machine. */
export interface ModelFault {
  /** The model's weight file. */
  file: string;
  /** What the operator can do. */
  hint: string;
  /** `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`. */
  reason: "missing" | "wrong_digest" | "wrong_size" | "unreadable" | "refused_format" | "loading";
  /** `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
  role: "detector" | "liveness_2_7" | "liveness_4_0" | "embedder";
  /** The pinned SHA-256. */
  sha256: string;
}

/** The state of one network. */
export interface ModelHealth {
  /** The file's name. */
  file: string;
  /** Whether the model is loaded from verified bytes and has passed its self-test. */
  held: boolean;
  /** What the operator can do. */
  hint?: string | null;
  on_disk?: OnDisk | null;
  /** The reason why the model is not loaded: `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`. */
  reason?: "missing" | "wrong_digest" | "wrong_size" | "unreadable" | "refused_format" | "loading" | null;
  /** `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
  role: "detector" | "liveness_2_7" | "liveness_4_0" | "embedder";
  /** The result of the self-test. */
  self_test?: string | null;
  /** The pinned SHA-256. */
  sha256: string;
}

/** The weights that were used. */
export interface ModelResponse {
  /** The embedding space. Embeddings of two spaces can't be compared. Null if the detector or the embedder is not loaded. */
  contract_id: string | null;
  /** The embedder's trust: `published`, `accepted` (by the operator, by its digest), or `unknown`; null if none is loaded. */
  embedder: string | null;
  /** The SHA-256 of each loaded model, by role. */
  sha256: Record<string, string>;
}

/** Stored templates that could not be compared, by reason: `other_contract` (enrolled with other models), `no_direction`. Empty where all were. */
export type NotComparedResponse = Record<string, number>;

/** The state of a loaded model's file. */
export type OnDisk = "right" | "changed" | "missing";

/** A person with their templates. */
export interface OnePersonResponse extends PersonResponse {
  /** The stored templates. */
  templates: Array<TemplateResponse>;
}

/** An enrolled person. */
export interface PersonResponse {
  consent: ConsentResponse | null;
  /** When the person expires; null means never. */
  expires_at: string | null;
  /** When the newest template was created. */
  newest_template_at: string;
  /** When the oldest template was created. */
  oldest_template_at: string;
  /** The random number that stands for the person in decision records and the journal. */
  pseudonym: string;
  /** The number of stored templates. */
  template_count: number;
  /** The person's tenant. */
  tenant_id: string;
  /** The person's name. */
  user_id: string;
}

/** A page of persons. */
export interface PersonsResponse {
  /** `cursor` of the next page; null on the last page. */
  next_cursor: string | null;
  /** The persons in the order of their enrolment. */
  persons: Array<PersonResponse>;
  /** The number of the tenant's persons. */
  total: number;
}

/** The results for one photograph. */
export interface PhotographResponse {
  /** `exact` or `fast`: how the detector searched for faces. */
  detection: string;
  embedder: EmbedderResponse | null;
  /** The faces, most confident first; at most 50. */
  faces: Array<FaceResponse>;
  /** The form field that contained the photograph. */
  field: string;
  /** The size of the upright photograph. */
  image_dimensions: SizeResponse;
  liveness: LivenessInspection | null;
  quality: QualityResponse | null;
  /** Degrees clockwise by which the photograph was rotated: 0, 90, 180 or 270. Boxes refer to the rotated photograph. */
  rotated: number;
  /** The chosen face, as an index into `faces`. */
  subject: number | null;
  timing_ms: Record<string, number>;
  unfit: UnfitResponse | null;
}

/** A problem, as it is written. The first four fields are always there; each other one belongs to some codes. */
export interface ProblemBody {
  /** `LIVENESS_FAILED`, `ANTISPOOF_BLOCKED`: the same fields again, in the place of the replaced service. */
  detail?: unknown | null;
  /** `EMBEDDER_UNKNOWN`: `unknown`. */
  embedder?: string | null;
  /** The kind of the error, for programs. */
  error_code: "FACE_NOT_DETECTED" | "MULTIPLE_FACES" | "POOR_IMAGE_QUALITY" | "INVALID_INPUT" | "INVALID_IMAGE" | "LIVENESS_FAILED" | "UNAUTHORIZED" | "FORBIDDEN" | "ANTISPOOF_BLOCKED" | "CAPTURE_REFUSED" | "NOT_FOUND" | "EMBEDDING_NOT_FOUND" | "METHOD_NOT_ALLOWED" | "REQUEST_TIMEOUT" | "EMBEDDING_ALREADY_EXISTS" | "EMBEDDING_CONTRACT_MISMATCH" | "IDEMPOTENCY_CONFLICT" | "CAPTURE_ENDED" | "FILE_TOO_LARGE" | "UNSUPPORTED_MEDIA_TYPE" | "RATE_LIMIT_EXCEEDED" | "OVERLOADED" | "STORE_UNAVAILABLE" | "INDEX_LOADING" | "MODEL_UNAVAILABLE" | "EMBEDDER_UNKNOWN" | "CALIBRATION_MISMATCH" | "INTERNAL_SERVER_ERROR";
  /** `FACE_NOT_DETECTED`, `MULTIPLE_FACES`: the number of faces found. */
  face_count?: number | null;
  /** The field of the request that is wrong. */
  field?: string | null;
  /** The format, or the content coding, that the request contained instead. */
  found?: string | null;
  /** DeepFace's routes: the accepted values of the field. */
  held?: Array<string> | null;
  /** `POOR_IMAGE_QUALITY` of several photographs: the result for each photograph. */
  images?: Array<unknown> | null;
  /** The number of the wrong photograph among several, from 0. */
  index?: number | null;
  /** The numbers of two photographs that do not match, from 0. */
  indices?: Array<number> | null;
  /** `POOR_IMAGE_QUALITY`: the faults of the photograph. */
  issues?: Array<string> | null;
  /** `ANTISPOOF_BLOCKED`: the live probability, 0 to 1. */
  live_probability?: number | null;
  /** `FILE_TOO_LARGE`: the limit. */
  max_size_bytes?: number | null;
  /** The error as text for a person. */
  message: string;
  /** `POOR_IMAGE_QUALITY`: the smallest accepted quality. */
  min_threshold?: number | null;
  /** `MODEL_UNAVAILABLE`: the models that are not loaded. */
  models?: Array<ModelFault> | null;
  /** `EMBEDDING_CONTRACT_MISMATCH`: the number of templates that could not be compared, by reason. */
  not_compared?: unknown | null;
  /** `POOR_IMAGE_QUALITY`: the quality of the face, 0 to 100. */
  quality_score?: number | null;
  /** The reason, more precise than `error_code`. */
  reason?: string | null;
  /** `ANTISPOOF_BLOCKED`: the action that liveness recommends. */
  recommended_action?: string | null;
  /** The id of the request, which the log contains too. */
  request_id: string;
  /** `RATE_LIMIT_EXCEEDED`: after how many seconds the next request may follow. */
  retry_after_seconds?: number | null;
  /** `FORBIDDEN`: the scope that the key lacks. `RATE_LIMIT_EXCEEDED`: the limit that was reached. */
  scope?: string | null;
  /** `LIVENESS_FAILED`: the live probability in percent. */
  score?: number | null;
  /** `EMBEDDER_UNKNOWN`: the digest of the embedder. */
  sha256?: string | null;
  /** RFC 9457: a page about the problem, relative to the address of the request. */
  type: string;
  /** The person's name in the request. */
  user_id?: string | null;
  /** `LIVENESS_FAILED`: `spoof` or `indeterminate`. */
  verdict?: string | null;
}

/** The measurements of a face's box. */
export interface QualityResponse {
  /** The variance of the Laplacian. */
  blur: number;
  /** Colour that does not follow from lightness, in units of Lab. */
  colour: number;
  /** The mean grey value, 0 to 255. */
  light: number;
  /** The quality, 0 to 100. */
  score: number;
  /** The shorter side of the box, in pixels. */
  side: number;
}

/** A reason against acceptance. */
export interface ReasonResponse {
  /** The reason's code, which does not change between versions. */
  code: string;
  /** The reason as text for a person. */
  message: string;
}

/** The receipt of an erasure. */
export interface ReceiptResponse {
  /** The signed receipt: a JSON Web Signature (compact), with Ed25519. */
  jws: string;
  /** The places that were searched. */
  looked: Array<FindingResponse>;
  /** When the search found nothing of the person. */
  looked_at: string;
  /** The public key that verifies the receipt, 64 hexadecimal digits. */
  public_key: string;
  /** HMAC-SHA-256 of `TENANT_ID/USER_ID` under `subject_salt`, in hexadecimal digits. */
  subject_commitment: string;
}

/** A decision record. */
export interface RecordResponse {
  /** The signed record: a JSON Web Signature with Ed25519. */
  jws: string;
  /** The public key that verifies the record, in hexadecimal digits. */
  public_key: string;
  /** All values that the judgement depends on. */
  record: unknown;
}

/** The result of a search. */
export interface SearchResponse {
  best_match: MatchResponse | null;
  fmr_at_threshold: ErrorRateResponse | null;
  /** Whether any person is within the threshold. */
  found: boolean;
  /** The persons within the threshold, nearest first. */
  matches: Array<MatchResponse>;
  /** The result as text for a person. */
  message: string;
  /** The weights that were used. */
  model: ModelResponse;
  /** Stored templates of the tenant that could not be compared, by reason. */
  not_compared: NotComparedResponse;
  /** The threshold that was used. */
  threshold: number;
  /** The source of the threshold: `deepface`, `set`, `calibrated` or `request`. */
  threshold_source: "deepface" | "set" | "calibrated" | "request";
  /** The number of the tenant's persons in the index. */
  total_searched: number;
}

/** A distance and its threshold. */
export interface SimilarityResponse {
  /** The cosine distance. */
  distance: number;
  fmr_at_threshold: ErrorRateResponse | null;
  /** The largest distance of a match. */
  threshold: number;
  /** The source of the threshold: `deepface`, `set`, `calibrated` or `request`. */
  threshold_source: "deepface" | "set" | "calibrated" | "request";
}

/** A width and a height. */
export interface SizeResponse {
  /** Pixels down. */
  height: number;
  /** Pixels across. */
  width: number;
}

/** The input and the result of one liveness network. */
export interface SpoofNetworkResponse {
  /** The part of the photograph in the crop. */
  area: BoxResponse;
  /** The network's input of 80 x 80 pixels: a PNG as a data URI. */
  crop: string;
  /** The network's weight file. */
  file: string;
  /** The probabilities of the three classes: a fake, a real face, another fake. */
  probabilities: Array<number>;
  /** The scale for which the network was trained: the crop's width divided by that of the face's box. */
  scale: number;
  /** The actual side of the crop, as a multiple of the face's box; smaller near the photograph's edge. */
  scale_seen: number;
}

/** A digest. */
export interface StatedDigest {
  /** The SHA-256 of the bytes that were loaded. */
  sha256: string;
}

/** A model whose bytes this process hashed, compared with their pin, and loaded. */
export interface StatedModel {
  /** What the process knows about it. */
  annotations: StatementAnnotations;
  /** Its digest. */
  digest: StatedDigest;
  /** The file's name. */
  name: string;
}

/** What the process knows about a model. */
export interface StatementAnnotations {
  /** The state of the file now; a change does not affect the loaded model. */
  onDisk: OnDisk;
  /** `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
  role: "detector" | "liveness_2_7" | "liveness_4_0" | "embedder";
  /** The result of the self-test. */
  selfTest: string;
  /** When its bytes were verified, before they were loaded. */
  verifiedAt: string;
}

/** The predicate. */
export interface StatementPredicate {
  /** The embedder's trust: `published`, `accepted` or `unknown`; null if no embedder is loaded. */
  embedder: string | null;
  /** The program that verified the models. */
  verifier: StatementVerifier;
}

/** An in-toto statement, v1, without a signature. */
export interface StatementResponse {
  /** `https://in-toto.io/Statement/v1`. */
  _type: string;
  /** Who verified them. */
  predicate: StatementPredicate;
  /** `urn:likeness:models:v1`. */
  predicateType: string;
  /** The loaded models; a model that is not loaded is not in the list. */
  subject: Array<StatedModel>;
}

/** A program. */
export interface StatementVerifier {
  /** `likeness`. */
  name: string;
  /** Its version. */
  version: string;
}

/** A stored template, without its numbers. */
export interface TemplateResponse {
  /** The embedding space; only templates of the current space are compared. */
  contract_id: string;
  /** When the template was created. */
  made_at: string;
  /** The quality of the face, 0 to 100. */
  quality_score: number;
}

/** A tenant. */
export interface TenantResponse {
  /** The number of the tenant's persons. */
  person_count: number;
  /** The tenant's id. */
  tenant_id: string;
}

/** A list of tenants. */
export interface TenantsResponse {
  /** The tenants with at least one person, sorted by id. A key that is bound to a tenant gets only that tenant. */
  tenants: Array<TenantResponse>;
}

/** The reason why no face was chosen: the error code that other routes return. */
export interface UnfitResponse {
  error_code: string;
  message: string;
  /** The reason, more precise than `error_code`. */
  reason: string;
}

/** The judgement of liveness. */
export interface VerifyLiveness extends LivenessVerdict {
  /** The reason why the verdict is `indeterminate`. */
  reason?: string | null;
}

/** The result of a verification. */
export interface VerifyResponse extends SimilarityResponse {
  /** The action that liveness alone recommends, in the field of the replaced service. */
  antispoof_pipeline: Record<string, string>;
  /** The capture that the request used; null if it named none. */
  capture_id: string | null;
  /** 1 - distance, 0 to 1. */
  confidence: number;
  /** Always null. */
  device_spoof_risk: number | null;
  /** Always null. */
  ear_liveness: number | null;
  /** The judgement of liveness. */
  liveness: VerifyLiveness;
  /** Whether the distance is within the threshold. */
  matched: boolean;
  /** The result as text for a person. */
  message: string;
  /** The weights that were used. */
  model: ModelResponse;
  /** The person's stored templates that could not be compared, by reason. */
  not_compared: NotComparedResponse;
  /** The action that the verdict recommends: `allow`, `review` or `block`. */
  recommended_action: "allow" | "review" | "block";
  /** The id of the request, which the log contains too. */
  request_id: string;
  timing_ms: Record<string, number>;
  /** Whether the face matches and is live. */
  verified: boolean;
}
