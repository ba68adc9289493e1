// The open consoles, in tabs or side by side.
import { useEffect, useRef, useState } from "preact/hooks";
import { post, v2 } from "../lib/api.js";
import { closeConsole, current, openConsole, sessions } from "../lib/console_sessions.js";
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { loadStyle } from "../lib/styles.js";
import { ConsolePicture } from "../lib/picture.js";
import { ConsoleTerminal } from "../lib/terminal.js";
import { Fault, Field, html, Page, State, typed, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../lib/console_sessions.js").ConsoleSession} ConsoleSession */
/** @typedef {import("../lib/console_sessions.js").ConsoleKind} ConsoleKind */

/**
 * The console of each session lives on while other pages are shown.
 * @type {Map<number, ConsoleTerminal | ConsolePicture>}
 */
const consoles = new Map();

/** @param {ConsoleSession} session */
function consoleOf({ id, cluster, node, kind }) {
  const known = consoles.get(id);
  if (known) return known;
  const ticket = () => post(v2("clusters", cluster, "nodes", node, "console"), { kind });
  const made = kind === "vnc" ? new ConsolePicture(ticket) : new ConsoleTerminal(ticket);
  consoles.set(id, made);
  void made.connect();
  return made;
}

/** @param {ConsoleSession} session */
function close(session) {
  consoles.get(session.id)?.close();
  consoles.delete(session.id);
  closeConsole(session.id);
}

/** @param {ConsoleSession} session */
const titleOf = session => session.kind === "vnc" ? `${session.node}: screen` : session.node;

/** @param {{terminal: ConsoleTerminal}} props */
function TerminalTools({ terminal }) {
  const state = useValue(terminal.state);
  const writer = useValue(terminal.writer);
  const isRecorded = useValue(terminal.isRecorded);
  return html`
    ${isRecorded && html`
      <span role="status" class="state wait">This console is recorded</span>`}
    ${state === "live" && writer && html`<span role="status">${writer} types</span>
      <button onClick=${() => terminal.takeOver()}>Take over</button>`}`;
}

/** @param {{picture: ConsolePicture}} props */
function PictureTools({ picture }) {
  const state = useValue(picture.state);
  const isReadOnly = useValue(picture.isReadOnly);
  return html`
    <label><input type="checkbox" checked=${isReadOnly}
      onChange=${() => picture.watch(!isReadOnly)} /> Watch only</label>
    <button disabled=${state !== "live" || isReadOnly}
      onClick=${() => picture.sendCtrlAltDel()}>Send Ctrl+Alt+Del</button>`;
}

/** @param {{session: ConsoleSession, isHidden: boolean}} props */
function Panel({ session, isHidden }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const head = useRef(/** @type {HTMLElement | null} */ (null));
  const open = consoleOf(session);
  const state = useValue(open.state);
  const reason = useValue(open.reason);
  useEffect(() => {
    if (!place.current) return undefined;
    open.show(place.current, () => head.current?.focus());
    const sizes = new ResizeObserver(() => open.resize());
    sizes.observe(place.current);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => { if (!isHidden && state === "live") open.focus(); }, [isHidden, state]);
  const name = session.kind === "vnc" ? "Screen" : "Console";
  return html`
    <section class="console" id=${"console-" + session.id} hidden=${isHidden}
             aria-label=${`${name} of ${session.node}`}>
      <div class="bar">
        <b>${titleOf(session)}</b> <span role="status"><${State} state=${state} />
          ${state === "closed" && " " + reason}</span>
        <span class="quiet">Ctrl+F6 leaves the ${name.toLowerCase()}</span>
        ${open instanceof ConsolePicture ? html`<${PictureTools} picture=${open} />`
          : html`<${TerminalTools} terminal=${open} />`}
        ${state === "closed" && html`
          <button onClick=${() => open.connect()}>Connect again</button>`}
        <button ref=${head} onClick=${() => close(session)}>Close</button>
      </div>
      <div class="console-place" ref=${place}></div>
    </section>`;
}

function Open() {
  const clusters = useRecords(store.clusters);
  const [chosen, setCluster] = useState("");
  const cluster = chosen || clusters[0]?.cluster_id || "";
  return html`<div class="bar">
    <${Field} label="Cluster"><select value=${cluster}
      onChange=${typed(setCluster)}>
      ${clusters.map(one => html`<option>${one.cluster_id}</option>`)}</select><//>
    ${cluster && html`<${OpenNode} key=${cluster} cluster=${cluster} />`}</div>`;
}

/** @param {{cluster: string}} props */
function OpenNode({ cluster }) {
  const nodes = useRecords(store.nodesOf(cluster)).filter(one => one.state === "active");
  const [node, setNode] = useState("");
  const [kind, setKind] = useState(/** @type {ConsoleKind} */ ("serial"));
  const name = node || nodes[0]?.name || "";
  return html`
    <${Field} label="Node"><select value=${name}
      onChange=${typed(setNode)}>
      ${nodes.map(one => html`<option>${one.name}</option>`)}</select><//>
    <${Field} label="Kind"><select value=${kind}
      onChange=${typed(value => setKind(value === "vnc" ? "vnc" : "serial"))}>
      <option value="serial">serial console</option><option value="vnc">screen</option>
      </select><//>
    <button class="main" disabled=${!name}
      onClick=${() => openConsole(cluster, name, kind)}>Open</button>`;
}

export default function Consoles() {
  const open = useValue(sessions);
  const front = useValue(current);
  const [isSplit, setSplit] = useState(false);
  loadStyle("xterm.css");
  if (!may("console")) return html`<${Page} title="Consoles">
    <${Fault} fault=${new Error("You are not allowed to open consoles.")} /><//>`;
  return html`
    <${Page} title="Consoles" actions=${open.length > 1 && html`<button aria-pressed=${isSplit}
        onClick=${() => setSplit(!isSplit)}>Side by side</button>`}>
      <${Open} />
      <p><a href=${href("consoles", "class")}>Class view: all screens of a cluster</a> ·
        <a href=${href("recordings")}>Recordings</a></p>
      ${open.length === 0 && html`<p class="empty">No console is open. Only nodes that are active
        have one.</p>`}
      ${!isSplit && open.length > 1 && html`<nav class="tabs" aria-label="Open consoles">${open.map(
        one => html`<button key=${one.id} aria-pressed=${one.id === front}
          onClick=${() => { current.value = one.id; }}>${titleOf(one)}</button>`)}</nav>`}
      <div class=${isSplit ? "consoles split" : "consoles"}>${open.map(one => html`
        <${Panel} key=${one.id} session=${one} isHidden=${!isSplit && one.id !== front} />`)}</div>
    <//>`;
}
