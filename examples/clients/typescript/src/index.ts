// A client of Likeness: the generated methods, and all persons without a cursor.

import { Calls } from './calls.js';
import type { PersonResponse } from './types.js';

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
}
