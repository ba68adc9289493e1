// The events that arrived since the page was opened, newest first, with filters.
import { useMemo, useState } from "preact/hooks";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Dialog } from "../lib/dialog.js";
import { html, Page, typed, useValue } from "../lib/ui.js";

/** @typedef {import("../lib/events.js").Event} Event */

/** @type {import("../lib/table.js").Column<Event>[]} */
const columns = [
  { title: "Number", isNumber: true, order: one => one.sequence,
    cell: one => one.sequence },
  { title: "Type", order: one => one.type,
    cell: one => one.type },
  { title: "Project", order: one => one.project,
    cell: one => one.project },
  { title: "Cluster", order: one => one.cluster,
    cell: one => one.cluster },
  { title: "Sender", isWide: true, cell: one => one.sender },
  { title: "Trace", isWide: true, cell: one => html`<code>${one.trace_id}</code>` },
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
          onChange=${typed(setType)}>
          <option value="">every type</option>
          ${types.map(one => html`<option>${one}</option>`)}</select>
        <input type="search" placeholder="Any word" aria-label="Find events" value=${words}
          onInput=${typed(setWords)} />
        <span class="quiet">${rows.length} of the newest ${store.events.length}</span>
      </div>
      <${Table} label="Events" rows=${rows} columns=${all}
        id="sequence"
        empty="No event has arrived since the portal was opened." />
      ${shown && html`<${Dialog} title=${`Event ${shown.sequence}`} close=${() => setShown(null)}>
        <pre tabindex="0">${JSON.stringify(shown, null, 2)}</pre>
        <div class="buttons">
          <button class="main" onClick=${() => setShown(null)}>Close</button></div>
      <//>`}
    <//>`;
}
