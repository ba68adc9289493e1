// A terminal on a node's console. What the node prints goes to xterm.js alone: it cannot reach the
// page, its title, the clipboard or links.
import { signal } from "@preact/signals-core";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";
import { Problem } from "./api.js";

/** @typedef {{url: string, ticket: string}} Ticket */
/**
 * The text messages that are read (docs/consoles.md).
 * @typedef {{type: "start", log_id: string, offset: number} | {type: "gap", to: number}
 *   | {type: "recording", is_recorded: boolean}
 *   | {type: "roles", you: number, writer: number | null,
 *      viewers: {number: number, person: string}[]}} ConsoleMessage
 */

const RESUMES_MAX = 60;  // without a byte in between
const RESUME_AFTER_MS = 500;

const createElement = document.createElement.bind(document);

/**
 * xterm.js writes style elements and attributes, which the page's Content-Security-Policy refuses.
 * It gets elements instead whose text becomes a style sheet of the document,
 */
function styleElement() {
  const element = createElement("i");
  element.hidden = true;
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets.push(sheet);
  Object.defineProperty(element, "textContent", {
    set: text => sheet.replaceSync(text), get: () => "" });
  const remove = element.remove.bind(element);
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter(one => one !== sheet);
    remove();
  };
  return element;
}

/** and elements whose style is set property by property. */
function spanElement() {
  const element = createElement("span");
  const setAttribute = element.setAttribute.bind(element);
  element.setAttribute = (name, value) => {
    if (name === "style") element.style.cssText = value;
    else setAttribute(name, value);
  };
  return element;
}

/** @param {string} tag @returns {HTMLElement} */
const createOwn = tag =>
  tag === "style" ? styleElement() : tag === "span" ? spanElement() : createElement(tag);

const ownDocument = new Proxy(document, {
  get(target, name) {
    if (name === "createElement") return createOwn;
    const value = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

/** xterm.js 6.0 makes its scroll bar's style with the page's document, whichever it was given. */
function withOwnDocument(/** @type {() => void} */ act) {
  Object.assign(document, { createElement: createOwn });
  try {
    act();
  } finally {
    Reflect.deleteProperty(document, "createElement");
  }
}

/** A terminal in a place of the page. */
export class Screen {
  constructor() {
    this.element = document.createElement("div");
    this.element.className = "terminal";
    this.fit = new FitAddon();
    this.terminal = new Terminal({
      documentOverride: ownDocument, scrollback: 10_000, fontSize: 13, cursorBlink: false,
      screenReaderMode: true, linkHandler: { activate: () => {} },
      fontFamily: "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace",
      theme: { background: "#10151b", foreground: "#dfe5ec" },
    });
    this.terminal.loadAddon(this.fit);
    this.isDrawn = false;
  }

  /**
   * Shows the terminal in this place of the page.
   * @param {HTMLElement} place
   * @param {() => void} leave called for Ctrl+F6
   */
  show(place, leave) {
    place.append(this.element);
    if (!this.isDrawn) withOwnDocument(() => this.terminal.open(this.element));
    this.isDrawn = true;
    this.terminal.attachCustomKeyEventHandler(event => {
      const isLeave = event.type === "keydown" && event.ctrlKey && event.key === "F6";
      if (isLeave) leave();
      return !isLeave;
    });
    this.resize();
  }

  resize() {
    if (this.element.clientWidth) this.fit.fit();
  }

  focus() { this.terminal.focus(); }
}

export class ConsoleTerminal extends Screen {
  /**
   * @param {() => Promise<Ticket>} ticket a new one for each connection: it is valid once
   * @param {{mayResume?: boolean, isReadOnly?: boolean}} options whether there is a ticket for
   *   another connection, and whether it only watches
   */
  constructor(ticket, { mayResume = true, isReadOnly = false } = {}) {
    super();
    this.ticket = ticket;
    /** `connecting`, `live` or `closed`. */
    this.state = signal("connecting");
    this.reason = signal("");
    this.terminal.onData(text => this.send(text));
    /** Whether what the console prints is recorded. */
    this.isRecorded = signal(false);
    /** Who types instead of this person; empty = this person does. */
    this.writer = signal("");
    /** @type {WebSocket | null} */
    this.socket = null;
    this.logId = "";
    this.offset = 0;  // of the next byte
    this.mayResume = mayResume;
    this.isReadOnly = isReadOnly;
    this.failures = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  async connect() {
    this.state.value = "connecting";
    try {
      const { url, ticket } = await this.ticket();
      const query = new URLSearchParams(this.isReadOnly ? { mode: "read" } : {});
      if (this.logId) {
        query.set("from", String(this.offset));
        query.set("log", this.logId);
      }
      this.attach(new WebSocket(`${url}?${query}`,
        ["nucleus.console.v2", "nucleus.console", "nucleus.ticket." + ticket]));
    } catch (fault) {
      const isRefused = fault instanceof Problem && fault.status < 500;
      if (this.logId && !isRefused && this.failures++ < RESUMES_MAX) return this.resume();
      this.end(/** @type {Error} */ (fault).message);
    }
  }

  /** @param {WebSocket} socket */
  attach(socket) {
    this.socket = socket;
    this.isRecorded.value = false;  // until the service sends a `recording` message
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.state.value = "live"; };
    socket.onmessage = message => {
      if (typeof message.data === "string") return this.take(JSON.parse(message.data));
      this.offset += message.data.byteLength;
      this.failures = 0;
      this.terminal.write(new Uint8Array(message.data));
    };
    socket.onclose = close => {
      const isBroken = close.code === 1006 || close.code === 1001;
      if (isBroken && this.mayResume && this.failures++ < RESUMES_MAX) return this.resume();
      this.end(close.reason || "the connection was closed");
    };
  }

  /** Attaches again where it stopped: nothing is lost or shown twice. */
  resume() {
    this.state.value = "connecting";
    this.timer = setTimeout(() => void this.connect(), RESUME_AFTER_MS);
  }

  /** @param {ConsoleMessage} told */
  take(told) {
    if (told.type === "start") {
      this.logId = told.log_id;
      this.offset = told.offset;
    } else if (told.type === "gap") {
      this.offset = told.to;
      this.terminal.write("\r\n[older output was discarded]\r\n");
    } else if (told.type === "recording") {
      this.isRecorded.value = told.is_recorded;
    } else if (told.type === "roles") {
      const writer = told.viewers.find(one => one.number === told.writer);
      this.writer.value = told.writer === told.you ? "" : writer?.person ?? "nobody";
    }
  }

  takeOver() { this.socket?.send(JSON.stringify({ type: "take-over" })); }

  /** @param {string} reason */
  end(reason) {
    this.reason.value = reason;
    this.state.value = "closed";
  }

  /** @param {string} text */
  send(text) {
    const isOpen = this.socket?.readyState === WebSocket.OPEN;
    if (isOpen) this.socket?.send(new TextEncoder().encode(text));
  }

  close() {
    this.mayResume = false;
    clearTimeout(this.timer);
    this.socket?.close();
    this.terminal.dispose();
  }
}
