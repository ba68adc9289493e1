// One node: its definition and state, power, why it is so, its console and its disk.
import { useState } from "preact/hooks";
import { v2 } from "../lib/api.js";
import { openConsole } from "../lib/console_sessions.js";
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { Fault, Facts, html, Page, State, useRecords, useValue } from "../lib/ui.js";
import { Disk } from "./disk.js";
import { Power } from "./power.js";
import { Why } from "./why.js";

const actions = [["on", "Power on"], ["shutdown", "Shut down"], ["reboot", "Reboot"],
  ["off", "Power off"]];

/** @param {{cluster: string, node: string}} props */
export default function NodePage({ cluster, node }) {
  const collection = store.nodesOf(cluster);
  const known = useRecords(collection).find(one => one.name === node);
  const isLoaded = useValue(collection.isLoaded);
  const fault = useValue(collection.fault);
  const [action, setAction] = useState("");
  const missing = isLoaded && !known
    ? new Error("No such node, or you have no access to it.") : null;
  if (!known) return html`
    <${Page} title=${"Node " + node}><${Fault} fault=${fault ?? missing} /><//>`;
  return html`
    <${Page} title=${"Node " + node} actions=${html`
        ${may("console") && html`<button class="main" disabled=${known.state !== "active"}
          onClick=${() => openConsole(cluster, node)}>Console</button>
          <button disabled=${known.state !== "active"}
            onClick=${() => openConsole(cluster, node, "vnc")}>Screen</button>`}
        ${may("power") && actions.map(([name, title]) => html`
          <button onClick=${() => setAction(name)}>${title}</button>`)}`}>
      <p><a href=${href("clusters", cluster)}>Cluster ${cluster}</a></p>
      <div class="split">
        <section class="card" aria-label="Node">
          <${Facts} facts=${[
            ["State", html`<${State} state=${known.state} />`],
            ["Desired", known.is_desired_on ? "on" : "off"],
            ["Reason", known.reason || "–"],
            ["Kind", known.kind],
            ["Size", `${known.cpus} CPUs, ${known.memory_mb.toLocaleString()} MB`],
            ["Host", known.host_id || "–"],
            ["Computeset", known.computeset_id
              ? html`<a href=${href("computesets", known.computeset_id)}>${known.computeset_id}</a>`
              : "–"],
          ]} />
        </section>
        <${Why} path=${v2("clusters", cluster, "nodes", node)}
          state=${known.state + known.reason} />
      </div>
      <${Disk} cluster=${cluster} node=${node} state=${known.state} />
      ${action && html`<${Power} cluster=${cluster} action=${action} nodes=${[known]}
        close=${() => setAction("")} />`}
    <//>`;
}
