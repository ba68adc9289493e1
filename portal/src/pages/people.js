// For operators: projects, allocations and people.
import { useMemo } from "preact/hooks";
import { coreHours } from "../lib/format.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, useRecords, useValue } from "../lib/ui.js";
import { personColumns } from "./person_columns.js";

/** @typedef {import("../api").Allocation} Allocation */
/** @typedef {import("../api").Person} Person */

/** @type {import("../lib/table.js").Column<any>[]} */
const projectColumns = [
  { title: "Project", order: one => one.project_id,
    cell: one => one.project_id },
  { title: "Members", isNumber: true, order: one => one.members,
    cell: one => one.members },
  { title: "Clusters", isNumber: true, order: one => one.clusters,
    cell: one => one.clusters },
];
/** @type {import("../lib/table.js").Column<Allocation>[]} */
const allocationColumns = [
  { title: "Allocation", order: one => one.allocation_id,
    cell: one => one.allocation_id },
  { title: "Project", order: one => one.project_id,
    cell: one => one.project_id },
  { title: "Used", isNumber: true, order: one => one.used_core_s,
    cell: one => coreHours(one.used_core_s) },
  { title: "Limit", isNumber: true, order: one => one.limit_core_s,
    cell: one => one.limit_core_s ? coreHours(one.limit_core_s) : "none" },
  { title: "Shares", isNumber: true, isWide: true, cell: one => one.shares },
  { title: "Closed", cell: one => one.is_closed ? "yes" : "no" },
];
/** @type {import("../lib/table.js").Column<Person>[]} */
const peopleColumns = [
  ...personColumns,
  { title: "E-mail", isWide: true, cell: one => one.email },
];

export default function People() {
  const projects = useRecords(store.projects);
  const allocations = useRecords(store.allocations);
  const people = useRecords(store.people);
  const clusters = useRecords(store.clusters);
  const fault = useValue(store.people.fault);
  const rows = useMemo(() => projects.map(({ project_id }) => ({ project_id,
    members: people.filter(one => one.projects.includes(project_id)).length,
    clusters: clusters.filter(one => one.project_id === project_id).length })),
  [projects, people, clusters]);
  return html`
    <${Page} title="Projects and people">
      <${Fault} fault=${fault} />
      <h2>Projects</h2>
      <${Table} label="Projects" rows=${rows} columns=${projectColumns}
        id="project_id" />
      <h2>Allocations</h2>
      <${Table} label="Allocations" rows=${allocations} columns=${allocationColumns}
        id="allocation_id" />
      <h2>People</h2>
      <${Table} label="People" rows=${people} columns=${peopleColumns}
        id="person_id" />
    <//>`;
}
