// The clusters that the caller sees, with what runs and waits in each.
import { useMemo, useState } from "preact/hooks";
import { post } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { counted } from "../lib/format.js";
import { go, href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, Field, html, Page, State, typed, useRecords, useValue } from "../lib/ui.js";

/** @typedef {import("../api").Cluster} Cluster */

/** The computesets of each cluster. @param {import("../api").Computeset[]} sets */
function byCluster(sets) {
  /** @type {Map<string, import("../api").Computeset[]>} */
  const found = new Map();
  for (const set of sets) found.set(set.cluster_id, [...found.get(set.cluster_id) ?? [], set]);
  return found;
}

const Sets = (/** @type {{sets: import("../api").Computeset[]}} */ { sets }) => sets.map(set =>
  html`<a class="set" href=${href("computesets", set.computeset_id)}>${set.computeset_id}${" "}
    <${State} state=${set.state} /></a> `);

function NewCluster(/** @type {{close: () => void}} */ { close }) {
  const projects = store.me.value?.projects ?? [];
  const images = useRecords(store.images).filter(one => one.format !== "iso");
  const [asked, setAsked] = useState({ name: "", project: projects[0] ?? "", computes: 2,
    image: "" });
  const set = (/** @type {object} */ part) => setAsked({ ...asked, ...part });
  const act = async () => {
    await post("/v2/clusters", { cluster_id: asked.name, project_id: asked.project,
      compute_count: asked.computes, image_id: asked.image });
    go("clusters", asked.name);
  };
  return html`
    <${Confirm} title="New cluster" verb="Create" close=${close} act=${act}>
      <${Field} label="Name"><input value=${asked.name} required
        onInput=${typed(name => set({ name }))} /><//>
      <${Field} label="Project"><select value=${asked.project}
        onChange=${typed(project => set({ project }))}>
        ${projects.map(one => html`<option>${one}</option>`)}</select><//>
      <${Field} label="Compute nodes"><input type="number" min="0" max="4096" required
        value=${asked.computes}
        onInput=${typed(text => set({ computes: Number(text) }))} /><//>
      <${Field} label="Image"><select value=${asked.image}
        onChange=${typed(image => set({ image }))}>
        <option value="">none: empty disks</option>
        ${images.map(one => html`<option>${one.image_id}</option>`)}</select><//>
    <//>`;
}

export default function Clusters() {
  const clusters = useRecords(store.clusters);
  const active = useRecords(store.computesets);
  const fault = useValue(store.clusters.fault);
  const isLoaded = useValue(store.clusters.isLoaded);
  const [isMaking, setMaking] = useState(false);
  const sets = useMemo(() => byCluster(active), [active]);
  /** @type {import("../lib/table.js").Column<Cluster>[]} */
  const columns = [
    { title: "Name", order: one => one.cluster_id,
      cell: one =>
        html`<a href=${href("clusters", one.cluster_id)}>${one.cluster_id}</a>` },
    { title: "Project", order: one => one.project_id,
      cell: one => one.project_id },
    { title: "Nodes", isNumber: true, order: one => one.node_count,
      cell: one => one.node_count.toLocaleString() },
    { title: "Computesets", cell: one =>
      html`<${Sets} sets=${sets.get(one.cluster_id) ?? []} />` },
    { title: "Description", isWide: true, cell: one => one.description },
  ];
  return html`
    <${Page} title="Clusters" actions=${may("define") &&
        html`<button class="main" onClick=${() => setMaking(true)}>New cluster</button>`}>
      <p class="quiet">${counted(clusters.length, "cluster")}</p>
      <${Fault} fault=${fault} />
      <${Table} label="Clusters" rows=${clusters} columns=${columns}
        id="cluster_id"
        empty=${isLoaded ? "No clusters yet." : "Loading …"} />
      ${isMaking && html`<${NewCluster} close=${() => setMaking(false)} />`}
    <//>`;
}
