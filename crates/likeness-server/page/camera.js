// The webcam: opened by its button only, and closed as soon as a frame is kept. Each way in which
// it can't be had has a name.

const STATES = {
  insecure: ['This address may not use the camera', 'Browsers lend the camera only to https:// and to http://localhost or http://127.0.0.1. Open the page there, or choose a file.'],
  denied: ['The camera was refused', 'This browser does not lend it to this page. Allow it in the address bar or the system settings, or choose a file.'],
  absent: ['There is no camera', 'None is connected that this browser knows of. Connect one and try again, or choose a file.'],
  busy: ['The camera is busy', 'Another program or tab holds it. Close that one and try again, or choose a file.'],
  frozen: ['The camera’s picture does not change', 'It is covered, switched off or frozen. Uncover it, or choose another camera, and try again.'],
  failed: ['The camera did not start', 'The browser gave no reason that is known here. Try again, or choose a file.'],
};

/** Why there is no picture. */
export class NoCamera extends Error {
  constructor(state) {
    super(STATES[state][0]);
    this.state = state;
    this.advice = STATES[state][1];
  }
}

const named = (error) => ({
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'absent',
  DevicesNotFoundError: 'absent',
  OverconstrainedError: 'absent',
  NotReadableError: 'busy',
  TrackStartError: 'busy',
  AbortError: 'busy',
}[error.name] ?? 'failed');

/** Starts the camera in a video element; what comes back ends it. */
export async function start(video) {
  if (!window.isSecureContext || !navigator.mediaDevices?.getUserMedia) throw new NoCamera('insecure');
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 }, facingMode: 'user' }, audio: false });
  } catch (error) {
    throw new NoCamera(named(error));
  }
  const stop = () => stream.getTracks().forEach((track) => track.stop());
  try {
    video.srcObject = stream;
    await video.play();
  } catch {
    stop();
    throw new NoCamera('failed');
  }
  return () => {
    stop();
    video.srcObject = null;
  };
}


let closeOpen = () => {};

/** Closes the camera that is open, and notes how to close the next one: two would send frames at once. */
export function only(close = () => {}) {
  const before = closeOpen;
  closeOpen = close;
  before();
}
