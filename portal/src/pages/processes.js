// For operators: the processes of the head, as each reports itself. Processes emit no events about
// their state, so this page asks again while it is shown.
import { useEffect } from "preact/hooks";
import { get } from "../lib/api.js";
import { counted, duration } from "../lib/format.js";
import { href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, State, useLoaded, useRecords } from "../lib/ui.js";

/** @typedef {import("../api").ProcessStatus} ProcessStatus */

const look_ms = 5000;
/** @type {Record<string, string>} */
const kinds = { serving: "good", starting: "wait", draining: "wait", cut_off: "bad",
  unknown: "bad" };

/** @type {import("../lib/table.js").Column<ProcessStatus>[]} */
const columns = [
  { title: "Process", order: one => one.name, cell: one => one.name },
  { title: "State", order: one => one.state, cell: one =>
    html`<${State} state=${one.state.replace("_", " ")} kind=${kinds[one.state]} />` },
  { title: "Reason", cell: one => one.reason },
  { title: "Runs for", isWide: true, order: one => one.started_unix_ms, cell: one =>
    one.started_unix_ms ? duration((Date.now() - one.started_unix_ms) / 1000) : "–" },
  { title: "Process id", isNumber: true, isWide: true, cell: one => one.pid || "–" },
  { title: "Requests in progress", isNumber: true, isWide: true,
    order: one => one.requests_in_flight, cell: one => one.requests_in_flight },
  { title: "Events behind", isNumber: true, order: one => one.event_newest - one.event_handled,
    cell: one => (one.event_newest - one.event_handled).toLocaleString() },
];

export default function Processes() {
  const { value, fault, reload } = useLoaded(() => get("/v2/processes"), []);
  const hosts = useRecords(store.hosts);
  useEffect(() => {
    const timer = setInterval(() => { if (!document.hidden) reload(); }, look_ms);
    return () => clearInterval(timer);
  }, []);
  /** @type {ProcessStatus[]} */
  const all = value?.processes ?? [];
  const bad = all.filter(one => one.state !== "serving").length;
  const lost = hosts.filter(one => !["up", "drained"].includes(one.state)).length;
  return html`
    <${Page} title="Processes">
      <${Fault} fault=${fault} />
      ${value && html`<p role="status">${bad === 0 ? "All processes of the head are serving."
        : `Not serving: ${bad} of ${all.length}.`}</p>`}
      <${Table} label="Processes of the head" rows=${all} columns=${columns} id="name"
        empty=${fault ? "Not known." : "Loading …"} />
      <p>Provisioners: ${lost === 0 ? "no host is unreachable or lost"
        : counted(lost, "host") + " unreachable or lost"}. See
        ${" "}<a href=${href("hosts")}>all hosts</a>.</p>
    <//>`;
}
