// A table of computesets.
import { fromNow, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { Table } from "../lib/table.js";
import { html, State } from "../lib/ui.js";

/** @typedef {import("../api").Computeset} Computeset */

/** When it ends at the latest; 0 = not known. @param {Computeset} set */
export const endOf = set => set.end_unix_s ||
  (set.start_unix_s && set.start_unix_s + set.walltime_mins * 60);

const columns = [
  { title: "Id", order: (/** @type {Computeset} */ one) => one.computeset_id,
    cell: (/** @type {Computeset} */ one) =>
      html`<a href=${href("computesets", one.computeset_id)}>${one.computeset_id}</a>` },
  { title: "Cluster", order: (/** @type {Computeset} */ one) => one.cluster_id,
    cell: (/** @type {Computeset} */ one) =>
      html`<a href=${href("clusters", one.cluster_id)}>${one.cluster_id}</a>` },
  { title: "State", order: (/** @type {Computeset} */ one) => one.state,
    cell: (/** @type {Computeset} */ one) => html`<${State} state=${one.state} />` },
  { title: "Nodes", isNumber: true, order: (/** @type {Computeset} */ one) => one.nodes.length,
    cell: (/** @type {Computeset} */ one) => one.nodes.length },
  { title: "Started", isWide: true, order: (/** @type {Computeset} */ one) => one.start_unix_s,
    cell: (/** @type {Computeset} */ one) => time(one.start_unix_s) },
  { title: "Ends", order: endOf, cell: (/** @type {Computeset} */ one) => fromNow(endOf(one)) },
  { title: "Allocation", isWide: true, order: (/** @type {Computeset} */ one) => one.allocation_id,
    cell: (/** @type {Computeset} */ one) => one.allocation_id },
  { title: "Reason", isWide: true, cell: (/** @type {Computeset} */ one) => one.reason },
];

/** @param {{sets: Computeset[], empty?: string}} props */
export const ComputesetTable = ({ sets, empty }) => html`
  <${Table} label="Computesets" rows=${sets} columns=${columns}
    keyOf=${(/** @type {Computeset} */ one) => one.computeset_id}
    empty=${empty ?? "No computeset waits or runs."} />`;
