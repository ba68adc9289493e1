// The stream of events: /v2/events over a WebSocket, the same events as the server-sent ones. A
// browser opens only six HTTP connections to one server, which streams of six tabs would occupy; a
// WebSocket is not counted. After a drop it resumes after the last event that was received.
import { signal } from "@preact/signals-core";
import { isSignedOut } from "./api.js";

/** @typedef {{sequence: number, type: string, project: string, cluster: string, sender: string,
 *   trace_id: string, body: any}} Event */

/** `connecting`, `live` or `offline`. */
export const streamState = signal("connecting");

const delayMin = 250;
const delayMax = 10_000;

export class EventStream {
  /**
   * @param {(event: Event) => void} take each event, in order
   * @param {() => void} reset events were missed: all that was read before is out of date
   */
  constructor(take, reset) {
    this.take = take;
    this.reset = reset;
    this.last = 0;
    this.delay = delayMin;
    /** @type {WebSocket | null} */
    this.socket = null;
  }

  /** @param {number} after the event after which the stream begins */
  open(after) {
    this.last = after;
    this.connect();
  }

  close() {
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  connect() {
    const url = location.origin.replace(/^http/, "ws") + "/v2/events?after=" + this.last;
    const socket = new WebSocket(url);
    this.socket = socket;
    let isOpen = false;
    socket.onopen = () => {
      isOpen = true;
      this.delay = delayMin;
      streamState.value = "live";
    };
    socket.onmessage = message => {
      const event = JSON.parse(message.data);
      this.last = event.sequence;
      this.take(event);
    };
    socket.onclose = () => {
      if (this.socket !== socket) return;
      streamState.value = "connecting";
      if (isOpen) this.again();
      else this.learnWhy().then(() => this.again());
    };
  }

  again() {
    if (!this.socket || isSignedOut.value) return;
    const socket = this.socket;
    setTimeout(() => { if (this.socket === socket) this.connect(); }, this.delay);
    this.delay = Math.min(this.delay * 2, delayMax);
  }

  /** A WebSocket does not say why it was refused; the same request over HTTP does. */
  async learnWhy() {
    const given = new AbortController();
    try {
      const answer = await fetch("/v2/events?after=" + this.last, {
        signal: given.signal, headers: { "X-Requested-With": "portal" } });
      if (answer.status === 401) isSignedOut.value = true;
      if (answer.status !== 410) return;
      this.last = 0;
      this.reset();
    } catch {
      streamState.value = "offline";
    } finally {
      given.abort();
    }
  }
}
