// What surrounds every page: the navigation, the state of the event stream, who is signed in.
import { useEffect, useRef, useState } from "preact/hooks";
import { isSignedOut, remove } from "../lib/api.js";
import { streamState } from "../lib/events.js";
import { href, route } from "../lib/route.js";
import { isOperator, store } from "../lib/store.js";
import { say, Toasts } from "../lib/toast.js";
import { forgetUploads } from "../lib/upload_memory.js";
import { Fault, html, State, useValue } from "../lib/ui.js";

/** Each page is loaded when it is first shown. @type {Record<string, () => Promise<any>>} */
const pages = {
  clusters: () => import("./clusters.js"),
  cluster: () => import("./cluster.js"),
  start: () => import("./start.js"),
  node: () => import("./node.js"),
  computesets: () => import("./computesets.js"),
  computeset: () => import("./computeset.js"),
  images: () => import("./images.js"),
  consoles: () => import("./consoles.js"),
  recordings: () => import("./recordings.js"),
  recording: () => import("./recording.js"),
  class_view: () => import("./class_view.js"),
  usage: () => import("./usage.js"),
  account: () => import("./account.js"),
  hosts: () => import("./hosts.js"),
  host: () => import("./host.js"),
  queue: () => import("./queue.js"),
  events: () => import("./events.js"),
  processes: () => import("./processes.js"),
  people: () => import("./people.js"),
};

const links = [["clusters", "Clusters"], ["computesets", "Computesets"], ["consoles", "Consoles"],
  ["recordings", "Recordings"], ["images", "Images"],
  ["usage", "Usage"], ["account", "Account"]];
const operatorLinks = [["hosts", "Hosts"], ["queue", "Queue"], ["events", "Events"],
  ["processes", "Processes"],
  ["people", "Projects and people"]];

/** The page of an address, and what it is about. @param {string[]} names */
export function pageOf(names) {
  const [section = "clusters", name, part, node] = names;
  if (section === "clusters" && part === "nodes" && node)
    return { page: "node", cluster: name, node };
  if (section === "clusters" && part === "start") return { page: "start", cluster: name };
  if (section === "clusters" && name) return { page: "cluster", cluster: name, tab: part };
  if (section === "consoles" && name === "class") return { page: "class_view", cluster: part };
  if (section === "recordings" && name) return { page: "recording", id: name };
  if (section === "computesets" && name) return { page: "computeset", id: name };
  if (section === "hosts" && name) return { page: "host", host: name };
  return { page: section in pages ? section : "" };
}

/** @param {{page: string}} props */
function Current({ page, ...about }) {
  const [loaded, setLoaded] = useState(/** @type {{page: string, draw?: any, fault?: Error}} */ (
    { page: "" }));
  const main = useRef(/** @type {HTMLElement | null} */ (null));
  const names = useValue(route).join("/");
  useEffect(() => {
    let isCurrent = true;
    const show = (/** @type {any} */ found) => isCurrent && setLoaded({ page, ...found });
    if (!pages[page]) show({ fault: new Error("No such page.") });
    else pages[page]().then(module => show({ draw: module.default }), () => show({
      fault: new Error("This page cannot be loaded. A new release may be installed: reload.") }));
    return () => { isCurrent = false; };
  }, [page]);
  useEffect(() => {
    const heading = main.current?.querySelector("h1");
    if (!heading) return;
    document.title = heading.textContent + " · Nucleus";
    heading.focus({ preventScroll: true });
  }, [names, loaded.page]);
  return html`<main id="main" ref=${main}>
    ${loaded.fault ? html`<h1 tabindex="-1">Not available</h1><${Fault} fault=${loaded.fault} />`
      : loaded.page === page && html`<${loaded.draw} key=${names} ...${about} />`}
  </main>`;
}

const Links = (/** @type {{label: string, all: string[][], current: string}} */
  { label, all, current }) => html`
  <ul aria-label=${label}>${all.map(([section, title]) => html`
    <li><a href=${href(section)}
      aria-current=${section === current ? "page" : undefined}>${title}</a></li>`)}</ul>`;

/** @param {{me: import("../types.js").Me}} props */
export function Shell({ me }) {
  const names = useValue(route);
  const live = useValue(streamState);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => setOpen(false), [names]);
  const signOut = async () => {
    try {
      await remove("/v2/session");
    } catch (refused) {
      return say(/** @type {Error} */ (refused).message, true);
    }
    forgetUploads();
    store.stream.close();
    store.me.value = null;
    isSignedOut.value = true;
    location.reload();
  };
  const toMain = (/** @type {Event} */ event) => {
    event.preventDefault();
    document.querySelector("h1")?.focus();
  };
  return html`
    <a class="skip" href="#main" onClick=${toMain}>Skip to the content</a>
    <header class="top">
      <button class="menu" aria-expanded=${isOpen} aria-controls="nav"
        onClick=${() => setOpen(!isOpen)}>Menu</button>
      <a class="brand" href=${href("clusters")}>Nucleus</a>
      <span class="stream" role="status" title="Changes arrive as they happen">
        <${State} state=${live} /></span>
      <span class="who">${me.person_id} <small>${me.role}</small></span>
      <button onClick=${signOut}>Sign out</button>
    </header>
    <div class="body">
      <nav id="nav" aria-label="Pages" class=${isOpen ? "open" : ""}>
        <${Links} label="Own" all=${links} current=${names[0] ?? "clusters"} />
        ${isOperator() && html`<p class="nav-title">Operator</p>
          <${Links} label="Operator" all=${operatorLinks} current=${names[0] ?? ""} />`}
      </nav>
      <${Current} ...${pageOf(names)} />
    </div>
    <${Toasts} />`;
}
