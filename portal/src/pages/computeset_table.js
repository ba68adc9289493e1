// A table of computesets.
import { fromNow, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { Table } from "../lib/table.js";
import { html, State } from "../lib/ui.js";

/** @typedef {import("../api").Computeset} Computeset */

/** When it ends at the latest; 0 = not known. @param {Computeset} set */
export const endOf = set => set.end_unix_s ||
  (set.start_unix_s && !set.hibernated_unix_s &&
    set.start_unix_s + set.walltime_mins * 60 + set.hibernated_s) || 0;

/** @type {import("../lib/table.js").Column<Computeset>[]} */
const columns = [
  { title: "Id", order: one => one.computeset_id,
    cell: one =>
      html`<a href=${href("computesets", one.computeset_id)}>${one.computeset_id}</a>` },
  { title: "Cluster", order: one => one.cluster_id,
    cell: one =>
      html`<a href=${href("clusters", one.cluster_id)}>${one.cluster_id}</a>` },
  { title: "State", order: one => one.state,
    cell: one => html`<${State} state=${one.state} />` },
  { title: "Nodes", isNumber: true, order: one => one.nodes.length,
    cell: one => one.nodes.length },
  { title: "Started", isWide: true, order: one => one.start_unix_s,
    cell: one => time(one.start_unix_s) },
  { title: "Ends", order: endOf, cell: one => fromNow(endOf(one)) },
  { title: "Allocation", isWide: true, order: one => one.allocation_id,
    cell: one => one.allocation_id },
  { title: "Reason", isWide: true, cell: one => one.reason },
];

/** @param {{sets: Computeset[], empty?: string}} props */
export const ComputesetTable = ({ sets, empty }) => html`
  <${Table} label="Computesets" rows=${sets} columns=${columns}
    id="computeset_id"
    empty=${empty ?? "No computeset waits or runs."} />`;
