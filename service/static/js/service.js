// Talking to the service: its problems, and patience while it is busy.
import { sentence } from "./words.js";

const BUSY_RETRIES = 4;
const PASSING = [0, 429, 502, 503, 504]; // busy, or being restarted, with or without a proxy before it

export class Problem extends Error {
  constructor(status, body, headers) {
    super(sentence(body.detail || body.title || `The service answered ${status}`));
    this.status = status;
    this.title = body.title || (status ? `Error ${status}` : "No answer");
    this.code = body.code;
    this.jobId = body.job_id;
    this.requestId = body.request_id || headers?.get("x-request-id");
    const after = headers?.get("retry-after");
    const seconds = Number(after);
    this.retryAfter = after ? (Number.isFinite(seconds) ? seconds : (Date.parse(after) - Date.now()) / 1000) : null;
  }
}
export async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { title: "The service cannot be reached", detail: "Check that it is running and that you are online, then try again." });
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Problem(response.status, body && typeof body === "object" ? body : {}, response.headers);
}
export const callJson = async (path, options) => (await call(path, options)).json();
export const pause = (ms, signal) => new Promise((resolve, reject) => {
  const stop = () => { clearTimeout(timer); reject(new DOMException("stopped", "AbortError")); };
  const timer = setTimeout(() => { signal?.removeEventListener("abort", stop); resolve(); }, ms);
  signal?.addEventListener("abort", stop, { once: true });
});

// Asks again after Retry-After while the service is busy, and counts the seconds down.
export async function patiently(ask, signal, onWait) {
  for (let tries = 0; ; tries += 1) {
    try {
      return await ask();
    } catch (problem) {
      if (!PASSING.includes(problem.status) || tries >= BUSY_RETRIES || !navigator.onLine) throw problem;
      for (let left = Math.min(60, Math.max(1, Math.ceil(problem.retryAfter ?? 2))); left > 0; left -= 1) {
        onWait(problem, left);
        await pause(1000, signal);
      }
    }
  }
}
export function upload(path, file, signal) {
  const form = new FormData();
  form.append("file", file, file.name || "picture");
  return callJson(path, { method: "POST", body: form, signal });
}
