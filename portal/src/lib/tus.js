// Requests of tus 1.0 (https://tus.io/protocols/resumable-upload) to the image store. With
// XMLHttpRequest: fetch reports no progress of what it sends. They carry the upload's ticket and
// no cookie.

/** @typedef {{url: string, ticket: string}} Target */

const stall_ms = 60_000;

/** A request that failed. */
export class TusFault extends Error {
  /**
   * @param {string} detail
   * @param {{isFinal?: boolean, retry_s?: number}} [more]
   */
  constructor(detail, { isFinal = false, retry_s = 0 } = {}) {
    super(detail);
    /** Repeating it does not help. */
    this.isFinal = isFinal;
    /** When the server wants it repeated; 0 = it does not say. */
    this.retry_s = retry_s;
  }
}

// 409: another offset; 423: another request writes; 460: the checksum; 5xx: the server's trouble.
const passing = [409, 423, 429, 460];

/** @param {XMLHttpRequest} request */
function faultOf(request) {
  const { status } = request;
  return new TusFault(request.responseText?.trim() || `The image store answered ${status}`, {
    isFinal: status >= 400 && status < 500 && !passing.includes(status),
    retry_s: Number(request.getResponseHeader("Retry-After") ?? 0) });
}

/**
 * @param {string} method
 * @param {Target} target
 * @param {{headers?: Record<string, string>, body?: Blob, signal: AbortSignal,
 *   onProgress?: (sent: number) => void}} more
 * @returns {Promise<number>} the offset that the server answers with
 */
const request = (method, { url, ticket }, { headers = {}, body, signal, onProgress }) =>
  new Promise((resolve, reject) => {
    const sent = new XMLHttpRequest();
    /** @type {number | undefined} */
    let timer;
    const end = (/** @type {() => void} */ act) => {
      clearTimeout(timer);
      signal.removeEventListener("abort", abort);
      act();
    };
    const abort = () => sent.abort();
    const watch = () => {
      clearTimeout(timer);
      timer = setTimeout(abort, stall_ms);
    };
    sent.open(method, url);
    sent.setRequestHeader("Tus-Resumable", "1.0.0");
    sent.setRequestHeader("Authorization", "Bearer " + ticket);
    for (const [name, value] of Object.entries(headers)) sent.setRequestHeader(name, value);
    sent.upload.onprogress = event => {
      watch();
      onProgress?.(event.loaded);
    };
    sent.onload = () => end(() => sent.status < 300
      ? resolve(Number(sent.getResponseHeader("Upload-Offset") ?? 0)) : reject(faultOf(sent)));
    sent.onerror = () => end(() => reject(new TusFault("The connection was lost")));
    sent.onabort = () => end(() => reject(new TusFault("The connection does not respond")));
    signal.addEventListener("abort", abort);
    watch();
    sent.send(body);
  });

/** The bytes that were received. @param {Target} target @param {AbortSignal} signal */
export const offsetOf = (target, signal) => request("HEAD", target, { signal });

/**
 * Sends bytes of the file from this offset on.
 * @param {Target} target
 * @param {number} offset
 * @param {Blob} part
 * @param {{signal: AbortSignal, onProgress: (sent: number) => void}} more
 * @returns {Promise<number>} the bytes received so far
 */
export const sendPart = (target, offset, part, more) => request("PATCH", target, {
  headers: { "Content-Type": "application/offset+octet-stream", "Upload-Offset": String(offset) },
  body: part, ...more });
