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
