// Drains or resumes a host; the plan is shown before the button.
import { useState } from "preact/hooks";
import { patch, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { Fault, Field, html, typed, useLoaded } from "../lib/ui.js";
import { ChangePlan } from "./plan.js";

/** @param {{host: import("../api").Host, close: () => void}} props */
export function Drain({ host, close }) {
  const [asked] = useState(host.state !== "drained");  // the state may change meanwhile
  const [reason, setReason] = useState("");
  const path = v2("hosts", host.host_id);
  const { value, fault } = useLoaded(() => patch(path, { is_drained: asked, plan: true }), []);
  const verb = asked ? "Drain" : "Resume";
  return html`
    <${Confirm} title=${`${verb} ${host.host_id}?`} verb=${verb} isDanger=${asked} close=${close}
        isReady=${Boolean(value)}
        act=${() => patch(path, { is_drained: asked, ...asked && { reason } })}>
      <p>${asked ? "Nothing more starts there. What runs there goes on."
        : "Nodes may start there again."}</p>
      ${asked && html`<${Field} label="Reason"><input maxlength="256" value=${reason}
        onInput=${typed(setReason)} /><//>`}
      ${value && html`<${ChangePlan} plan=${value} />`}
      <${Fault} fault=${fault} />
    <//>`;
}
