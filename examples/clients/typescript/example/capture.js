// A capture for a judgement of liveness, in a page of one's own. The page has no key: `server.mjs` forwards its requests,
// and judges.

import { Client } from '../dist/index.js';

const WORDS = {
  look_straight: 'Look straight into the camera',
  turn_left: 'Turn your head to your left',
  turn_right: 'Turn your head to your right',
  come_closer: 'Come closer',
  move_back: 'Move back',
  show_face: 'Show your face',
  one_face_only: 'One face only',
  move_to_middle: 'Move to the middle',
  more_light: 'More light',
  less_light: 'Less light',
  hold_still: 'Hold still',
};

const likeness = new Client(location.origin);

/** The judgement of the page's own server. */
async function judged({ capture_id, file }) {
  const form = new FormData();
  form.append('capture_id', capture_id);
  form.append('file', file);
  const answer = await fetch('/judge', { method: 'POST', body: form });
  const { live, message } = await answer.json();
  if (!answer.ok) throw new Error(message);
  return live ? `Live: ${message}` : `Not live: ${message}`;
}

const [video, step, button] = ['video', '#step', 'button'].map((name) => document.querySelector(name));

button.addEventListener('click', async () => {
  button.disabled = true;
  try {
    video.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user' } });
    await video.play();
    const found = await likeness.capture({ purpose: 'liveness' }, video, ({ prompt, advice }) => {
      step.dataset.prompt = prompt ?? '';
      step.textContent = WORDS[advice ?? prompt] ?? 'Wait';
    });
    step.textContent = found ? await judged(found) : 'The capture has ended. Begin again.';
  } catch (error) {
    step.textContent = `It did not work: ${error.message}`;
  }
  video.srcObject?.getTracks().forEach((track) => track.stop());
  video.srcObject = null;
  button.disabled = false;
});
