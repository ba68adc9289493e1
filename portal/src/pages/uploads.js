// The uploads that are going on, with their progress; and the dialog that begins one.
import { useEffect, useState } from "preact/hooks";
import { Confirm } from "../lib/dialog.js";
import { bytes, duration } from "../lib/format.js";
import { isOperator, store } from "../lib/store.js";
import { say } from "../lib/toast.js";
import { beginUpload, restoreUploads, uploads } from "../lib/upload.js";
import { Field, html, State, typed, useValue } from "../lib/ui.js";

/** @typedef {import("../lib/upload.js").Upload} Upload */

const formats = ["raw", "qcow2", "iso"];
/** @type {Record<string, string>} */
const kinds = { sending: "good", published: "good", waiting: "wait", checking: "wait",
  "file needed": "wait", failed: "bad" };

/** A name that the gateway accepts, and the format, from a file's name. @param {string} file */
function guess(file) {
  const ending = file.split(".").at(-1)?.toLowerCase() ?? "";
  const isIso = ending === "iso";
  const base = isIso ? file : file.replace(/\.[^.]*$/, "");
  return { name: base.replace(/[^A-Za-z0-9._-]/g, "-").replace(/^[^A-Za-z0-9]+/, "").slice(0, 64),
    format: isIso ? "iso" : ending === "qcow2" ? "qcow2" : "raw" };
}

/** @param {{file: File, close: () => void}} props */
export function UploadDialog({ file, close }) {
  const me = useValue(store.me);
  const projects = [...me?.projects ?? [], ...isOperator() ? ["public"] : []];
  const [asked, setAsked] = useState({ ...guess(file.name), project: projects[0] ?? "" });
  const set = (/** @type {object} */ part) => setAsked({ ...asked, ...part });
  return html`
    <${Confirm} title=${"Upload " + file.name} verb="Upload" close=${close}
        act=${() => beginUpload({ ...asked, file })}>
      <${Field} label="Project"><select value=${asked.project}
        onChange=${typed(project => set({ project }))}>
        ${projects.map(one => html`<option>${one}</option>`)}</select><//>
      <${Field} label="Name"><input required maxlength="64" value=${asked.name}
        onInput=${typed(name => set({ name }))} /><//>
      <${Field} label="Format"><select value=${asked.format}
        onChange=${typed(format => set({ format }))}>
        ${formats.map(one => html`<option>${one}</option>`)}</select><//>
      <p class="quiet">${bytes(file.size)}. The upload continues while you use other pages of the
        portal. After a reload, choose the same file again.</p>
    <//>`;
}

/** @param {{upload: Upload}} props */
function Progress({ upload }) {
  const sent = useValue(upload.sent);
  const isMoving = useValue(upload.state) === "sending";
  const { left_s, size } = upload;
  return html`
    <progress aria-label=${"Sent of " + upload.image} max=${size} value=${sent}></progress>
    <small>${bytes(sent)} of ${bytes(size)}${isMoving && left_s > 0 &&
      `, ${bytes(upload.speed.perSecond)}/s, ${duration(left_s)} left`}</small>`;
}

/** @param {{upload: Upload, choose: () => void}} props */
function Row({ upload, choose }) {
  const state = useValue(upload.state);
  const reason = useValue(upload.reason);
  const isOver = ["published", "failed"].includes(state);
  const cancel = () => upload.cancel().catch(fault => say(fault.message, true));
  const button = (/** @type {string} */ verb, /** @type {() => void} */ act) => html`
    <button class="small" aria-label=${`${verb} ${upload.image}`} onClick=${act}>${verb}</button>`;
  return html`
    <li class="upload">
      <div class="bar"><b>${upload.image}</b>
        <span role="status"><${State} state=${state} kind=${kinds[state]} />
          ${reason && " " + reason}</span>
        ${["sending", "waiting"].includes(state) && button("Pause", () => upload.pause())}
        ${state === "paused" && button("Continue", () => void upload.run())}
        ${state === "file needed" && html`
          <span>Choose ${upload.record.file.name} again to continue.</span>
          ${button("Choose the file of", choose)}`}
        ${isOver ? button("Hide", cancel)
          : state !== "checking" && button("Cancel", cancel)}
      </div>
      ${!isOver && html`<${Progress} upload=${upload} />`}
    </li>`;
}

/** @param {{choose: () => void}} props opens the browser's dialog for files */
export function Uploads({ choose }) {
  useEffect(restoreUploads, []);
  const all = useValue(uploads);
  return all.length > 0 && html`
    <section aria-label="Uploads"><h2>Uploads</h2>
      <ul class="uploads">${all.map(one => html`
        <${Row} key=${one.record.upload_id} upload=${one} choose=${choose} />`)}</ul>
    </section>`;
}
