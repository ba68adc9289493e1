// Images: the list, removal, and uploads by drag and drop with progress.
import { useRef, useState } from "preact/hooks";
import { remove, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { bytes, duration, time } from "../lib/format.js";
import { isOperator, may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { say } from "../lib/toast.js";
import { uploadImage } from "../lib/upload.js";
import { Fault, Field, html, Page, typed, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../api").Image} Image */

const formats = ["raw", "qcow2", "iso"];

/** A name that the gateway accepts, and the format, from a file's name. @param {string} file */
function guess(file) {
  const ending = file.split(".").at(-1)?.toLowerCase() ?? "";
  const isIso = ending === "iso";
  const base = isIso ? file : file.replace(/\.[^.]*$/, "");
  return { name: base.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64),
    format: isIso ? "iso" : ending === "qcow2" ? "qcow2" : "raw" };
}

/** @param {{file: File, close: () => void}} props */
function UploadDialog({ file, close }) {
  const me = useValue(store.me);
  const projects = [...me?.projects ?? [], ...isOperator() ? ["public"] : []];
  const [asked, setAsked] = useState({ ...guess(file.name), project: projects[0] ?? "" });
  const [sent, setSent] = useState(-1);
  const [began, setBegan] = useState(0);
  const given = useRef(new AbortController());
  const set = (/** @type {object} */ part) => setAsked({ ...asked, ...part });
  const act = async () => {
    setBegan(Date.now());
    setSent(0);
    try {
      await uploadImage({ ...asked, file, onProgress: setSent, signal: given.current.signal });
      say(`${asked.project}/${asked.name} is published`);
    } finally {
      setSent(-1);
    }
  };
  const speed = sent > 0 ? sent / (Date.now() - began) * 1000 : 0;
  return html`
    <${Confirm} title=${"Upload " + file.name} verb="Upload" act=${act}
        close=${() => { given.current.abort(); close(); }}>
      <${Field} label="Project"><select value=${asked.project}
        onChange=${typed(project => set({ project }))}>
        ${projects.map(one => html`<option>${one}</option>`)}</select><//>
      <${Field} label="Name"><input required maxlength="64" value=${asked.name}
        onInput=${typed(name => set({ name }))} /><//>
      <${Field} label="Format"><select value=${asked.format}
        onChange=${typed(format => set({ format }))}>
        ${formats.map(one => html`<option>${one}</option>`)}</select><//>
      <p class="quiet">Keep this page open. An upload that is cut off has to begin again; one of
        <code>cm comet image upload</code> continues.</p>
      ${sent >= 0 && html`<p><progress aria-label="Sent" max=${file.size} value=${sent}></progress>
        ${bytes(sent)} of ${bytes(file.size)}${speed > 0 && `, ${bytes(speed)}/s, ${
          sent < file.size ? duration((file.size - sent) / speed) + " left"
            : "being checked"}`}</p>`}
    <//>`;
}

export default function Images() {
  const images = useRecords(store.images);
  const fault = useValue(store.images.fault);
  const [file, setFile] = useState(/** @type {File | null} */ (null));
  const [gone, setGone] = useState(/** @type {Image | null} */ (null));
  const picker = useRef(/** @type {HTMLInputElement | null} */ (null));
  const canRemove = (/** @type {Image} */ one) =>
    may("images") && (!one.image_id.startsWith("public/") || isOperator());
  /** @type {import("../lib/table.js").Column<Image>[]} */
  const columns = [
    { title: "Name", order: one => one.image_id,
      cell: one => one.image_id },
    { title: "Format", order: one => one.format,
      cell: one => one.format },
    { title: "Size", isNumber: true, order: one => one.size_bytes,
      cell: one => bytes(one.size_bytes) },
    { title: "Disk", isNumber: true, isWide: true, order: one => one.virtual_bytes,
      cell: one => bytes(one.virtual_bytes) },
    { title: "Published", isWide: true, order: one => one.published_unix_s,
      cell: one => time(one.published_unix_s) },
    { title: "SHA-256", isWide: true, cell: one =>
      html`<code title=${one.sha256}>${one.sha256.slice(0, 16)}</code>` },
    { title: "Actions", cell: one => canRemove(one) && html`
      <button class="small" aria-label=${"Remove " + one.image_id}
        onClick=${() => setGone(one)}>Remove</button>` },
  ];
  const drop = (/** @type {DragEvent} */ event) => {
    event.preventDefault();
    const dropped = event.dataTransfer?.files[0];
    if (dropped && may("images")) setFile(dropped);
  };
  const pick = (/** @type {any} */ event) => {
    setFile(event.target.files[0] ?? null);
    event.target.value = "";
  };
  const removeIt = () => {
    const [project, name] = (gone?.image_id ?? "/").split("/");
    return remove(v2("images", project, name));
  };
  return html`
    <${Page} title="Images" actions=${may("images") && html`
        <button class="main" onClick=${() => picker.current?.click()}>Upload an image</button>
        <input ref=${picker} type="file" class="hidden-input" aria-label="Image file" tabindex="-1"
          onChange=${pick} />`}>
      <div class="drop" onDragOver=${(/** @type {Event} */ e) => e.preventDefault()} onDrop=${drop}>
        ${may("images") && html`<p class="quiet">Files may be dropped here.</p>`}
        <${Fault} fault=${fault} />
        <${Table} label="Images" rows=${images} columns=${columns} empty="No images yet."
          id="image_id" />
      </div>
      ${file && html`<${UploadDialog} file=${file} close=${() => setFile(null)} />`}
      ${gone && html`<${Confirm} title=${`Remove ${gone.image_id}?`} verb="Remove" isDanger=${true}
        close=${() => setGone(null)} act=${removeIt}>
        <p>Volumes made from it keep their content.</p><//>`}
    <//>`;
}
