// The service. The key lives in this module's memory and goes nowhere but its header.

let key = '';

export function useKey(value) {
  key = value.trim();
  return key !== '';
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
    throw new Problem(0, { error_code: 'UNREACHABLE', message: 'The service does not answer. Is it running?' });
  }
  const body = await response.json().catch(() => ({}));
  return { response, body };
}

/** Health, whatever its status: no key is needed. */
export async function health() {
  return (await send('api/v1/health')).body;
}

/** Asks a route; words and photographs go as a form. */
export async function ask(method, path, fields = {}) {
  const headers = key ? { 'X-API-Key': key } : {};
  const entries = Object.entries(fields).filter(([, value]) => value);
  const query = method === 'DELETE' && entries.length ? `?${new URLSearchParams(entries)}` : '';
  const body = method === 'POST' ? form(entries) : undefined;
  const { response, body: answer } = await send(`${path}${query}`, { method, headers, body });
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

const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

/** The same request for a shell. The key is a variable there: its value is never written. */
export function curl(method, path, fields = {}) {
  const entries = Object.entries(fields).filter(([, value]) => value);
  const url = new URL(path, document.baseURI);
  const parts = method === 'POST' ? ['curl'] : ['curl', `-X ${method}`];
  if (key) parts.push('-H "X-API-Key: $LIKENESS_KEY"');
  for (const [name, value] of entries) {
    if (method !== 'POST') url.searchParams.set(name, value);
    else if (value instanceof Blob) parts.push(`-F ${quoted(`${name}=@${value.name ?? 'photo.png'}`)}`);
    else parts.push(`-F ${quoted(`${name}=${value}`)}`);
  }
  return [...parts, quoted(url.href)].join(' ');
}
