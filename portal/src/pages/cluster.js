// One cluster: its nodes, computesets, networks and overhead, each on a tab.
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { Fault, html, Page, useRecords, useValue } from "../lib/ui.js";
import { Nodes } from "./nodes.js";
import { ComputesetTable } from "./computeset_table.js";
import { Networks } from "./networks.js";
import { Overhead } from "./overhead.js";

const tabs = [["nodes", "Nodes"], ["computesets", "Computesets"], ["network", "Network"],
  ["overhead", "Overhead"]];

const parts = /** @type {Record<string, any>} */ ({
  nodes: Nodes, network: Networks, overhead: Overhead,
  computesets: (/** @type {{cluster: string}} */ { cluster }) => {
    const sets = useRecords(store.computesets).filter(one => one.cluster_id === cluster);
    return html`<${ComputesetTable} sets=${sets} />`;
  },
});

/** @param {{cluster: string, tab?: string}} props */
export default function Cluster({ cluster, tab = "nodes" }) {
  const known = useRecords(store.clusters).find(one => one.cluster_id === cluster);
  const isLoaded = useValue(store.clusters.isLoaded);
  if (isLoaded && !known) return html`
    <${Page} title=${"Cluster " + cluster}>
      <${Fault} fault=${new Error("No such cluster, or you have no access to it.")} />
      <p><a href=${href("clusters")}>Your clusters</a></p>
    <//>`;
  const Part = parts[tab] ?? Nodes;
  return html`
    <${Page} title=${"Cluster " + cluster} actions=${may("power") &&
        html`<a class="button main" href=${href("clusters", cluster, "start")}>Start nodes</a>`}>
      ${known?.description && html`<p>${known.description}</p>`}
      <nav class="tabs" aria-label="Parts of the cluster">${tabs.map(([name, title]) => html`
        <a href=${href("clusters", cluster, name)}
           aria-current=${name === tab ? "page" : undefined}>${title}</a>`)}</nav>
      <${Part} cluster=${cluster} />
    <//>`;
}
