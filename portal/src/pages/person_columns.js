// What every table of people shows.

/** @type {import("../lib/table.js").Column<any>[]} */
export const personColumns = [
  { title: "User", order: one => one.person_id,
    cell: one => one.person_id },
  { title: "Name", cell: one => `${one.first_name} ${one.last_name}` },
  { title: "Role", order: one => one.role,
    cell: one => one.role },
  { title: "Projects", cell: one => one.projects.join(", ") },
];
