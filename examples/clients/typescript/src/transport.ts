// How a call becomes a request, and an answer a value or a `Problem`.

import type { ProblemBody, StatementResponse } from './types.js';

/** A photograph: JPEG, PNG or WebP. */
export type Photograph = Blob | Uint8Array | ArrayBuffer;

/** An answer that is an error. Programs branch on `code`. */
export class Problem extends Error {
  readonly code: ProblemBody['error_code'] | 'UNKNOWN';

  constructor(readonly status: number, readonly body: Partial<ProblemBody>, reason: string) {
    super(`${body.error_code ?? 'UNKNOWN'}: ${body.message ?? reason}`);
    this.name = 'Problem';
    this.code = body.error_code ?? 'UNKNOWN';
  }
}

/** The SHA-256 of models by role: `detector`, `liveness_2_7`, `liveness_4_0`, `embedder`. */
export type ModelDigests = Record<string, string>;

/** The service has other models than the expected ones; no model is `null`. */
export class ModelMismatch extends Error {
  constructor(readonly expected: ModelDigests, readonly found: Record<string, string | null>) {
    const wrong = Object.entries(found).map(([role, sha256]) => `${role}: expected ${expected[role]}, found ${sha256 ?? 'no model'}`);
    super(`the service has other models: ${wrong.join('; ')}`);
    this.name = 'ModelMismatch';
  }
}

/** How a client behaves. */
export interface Options {
  /** An API key. */
  key?: string;
  /** Seconds within which a request that was refused because the service is busy is sent again; 10. */
  patience?: number;
  /** Another `fetch`. */
  fetch?: typeof fetch;
  /** The models that the service must have. */
  expect_models?: ModelDigests;
}

type Words = Record<string, string | number | boolean | undefined>;
interface Parts {
  query?: Words;
  header?: Words;
  form?: Words;
  file?: Record<string, Photograph | Photograph[] | undefined>;
}

/** Requests to a service. */
export class Transport {
  private readonly base: string;
  private stated = false;

  constructor(url: string, private readonly options: Options = {}) {
    this.base = url.replace(/\/+$/, '');
    // `fetch` would name a number of a character, and no key.
    if (/[^ -~]/.test(options.key ?? '')) throw new TypeError('key: expected printable ASCII characters');
  }

  /** A part of a path. */
  protected part(value: string): string {
    return encodeURIComponent(value);
  }

  /** A call that is answered in JSON. */
  protected async json<T>(method: string, path: string, parts: Parts = {}): Promise<T> {
    if (this.options.expect_models && !this.stated) {
      const statement = (await (await this.sent('GET', '/api/v1/models/statement', {})).json()) as StatementResponse;
      this.demand(Object.fromEntries(statement.subject.map((one) => [one.annotations.role, one.digest.sha256])));
      this.stated = true;
    }
    const answer = await (await this.sent(method, path, parts)).json();
    // Another process than the first may give it.
    if (answer?.model?.sha256) this.demand(answer.model.sha256);
    return answer as T;
  }

  /** Compares the service's models with the expected ones. */
  private demand(found: ModelDigests): void {
    const expected = Object.entries(this.options.expect_models ?? {});
    const wrong = expected.filter(([role, sha256]) => found[role] !== sha256.toLowerCase());
    if (wrong.length === 0) return;
    throw new ModelMismatch(Object.fromEntries(wrong), Object.fromEntries(wrong.map(([role]) => [role, found[role] ?? null])));
  }

  /** A call that is answered in words. */
  protected async text(method: string, path: string, parts: Parts = {}): Promise<string> {
    return (await this.sent(method, path, parts)).text();
  }

  private async sent(method: string, path: string, parts: Parts): Promise<Response> {
    const query = new URLSearchParams(words(parts.query)).toString();
    const headers: Record<string, string> = Object.fromEntries(words(parts.header));
    if (this.options.key) headers.authorization = `Bearer ${this.options.key}`;
    const body = parts.form || parts.file ? form(parts) : undefined;
    const send = this.options.fetch ?? fetch;
    const until = Date.now() + 1000 * (this.options.patience ?? 10);
    for (;;) {
      const answer = await send(`${this.base}${path}${query && `?${query}`}`, { method, headers, body });
      if (answer.ok) return answer;
      const after = Number(answer.headers.get('retry-after') ?? NaN);
      if (answer.status !== 503 || !(Date.now() + 1000 * after <= until)) throw await problem(answer);
      await answer.body?.cancel();
      await new Promise((done) => setTimeout(done, 1000 * after));
    }
  }
}

function words(found: Words = {}): [string, string][] {
  return Object.entries(found).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]]));
}

function form(parts: Parts): FormData {
  const form = new FormData();
  for (const [name, value] of words(parts.form)) form.append(name, value);
  for (const [name, found] of Object.entries(parts.file ?? {})) {
    for (const one of found === undefined ? [] : Array.isArray(found) ? found : [found]) {
      form.append(name, one instanceof Blob ? one : new Blob([one as BlobPart]), 'photograph');
    }
  }
  return form;
}

async function problem(answer: Response): Promise<Problem> {
  // A proxy's answer has another shape.
  const body = (await answer.json().catch(() => ({}))) as Partial<ProblemBody>;
  return new Problem(answer.status, body, answer.statusText);
}
