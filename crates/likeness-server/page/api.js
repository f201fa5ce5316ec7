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

/** What the service says when it can't answer. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.message ?? `the service answered ${status}`);
    this.status = status;
    this.body = body;
    this.code = body.error_code ?? `HTTP_${status}`;
  }
}

async function send(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: 'no-store', credentials: 'omit', redirect: 'error', ...options });
  } catch {
    throw new Problem(0, { error_code: 'UNREACHABLE', message: 'the service does not answer' });
  }
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
  if (!response.ok) throw new Problem(response.status, answer);
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
