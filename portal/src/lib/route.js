// The address bar: `#/clusters/NAME` names a page. Each part is a name, percent-encoded.
import { signal } from "@preact/signals-core";

/** @returns {string[]} */
const read = () => {
  try {
    return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);
  } catch {
    return [];  // the address is malformed
  }
};

/** The names of the current page's address. */
export const route = signal(read());
addEventListener("hashchange", () => { route.value = read(); });

/** The address of a page. @param {...(string|number)} names */
export const href = (...names) => "#/" + names.map(encodeURIComponent).join("/");

/** @param {...(string|number)} names */
export const go = (...names) => { location.hash = href(...names); };
