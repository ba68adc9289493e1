// For operators: projects, allocations and people.
import { useMemo } from "preact/hooks";
import { coreHours } from "../lib/format.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, html, Page, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../api").Allocation} Allocation */
/** @typedef {import("../api").Person} Person */

const projectColumns = [
  { title: "Project", order: (/** @type {any} */ one) => one.project_id,
    cell: (/** @type {any} */ one) => one.project_id },
  { title: "Members", isNumber: true, order: (/** @type {any} */ one) => one.members,
    cell: (/** @type {any} */ one) => one.members },
  { title: "Clusters", isNumber: true, order: (/** @type {any} */ one) => one.clusters,
    cell: (/** @type {any} */ one) => one.clusters },
];
const allocationColumns = [
  { title: "Allocation", order: (/** @type {Allocation} */ one) => one.allocation_id,
    cell: (/** @type {Allocation} */ one) => one.allocation_id },
  { title: "Project", order: (/** @type {Allocation} */ one) => one.project_id,
    cell: (/** @type {Allocation} */ one) => one.project_id },
  { title: "Used", isNumber: true, order: (/** @type {Allocation} */ one) => one.used_core_s,
    cell: (/** @type {Allocation} */ one) => coreHours(one.used_core_s) },
  { title: "Limit", isNumber: true, order: (/** @type {Allocation} */ one) => one.limit_core_s,
    cell: (/** @type {Allocation} */ one) => one.limit_core_s ? coreHours(one.limit_core_s) : "none" },
  { title: "Shares", isNumber: true, isWide: true, cell: (/** @type {Allocation} */ one) => one.shares },
  { title: "Closed", cell: (/** @type {Allocation} */ one) => one.is_closed ? "yes" : "no" },
];
const peopleColumns = [
  { title: "User", order: (/** @type {Person} */ one) => one.person_id,
    cell: (/** @type {Person} */ one) => one.person_id },
  { title: "Name", cell: (/** @type {Person} */ one) => `${one.first_name} ${one.last_name}` },
  { title: "Role", order: (/** @type {Person} */ one) => one.role,
    cell: (/** @type {Person} */ one) => one.role },
  { title: "Projects", cell: (/** @type {Person} */ one) => one.projects.join(", ") },
  { title: "E-mail", isWide: true, cell: (/** @type {Person} */ one) => one.email },
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
        keyOf=${(/** @type {any} */ one) => one.project_id} />
      <h2>Allocations</h2>
      <${Table} label="Allocations" rows=${allocations} columns=${allocationColumns}
        keyOf=${(/** @type {Allocation} */ one) => one.allocation_id} />
      <h2>People</h2>
      <${Table} label="People" rows=${people} columns=${peopleColumns}
        keyOf=${(/** @type {Person} */ one) => one.person_id} />
    <//>`;
}
