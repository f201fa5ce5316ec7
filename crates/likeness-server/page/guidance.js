// Pure: what a person before the camera should do next, from the faces of a look and the reasons of the service; the
// oval; and one answer from several frames.

const TEXTS = {
  nobody: 'Come into the oval',
  several: 'One face only',
  closer: 'Come closer',
  back: 'Move back',
  middle: 'Move into the oval',
  straight: 'Look straight',
  darker: 'Less light',
  lighter: 'More light',
  colour: 'Use the light of day, or a lamp without colour',
  still: 'Hold still',
};

/** The examination's own reasons, as a step. */
const REASONS = {
  no_face: 'nobody', several_faces: 'several', face_too_small: 'closer', face_too_dark: 'lighter', face_too_bright: 'darker', face_blurred: 'still',
  face_turned: 'straight', context_too_small: 'back', face_cut: 'back', no_colour: 'colour',
};

/** The oval in a picture of this size: its middle and half its sides. */
export function oval(width, height) {
  const high = Math.min(0.62 * height, 0.9 * width);
  return { x: width / 2, y: height / 2, across: high / 2.7, down: high / 2 };
}

const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];

/** Whether eyes and nose say that the face looks elsewhere: tilted by over 15 degrees, or the nose far from between the eyes. */
function turned({ left_eye: left, right_eye: right, nose }) {
  if (!left || !right || !nose) return false;
  const [dx, dy] = [left[0] - right[0], left[1] - right[1]];
  const apart = Math.hypot(dx, dy);
  const aside = ((nose[0] - (left[0] + right[0]) / 2) * dx + (nose[1] - (left[1] + right[1]) / 2) * dy) / apart ** 2;
  return Math.abs(dy) > 0.27 * Math.abs(dx) || Math.abs(aside) > 0.28;
}

/**
 * The next step: a code and its text. `faces` are those of a look at a picture of this `size`; `before` is the box of
 * the look before; `reason` is what the service said last against a verdict, if it is fresh.
 */
export function guidance(faces, size, before, reason) {
  const say = (code) => ({ code, text: TEXTS[code] });
  if (!faces.length) return say('nobody');
  const area = ({ bounding_box: box }) => box.width * box.height;
  const [first, second] = [...faces].sort((a, b) => area(b) - area(a));
  if (second && area(second) > 0.25 * area(first)) return say('several');
  const [goal, box] = [oval(size.width, size.height), first.bounding_box];
  const filled = box.height / (2 * goal.down);
  if (filled < 0.55) return say('closer');
  if (filled > 1.15) return say('back');
  const [x, y] = middle(box);
  if (Math.abs(x - goal.x) > 0.55 * goal.across || Math.abs(y - goal.y) > 0.4 * goal.down) return say('middle');
  if (turned(first.landmarks)) return say('straight');
  if (REASONS[reason]) return say(REASONS[reason]);
  const [oldX, oldY] = before ? middle(before) : [x, y];
  if (Math.hypot(x - oldX, y - oldY) > 0.12 * box.width) return say('still');
  return { code: 'ready', text: TEXTS.still };
}

/** The service's reason against a verdict: of a refusal, or of an open verdict. */
export const reasonOf = ({ error_code: code, issues, doubt }) => doubt
  ?? { FACE_NOT_DETECTED: 'no_face', MULTIPLE_FACES: 'several_faces', POOR_IMAGE_QUALITY: issues?.[0] }[code];

/** How sharp grey values are: the variance of the Laplacian. */
export function sharpness(grey, width) {
  let [sum, squares, count] = [0, 0, 0];
  for (let at = width + 1; at < grey.length - width - 1; at += 1) {
    const value = grey[at - 1] + grey[at + 1] + grey[at - width] + grey[at + width] - 4 * grey[at];
    sum += value;
    squares += value * value;
    count += 1;
  }
  return squares / count - (sum / count) ** 2;
}

/** Several frames as one answer: the sharpest frame, and the frame with the middle live probability. */
export function together(frames) {
  const sharpest = frames.reduce((best, frame) => (frame.sharp > best.sharp ? frame : best));
  const judged = frames.filter(({ probability }) => probability != null).sort((a, b) => a.probability - b.probability);
  return { sharpest, median: judged[(judged.length - 1) >> 1] ?? null, least: judged[0] ?? null, most: judged.at(-1) ?? null };
}
