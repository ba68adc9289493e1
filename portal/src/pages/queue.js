// For operators: the computesets that wait, in the order of their predicted starts, each with the
// reason why it waits.
import { useMemo } from "preact/hooks";
import { duration, fromNow, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, State, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../api").Computeset} Computeset */

const columns = [
  { title: "Id", order: (/** @type {Computeset} */ one) => one.computeset_id,
    cell: (/** @type {Computeset} */ one) =>
      html`<a href=${href("computesets", one.computeset_id)}>${one.computeset_id}</a>` },
  { title: "Project", order: (/** @type {Computeset} */ one) => one.project_id,
    cell: (/** @type {Computeset} */ one) => one.project_id },
  { title: "Cluster", order: (/** @type {Computeset} */ one) => one.cluster_id,
    cell: (/** @type {Computeset} */ one) => one.cluster_id },
  { title: "State", cell: (/** @type {Computeset} */ one) => html`<${State} state=${one.state} />` },
  { title: "Nodes", isNumber: true, order: (/** @type {Computeset} */ one) => one.nodes.length,
    cell: (/** @type {Computeset} */ one) => one.nodes.length },
  { title: "Walltime", isWide: true, order: (/** @type {Computeset} */ one) => one.walltime_mins,
    cell: (/** @type {Computeset} */ one) => duration(one.walltime_mins * 60) },
  { title: "Waits since", isWide: true, order: (/** @type {Computeset} */ one) => one.created_unix_s,
    cell: (/** @type {Computeset} */ one) => time(one.created_unix_s) },
  { title: "Predicted start", order: (/** @type {Computeset} */ one) => one.predicted_start_unix_s,
    cell: (/** @type {Computeset} */ one) => fromNow(one.predicted_start_unix_s) },
  { title: "Reason", cell: (/** @type {Computeset} */ one) => one.reason },
];

export default function Queue() {
  const sets = useRecords(store.computesets);
  const fault = useValue(store.computesets.fault);
  const rows = useMemo(() => sets.filter(one => ["created", "submitted"].includes(one.state))
    .sort((a, b) => (a.predicted_start_unix_s || Infinity) - (b.predicted_start_unix_s || Infinity) ||
      a.computeset_id - b.computeset_id), [sets]);
  return html`
    <${Page} title="Queue">
      <${Fault} fault=${fault} />
      <${Table} label="Computesets that wait" rows=${rows} columns=${columns}
        keyOf=${(/** @type {Computeset} */ one) => one.computeset_id} empty="Nothing waits." />
    <//>`;
}
