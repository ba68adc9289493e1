// For operators: the computesets that wait, in the order of their predicted starts, each with the
// reason why it waits.
import { useMemo } from "preact/hooks";
import { duration, fromNow, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, State, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../api").Computeset} Computeset */

/** @type {import("../lib/table.js").Column<Computeset>[]} */
const columns = [
  { title: "Id", order: one => one.computeset_id,
    cell: one =>
      html`<a href=${href("computesets", one.computeset_id)}>${one.computeset_id}</a>` },
  { title: "Project", order: one => one.project_id,
    cell: one => one.project_id },
  { title: "Cluster", order: one => one.cluster_id,
    cell: one => one.cluster_id },
  { title: "State", cell: one => html`<${State} state=${one.state} />` },
  { title: "Nodes", isNumber: true, order: one => one.nodes.length,
    cell: one => one.nodes.length },
  { title: "Walltime", isWide: true, order: one => one.walltime_mins,
    cell: one => duration(one.walltime_mins * 60) },
  { title: "Waits since", isWide: true, order: one => one.created_unix_s,
    cell: one => time(one.created_unix_s) },
  { title: "Predicted start", order: one => one.predicted_start_unix_s,
    cell: one => fromNow(one.predicted_start_unix_s) },
  { title: "Reason", cell: one => one.reason },
];

/** Those without a prediction come last. @param {Computeset} set */
const startOf = set => set.predicted_start_unix_s || Number.MAX_SAFE_INTEGER;

export default function Queue() {
  const sets = useRecords(store.computesets);
  const fault = useValue(store.computesets.fault);
  const rows = useMemo(() => sets.filter(one => ["created", "submitted"].includes(one.state))
    .sort((a, b) => startOf(a) - startOf(b) || a.computeset_id - b.computeset_id), [sets]);
  return html`
    <${Page} title="Queue">
      <${Fault} fault=${fault} />
      <${Table} label="Computesets that wait" rows=${rows} columns=${columns}
        id="computeset_id" empty="Nothing waits." />
    <//>`;
}
