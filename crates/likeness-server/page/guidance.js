// Pure: what a person before the camera should do next, from the service's advice and the face's place in the oval; and
// one answer from several frames.

const TEXTS = {
  show_face: 'Come into the oval',
  one_face_only: 'One face only',
  come_closer: 'Come closer',
  move_back: 'Move back',
  move_to_middle: 'Move into the oval',
  more_light: 'More light',
  less_light: 'Less light',
  look_straight: 'Look straight',
  hold_still: 'Hold still',
};

/** What a capture asks of the person; left and right are the person's own. */
const PROMPTS = {
  look_straight: 'Look straight into the camera',
  turn_left: 'Turn your head to your left',
  turn_right: 'Turn your head to your right',
  come_closer: 'Come closer',
  move_back: 'Move back',
};

/** The words for an answer of a capture: the advice if there is one, otherwise the prompt. */
export const prompted = ({ prompt, advice }) => TEXTS[advice] ?? PROMPTS[prompt] ?? '';

/** Why a capture takes no more frames, by its last answer, and whether its time is over: a title and the next steps. */
export function over({ step, advice }, late) {
  if (!late) return ['The capture has ended', ['A step was not seen as it should, or not in its time.', 'Follow each line until it changes: 8 seconds for each. Keep the face in the oval, and nobody else in the picture.']];
  const title = 'The time of the capture is over';
  if (step) return [title, ['Not every step was seen in time.', 'Begin again, and follow each line until it changes.']];
  return [title, ['The first step did not begin, because the face was not in place.', TEXTS[advice] ? `The last advice was “${TEXTS[advice]}”. Begin again, and follow it first.` : 'Begin again, and look straight into the camera.']];
}

/** The oval in a picture of this size: its middle and half its sides. */
export function oval(width, height) {
  const high = Math.min(0.8 * height, 0.9 * width);
  return { x: width / 2, y: height / 2, across: high / 2.7, down: high / 2 };
}

const middle = ({ x, y, width, height }) => [x + width / 2, y + height / 2];

/**
 * The next step: a code and its text. `frame` is the service's answer about a frame, `before` the face's box of the
 * frame before. The service's advice comes first; the place in the oval and the movement since follow.
 */
export function guidance({ advice, face, image_dimensions: size }, before) {
  const say = (code) => ({ code, text: TEXTS[code] ?? TEXTS.hold_still });
  if (advice) return say(advice);
  const [goal, box] = [oval(size.width, size.height), face.bounding_box];
  const [x, y] = middle(box);
  if (Math.abs(x - goal.x) > 0.55 * goal.across || Math.abs(y - goal.y) > 0.4 * goal.down) return say('move_to_middle');
  const [oldX, oldY] = before ? middle(before) : [x, y];
  if (Math.hypot(x - oldX, y - oldY) > 0.12 * box.width) return say('hold_still');
  return { code: 'ready', text: TEXTS.hold_still };
}

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
