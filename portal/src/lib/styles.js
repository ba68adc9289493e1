// Style sheets of this build that only some pages need.

/** @type {Set<string>} */
const loaded = new Set();

/** @param {string} name of a file in vendor/ */
export function loadStyle(name) {
  if (loaded.has(name)) return;
  loaded.add(name);
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL("../vendor/" + name, import.meta.url).href;
  document.head.append(link);
}
