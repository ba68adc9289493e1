// For trainers: the consoles of a cluster's nodes as live, read-only thumbnails.
import { useEffect, useRef, useState } from "preact/hooks";
import { post, v2 } from "../lib/api.js";
import { openConsole } from "../lib/console_sessions.js";
import { counted } from "../lib/format.js";
import { go } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { loadStyle } from "../lib/styles.js";
import { ConsoleTerminal } from "../lib/terminal.js";
import { Fault, Field, html, Page, State, typed, useRecords, useValue } from "../lib/ui.js";

const perPage = 24;  // each is a connection
const again_ms = 5000;

/** A terminal that shows what others type and never sends, not even answers to the guest's queries.
 * @param {string} cluster @param {string} node */
function watcher(cluster, node) {
  const terminal = new ConsoleTerminal(() =>
    post(v2("clusters", cluster, "nodes", node, "console"), { kind: "serial" }),
    { isReadOnly: true });
  // Dozens of screens that all announce their lines would help nobody.
  Object.assign(terminal.terminal.options, { disableStdin: true, screenReaderMode: false,
    scrollback: 0 });
  return terminal;
}

/** @param {{cluster: string, node: string}} props */
function Thumbnail({ cluster, node }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [terminal] = useState(() => watcher(cluster, node));
  const state = useValue(terminal.state);
  const reason = useValue(terminal.reason);
  useEffect(() => {
    if (place.current) terminal.show(place.current, () => {});
    void terminal.connect();
    return () => terminal.close();
  }, []);
  useEffect(() => {
    if (state !== "closed") return undefined;
    const timer = setTimeout(() => void terminal.connect(), again_ms);
    return () => clearTimeout(timer);
  }, [state]);
  return html`
    <li class="thumbnail">
      <button class="link" aria-label=${"Open the console of " + node}
        onClick=${() => openConsole(cluster, node)}>${node}</button>
      <${State} state=${state} />
      <div class="screen" aria-hidden="true" inert title=${reason}
        ref=${place}></div>
    </li>`;
}

/** @param {{cluster: string}} props */
function Grid({ cluster }) {
  const all = useRecords(store.nodesOf(cluster)).filter(one => one.state === "active")
    .sort((a, b) => a.index - b.index);
  const isLoaded = useValue(store.nodesOf(cluster).isLoaded);
  const [first, setFirst] = useState(0);
  const from = Math.min(first, Math.max(0, Math.ceil(all.length / perPage) - 1) * perPage);
  const shown = all.slice(from, from + perPage);
  if (!isLoaded) return html`<p class="empty">Loading …</p>`;
  return html`
    <div class="bar">
      <span role="status">${counted(all.length, "active node")}${all.length > perPage &&
        `, ${from + 1} to ${from + shown.length} shown`}</span>
      ${all.length > perPage && html`
        <button disabled=${from === 0} onClick=${() => setFirst(from - perPage)}>Previous</button>
        <button disabled=${from + perPage >= all.length}
          onClick=${() => setFirst(from + perPage)}>Next</button>`}
    </div>
    <ul class="thumbnails" aria-label=${"Consoles of " + cluster}>${shown.map(one => html`
      <${Thumbnail} key=${one.node_id} cluster=${cluster} node=${one.name} />`)}</ul>`;
}

/** @param {{cluster?: string}} props */
export default function ClassView({ cluster }) {
  const clusters = useRecords(store.clusters);
  const chosen = cluster || clusters[0]?.cluster_id || "";
  loadStyle("xterm.css");
  if (!may("console")) return html`<${Page} title="Class view">
    <${Fault} fault=${new Error("You are not allowed to open consoles.")} /><//>`;
  return html`
    <${Page} title="Class view">
      <div class="bar"><${Field} label="Cluster"><select value=${chosen}
        onChange=${typed(name => go("consoles", "class", name))}>
        ${clusters.map(one => html`<option>${one.cluster_id}</option>`)}</select><//>
        <span class="quiet">Screens are read-only. Open one to type.</span></div>
      ${chosen && html`<${Grid} key=${chosen} cluster=${chosen} />`}
    <//>`;
}
