// A terminal on a node's console. What the node prints goes to xterm.js alone: it cannot reach the
// page, its title, the clipboard or links.
import { signal } from "@preact/signals-core";
import { FitAddon } from "@xterm/addon-fit";
import { Terminal } from "@xterm/xterm";

/** @typedef {{url: string, ticket: string}} Ticket */

/**
 * xterm.js writes style elements, which the page's Content-Security-Policy refuses. It gets
 * elements instead whose text becomes a style sheet of the document.
 */
function styleElement() {
  const element = document.createElement("i");
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

const ownDocument = new Proxy(document, {
  get(target, name) {
    if (name === "createElement")
      return (/** @type {string} */ tag) =>
        tag === "style" ? styleElement() : target.createElement(tag);
    const value = Reflect.get(target, name);
    return typeof value === "function" ? value.bind(target) : value;
  },
});

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

  /** Shows the terminal in this place of the page. @param {HTMLElement} place @param {() => void} leave */
  show(place, leave) {
    place.append(this.element);
    if (!this.isDrawn) this.terminal.open(this.element);
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
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(new TextEncoder().encode(text));
  }

  close() {
    this.socket?.close();
    this.terminal.dispose();
  }
}
