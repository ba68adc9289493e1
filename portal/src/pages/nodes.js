// The nodes of a cluster: a list of any length that follows the events, and power for those that
// are selected.
import { useMemo, useState } from "preact/hooks";
import { counted } from "../lib/format.js";
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, State, typed, useRecords, useValue } from "../lib/ui.js";
import { Power } from "./power.js";

/** @typedef {import("../types.js").NodeView} Node */

const actions = [["on", "Power on"], ["shutdown", "Shut down"], ["reboot", "Reboot"],
  ["off", "Power off"], ["reset", "Reset"]];

/** How many nodes are in each state. @param {Node[]} nodes */
function sum(nodes) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const node of nodes) counts.set(node.state, (counts.get(node.state) ?? 0) + 1);
  return [...counts].sort(([a], [b]) => a.localeCompare(b));
}

/**
 * @param {string} cluster
 * @returns {import("../lib/table.js").Column<Node>[]}
 */
const columnsOf = cluster => [
  { title: "Name", order: one => one.index, cell: one =>
    html`<a href=${href("clusters", cluster, "nodes", one.name)}>${one.name}</a>` },
  { title: "State", order: one => one.state,
    cell: one => html`<${State} state=${one.state} />` },
  { title: "Computeset", order: one => one.computeset_id,
    cell: one => one.computeset_id
      ? html`<a href=${href("computesets", one.computeset_id)}>${one.computeset_id}</a>` : "" },
  { title: "CPUs", isNumber: true, isWide: true, cell: one => one.cpus },
  { title: "Memory", isNumber: true, isWide: true,
    cell: one => one.memory_mb.toLocaleString() + " MB" },
  { title: "Host", isWide: true, order: one => one.host_id,
    cell: one => one.host_id },
  { title: "Reason", isWide: true, cell: one => one.reason },
];

/** @param {{cluster: string}} props */
export function Nodes({ cluster }) {
  const collection = store.nodesOf(cluster);
  const nodes = useRecords(collection);
  const fault = useValue(collection.fault);
  const isLoaded = useValue(collection.isLoaded);
  const [words, setWords] = useState("");
  const [state, setState] = useState("");
  const [chosen, setChosen] = useState(/** @type {Set<string>} */ (new Set()));
  const [action, setAction] = useState("");
  const columns = useMemo(() => columnsOf(cluster), [cluster]);
  const rows = useMemo(() => nodes
    .filter(one => (!state || one.state === state) &&
      `${one.name} ${one.host_id} ${one.reason}`.toLowerCase().includes(words.toLowerCase()))
    .sort((a, b) => a.index - b.index), [nodes, words, state]);
  const selected = rows.filter(one => chosen.has(one.node_id));
  const isAll = rows.length > 0 && selected.length === rows.length;
  const selection = {
    has: (/** @type {Node} */ one) => chosen.has(one.node_id),
    toggle: (/** @type {Node} */ one) => {
      const next = new Set(chosen);
      if (!next.delete(one.node_id)) next.add(one.node_id);
      setChosen(next);
    },
    toggleAll: () => setChosen(new Set(isAll ? [] : rows.map(one => one.node_id))),
    isAll,
    nameOf: (/** @type {Node} */ one) => one.name,
  };
  return html`
    <div class="bar">
      <input type="search" placeholder="Name, host or reason" aria-label="Find nodes"
        value=${words} onInput=${typed(setWords)} />
      <select aria-label="State" value=${state}
        onChange=${typed(setState)}>
        <option value="">every state</option>
        ${sum(nodes).map(([name]) => html`<option>${name}</option>`)}</select>
      <span class="sums"><b>${counted(nodes.length, "node")}</b>${sum(nodes).map(([name, count]) =>
        html`<span class="sum">${count.toLocaleString()} <${State} state=${name} /></span>`)}</span>
    </div>
    ${may("power") && html`<div class="bar" role="toolbar" aria-label="Power of the selected nodes">
      <span class="quiet" role="status">${counted(selected.length, "node")} selected</span>
      ${actions.map(([name, title]) => html`<button disabled=${selected.length === 0}
        onClick=${() => setAction(name)}>${title}</button>`)}
    </div>`}
    <${Fault} fault=${fault} />
    <${Table} label=${"Nodes of " + cluster} rows=${rows} columns=${columns}
      selection=${may("power") && selection} id="node_id"
      empty=${isLoaded ? "No such nodes." : "Loading …"} />
    ${action && html`<${Power} cluster=${cluster} action=${action} nodes=${selected}
      close=${() => setAction("")} />`}`;
}
