// Written by tools/clients from docs/openapi.json: change that, or the script.

/** A face's area, in DeepFace's fields. Every field is null if the service could compare no pair of faces. */
export interface AreaResponse {
  h?: number | null;
  /** The person's own left eye; null outside of the photograph and where no detector ran. */
  left_eye?: Array<number> | null;
  /** The person's own right eye. */
  right_eye?: Array<number> | null;
  w?: number | null;
  x?: number | null;
  y?: number | null;
}

/** A box in the photograph's pixels. */
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

/** The answer. */
export interface CompareResponse extends SimilarityResponse {
  /** `high`, `medium` or `low`: how far the similarity is above the threshold. */
  confidence: string;
  /** The first. */
  face1: ComparedFace;
  /** The second. */
  face2: ComparedFace;
  /** Whether the distance is within the threshold. Liveness was not judged, so this is no verdict. */
  match: boolean;
  /** For a person. */
  message: string;
  /** Which weights answered. */
  model: ModelResponse;
  /** 1 - distance, not below 0. */
  similarity: number;
}

/** A face that was compared. */
export interface ComparedFace {
  /** Where, in the photograph as it was turned. */
  bounding_box: BoxResponse;
  /** Always true: without a face there is no answer. */
  detected: boolean;
  /** 0 to 100. */
  quality_score: number;
  /** Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. */
  rotated: number;
}

/** Two photographs' faces, compared. */
export interface ComparisonResponse extends SimilarityResponse {
  /** Whether the distance is within the threshold. */
  matched: boolean;
  /** Why not accepted. */
  reasons: Array<ReasonResponse>;
  /** `accept`, `review` or `reject`; null where liveness was not judged. */
  verdict?: string | null;
}

/** A consent. */
export interface ConsentResponse {
  /** When. */
  given_at: string;
  /** Where the caller keeps its proof. */
  reference: string;
  /** Which text was agreed to. */
  version: string;
}

/** A face with its embedding. */
export interface DeepfaceFace {
  /** 512 numbers. */
  embedding: Array<number>;
  /** The confidence that this is a face, 0 to 1; 0 where no detector ran. */
  face_confidence: number;
  /** Where. */
  facial_area: AreaResponse;
}

/** The answer of `represent`. */
export interface DeepfaceRepresented {
  /** Which weights answered; ours, not DeepFace's. */
  model: ModelResponse;
  /** Every face. */
  results: Array<DeepfaceFace>;
}

/** The answer of `verify`. */
export interface DeepfaceVerified {
  /** 0 to 100. */
  confidence: number;
  /** `centerface` or `skip`. */
  detector_backend: string;
  /** The smallest distance of any two faces; null where none is a number. */
  distance?: number | null;
  /** The closest pair. */
  facial_areas: FacialAreas;
  /** `Facenet512`. */
  model: string;
  /** As in the request. */
  similarity_metric: string;
  /** The metric's own. */
  threshold: number;
  /** Seconds. */
  time: number;
  /** The smallest distance is within the threshold. */
  verified: boolean;
  /** Which weights answered; ours, not DeepFace's. */
  weights: ModelResponse;
}

/** The answer. */
export interface DeleteResponse {
  /** `done`, or `pending` until a look at the tables and files finds nothing. */
  erasure: "done" | "pending";
  /** For a person. */
  message: string;
  /** Always true. */
  success: boolean;
  /** Who. */
  user_id: string;
}

/** The answer. */
export interface DetectResponse {
  /** How many are reported. */
  face_count: number;
  /** The faces. */
  faces: Array<FaceResponse>;
  /** The photograph, upright. */
  image_dimensions: SizeResponse;
  /** Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. Faces lie in the turned one. */
  rotated: number;
}

/** What the embedder saw. */
export interface EmbedderResponse {
  /** How many numbers it gave. They stay here. */
  embedding_dimension: number;
  /** The 160 x 160 pixels that it saw, rounded to 8 bits: a PNG as a data URI. */
  face: string;
  /** Its weight file. */
  file: string;
}

/** The answer. */
export interface EnrollMultiResponse {
  /** The mean quality of all, 0 to 100. */
  average_quality_score: number;
  /** How many numbers a template has. */
  embedding_dimension: number;
  /** The mean quality of those that are templates now, 0 to 100. */
  fused_quality_score: number;
  /** How templates are compared. */
  fusion_strategy: string;
  /** What became of each. */
  images: Array<ImageResponse>;
  /** How many photographs are templates now. */
  images_processed: number;
  /** The quality of each as sent; 0 without a face. */
  individual_quality_scores: Array<number>;
  /** For a person. */
  message: string;
  /** Which weights answered. */
  model: ModelResponse;
  /** Templates stored before, of this person, that could not be compared with the photographs, by reason. */
  not_compared: NotComparedResponse;
  /** Always true. */
  success: boolean;
  /** Who. */
  user_id: string;
}

/** The answer. */
export interface EnrollResponse {
  /** How many numbers a template has. */
  embedding_dimension: number;
  /** The live probability, 0 to 1. */
  liveness_score: number;
  /** For a person. */
  message: string;
  /** Which weights answered. */
  model: ModelResponse;
  /** Templates stored before, of this person, that could not be compared with the photograph, by reason. */
  not_compared: NotComparedResponse;
  /** 0 to 100. */
  quality_score: number;
  /** Always true. */
  success: boolean;
  /** Who. */
  user_id: string;
}

/** A person who was erased. */
export interface ErasedResponse extends ErasureResponse {
  /** The key of the receipt's `subject_commitment`, 64 hexadecimal digits. The service does not keep it: with it the receipt names the person, without it nothing does. */
  subject_salt: string;
  /** Who. */
  user_id: string;
}

/** An erasure. */
export interface ErasureResponse {
  /** When the person was erased. */
  erased_at: string;
  /** `done`; `pending` until a look at the tables and files finds nothing. */
  erasure: "done" | "pending";
  /** Its number, for `GET /api/v1/erasures/{erasure_id}`. */
  erasure_id: string;
  receipt?: ReceiptResponse | null;
  /** Whose person it was. */
  tenant_id: string;
}

/** Everything that is stored about a person. */
export interface ExportResponse extends PersonResponse {
  /** When this was read. */
  exported_at: string;
  /** When failed verifications under this name were counted; each ends after 15 minutes. */
  failures_at: Array<string>;
  /** When answers to enrolments with an `Idempotency-Key` were remembered; each ends after a day. */
  remembered_answers_at: Array<string>;
  /** What is stored. */
  templates: Array<ExportedTemplate>;
}

/** A stored template with its numbers. */
export interface ExportedTemplate extends TemplateResponse {
  /** What is compared: 512 numbers of length one. */
  embedding: Array<number>;
}

/** One face. */
export interface FaceResponse {
  /** Where. */
  bounding_box: BoxResponse;
  /** The confidence that this is a face, 0 to 1. */
  confidence: number;
  /** From 0, the surest first. */
  face_id: number;
  /** Five points. */
  landmarks: LandmarksResponse;
  /** How good its picture is, 0 to 100. */
  quality_score: number;
}

/** Two areas: of the closest pair. */
export interface FacialAreas {
  img1: AreaResponse;
  img2: AreaResponse;
}

/** A place that was searched. */
export interface FindingResponse {
  /** How many of them were found: always 0. */
  found: number;
  /** A table, or a file of the database. */
  place: string;
  /** How many things were looked for. */
  sought: number;
}

/** The greeting. */
export interface Greeting {
  /** What `detector_backend` may be. */
  detector_backend: Array<string>;
  /** What `distance_metric` may be. */
  distance_metric: Array<string>;
  /** For a person. */
  message: string;
  /** What `model_name` may be. */
  model_name: Array<string>;
  /** The program's. */
  version: string;
}

/** How the service is. */
export type Health = "healthy" | "degraded" | "unhealthy";

/** The answer. */
export interface HealthResponse {
  /** `centerface`, or null where it is not loaded. */
  detector?: string | null;
  /** Which weights answer. */
  model: ModelResponse;
  /** All four. */
  models: Array<ModelHealth>;
  /** How the service is. */
  status: Health;
  /** `none`, `ready`, `index_loading` (search waits), or why it does not answer. */
  store: string;
  /** What can't be answered now, with the files that it lacks. */
  unmet: Array<unknown>;
  /** The program's. */
  version: string;
}

/** What became of one photograph. */
export interface ImageResponse {
  /** Whether it is a template now. */
  accepted: boolean;
  /** Why not. */
  error_code?: string | null;
  /** From 0, as sent. */
  index: number;
}

/** The answer. */
export interface InspectResponse {
  comparison?: ComparisonResponse | null;
  /** The models that are not loaded: what they would have said is null. */
  missing: Array<ModelFault>;
  /** Which weights answered. */
  model: ModelResponse;
  /** One or two. */
  photographs: Array<PhotographResponse>;
}

/** Five points `[x, y]`; left is the person's own left; null outside of the photograph. */
export interface LandmarksResponse {
  /** The left eye. */
  left_eye?: Array<number> | null;
  /** The left corner of the mouth. */
  mouth_left?: Array<number> | null;
  /** The right corner of the mouth. */
  mouth_right?: Array<number> | null;
  /** The nose. */
  nose?: Array<number> | null;
  /** The right eye. */
  right_eye?: Array<number> | null;
}

/** Live, spoof or neither, with both networks' reasons. */
export interface LivenessInspection extends LivenessVerdict {
  /** Why indeterminate. */
  doubt?: string | null;
  /** For a person. */
  message: string;
  /** The networks of scale 2.7 and 4.0. */
  networks: Array<SpoofNetworkResponse>;
  /** Where the lines are. */
  thresholds: LivenessThresholds;
}

/** The answer. */
export interface LivenessResponse extends LivenessVerdict {
  /** Always `passive`. */
  challenge: string;
  /** Always true: there is nothing to do. */
  challenge_completed: boolean;
  /** How sure the networks are of what they say, 0 to 1. */
  confidence: number;
  /** Whether it is surely live. */
  is_live: boolean;
  /** For a person. */
  message: string;
  /** 100 times the live probability. */
  score: number;
}

/** Where the lines between live and spoof are. */
export interface LivenessThresholds {
  /** Neither live nor spoof where the face has less colour. */
  colour: number;
  /** The crop of scale 2.7 is at least this many times the box. */
  context: number;
  /** Neither network alone gives a live face less. */
  each: number;
  /** Live from here on. */
  live: number;
  /** Spoof up to here. */
  spoof: number;
}

/** Live, spoof or neither. */
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
  /** Who. */
  user_id: string;
}

/** A model that is not loaded, for a caller: no path of this machine. */
export interface ModelFault {
  /** Its weight file. */
  file: string;
  /** The way out. */
  hint: string;
  /** `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`. */
  reason: "missing" | "wrong_digest" | "wrong_size" | "unreadable" | "refused_format" | "loading";
  /** `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
  role: "detector" | "liveness_2_7" | "liveness_4_0" | "embedder";
  /** The SHA-256 that is pinned. */
  sha256: string;
}

/** One network. */
export interface ModelHealth {
  /** The file's name. */
  file: string;
  /** Loaded, from verified bytes, and self-tested. */
  held: boolean;
  /** The way out. */
  hint?: string | null;
  on_disk?: OnDisk | null;
  /** Why not: `loading`, `missing`, `wrong_digest`, `wrong_size`, `unreadable` or `refused_format`. */
  reason?: "missing" | "wrong_digest" | "wrong_size" | "unreadable" | "refused_format" | "loading" | null;
  /** `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
  role: "detector" | "liveness_2_7" | "liveness_4_0" | "embedder";
  /** What the self-test found. */
  self_test?: string | null;
  /** The SHA-256 that is pinned. */
  sha256: string;
}

/** Which weights answered. */
export interface ModelResponse {
  /** The embedding space: embeddings of two spaces can't be compared. Null without detector or embedder. */
  contract_id?: string | null;
  /** `published`, `accepted` (by the operator, by its digest), or `unknown`; null where none is loaded. */
  embedder?: string | null;
  /** SHA-256 by role, of those that are loaded. */
  sha256: Record<string, string>;
}

/** Stored templates that could not be compared, by reason: `other_contract` (enrolled with other models), `no_direction`. Empty where all were. */
export type NotComparedResponse = Record<string, number>;

/** What the file of a loaded model looks like now. */
export type OnDisk = "right" | "changed" | "missing";

/** A person with their templates. */
export interface OnePersonResponse extends PersonResponse {
  /** What is stored. */
  templates: Array<TemplateResponse>;
}

/** A person. */
export interface PersonResponse {
  consent?: ConsentResponse | null;
  /** From when on the person is gone; null: never. */
  expires_at?: string | null;
  /** When the newest of them was made. */
  newest_template_at: string;
  /** When the oldest of them was made. */
  oldest_template_at: string;
  /** How many templates are stored. */
  template_count: number;
  /** Whose. */
  tenant_id: string;
  /** Who. */
  user_id: string;
}

/** A page of persons. */
export interface PersonsResponse {
  /** `cursor` of the next page; null: this is the last one. */
  next_cursor?: string | null;
  /** In the order of their enrolment. */
  persons: Array<PersonResponse>;
  /** How many persons the tenant has. */
  total: number;
}

/** One photograph. */
export interface PhotographResponse {
  /** `exact` or `fast`: how faces were looked for. */
  detection: string;
  embedder?: EmbedderResponse | null;
  /** Every face, the surest first; at most 50. */
  faces: Array<FaceResponse>;
  /** The field that it came in. */
  field: string;
  /** The photograph, upright. */
  image_dimensions: SizeResponse;
  liveness?: LivenessInspection | null;
  quality?: QualityResponse | null;
  /** Degrees clockwise by which the photograph was turned upright: 0, 90, 180 or 270. Faces lie in the turned one. */
  rotated: number;
  /** The face that counts, as a place in `faces`. */
  subject?: number | null;
  timing_ms: Record<string, number>;
  unfit?: UnfitResponse | null;
}

/** A problem, as it is written. The first four fields are always there; each other one belongs to some codes. */
export interface ProblemBody {
  /** `LIVENESS_FAILED`, `ANTISPOOF_BLOCKED`: the same fields once more, where the replaced service had them. */
  detail?: unknown | null;
  /** `EMBEDDER_UNKNOWN`: `unknown`. */
  embedder?: string | null;
  /** What went wrong: programs branch on this. */
  error_code: "FACE_NOT_DETECTED" | "MULTIPLE_FACES" | "POOR_IMAGE_QUALITY" | "INVALID_INPUT" | "INVALID_IMAGE" | "LIVENESS_FAILED" | "UNAUTHORIZED" | "FORBIDDEN" | "ANTISPOOF_BLOCKED" | "NOT_FOUND" | "EMBEDDING_NOT_FOUND" | "METHOD_NOT_ALLOWED" | "REQUEST_TIMEOUT" | "EMBEDDING_ALREADY_EXISTS" | "EMBEDDING_CONTRACT_MISMATCH" | "IDEMPOTENCY_CONFLICT" | "FILE_TOO_LARGE" | "UNSUPPORTED_MEDIA_TYPE" | "RATE_LIMIT_EXCEEDED" | "OVERLOADED" | "STORE_UNAVAILABLE" | "INDEX_LOADING" | "MODEL_UNAVAILABLE" | "EMBEDDER_UNKNOWN" | "INTERNAL_SERVER_ERROR";
  /** `FACE_NOT_DETECTED`, `MULTIPLE_FACES`: how many faces were found. */
  face_count?: number | null;
  /** The field of the request that is at fault. */
  field?: string | null;
  /** What came instead: a format, or a content coding. */
  found?: string | null;
  /** DeepFace's routes: the names that this service has for the field. */
  held?: Array<string> | null;
  /** `POOR_IMAGE_QUALITY` of several photographs: what became of each. */
  images?: Array<unknown> | null;
  /** Which of several photographs, from 0. */
  index?: number | null;
  /** Which two of several photographs, from 0. */
  indices?: Array<number> | null;
  /** `POOR_IMAGE_QUALITY`: what is wrong with the photograph. */
  issues?: Array<string> | null;
  /** `ANTISPOOF_BLOCKED`: 0 to 1. */
  live_probability?: number | null;
  /** `FILE_TOO_LARGE`: the limit. */
  max_size_bytes?: number | null;
  /** The same, for a person. */
  message: string;
  /** `POOR_IMAGE_QUALITY`: the least quality that is accepted. */
  min_threshold?: number | null;
  /** `MODEL_UNAVAILABLE`: the models that are not loaded. */
  models?: Array<ModelFault> | null;
  /** `EMBEDDING_CONTRACT_MISMATCH`: how many templates could not be compared, by reason. */
  not_compared?: unknown | null;
  /** `POOR_IMAGE_QUALITY`: 0 to 100. */
  quality_score?: number | null;
  /** A narrower word than `error_code`. */
  reason?: string | null;
  /** `ANTISPOOF_BLOCKED`: what the liveness advises. */
  recommended_action?: string | null;
  /** The log has it too. */
  request_id: string;
  /** `RATE_LIMIT_EXCEEDED`: when the next request may follow. */
  retry_after_seconds?: number | null;
  /** `FORBIDDEN`: the scope that the key lacks. `RATE_LIMIT_EXCEEDED`: by whom requests are counted. */
  scope?: string | null;
  /** `LIVENESS_FAILED`: 0 to 100, the live probability. */
  score?: number | null;
  /** `EMBEDDER_UNKNOWN`: the digest of the embedder. */
  sha256?: string | null;
  /** RFC 9457: a page about the problem, relative to the address of the request. */
  type: string;
  /** The person's name, as it was sent. */
  user_id?: string | null;
  /** `LIVENESS_FAILED`: `spoof` or `indeterminate`. */
  verdict?: string | null;
}

/** What was measured in a face's box. */
export interface QualityResponse {
  /** Variance of the Laplacian. */
  blur: number;
  /** Colour that does not follow from lightness, in units of Lab. */
  colour: number;
  /** Mean of the grey values, 0 to 255. */
  light: number;
  /** 0 to 100. */
  score: number;
  /** Pixels of the shorter side. */
  side: number;
}

/** Why not accepted. */
export interface ReasonResponse {
  /** A stable word. */
  code: string;
  /** For a person. */
  message: string;
}

/** The receipt of an erasure. */
export interface ReceiptResponse {
  /** The signed receipt: a JSON Web Signature (compact), with Ed25519. */
  jws: string;
  /** Where it was looked for. */
  looked: Array<FindingResponse>;
  /** When nothing of the person was found. */
  looked_at: string;
  /** The key that verifies it, 64 hexadecimal digits. */
  public_key: string;
  /** HMAC-SHA-256 of `TENANT_ID/USER_ID` under `subject_salt`, in hexadecimal digits. */
  subject_commitment: string;
}

/** The answer. */
export interface SearchResponse {
  best_match?: MatchResponse | null;
  /** Whether anybody is near. */
  found: boolean;
  /** Nearest first. */
  matches: Array<MatchResponse>;
  /** For a person. */
  message: string;
  /** Which weights answered. */
  model: ModelResponse;
  /** Stored templates of the tenant that could not be compared, by reason. */
  not_compared: NotComparedResponse;
  /** The threshold that was used. */
  threshold: number;
  /** Where it comes from: `deepface`, `set` or `request`. */
  threshold_source: "deepface" | "set" | "request";
  /** How many persons were compared. */
  total_searched: number;
}

/** A distance and its threshold, as every report and answer about two faces has them. */
export interface SimilarityResponse {
  /** The cosine distance. */
  distance: number;
  /** The greatest distance of a match. */
  threshold: number;
  /** Where the threshold comes from: `deepface`, `set` or `request`. */
  threshold_source: "deepface" | "set" | "request";
}

/** A width and a height. */
export interface SizeResponse {
  /** Pixels down. */
  height: number;
  /** Pixels across. */
  width: number;
}

/** What one liveness network saw and said. */
export interface SpoofNetworkResponse {
  /** What it saw of the photograph. */
  area: BoxResponse;
  /** The 80 x 80 pixels that it saw: a PNG as a data URI. */
  crop: string;
  /** Its weight file. */
  file: string;
  /** Its probabilities: a fake, a real face, another fake. */
  probabilities: Array<number>;
  /** How many times the face's box it is to see. */
  scale: number;
  /** How many times it saw: less where the photograph ends. */
  scale_seen: number;
}

/** A stored template, without its numbers. */
export interface TemplateResponse {
  /** The embedding space: only templates of the current one are compared. */
  contract_id: string;
  /** When it was made. */
  made_at: string;
  /** 0 to 100. */
  quality_score: number;
}

/** A tenant. */
export interface TenantResponse {
  /** How many persons it has. */
  person_count: number;
  /** Its name. */
  tenant_id: string;
}

/** Tenants. */
export interface TenantsResponse {
  /** By name; those that have a person. A key that is bound to a tenant sees that one alone. */
  tenants: Array<TenantResponse>;
}

/** Why no face counts: the code that another route would answer. */
export interface UnfitResponse {
  error_code: string;
  message: string;
}

/** Whether it is a live face. */
export interface VerifyLiveness extends LivenessVerdict {
  /** Why it is indeterminate. */
  reason?: string | null;
}

/** The answer. */
export interface VerifyResponse extends SimilarityResponse {
  /** What the liveness of the face alone advises, where the original had it. */
  antispoof_pipeline: Record<string, string>;
  /** 1 - distance, 0 to 1. */
  confidence: number;
  /** Always null. */
  device_spoof_risk?: number | null;
  /** Always null. */
  ear_liveness?: number | null;
  /** Live, spoof or neither. */
  liveness: VerifyLiveness;
  /** The distance is within the threshold. */
  matched: boolean;
  /** For a person. */
  message: string;
  /** Which weights answered. */
  model: ModelResponse;
  /** Stored templates of the person that could not be compared, by reason. */
  not_compared: NotComparedResponse;
  /** `allow`, `review` or `block`: what the verdict advises. */
  recommended_action: "allow" | "review" | "block";
  /** In the log too. */
  request_id: string;
  timing_ms: Record<string, number>;
  /** Matched and live. */
  verified: boolean;
}
