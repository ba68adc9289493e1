// The consoles that are open, whichever page is shown.
import { signal } from "@preact/signals-core";
import { go } from "./route.js";

/** @typedef {"serial" | "vnc"} ConsoleKind */
/** @typedef {{id: number, cluster: string, node: string, kind: ConsoleKind}} ConsoleSession */

/** @type {import("@preact/signals-core").Signal<ConsoleSession[]>} */
export const sessions = signal([]);
/** The id of the one in front. */
export const current = signal(0);
let count = 0;

/**
 * Opens a console of a node, or shows the open one.
 * @param {string} cluster
 * @param {string} node
 * @param {ConsoleKind} kind
 */
export function openConsole(cluster, node, kind = "serial") {
  const known = sessions.value.find(one =>
    one.cluster === cluster && one.node === node && one.kind === kind);
  const session = known ?? { id: ++count, cluster, node, kind };
  if (!known) sessions.value = [...sessions.value, session];
  current.value = session.id;
  go("consoles");
}

/** @param {number} id */
export function closeConsole(id) {
  sessions.value = sessions.value.filter(one => one.id !== id);
  if (current.value === id) current.value = sessions.value.at(-1)?.id ?? 0;
}
