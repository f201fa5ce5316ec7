// The service. The key lives in this module's memory and goes nowhere but its header. `Authorization: Bearer` is
// read whatever the header for keys is called there.

let key = '';
let needed = false;

export const hasKey = () => key !== '';

/** Whether the service ever asked for a key. */
export const needsKey = () => needed;

/** The key of every later request; an empty one is none. */
export function useKey(value) {
  key = value.trim();
}

/** The first character of a key that no header can have. */
export const unsendable = (text) => /[^ -~]/u.exec(text)?.[0];

/** What the service says when it can't answer; `route` is the path of the request. */
export class Problem extends Error {
  constructor(status, body, route = '') {
    super(body.message ?? `the service answered ${status}`);
    this.status = status;
    this.route = route;
    this.body = body;
    this.code = body.error_code ?? `HTTP_${status}`;
  }
}

async function send(path, options = {}) {
  // Outside of the attempt: a request that can't be made says nothing about the service.
  const request = new Request(path, { cache: 'no-store', credentials: 'omit', redirect: 'manual', ...options });
  let response;
  try {
    response = await fetch(request);
  } catch {
    throw new Problem(0, { error_code: 'UNREACHABLE', message: 'the service does not answer' }, path);
  }
  if (response.type === 'opaqueredirect') throw new Problem(0, { error_code: 'REDIRECTED', message: 'another address answers' }, path);
  const body = await response.json().catch(() => ({}));
  return { response, body };
}

/** Health, whatever its status: no key is needed. */
export async function health() {
  return (await send('api/v1/health')).body;
}

/** Asks a route; words and photographs go as a form, or as a query where there is no body. */
export async function ask(method, path, fields = {}, as = key) {
  const headers = as ? { Authorization: `Bearer ${as}` } : {};
  const entries = Object.entries(fields).filter(([, value]) => value);
  const query = method !== 'POST' && entries.length ? `?${new URLSearchParams(entries)}` : '';
  const body = method === 'POST' ? form(entries) : undefined;
  const { response, body: answer } = await send(`${path}${query}`, { method, headers, body });
  if (response.status === 401) needed = true;
  if (!response.ok) throw new Problem(response.status, answer, path);
  return answer;
}

function form(entries) {
  const form = new FormData();
  for (const [name, value] of entries) {
    if (value instanceof Blob) form.append(name, value, value.name ?? 'photo.png');
    else form.append(name, value);
  }
  return form;
}
