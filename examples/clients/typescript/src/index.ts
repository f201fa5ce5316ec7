// A client of Likeness: the generated methods, all persons without a cursor, and captures by a camera.

import { Calls } from './calls.js';
import { type CaptureGiven, type Captured, captured } from './capture.js';
import type { CaptureResponse, PersonResponse } from './types.js';

export type { CaptureGiven, Captured } from './capture.js';
export { type ModelDigests, ModelMismatch, type Options, type Photograph, Problem } from './transport.js';
export type * from './types.js';

/** Likeness. */
export class Client extends Calls {
  /** Everybody who is enrolled, page by page. */
  async *persons(given: { tenant_id?: string } = {}): AsyncGenerator<PersonResponse> {
    let cursor: string | undefined;
    do {
      const page = await this.list_persons({ ...given, cursor, limit: 200 });
      yield* page.persons;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }
  /** Guides a capture by a video of the camera; returns null if it ended or expired, and the person begins again. */
  async capture(given: CaptureGiven, video: HTMLVideoElement, show: (answer: CaptureResponse) => void = () => {}): Promise<Captured | null> {
    return captured(this, given, video, show);
  }
}
