// The networks of a cluster: who may talk to whom. Each VLAN is of this cluster alone, except the
// public one.
import { list, v2 } from "../lib/api.js";
import { Table } from "../lib/table.js";
import { Fault, Facts, html, useLoaded } from "../lib/ui.js";
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

/** @param {{cluster: string}} props */
export function Networks({ cluster }) {
  const { value, fault, reload } = useLoaded(
    () => list(v2("clusters", cluster, "networks"), "networks"), [cluster]);
  useEvent("network.ports-leased", cluster, reload);
  return html`
    <${Fault} fault=${fault} />
    ${value?.length === 0 && html`<p>The cluster has no ports yet: they are leased when its nodes
      are powered on.</p>`}
    ${value?.map(one => html`<section key=${one.vlan}>
      <h2>${one.is_public ? "Public network" : "Private network"}, VLAN ${one.vlan}</h2>
      <${Facts} facts=${[
        ["Isolation", one.is_public
          ? "shared with other frontends; a node cannot use another's MAC or address"
          : "of this cluster alone: no packet of another cluster arrives here"],
        ["Ports", String(one.ports.length)],
      ]} />
      <${Table} label=${"Ports of VLAN " + one.vlan} rows=${one.ports} columns=${columns}
        id="mac" />
    </section>`)}`;
}
