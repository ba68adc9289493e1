// The part of @novnc/novnc that the portal uses. The package has no types.
declare module "@novnc/novnc" {
  export default class RFB extends EventTarget {
    constructor(target: HTMLElement, socket: WebSocket, options?: { shared?: boolean });
    viewOnly: boolean;
    scaleViewport: boolean;
    background: string;
    focus(options?: FocusOptions): void;
    sendCtrlAltDel(): void;
    disconnect(): void;
  }
}
