// Guides a capture in a page: sends frames of a video, one after the other, until the capture is complete or ended.

import type { Calls } from './calls.js';
import { Problem } from './transport.js';
import type { CaptureResponse } from './types.js';

/** What a capture is for. */
export interface CaptureGiven {
  purpose: 'verify' | 'enroll' | 'liveness';
  /** For `verify` and `enroll`. */
  user_id?: string;
  tenant_id?: string;
}

/** A complete capture: what `verify`, `enroll` or `liveness` gets beside the person. */
export interface Captured {
  capture_id: string;
  /** The frame that counts. */
  file: Blob;
}

/** The longer side of a frame, in pixels. */
const SIDE = 640;

/** Milliseconds after which a picture that stays the same is no camera's. */
const FROZEN = 10_000;

/** What means that the capture takes no more frames: it ended, or its time is over. */
const OVER = ['CAPTURE_ENDED', 'NOT_FOUND'];

/** Sends frames until the capture is over; `show` gets every answer. Returns null if the capture ended or expired. */
export async function captured(
  calls: Calls,
  given: CaptureGiven,
  video: HTMLVideoElement,
  show: (answer: CaptureResponse) => void,
): Promise<Captured | null> {
  const holds = new Map<number, Blob>();
  let sent = new Uint8Array();
  let answer = await calls.begin_capture({ ...given });
  show(answer);
  while (answer.state === 'open') {
    const before = answer;
    const file = await other(video, sent);
    sent = await bytes(file);
    try {
      answer = await calls.send_frame({ capture_id: before.capture_id, previous: before.answer_sha256 ?? '', file });
    } catch (error) {
      if (error instanceof Problem && OVER.includes(error.code)) return null;
      throw error;
    }
    // Only frames of holds can count.
    if (before.prompt === 'look_straight') holds.set(answer.frame_count, file);
    show(answer);
  }
  const file = holds.get(answer.best_frame ?? 0);
  return file ? { capture_id: answer.capture_id, file } : null;
}

const bytes = async (file: Blob) => new Uint8Array(await file.arrayBuffer());

/** The next picture with other bytes than the last one: the service takes no picture twice. */
async function other(video: HTMLVideoElement, last: Uint8Array): Promise<Blob> {
  for (const since = Date.now(); Date.now() - since < FROZEN; ) {
    const file = await frame(video);
    const found = await bytes(file);
    if (found.length !== last.length || found.some((byte, at) => byte !== last[at])) return file;
  }
  throw new Error(`the video shows the same picture for ${FROZEN / 1000} seconds`);
}

/** The next picture of a video as a JPEG. */
async function frame(video: HTMLVideoElement): Promise<Blob> {
  await Promise.race([new Promise((done) => video.requestVideoFrameCallback(done)), new Promise((done) => setTimeout(done, 500))]);
  const { videoWidth: whole, videoHeight: height } = video;
  // The middle: in a wider frame, a face that is large enough has too little around it.
  const width = Math.min(whole, Math.round((height * 4) / 3));
  const scale = Math.min(1, SIDE / Math.max(width, height));
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
  canvas.getContext('2d')?.drawImage(video, (whole - width) / 2, 0, width, height, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', 0.92));
  if (!blob) throw new Error('the video shows no picture');
  return blob;
}
