// The disk of a node: its generations, and the work on it.
import { useEffect, useState } from "preact/hooks";
import { get, post, remove, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { bytes, time } from "../lib/format.js";
import { may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Facts, Fault, Field, html, typed, useLoaded, useValue } from "../lib/ui.js";
import { useEvent } from "../lib/use_event.js";

/** @typedef {import("../api").NodeDisk} NodeDisk */
/** @typedef {import("../api").DiskGeneration} DiskGeneration */

const lookAgain = 1000;  // ms: no event reports the end of work on a disk

const works = { save: "being saved", roll_back: "being rolled back", remove: "being merged" };

/** @param {DiskGeneration | undefined} one */
const nameOf = one => !one ? "the image"
  : `generation ${one.number}${one.name && ` (${one.name})`} of ${time(one.saved_unix_s)}`;

/** @param {NodeDisk["work"]} work */
const textOf = work => !work.work_id ? "–"
  : work.ended_unix_s === 0
    ? works[/** @type {keyof typeof works} */ (work.kind)] + (work.reason && `: ${work.reason}`)
    : work.reason ? `failed: ${work.reason}` : "done " + time(work.ended_unix_s);

/**
 * Asks for a name, then saves the disk or makes an image of a generation.
 * @param {object} props
 * @param {string} props.path of the disk
 * @param {DiskGeneration} [props.generation] that becomes an image; without it, the disk is saved
 * @param {() => void} props.close
 */
function NameDialog({ path, generation, close }) {
  const projects = useValue(store.me)?.projects ?? [];
  const [project, setProject] = useState(projects[0] ?? "");
  const [name, setName] = useState("");
  const act = () => generation
    ? post(`${path}/generations/${generation.number}/image`, { image_id: `${project}/${name}` })
    : post(`${path}/generations`, name ? { name } : {});
  return html`
    <${Confirm} title=${generation ? `An image of ${nameOf(generation)}` : "Save the disk"}
        verb=${generation ? "Make the image" : "Save"} act=${act} close=${close}>
      ${generation && html`<${Field} label="Project"><select value=${project}
        onChange=${typed(setProject)}>${projects.map(one => html`<option>${one}</option>`)}
        </select><//>`}
      <${Field} label=${generation ? "Name of the image" : "Name, if you like"}>
        <input maxlength="64" required=${Boolean(generation)} value=${name}
          onInput=${typed(setName)} /><//>
      ${generation && html`<p class="quiet">It is listed under Images once it is published.</p>`}
    <//>`;
}

/** What is asked before it is done. @param {DiskGeneration} one @param {string} path */
const questions = (one, path) => ({
  roll_back: {
    title: `Roll back to ${nameOf(one)}?`, verb: "Roll back",
    text: "What was written since the newest generation is lost.",
    act: () => post(`${path}/rollback`, { generation: one.number }),
  },
  remove: {
    title: `Remove ${nameOf(one)}?`, verb: "Remove",
    text: "A generation that continues it takes over what it saved.",
    act: () => remove(`${path}/generations/${one.number}`),
  },
});

/** @typedef {"save" | "image" | "roll_back" | "remove"} Verb */
/** @typedef {{verb: Verb, generation?: DiskGeneration}} Asked */

/** @param {{path: string, asked: Asked, close: () => void}} props */
function Question({ path, asked: { verb, generation }, close }) {
  if (verb === "save" || verb === "image" || !generation)
    return html`<${NameDialog} path=${path} generation=${generation} close=${close} />`;
  const question = questions(generation, path)[verb];
  return html`<${Confirm} title=${question.title} verb=${question.verb} isDanger=${true}
    act=${question.act} close=${close}><p>${question.text}</p><//>`;
}

/** @param {(asked: Asked) => void} ask @returns {import("../lib/table.js").Column<any>[]} */
const columnsOf = ask => [
  { title: "Generation", isNumber: true, order: one => one.number, cell: one => one.number },
  { title: "Name", order: one => one.name, cell: one => one.name || "–" },
  { title: "Saved", order: one => one.saved_unix_s,
    cell: one => time(one.saved_unix_s) + (one.is_automatic ? ", automatically" : "") },
  { title: "Size", isNumber: true, order: one => one.size_bytes,
    cell: one => bytes(one.size_bytes) },
  { title: "Continues", isWide: true, cell: one => one.parent || "the image" },
  { title: "Actions", cell: one => {
    const button = (/** @type {Verb} */ verb, /** @type {string} */ text) => html`
      <button class="small" aria-label=${`${text}: generation ${one.number}`}
        onClick=${() => ask({ verb, generation: one })}>${text}</button>`;
    return html`${may("define") && button("roll_back", "Roll back")}
      ${may("images") && button("image", "Make an image")}
      ${may("define") && button("remove", "Remove")}`;
  } },
];

/** @param {{cluster: string, node: string, state: string}} props `state` of the node */
export function Disk({ cluster, node, state }) {
  const path = v2("clusters", cluster, "nodes", node, "disk");
  const { value, fault, reload } = useLoaded(() => get(path), [path, state]);
  const [asked, setAsked] = useState(/** @type {Asked | null} */ (null));
  useEvent("image_store.volume-changed", cluster, reload);
  /** @type {NodeDisk | undefined} */
  const disk = value;
  const isBusy = disk?.work.work_id && disk.work.ended_unix_s === 0;
  useEffect(() => {
    const timer = isBusy ? setTimeout(reload, lookAgain) : undefined;
    return () => clearTimeout(timer);
  }, [value, isBusy]);
  const close = () => {
    setAsked(null);
    reload();
  };
  if (!disk) return html`<${Fault} fault=${fault} />`;
  const newest = disk.generations.find(one => one.number === disk.generation);
  return html`
    <section class="card" aria-label="Disk">
      <div class="bar"><h2>Disk</h2>
        ${may("define") && html`<button onClick=${() => setAsked({ verb: "save" })}>
          Save the disk</button>`}</div>
      <${Facts} facts=${[
        ["Size", disk.disk_bytes ? bytes(disk.disk_bytes) : "none yet"],
        ["Continues", nameOf(newest)],
        ["Changed since", disk.is_changed ? "yes: it is lost if the disk is lost" : "no"],
        ["Kept by", disk.host_id ? `host ${disk.host_id}` : "the image store"],
        ["Work", textOf(disk.work)],
      ]} />
      <${Table} label="Generations" rows=${disk.generations} columns=${columnsOf(setAsked)}
        id="number" empty="No generations were saved." />
      ${asked && html`<${Question} path=${path} asked=${asked} close=${close} />`}
    </section>`;
}
