// Written by tools/clients from docs/openapi.json: change that, or the script.

import { type Photograph, Transport } from './transport.js';
import type * as types from './types.js';

/** One method for each operation. */
export class Calls extends Transport {
  /** Begins a capture. */
  begin_capture(given: { purpose: string; tenant_id?: string; user_id?: string }): Promise<types.CaptureResponse> {
    return this.json<types.CaptureResponse>('POST', `/api/v1/captures`, { form: { 'purpose': given.purpose, 'tenant_id': given.tenant_id, 'user_id': given.user_id } });
  }

  /** Compares two photographs. */
  compare(given: { file1: Photograph; file2: Photograph; threshold?: number }): Promise<types.CompareResponse> {
    return this.json<types.CompareResponse>('POST', `/api/v1/compare`, { query: { 'threshold': given.threshold }, file: { 'file1': given.file1, 'file2': given.file2 } });
  }

  /** Returns the name and the version of the service. */
  deepface(): Promise<types.Greeting> {
    return this.json<types.Greeting>('GET', `/deepface/`);
  }

  /** Embeds every face of a photograph. */
  deepface_represent(given: { img: Photograph; align?: string; anti_spoofing?: string; detector_backend?: string; enforce_detection?: string; max_faces?: string; model_name?: string }): Promise<types.DeepfaceRepresented> {
    return this.json<types.DeepfaceRepresented>('POST', `/deepface/represent`, { form: { 'align': given.align, 'anti_spoofing': given.anti_spoofing, 'detector_backend': given.detector_backend, 'enforce_detection': given.enforce_detection, 'max_faces': given.max_faces, 'model_name': given.model_name }, file: { 'img': given.img } });
  }

  /** Compares two photographs by DeepFace's own rule: all pairs of faces, the smallest distance. */
  deepface_verify(given: { img1: Photograph; img2: Photograph; align?: string; anti_spoofing?: string; detector_backend?: string; distance_metric?: string; enforce_detection?: string; model_name?: string }): Promise<types.DeepfaceVerified> {
    return this.json<types.DeepfaceVerified>('POST', `/deepface/verify`, { form: { 'align': given.align, 'anti_spoofing': given.anti_spoofing, 'detector_backend': given.detector_backend, 'distance_metric': given.distance_metric, 'enforce_detection': given.enforce_detection, 'model_name': given.model_name }, file: { 'img1': given.img1, 'img2': given.img2 } });
  }

  /** Deletes a person. */
  delete_enrollment(given: { user_id: string; tenant_id?: string }): Promise<types.DeleteResponse> {
    return this.json<types.DeleteResponse>('DELETE', `/api/v1/enroll/${this.part(given.user_id)}`, { query: { 'tenant_id': given.tenant_id } });
  }

  /** Finds every face. */
  detect_all(given: { file: Photograph; max_faces?: number }): Promise<types.DetectResponse> {
    return this.json<types.DetectResponse>('POST', `/api/v1/faces/detect-all`, { query: { 'max_faces': given.max_faces }, file: { 'file': given.file } });
  }

  /** Enrols a person. */
  enroll(given: { file: Photograph; user_id: string; idempotency_key?: string; capture_id?: string; consent_given_at?: string; consent_reference?: string; consent_version?: string; expires_at?: string; replace?: boolean; tenant_id?: string }): Promise<types.EnrollResponse> {
    return this.json<types.EnrollResponse>('POST', `/api/v1/enroll`, { header: { 'Idempotency-Key': given.idempotency_key }, form: { 'user_id': given.user_id, 'capture_id': given.capture_id, 'consent_given_at': given.consent_given_at, 'consent_reference': given.consent_reference, 'consent_version': given.consent_version, 'expires_at': given.expires_at, 'replace': given.replace, 'tenant_id': given.tenant_id }, file: { 'file': given.file } });
  }

  /** Enrols a person by several photographs. */
  enroll_multi(given: { files: Array<Photograph>; user_id: string; idempotency_key?: string; consent_given_at?: string; consent_reference?: string; consent_version?: string; expires_at?: string; replace?: boolean; tenant_id?: string }): Promise<types.EnrollMultiResponse> {
    return this.json<types.EnrollMultiResponse>('POST', `/api/v1/enroll/multi`, { header: { 'Idempotency-Key': given.idempotency_key }, form: { 'user_id': given.user_id, 'consent_given_at': given.consent_given_at, 'consent_reference': given.consent_reference, 'consent_version': given.consent_version, 'expires_at': given.expires_at, 'replace': given.replace, 'tenant_id': given.tenant_id }, file: { 'files': given.files } });
  }

  /** Erases a person. */
  erase_person(given: { user_id: string; tenant_id?: string }): Promise<types.ErasedResponse> {
    return this.json<types.ErasedResponse>('DELETE', `/api/v1/persons/${this.part(given.user_id)}`, { query: { 'tenant_id': given.tenant_id } });
  }

  /** Returns all data that is stored about a person. */
  export_person(given: { user_id: string; tenant_id?: string }): Promise<types.ExportResponse> {
    return this.json<types.ExportResponse>('GET', `/api/v1/persons/${this.part(given.user_id)}/export`, { query: { 'tenant_id': given.tenant_id } });
  }

  /** Returns the state of an erasure. */
  get_erasure(given: { erasure_id: string }): Promise<types.ErasureResponse> {
    return this.json<types.ErasureResponse>('GET', `/api/v1/erasures/${this.part(given.erasure_id)}`);
  }

  /** Returns one person. */
  get_person(given: { user_id: string; tenant_id?: string }): Promise<types.OnePersonResponse> {
    return this.json<types.OnePersonResponse>('GET', `/api/v1/persons/${this.part(given.user_id)}`, { query: { 'tenant_id': given.tenant_id } });
  }

  /** Guides the person in front of a camera. */
  guide(given: { file: Photograph; liveness?: boolean }): Promise<types.FrameResponse> {
    return this.json<types.FrameResponse>('POST', `/api/v1/frames`, { form: { 'liveness': given.liveness }, file: { 'file': given.file } });
  }

  /** Reports which routes work now, and which models the other routes lack. */
  health(): Promise<types.HealthResponse> {
    return this.json<types.HealthResponse>('GET', `/api/v1/health`);
  }

  /** Reports health, with the load of the service. */
  health_detailed(): Promise<unknown> {
    return this.json<unknown>('GET', `/api/v1/health/detailed`);
  }

  /** Checks that the process responds. */
  health_live(): Promise<unknown> {
    return this.json<unknown>('GET', `/api/v1/health/live`);
  }

  /** Reports whether the service accepts traffic: the status of health, or 503 once the service has begun to end. */
  health_ready(): Promise<unknown> {
    return this.json<unknown>('GET', `/api/v1/health/ready`);
  }

  /** Returns the inputs and results of the networks. */
  inspect(given: { file: Photograph; file2?: Photograph }): Promise<types.InspectResponse> {
    return this.json<types.InspectResponse>('POST', `/api/v1/inspect`, { file: { 'file': given.file, 'file2': given.file2 } });
  }

  /** Lists the enrolled persons. */
  list_persons(given: { tenant_id?: string; cursor?: string; limit?: number } = {}): Promise<types.PersonsResponse> {
    return this.json<types.PersonsResponse>('GET', `/api/v1/persons`, { query: { 'tenant_id': given.tenant_id, 'cursor': given.cursor, 'limit': given.limit } });
  }

  /** Lists the tenants with the number of their persons. */
  list_tenants(): Promise<types.TenantsResponse> {
    return this.json<types.TenantsResponse>('GET', `/api/v1/tenants`);
  }

  /** Judges whether the one face of a photograph is live. */
  liveness(given: { file: Photograph; capture_id?: string; tenant_id?: string }): Promise<types.LivenessResponse> {
    return this.json<types.LivenessResponse>('POST', `/api/v1/liveness`, { form: { 'capture_id': given.capture_id, 'tenant_id': given.tenant_id }, file: { 'file': given.file } });
  }

  /** Returns all metrics. */
  metrics(): Promise<string> {
    return this.text('GET', `/metrics`);
  }

  /** Returns which models this process verified and loaded, as an in-toto statement. */
  models_statement(): Promise<types.StatementResponse> {
    return this.json<types.StatementResponse>('GET', `/api/v1/models/statement`);
  }

  /** Returns a decision record by the id in the response header `X-Likeness-Record`. */
  record(given: { id: string }): Promise<types.RecordResponse> {
    return this.json<types.RecordResponse>('GET', `/api/v1/records/${this.part(given.id)}`);
  }

  /** Searches a tenant's persons. */
  search(given: { file: Photograph; max_results?: number; tenant_id?: string; threshold?: number }): Promise<types.SearchResponse> {
    return this.json<types.SearchResponse>('POST', `/api/v1/search`, { form: { 'max_results': given.max_results, 'tenant_id': given.tenant_id, 'threshold': given.threshold }, file: { 'file': given.file } });
  }

  /** Takes a frame of a capture. */
  send_frame(given: { capture_id: string; file: Photograph; previous: string }): Promise<types.CaptureResponse> {
    return this.json<types.CaptureResponse>('POST', `/api/v1/captures/${this.part(given.capture_id)}/frames`, { form: { 'previous': given.previous }, file: { 'file': given.file } });
  }

  /** Verifies a person. */
  verify(given: { file: Photograph; user_id: string; capture_id?: string; tenant_id?: string }): Promise<types.VerifyResponse> {
    return this.json<types.VerifyResponse>('POST', `/api/v1/verify`, { form: { 'user_id': given.user_id, 'capture_id': given.capture_id, 'tenant_id': given.tenant_id }, file: { 'file': given.file } });
  }
}
