// For operators: hosts by rack and state, what they hold, and drain and resume.
import { useMemo, useState } from "preact/hooks";
import { counted } from "../lib/format.js";
import { byRack } from "../lib/racks.js";
import { href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, State, typed, useRecords, useValue } from "../lib/ui.js";
import { Drain } from "./drain.js";

/** @typedef {import("../api").Host} Host */

const states = ["up", "drained", "unreachable", "lost"];

/**
 * Used of all, as a bar with its numbers.
 * @param {{used: number, all: number, unit: string}} props
 */
const Load = ({ used, all, unit }) => html`
  <meter min="0" max=${all || 1} value=${used} aria-label=${unit}></meter>${" "}
  ${used.toLocaleString()} / ${all.toLocaleString()}`;

/**
 * @param {(host: Host) => void} press
 * @returns {import("../lib/table.js").Column<Host>[]}
 */
const columnsOf = press => [
  { title: "Host", order: one => one.host_id, cell: one =>
    html`<a href=${href("hosts", one.host_id)}>${one.host_id}</a>` },
  { title: "Rack", isWide: true, order: one => one.rack, cell: one => one.rack || "not known" },
  { title: "Class", isWide: true, order: one => one.host_class, cell: one => one.host_class },
  { title: "State", order: one => states.indexOf(one.state),
    cell: one => html`<${State} state=${one.state} />` },
  { title: "Nodes", isNumber: true, order: one => one.node_count,
    cell: one => one.node_count },
  { title: "CPUs", order: one => one.cpus_used, cell: one =>
    html`<${Load} used=${one.cpus_used} all=${one.cpus} unit="CPUs used" />` },
  { title: "Memory, MB", isWide: true, order: one => one.memory_used_mb,
    cell: one =>
      html`<${Load} used=${one.memory_used_mb} all=${one.memory_mb} unit="Memory used" />` },
  { title: "Driver", isWide: true, cell: one =>
    [one.driver, one.accelerator].filter(Boolean).join(", ") },
  { title: "Reason", isWide: true, cell: one => one.reason },
  { title: "Actions", cell: one => html`<button class="small"
    aria-label=${`${one.state === "drained" ? "Resume" : "Drain"} ${one.host_id}`}
    onClick=${() => press(one)}>${one.state === "drained" ? "Resume" : "Drain"}</button>` },
];

/** The hosts of a rack as a map: a cell is a host, with the number of its nodes. */
const Rack = (/** @type {{title: string, hosts: Host[]}} */ { title, hosts }) => html`
  <section class="rack" aria-label=${title}>
    <h2>${title} <small>${counted(hosts.length, "host")}, ${
      hosts.filter(one => one.state === "up").length.toLocaleString()} up</small></h2>
    <ul class="map">${hosts.map(one => html`
      <li key=${one.host_id}><a class=${"cell " + one.state} tabindex="-1"
        href=${href("hosts", one.host_id)}
        title=${`${one.host_id}: ${one.state}, class ${one.host_class}, ${
          counted(one.node_count, "node")}`}
        aria-label=${`${one.host_id}, ${one.state}, class ${one.host_class}, ${
          counted(one.node_count, "node")}`}>
        ${one.node_count || ""}</a></li>`)}</ul>
  </section>`;

export default function Hosts() {
  const hosts = useRecords(store.hosts);
  const fault = useValue(store.hosts.fault);
  const isLoaded = useValue(store.hosts.isLoaded);
  const [state, setState] = useState("");
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState(/** @type {Host | null} */ (null));
  const columns = useMemo(() => columnsOf(setChosen), []);
  const racks = useMemo(() => byRack(hosts.filter(one => (!state || one.state === state) &&
    [one.host_id, one.rack, one.host_class, one.reason].join(" ").toLowerCase()
      .includes(words.toLowerCase()))),
  [hosts, state, words]);
  const rows = useMemo(() => racks.flatMap(one => one.hosts), [racks]);
  return html`
    <${Page} title="Hosts">
      <div class="bar">
        <input type="search" placeholder="Name, rack, class or reason" size="30"
          aria-label="Find hosts" value=${words} onInput=${typed(setWords)} />
        ${states.map(one => html`<button aria-pressed=${state === one}
          onClick=${() => setState(state === one ? "" : one)}>${hosts.filter(host =>
            host.state === one).length.toLocaleString()} <${State} state=${one} /></button>`)}
      </div>
      <${Fault} fault=${fault} />
      <div class="racks">${racks.map(one =>
        html`<${Rack} key=${one.hosts[0].rack} ...${one} />`)}</div>
      <${Table} label="Hosts" rows=${rows} columns=${columns}
        id="host_id"
        empty=${isLoaded ? "No such hosts." : "Loading …"} />
      ${chosen && html`<${Drain} host=${chosen} close=${() => setChosen(null)} />`}
    <//>`;
}
