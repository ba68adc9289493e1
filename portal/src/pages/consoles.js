// The open consoles, in tabs or side by side.
import { useEffect, useRef, useState } from "preact/hooks";
import { post, v2 } from "../lib/api.js";
import { closeConsole, current, openConsole, sessions } from "../lib/console_sessions.js";
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { loadStyle } from "../lib/styles.js";
import { ConsoleTerminal } from "../lib/terminal.js";
import { Fault, Field, html, Page, State, typed, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../lib/console_sessions.js").ConsoleSession} ConsoleSession */

/**
 * The terminal of each session lives on while other pages are shown.
 * @type {Map<number, ConsoleTerminal>}
 */
const terminals = new Map();

/** @param {ConsoleSession} session */
function terminalOf(session) {
  const known = terminals.get(session.id);
  if (known) return known;
  const made = new ConsoleTerminal(() => post(
    v2("clusters", session.cluster, "nodes", session.node, "console"), { kind: "serial" }));
  terminals.set(session.id, made);
  void made.connect();
  return made;
}

/** @param {ConsoleSession} session */
function close(session) {
  terminals.get(session.id)?.close();
  terminals.delete(session.id);
  closeConsole(session.id);
}

/** @param {{session: ConsoleSession, isHidden: boolean}} props */
function Panel({ session, isHidden }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const head = useRef(/** @type {HTMLElement | null} */ (null));
  const terminal = terminalOf(session);
  const state = useValue(terminal.state);
  const reason = useValue(terminal.reason);
  const writer = useValue(terminal.writer);
  const isRecorded = useValue(terminal.isRecorded);
  useEffect(() => {
    if (!place.current) return undefined;
    terminal.show(place.current, () => head.current?.focus());
    const sizes = new ResizeObserver(() => terminal.resize());
    sizes.observe(place.current);
    return () => sizes.disconnect();
  }, []);
  useEffect(() => { if (!isHidden && state === "live") terminal.focus(); }, [isHidden, state]);
  return html`
    <section class="console" id=${"console-" + session.id} hidden=${isHidden}
             aria-label=${"Console of " + session.node}>
      <div class="bar">
        <b>${session.node}</b> <span role="status"><${State} state=${state} />
          ${state === "closed" && " " + reason}</span>
        ${isRecorded && html`
          <span role="status" class="state wait">This console is recorded</span>`}
        <span class="quiet">Ctrl+F6 leaves the terminal</span>
        ${state === "live" && writer && html`<span role="status">${writer} types</span>
          <button onClick=${() => terminal.takeOver()}>Take over</button>`}
        ${state === "closed" && html`
          <button onClick=${() => terminal.connect()}>Connect again</button>`}
        <button ref=${head} onClick=${() => close(session)}>Close</button>
      </div>
      <div class="terminal-place" ref=${place}></div>
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
  const name = node || nodes[0]?.name || "";
  return html`
    <${Field} label="Node"><select value=${name}
      onChange=${typed(setNode)}>
      ${nodes.map(one => html`<option>${one.name}</option>`)}</select><//>
    <button class="main" disabled=${!name}
      onClick=${() => openConsole(cluster, name)}>Open</button>`;
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
          onClick=${() => { current.value = one.id; }}>${one.node}</button>`)}</nav>`}
      <div class=${isSplit ? "consoles split" : "consoles"}>${open.map(one => html`
        <${Panel} key=${one.id} session=${one} isHidden=${!isSplit && one.id !== front} />`)}</div>
    <//>`;
}
