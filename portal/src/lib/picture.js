// The picture of a node's screen, by VNC. What the node draws goes to a canvas alone.
import { signal } from "@preact/signals-core";

/** @typedef {import("./terminal.js").Ticket} Ticket */
/** @typedef {import("@novnc/novnc").default} RFB */

export class ConsolePicture {
  /** @param {() => Promise<Ticket>} ticket a new one for each connection: it is valid once */
  constructor(ticket) {
    this.ticket = ticket;
    /** `connecting`, `live` or `closed`. */
    this.state = signal("connecting");
    this.reason = signal("");
    /** Whether keys and the mouse are kept from the node. The console service enforces it. */
    this.isReadOnly = signal(false);
    this.element = document.createElement("div");
    this.element.className = "picture";
    this.leave = () => {};
    // Before noVNC takes the key for the node.
    this.element.addEventListener("keydown", event => {
      if (!event.ctrlKey || event.key !== "F6") return;
      event.stopPropagation();
      event.preventDefault();
      this.leave();
    }, { capture: true });
    /** @type {RFB | null} */
    this.rfb = null;
  }

  /**
   * Shows the picture in this place of the page.
   * @param {HTMLElement} place
   * @param {() => void} leave called for Ctrl+F6
   */
  show(place, leave) {
    this.leave = leave;
    place.append(this.element);
  }

  /** It scales itself. */
  resize() {}

  focus() { this.rfb?.focus({ preventScroll: true }); }

  async connect() {
    this.state.value = "connecting";
    try {
      const { default: RFB } = await import("@novnc/novnc");  // large: only whoever needs it
      const { url, ticket } = await this.ticket();
      const isReadOnly = this.isReadOnly.value;
      const socket = new WebSocket(url + (isReadOnly ? "?mode=read" : ""),
        ["nucleus.console", "nucleus.ticket." + ticket]);
      this.disconnect();
      this.attach(new RFB(this.element, socket), socket, isReadOnly);
    } catch (fault) {
      this.end(/** @type {Error} */ (fault).message);
    }
  }

  /**
   * @param {RFB} rfb
   * @param {WebSocket} socket
   * @param {boolean} isReadOnly
   */
  attach(rfb, socket, isReadOnly) {
    this.rfb = rfb;
    rfb.viewOnly = isReadOnly;
    rfb.scaleViewport = true;
    rfb.background = "#10151b";
    rfb.addEventListener("connect", () => {
      if (this.rfb === rfb) this.state.value = "live";
    });
    socket.addEventListener("close", close => {
      if (this.rfb === rfb) this.end(close.reason || "the connection was closed");
    });
  }

  /** @param {boolean} isReadOnly */
  watch(isReadOnly) {
    this.isReadOnly.value = isReadOnly;
    void this.connect();
  }

  sendCtrlAltDel() { this.rfb?.sendCtrlAltDel(); }

  /** @param {string} reason */
  end(reason) {
    this.reason.value = reason;
    this.state.value = "closed";
  }

  disconnect() {
    const rfb = this.rfb;
    this.rfb = null;
    rfb?.disconnect();
  }

  close() { this.disconnect(); }
}
