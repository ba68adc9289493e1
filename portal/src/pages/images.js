// Images: the list with its tags, removal, and uploads by drag and drop.
import { useEffect, useRef, useState } from "preact/hooks";
import { put, remove, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { bytes, time } from "../lib/format.js";
import { isOperator, may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { continueUpload } from "../lib/upload.js";
import { Fault, Field, html, Page, typed, useRecords, useValue } from "../lib/ui.js";
import { UploadDialog, Uploads } from "./uploads.js";

/** @typedef {import("../api").Image} Image */

/** The path of an image. @param {string} image_id PROJECT/NAME @param {string[]} more */
const pathOf = (image_id, ...more) => v2("images", ...image_id.split("/"), ...more);

/** @param {string} tag PROJECT/NAME:TAG */
const shortTag = tag => tag.slice(tag.indexOf("/") + 1);

/** Sets and removes the tags of an image. @param {{image: Image, close: () => void}} props */
function Tags({ image, close }) {
  const [tag, setTag] = useState("");
  const [dropped, setDropped] = useState(/** @type {string[]} */ ([]));
  const act = async () => {
    for (const one of dropped) await remove(pathOf(image.image_id, "tags", shortTag(one)));
    if (tag) await put(pathOf(image.image_id, "tags", tag));
  };
  const toggle = (/** @type {string} */ one) => setDropped(before =>
    before.includes(one) ? before.filter(other => other !== one) : [...before, one]);
  return html`
    <${Confirm} title=${`Tags of ${image.image_id}`} verb="Save" act=${act} close=${close}>
      ${image.tags.map(one => html`<label class="field" key=${one}>
        <input type="checkbox" checked=${!dropped.includes(one)} onChange=${() => toggle(one)} />
        <span>${shortTag(one)}</span></label>`)}
      <${Field} label="New tag" hint="NAME:TAG, such as debian:stable. Another image loses it.">
        <input maxlength="129" value=${tag} onInput=${typed(setTag)} /><//>
    <//>`;
}

export default function Images() {
  const images = useRecords(store.images);
  const fault = useValue(store.images.fault);
  const [files, setFiles] = useState(/** @type {File[]} */ ([]));
  const [isOver, setOver] = useState(false);
  const [gone, setGone] = useState(/** @type {Image | null} */ (null));
  const [tagged, setTagged] = useState(/** @type {Image | null} */ (null));
  const picker = useRef(/** @type {HTMLInputElement | null} */ (null));
  const canChange = (/** @type {Image} */ one) =>
    may("images") && (!one.image_id.startsWith("public/") || isOperator());
  /** @type {import("../lib/table.js").Column<Image>[]} */
  const columns = [
    { title: "Name", order: one => one.image_id,
      cell: one => one.image_id },
    { title: "Tags", order: one => one.tags.join(" "),
      cell: one => one.tags.map(shortTag).join(", ") || "–" },
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
    { title: "Actions", cell: one => canChange(one) && html`
      <button class="small" aria-label=${"Tags of " + one.image_id}
        onClick=${() => setTagged(one)}>Tags</button>
      <button class="small" aria-label=${"Remove " + one.image_id}
        onClick=${() => setGone(one)}>Remove</button>` },
  ];
  /** Those that no upload waits for are asked about, one after the other. */
  const take = (/** @type {Iterable<File>} */ chosen) =>
    setFiles(before => [...before, ...[...chosen].filter(one => !continueUpload(one))]);
  const pick = (/** @type {any} */ event) => {
    take(event.target.files);
    event.target.value = "";
  };
  // A file that misses the page's box must not replace the page.
  useEffect(() => {
    const over = (/** @type {DragEvent} */ event) => {
      event.preventDefault();
      setOver(event.type === "dragover");
      if (event.type === "drop" && may("images")) take(event.dataTransfer?.files ?? []);
    };
    const names = /** @type {const} */ (["dragover", "dragleave", "drop"]);
    for (const name of names) addEventListener(name, over);
    return () => { for (const name of names) removeEventListener(name, over); };
  }, []);
  return html`
    <${Page} title="Images" actions=${may("images") && html`
        <button class="main" onClick=${() => picker.current?.click()}>Upload an image</button>
        <input ref=${picker} type="file" multiple class="hidden-input" aria-label="Image file"
          tabindex="-1" onChange=${pick} />`}>
      ${may("images") && html`
        <p class=${isOver ? "drop over" : "drop"}>Drop image files anywhere on this page.</p>
        <${Uploads} choose=${() => picker.current?.click()} />`}
      <${Fault} fault=${fault} />
      <${Table} label="Images" rows=${images} columns=${columns} empty="No images yet."
        id="image_id" />
      ${files[0] && html`<${UploadDialog} key=${files.length} file=${files[0]}
        close=${() => setFiles(files.slice(1))} />`}
      ${gone && html`<${Confirm} title=${`Remove ${gone.image_id}?`} verb="Remove" isDanger=${true}
        close=${() => setGone(null)} act=${() => remove(pathOf(gone.image_id))}>
        <p>Volumes made from it keep their content.</p><//>`}
      ${tagged && html`<${Tags} image=${tagged} close=${() => setTagged(null)} />`}
    <//>`;
}
