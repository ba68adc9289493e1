// A terminal on a node's console. What the node prints goes to xterm.js alone: it cannot reach the
// page, its title, the clipboard or links.
import { signal } from "@preact/signals-core";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

/** @typedef {{url: string, ticket: string}} Ticket */

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

export class ConsoleTerminal {
  /** @param {() => Promise<Ticket>} ticket a new one for each connection: it is valid once */
  constructor(ticket) {
    this.ticket = ticket;
    /** `connecting`, `live` or `closed`. */
    this.state = signal("connecting");
    this.reason = signal("");
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
    this.terminal.onData(text => this.send(text));
    /** @type {WebSocket | null} */
    this.socket = null;
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

  async connect() {
    this.state.value = "connecting";
    try {
      const { url, ticket } = await this.ticket();
      this.attach(new WebSocket(url, ["nucleus.console", "nucleus.ticket." + ticket]));
    } catch (fault) {
      this.end(/** @type {Error} */ (fault).message);
    }
  }

  /** @param {WebSocket} socket */
  attach(socket) {
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => { this.state.value = "live"; };
    socket.onmessage = message => this.terminal.write(new Uint8Array(message.data));
    socket.onclose = close => this.end(close.reason || "the connection was closed");
  }

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
    this.socket?.close();
    this.terminal.dispose();
  }
}
