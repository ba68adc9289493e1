// The consoles that are open, whichever page is shown.
import { signal } from "@preact/signals-core";
import { go } from "./route.js";

/** @typedef {{id: number, cluster: string, node: string}} ConsoleSession */

/** @type {import("@preact/signals-core").Signal<ConsoleSession[]>} */
export const sessions = signal([]);
/** The id of the one in front. */
export const current = signal(0);
let count = 0;

/**
 * Opens the serial console of a node, or shows the open one.
 * @param {string} cluster
 * @param {string} node
 */
export function openConsole(cluster, node) {
  const known = sessions.value.find(one => one.cluster === cluster && one.node === node);
  const session = known ?? { id: ++count, cluster, node };
  if (!known) sessions.value = [...sessions.value, session];
  current.value = session.id;
  go("consoles");
}

/** @param {number} id */
export function closeConsole(id) {
  sessions.value = sessions.value.filter(one => one.id !== id);
  if (current.value === id) current.value = sessions.value.at(-1)?.id ?? 0;
}
