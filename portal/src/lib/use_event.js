// Pages that read something again when an event says that it changed.
import { useEffect } from "preact/hooks";
import { store } from "./store.js";

/** @param {string} type @param {string} cluster @param {() => void} act */
export function useEvent(type, cluster, act) {
  useEffect(() => {
    const hear = (/** @type {import("./events.js").Event} */ event) => {
      if (event.type === type && event.cluster === cluster) act();
    };
    store.listeners.add(hear);
    return () => void store.listeners.delete(hear);
  }, [type, cluster]);
}

/** The same for events of any cluster. @param {string[]} types @param {() => void} act */
export function useAnyEvent(types, act) {
  useEffect(() => {
    const hear = (/** @type {import("./events.js").Event} */ event) => {
      if (types.includes(event.type)) act();
    };
    store.listeners.add(hear);
    return () => void store.listeners.delete(hear);
  }, types);
}
