// Uploads of images: each goes on while other pages are shown, over a network that drops, and after
// a reload once the person has chosen the same file again.
import { signal } from "@preact/signals-core";
import { get, post, Problem, remove, v2 } from "./api.js";
import { Speed } from "./speed.js";
import { store } from "./store.js";
import { offsetOf, sendPart, TusFault } from "./tus.js";
import { forgetUpload, isFileOf, rememberedUploads, rememberUpload } from "./upload_memory.js";

/** @typedef {import("./upload_memory.js").UploadRecord} UploadRecord */

const part_bytes = 64 << 20;  // what one request sends; the server syncs it before it answers
const delay_ms_min = 500;
const delay_ms_max = 15_000;
const look_ms = 1000;  // between looks at an upload that is checked or interrupted
const looksMax = 60;  // at one that is interrupted

/** Resolves after this time, when the browser is online again, or at the abort. @param {number} ms
 * @param {AbortSignal} stop */
const pause = (ms, stop) => new Promise(resolve => {
  const wake = () => {
    clearTimeout(timer);
    globalThis.removeEventListener("online", wake);
    stop.removeEventListener("abort", wake);
    resolve(undefined);
  };
  const timer = setTimeout(wake, ms);
  globalThis.addEventListener("online", wake);
  stop.addEventListener("abort", wake);
});

/** False if the file was removed or changed since it was chosen. @param {File} file */
const isReadable = file => file.slice(0, 1).arrayBuffer().then(() => true, () => false);

/** A refusal that ends the upload; what may pass is thrown again. @param {Error} fault */
function refusalOf(fault) {
  if (fault instanceof TusFault && fault.isFinal) return fault;
  throw fault;
}

export class Upload {
  /** @param {UploadRecord} record @param {File | null} file null = it must be chosen again */
  constructor(record, file) {
    this.record = record;
    this.file = file;
    /** `sending`, `waiting` (for the network), `paused`, `file needed`, `checking`, `published` or
     * `failed`. */
    this.state = signal(file ? "sending" : "file needed");
    /** Bytes that were sent. */
    this.sent = signal(0);
    this.reason = signal("");
    this.speed = new Speed();
    this.stop = new AbortController();
  }

  get image() { return `${this.record.project}/${this.record.name}`; }
  get size() { return this.record.file.size; }
  /** Seconds until all bytes are sent; 0 if that is not known. */
  get left_s() {
    const speed = this.speed.perSecond;
    return speed > 0 ? (this.size - this.sent.value) / speed : 0;
  }

  /** @param {number} sent */
  note(sent) {
    this.speed.add(performance.now(), sent);
    this.sent.value = sent;
  }

  /** @param {string} state @param {string} [reason] */
  become(state, reason = "") {
    this.reason.value = reason;
    this.state.value = state;
  }

  /** Learns what the server has, while the file was not chosen again yet. */
  async look() {
    const stop = this.stop.signal;
    for (let i = 0; i < looksMax && !stop.aborted; ++i)
      try {
        this.note(await offsetOf(this.record, stop));
        if (this.sent.value === this.size) void this.run();
        return;
      } catch (fault) {
        if (fault instanceof TusFault && fault.isFinal && !stop.aborted) return void this.run();
        await pause(look_ms, stop);  // the interrupted request may not have ended yet
      }
  }

  /** Sends what the server does not have, until that is all. */
  async run() {
    this.stop.abort();
    this.stop = new AbortController();
    const stop = this.stop.signal;
    let delay_ms = delay_ms_min;
    this.become("sending");
    while (!stop.aborted) {
      const before = this.sent.value;
      try {
        const refusal = await this.send(stop).catch(refusalOf);
        return await this.follow(stop, refusal);
      } catch (refused) {
        if (stop.aborted) return;
        const fault = /** @type {Error} */ (refused);
        if (this.file && !await isReadable(this.file))
          return this.fail("The file cannot be read: it was changed or removed");
        if (this.sent.value > before) delay_ms = delay_ms_min;
        this.become("waiting", fault.message);
        const asked = fault instanceof TusFault ? fault.retry_s * 1000 : 0;
        await pause(Math.max(asked, delay_ms), stop);
        delay_ms = Math.min(2 * delay_ms, delay_ms_max);
      }
    }
  }

  /** @param {AbortSignal} stop */
  async send(stop) {
    this.speed.reset();
    let offset = await offsetOf(this.record, stop);
    this.note(offset);
    this.become("sending");
    while (offset < this.size && this.file) {
      const from = offset;
      offset = await sendPart(this.record, from, this.file.slice(from, from + part_bytes),
                              { signal: stop, onProgress: sent => this.note(from + sent) });
      this.note(offset);
    }
  }

  /**
   * Waits until the image is published or refused.
   * @param {AbortSignal} stop
   * @param {Error | void} refusal why no more bytes are accepted
   */
  async follow(stop, refusal) {
    this.become("checking");
    while (!stop.aborted) {
      const found = await get(v2("uploads", this.record.upload_id)).catch(refused => {
        if (refused instanceof Problem && refused.status === 404)
          return { state: "failed", reason: "The upload was removed or has expired" };
        throw refused;
      });
      if (found.state === "published") return this.end("published");
      if (found.state === "failed") return this.fail(found.reason);
      if (refusal) return this.fail(refusal.message);
      await pause(look_ms, stop);
    }
  }

  /** @param {string} state */
  end(state) {
    forgetUpload(this.record.upload_id);
    this.become(state);
  }

  /** @param {string} reason */
  fail(reason) {
    this.end("failed");
    this.reason.value = reason;
  }

  pause() {
    this.stop.abort();
    this.become("paused");
  }

  /** Ends it, and removes what was received. */
  async cancel() {
    this.stop.abort();
    if (!["published", "failed"].includes(this.state.value))
      await remove(v2("uploads", this.record.upload_id)).catch(refused => {
        if (!(refused instanceof Problem && refused.status === 404)) throw refused;
      });
    forgetUpload(this.record.upload_id);
    uploads.value = uploads.value.filter(one => one !== this);
  }
}

/** The newest first. @type {import("@preact/signals-core").Signal<Upload[]>} */
export const uploads = signal([]);

/** @param {UploadRecord} record @param {File | null} file */
function add(record, file) {
  const upload = new Upload(record, file);
  uploads.value = [upload, ...uploads.value];
  return upload;
}

/**
 * Begins an upload; it is sent in the background.
 * @param {{project: string, name: string, format: string, file: File}} asked
 */
export async function beginUpload({ project, name, format, file }) {
  const ticket = await post(`${v2("images", project, name)}/uploads`,
                            { format, size_bytes: file.size });
  const record = { person: store.me.value?.person_id ?? "", project, name,
    upload_id: ticket.upload_id, url: ticket.url, ticket: ticket.ticket,
    expires_unix_s: ticket.expires_unix_s,
    file: { name: file.name, size: file.size, modified: file.lastModified } };
  rememberUpload(record);
  void add(record, file).run();
}

/** Continues the upload of this file, if one waits for it. @param {File} file */
export function continueUpload(file) {
  const upload = uploads.value.find(one =>
    one.state.value === "file needed" && isFileOf(one.record, file));
  if (!upload) return false;
  upload.file = file;
  void upload.run();
  return true;
}

/** Lists those that a reload interrupted, with what the server has of them. */
export function restoreUploads() {
  const known = new Set(uploads.value.map(one => one.record.upload_id));
  for (const record of rememberedUploads(store.me.value?.person_id ?? "")) {
    if (known.has(record.upload_id)) continue;
    void add(record, null).look();
  }
}
