// Why the service did not answer, in a person's words, with the next step. The code stays, for whoever asks the operator.

import { quote } from './dom.js';

const bytes = (count) => (count >= 1 << 20 ? `${Math.floor(count / (1 << 20))} MB` : `${Math.floor(count / 1024)} kB`);

const UNFIT = {
  face_too_small: ['The face is too small', 'Come closer, or choose a photograph with a larger face.'],
  face_too_dark: ['The face is too dark', 'Add light in front of the face.'],
  face_too_bright: ['The face is too bright', 'Reduce the light on the face.'],
  face_blurred: ['The face is blurred', 'Hold still, or choose a sharper photograph.'],
};

const NAMES = { file: 'Photograph A', file2: 'Photograph B' };

/** What a 404 means, by the end of the route's path. */
const ABSENT = [
  [/captures\/[^/]+\/frames$/, ['The capture is over', 'Its time ran out, or it was used.', 'Begin again.']],
  [/\/(captures|verify|enroll|search|liveness)$|\/persons(\/|$)/, ['The service has no store', 'It was started without one, so it keeps no persons and no captures.', 'Tell the operator.']],
];

/** What a 404 of any other route means: the page asks only for routes that its own service has. */
const NO_ROUTE = ['The service does not have this route', 'It is of another version than this page, or a proxy does not pass the request to it.', 'Reload the page. If that does not help, tell the operator.'];

const absent = (_, route) => ABSENT.find(([end]) => end.test(route))?.[1] ?? NO_ROUTE;

const nobody = (_, route) => ['Nobody is enrolled under this id', /\/persons\//.test(route) ? 'Nothing is stored about it.' : 'There is nothing to compare with.', 'Correct the id, or enrol the person.'];

/** The limits of the service, as its answers name them. */
const LIMITS = {
  address: 'Too many requests came from this address.',
  key: 'Too many requests came with this key.',
  subject: 'There were too many failed comparisons of this person.',
  subject_key: 'There were too many failed comparisons of this person with this key.',
  subject_address: 'There were too many failed comparisons of this person from this address.',
  captures_person: 'This person has too many captures that are open or not used.',
  captures_key: 'This key began too many captures that are open or not used.',
};

/** Title, what happened, the next step. */
const CASES = {
  REDIRECTED: ['Another address answers instead of the service', 'A proxy sends the request on, perhaps to a page where you log in.', 'Reload the page.'],
  UNREACHABLE: ['The service does not answer', 'It is not running, or the network is gone.', 'Start it, and try again.'],
  UNAUTHORIZED: ['This service asks for a key', 'The request had no key, or one that is not valid.', 'Enter a key here.'],
  FORBIDDEN: ({ scope }) => ['This key may not do that', scope ? `It lacks the scope “${scope}”.` : 'It belongs to another tenant, or the page lies elsewhere.', 'Enter a key that may, here.'],
  FACE_NOT_DETECTED: ['No face was found', 'The photograph shows no face that the detector knows.', 'Choose one in which the face is seen from the front.'],
  MULTIPLE_FACES: ({ face_count: count }) => [`${count ?? 'Several'} faces`, 'None of them stands out.', 'Click the face that counts.'],
  POOR_IMAGE_QUALITY: ({ issues = [] }) => {
    const [title, next] = UNFIT[issues[0]] ?? ['The face can’t be judged', 'Choose another photograph.'];
    const others = issues.slice(1).map((issue) => UNFIT[issue]?.[0]).filter(Boolean);
    return [title, others.length ? `${others.join('. ')}.` : 'The networks would see no detail.', next];
  },
  INVALID_IMAGE: ['This photograph can’t be read', 'The file is damaged, or it has too many pixels.', 'Open it and save it again, or choose another.'],
  FILE_TOO_LARGE: ({ max_size_bytes: most }) => ['The file is too large', most ? `This service takes up to ${bytes(most)} for a photograph.` : 'It is larger than this service takes.', 'Save it smaller, or choose another.'],
  UNSUPPORTED_MEDIA_TYPE: ['This is no photograph that can be read', 'JPEG, PNG and WebP can.', 'Save it as one of them, or choose another.'],
  LIVENESS_FAILED: ['Not enrolled: the face is not known to be live', 'The networks do not surely see a real face.', 'Take another photograph of the person.'],
  ANTISPOOF_BLOCKED: ['Blocked', 'The face is a picture of a face. Nothing was compared.', 'Use a photograph of the person.'],
  EMBEDDING_NOT_FOUND: nobody,
  EMBEDDING_ALREADY_EXISTS: ['Somebody else is enrolled under this id', 'The faces are not alike.', 'Use another id.'],
  EMBEDDING_CONTRACT_MISMATCH: ['Enrolled with other networks', 'Such templates can’t be compared with this photograph.', 'Enrol the person again.'],
  RATE_LIMIT_EXCEEDED: ({ retry_after_seconds: seconds, scope }) => ['Too many requests', LIMITS[scope] ?? 'A limit of this service was reached.', seconds ? `Try again in ${seconds} seconds.` : 'Try again later.'],
  OVERLOADED: ['The service is busy', 'It has more work than cores.', 'Try again in a moment.'],
  REQUEST_TIMEOUT: ['That took too long', 'The photograph did not arrive in time.', 'Try again, or send a smaller one.'],
  STORE_UNAVAILABLE: ['The store does not answer', 'Nobody can be enrolled, verified or searched now.', 'Tell the operator; try again later.'],
  INDEX_LOADING: ['Templates are still being loaded', 'Search works afterwards.', 'Try again in a moment.'],
  MODEL_UNAVAILABLE: ({ models = [] }) => ['A network is missing', `${models.map(({ file }) => file).join(' and ') || 'A file'} is not loaded, so there is no verdict.`, 'The operator restores it with “ballast heal”.'],
  EMBEDDER_UNKNOWN: ['The embedder is not known', 'Its distances mean nothing until the operator accepts it.', 'The operator accepts it by its digest.'],
  NOT_FOUND: absent,
  METHOD_NOT_ALLOWED: ['The service does not do that', 'It is of another version than this page.', 'Reload the page.'],
  INVALID_INPUT: ({ message }) => ['The service did not understand the request', [quote(message ?? '')], 'Correct what you entered, or reload the page.'],
  IDEMPOTENCY_CONFLICT: ['This request was sent before', 'It was another one then.', 'Reload the page.'],
  CALIBRATION_MISMATCH: ['The threshold was calibrated for other networks', 'Distances of the loaded networks can’t be judged by it.', 'The operator calibrates again, or restores the networks.'],
  CAPTURE_ENDED: ['The capture has ended', 'It takes no more frames.', 'Begin again.'],
  CAPTURE_REFUSED: ['The capture does not count', 'It is not of this request, or it was not completed.', 'Begin again.'],
  INTERNAL_SERVER_ERROR: ['A fault of the service', 'It is not the photograph’s.', 'Try again; the operator finds it in the log.'],
};

const KINDS = { LIVENESS_FAILED: 'bad', ANTISPOOF_BLOCKED: 'bad', EMBEDDING_ALREADY_EXISTS: 'doubt' };

/** A problem as kind, title and lines; a line with text of others is a list of its parts. */
export function told(problem) {
  // A proxy's 404 has no code.
  const known = CASES[problem.code] ?? (problem.status === 404 ? NO_ROUTE : ['No answer', [quote(problem.message)], 'Try again.']);
  const [title, what, next] = typeof known === 'function' ? known(problem.body, problem.route ?? '') : known;
  const which = NAMES[problem.body.field];
  const id = problem.body.request_id;
  const code = `Code ${problem.code}${id ? `, request ${id}` : ''}`;
  return { kind: KINDS[problem.code] ?? 'none', title, lines: [which ? [`${which}: `, what].flat() : what, next], code };
}

/** Why no face of a photograph counts, from the answer's `unfit`. */
export function unfit(found, faces) {
  const { title, lines } = told({ code: found.error_code, message: found.message, body: { face_count: faces, issues: [found.reason] } });
  return [title, lines];
}
