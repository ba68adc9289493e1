// The browser's notifications, if the person has agreed: a computeset started, is about to end, or
// failed.
import { store } from "./store.js";
import { clock } from "./format.js";

const key = "nucleus-notifications";
const rememberedMax = 200;

export const isNotifying = () => localStorage.getItem(key) === "on" &&
  "Notification" in globalThis && Notification.permission === "granted";

/** Asks for consent. Returns false if the browser, or the person, refuses. */
export async function startNotifying() {
  if (!("Notification" in globalThis)) return false;
  const isGranted = await Notification.requestPermission() === "granted";
  if (isGranted) localStorage.setItem(key, "on");
  return isGranted;
}

export const stopNotifying = () => localStorage.removeItem(key);

/** The state in which each computeset was seen last. @type {Map<number, string>} */
const seen = new Map();

/**
 * What a person wants to know of an event; empty if nothing.
 * @param {import("./events.js").Event} event
 */
export function noticeOf(event) {
  const set = event.body.computeset;
  const name = set && `Computeset ${set.computeset_id} of ${set.cluster_id}`;
  if (event.type === "scheduler.walltime-notice")
    return `${name} ends at ${clock(event.body.end_unix_s)}`;
  if (event.type !== "scheduler.computeset-changed") return "";
  const before = seen.get(set.computeset_id);
  seen.set(set.computeset_id, set.state);
  if (seen.size > rememberedMax) seen.delete(seen.keys().next().value ?? 0);
  if (before === set.state) return "";
  if (set.state === "running") return `${name} has started`;
  return set.state === "failed" ? `${name} failed: ${set.reason}` : "";
}

store.listeners.add(event => {
  const text = noticeOf(event);
  if (text && isNotifying()) new Notification("Nucleus", { body: text, tag: text });
});
