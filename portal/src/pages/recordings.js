// The recordings of consoles.
import { useState } from "preact/hooks";
import { list, remove, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { bytes, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { may } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, Field, html, Page, State, typed, useLoaded } from "../lib/ui.js";
import { useAnyEvent } from "../lib/use_event.js";

/** @typedef {import("../api").Recording} Recording */

/** @type {Record<string, string>} */
const kinds = { sealed: "good", recording: "wait", missing: "bad" };

/** What the state does not say. @param {Recording} one */
export const remarksOf = one => [
  one.is_end_inferred && "end inferred after a crash",
  one.lost_bytes > 0 && `${bytes(one.lost_bytes)} lost`].filter(Boolean).join(", ");

/** @param {Recording} one */
const nameOf = one => `${one.node_name}, ${time(one.begin_unix_ms / 1000)}`;

/** @param {Recording} one @param {(one: Recording) => void} askToRemove */
const Actions = (one, askToRemove) => html`
  ${one.state === "sealed" && may("console") && html`
    <a aria-label=${"Play " + nameOf(one)}
      href=${href("recordings", one.recording_id)}>Play</a>${" "}
    <a aria-label=${"Download " + nameOf(one)} download
      href=${v2("recordings", one.recording_id, "content")}>Download</a>${" "}`}
  ${one.state !== "recording" && may("define") && html`
    <button class="small" aria-label=${"Delete " + nameOf(one)}
      onClick=${() => askToRemove(one)}>Delete</button>`}`;

export default function Recordings() {
  const { value, fault, reload } = useLoaded(() => list("/v2/recordings", "recordings"), []);
  const [wanted, setWanted] = useState("");
  const [doomed, setDoomed] = useState(/** @type {Recording | null} */ (null));
  useAnyEvent(["console.recording-changed", "console.recording-removed"], reload);
  const rows = (value ?? []).filter(one =>
    `${one.project_id} ${one.cluster_id} ${one.node_name}`.includes(wanted)).reverse();
  const columns = [
    { title: "Begin", cell: (/** @type {Recording} */ one) => time(one.begin_unix_ms / 1000),
      order: (/** @type {Recording} */ one) => one.begin_unix_ms },
    { title: "Node", cell: (/** @type {Recording} */ one) => one.node_name,
      order: (/** @type {Recording} */ one) => one.node_name },
    { title: "Cluster", cell: (/** @type {Recording} */ one) => one.cluster_id,
      order: (/** @type {Recording} */ one) => one.cluster_id },
    { title: "Project", cell: (/** @type {Recording} */ one) => one.project_id, isWide: true,
      order: (/** @type {Recording} */ one) => one.project_id },
    { title: "Size", cell: (/** @type {Recording} */ one) => bytes(one.size_bytes), isNumber: true,
      order: (/** @type {Recording} */ one) => one.size_bytes },
    { title: "State", cell: (/** @type {Recording} */ one) => html`
      <${State} state=${one.state} kind=${kinds[one.state]} /> ${remarksOf(one)}`,
      order: (/** @type {Recording} */ one) => one.state },
    { title: "Actions", cell: (/** @type {Recording} */ one) => Actions(one, setDoomed) }];
  return html`
    <${Page} title="Recordings">
      <p>Output of serial consoles while viewers were attached, in projects that record
        consoles.</p>
      <${Field} label="Project, cluster or node"><input type="search" value=${wanted}
        onInput=${typed(setWanted)} /><//>
      <${Fault} fault=${fault} />
      <${Table} label="Recordings" rows=${rows} columns=${columns} id="recording_id"
        empty=${value ? "There are no recordings." : "Loading"} />
      ${doomed && html`
        <${Confirm} title="Delete the recording?" verb="Delete" isDanger
            act=${() => remove(v2("recordings", doomed.recording_id))}
            close=${() => setDoomed(null)} done=${() => { setDoomed(null); reload(); }}>
          <p>${nameOf(doomed)}. It cannot be restored.</p>
        <//>`}
    <//>`;
}
