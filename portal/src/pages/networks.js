// The networks of a cluster: who may talk to whom. Each VLAN is of this cluster alone, except the
// public one.
import { get, list, v2 } from "../lib/api.js";
import { time } from "../lib/format.js";
import { Table } from "../lib/table.js";
import { Fault, Facts, html, State, useLoaded } from "../lib/ui.js";
import { useEvent } from "../lib/use_event.js";

/** @typedef {import("../api").Port & {node_name: string}} NodePort */

/** @type {import("../lib/table.js").Column<NodePort>[]} */
const columns = [
  { title: "Node", order: one => one.node_name,
    cell: one => one.node_name },
  { title: "Address", order: one => one.ip,
    cell: one => html`<code>${one.ip}/${one.prefix_length}</code>` },
  { title: "MAC", isWide: true, cell: one => html`<code>${one.mac}</code>` },
  { title: "Gateway", isWide: true, cell: one => one.gateway },
];

/** What the hosts of its nodes found out. @param {{cluster: string}} props */
function Isolation({ cluster }) {
  const { value, fault, reload } = useLoaded(
    () => get(v2("clusters", cluster, "isolation")), [cluster]);
  useEvent("scheduler.isolation-changed", cluster, reload);
  if (!value) return html`<${Fault} fault=${fault} />`;
  /** @type {import("../api").ClusterIsolation} */
  const { state, reason, since_unix_s, checked_unix_s, faults } = value;
  return html`<section aria-label="Isolation">
    <${Facts} facts=${[
      ["Isolation", html`<${State} state=${state} />`],
      ["Since", since_unix_s ? time(since_unix_s) : "–"],
      ["Last checked", checked_unix_s ? time(checked_unix_s) : "–"],
      ...(reason ? [["Reason", reason]] : []),
    ]} />
    ${faults.length > 0 && html`<ul>${faults.map(one => html`
      <li>${one.port && html`<code>${one.port}</code>${": "}`}${one.reason}${
        one.is_quarantined && "; the port is closed"}</li>`)}</ul>`}
  </section>`;
}

/** @param {{cluster: string}} props */
export function Networks({ cluster }) {
  const { value, fault, reload } = useLoaded(
    () => list(v2("clusters", cluster, "networks"), "networks"), [cluster]);
  useEvent("network.ports-leased", cluster, reload);
  return html`
    <${Isolation} cluster=${cluster} />
    <${Fault} fault=${fault} />
    ${value?.length === 0 && html`<p>The cluster has no ports yet: they are leased when its nodes
      are powered on.</p>`}
    ${value?.map(one => html`<section key=${one.vlan}>
      <h2>${one.is_public ? "Public network" : "Private network"}, VLAN ${one.vlan}</h2>
      <${Facts} facts=${[
        ["Reach", one.is_public
          ? "shared with other frontends; a node cannot use another's MAC or address"
          : "of this cluster alone: no packet of another cluster arrives here"],
        ["Ports", String(one.ports.length)],
      ]} />
      <${Table} label=${"Ports of VLAN " + one.vlan} rows=${one.ports} columns=${columns}
        id="mac" />
    </section>`)}`;
}
