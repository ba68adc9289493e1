// The events that arrived since the page was opened, newest first, with filters.
import { useMemo, useState } from "preact/hooks";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Dialog } from "../lib/dialog.js";
import { html, Page, useValue } from "../lib/ui.js";

/** @typedef {import("../lib/events.js").Event} Event */

const columns = [
  { title: "Number", isNumber: true, order: (/** @type {Event} */ one) => one.sequence,
    cell: (/** @type {Event} */ one) => one.sequence },
  { title: "Type", order: (/** @type {Event} */ one) => one.type,
    cell: (/** @type {Event} */ one) => one.type },
  { title: "Project", order: (/** @type {Event} */ one) => one.project,
    cell: (/** @type {Event} */ one) => one.project },
  { title: "Cluster", order: (/** @type {Event} */ one) => one.cluster,
    cell: (/** @type {Event} */ one) => one.cluster },
  { title: "Sender", isWide: true, cell: (/** @type {Event} */ one) => one.sender },
  { title: "Trace", isWide: true, cell: (/** @type {Event} */ one) => html`<code>${one.trace_id}</code>` },
];

export default function Events() {
  const count = useValue(store.eventCount);
  const [type, setType] = useState("");
  const [words, setWords] = useState("");
  const [shown, setShown] = useState(/** @type {Event | null} */ (null));
  const types = useMemo(() => [...new Set(store.events.map(one => one.type))].sort(), [count]);
  const rows = useMemo(() => store.events.filter(one => (!type || one.type === type) &&
    (!words || JSON.stringify(one).toLowerCase().includes(words.toLowerCase()))),
  [count, type, words]);
  const all = [...columns, { title: "Body", cell: (/** @type {Event} */ one) => html`
    <button class="small" aria-label=${`Show event ${one.sequence}`}
      onClick=${() => setShown(one)}>Show</button>` }];
  return html`
    <${Page} title="Events">
      <div class="bar">
        <select aria-label="Type" value=${type}
          onChange=${(/** @type {any} */ e) => setType(e.target.value)}>
          <option value="">every type</option>
          ${types.map(one => html`<option>${one}</option>`)}</select>
        <input type="search" placeholder="Any word" aria-label="Find events" value=${words}
          onInput=${(/** @type {any} */ e) => setWords(e.target.value)} />
        <span class="quiet">${rows.length} of the newest ${store.events.length}</span>
      </div>
      <${Table} label="Events" rows=${rows} columns=${all}
        keyOf=${(/** @type {Event} */ one) => one.sequence}
        empty="No event has arrived since the portal was opened." />
      ${shown && html`<${Dialog} title=${`Event ${shown.sequence}`} close=${() => setShown(null)}>
        <pre tabindex="0">${JSON.stringify(shown, null, 2)}</pre>
        <div class="buttons"><button class="main" onClick=${() => setShown(null)}>Close</button></div>
      <//>`}
    <//>`;
}
