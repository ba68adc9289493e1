// For operators: one host, and why it is in its state.
import { useState } from "preact/hooks";
import { v2 } from "../lib/api.js";
import { fromNow } from "../lib/format.js";
import { href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { Fault, Facts, html, Page, State, useRecords, useValue } from "../lib/ui.js";
import { Drain } from "./drain.js";
import { Why } from "./why.js";

/** @param {{host: string}} props */
export default function HostPage({ host }) {
  const one = useRecords(store.hosts).find(known => known.host_id === host);
  const fault = useValue(store.hosts.fault);
  const isLoaded = useValue(store.hosts.isLoaded);
  const [isAsking, setAsking] = useState(false);
  const missing = isLoaded && !one ? new Error("No such host.") : null;
  if (!one) return html`
    <${Page} title=${"Host " + host}><${Fault} fault=${fault ?? missing} /><//>`;
  return html`
    <${Page} title=${"Host " + host} actions=${html`<button onClick=${() => setAsking(true)}>
        ${one.state === "drained" ? "Resume" : "Drain"}</button>`}>
      <p><a href=${href("hosts")}>All hosts</a></p>
      <div class="split">
        <section class="card" aria-label="Host">
          <${Facts} facts=${[
            ["State", html`<${State} state=${one.state} />`],
            ["Reason", one.reason || "–"],
            ["Nodes", String(one.node_count)],
            ["CPUs", `${one.cpus_used} of ${one.cpus} used`],
            ["Memory", `${one.memory_used_mb.toLocaleString()} of ${
              one.memory_mb.toLocaleString()} MB used`],
            ["Class", one.host_class],
            ["Rack", one.rack || "not known"],
            ["Driver", [one.driver, one.accelerator].filter(Boolean).join(", ")],
            ["Release", one.release || "–"],
            ["Address", one.address || "the head's machine"],
            ["Clock", `${one.clock_skew_ms} ms ahead of the head's`],
            ["Heartbeat", fromNow(one.last_heartbeat_unix_ms / 1000)],
            ["Batch system", one.batch_state || "–"],
          ]} />
        </section>
        <${Why} path=${v2("hosts", host)} state=${one.state + one.reason} />
      </div>
      ${isAsking && html`<${Drain} host=${one} close=${() => setAsking(false)} />`}
    <//>`;
}
