// Powers nodes after a confirmation, which shows what would happen; then shows the result of each
// node as it arrives.
import { useState } from "preact/hooks";
import { post, v2 } from "../lib/api.js";
import { Confirm, Dialog } from "../lib/dialog.js";
import { counted } from "../lib/format.js";
import { store } from "../lib/store.js";
import { html, State, useLoaded, useRecords } from "../lib/ui.js";

/** @typedef {import("../types.js").NodeView} Node */

const verbs = /** @type {Record<string, string>} */ ({ on: "Power on", off: "Power off",
  shutdown: "Shut down", reboot: "Reboot", reset: "Reset" });
const atOnceMax = 8;
const shownMax = 200;

/**
 * Powers the nodes one by one, a few at a time: each has its own result.
 * @param {string} cluster
 * @param {string} action
 * @param {Node[]} nodes
 * @param {(name: string, result: string) => void} show
 */
async function powerEach(cluster, action, nodes, show) {
  const left = [...nodes];
  const work = async () => {
    for (let node = left.shift(); node; node = left.shift()) {
      try {
        await post(v2("clusters", cluster, "nodes", node.name, "power"), { action });
        show(node.name, "accepted");
      } catch (refused) {
        show(node.name, /** @type {Error} */ (refused).message);
      }
    }
  };
  await Promise.all(Array.from({ length: atOnceMax }, work));
}

/**
 * @param {{cluster: string, names: string[], results: Map<string, string>,
 *          close: () => void}} props
 */
function Results({ cluster, names, results, close }) {
  const nodes = useRecords(store.nodesOf(cluster)).filter(one => names.includes(one.name));
  const refused = nodes.filter(one => ![undefined, "accepted"].includes(results.get(one.name)));
  return html`
    <${Dialog} title="Results" close=${close}>
      <p role="status">${results.size} of ${names.length} answered, ${refused.length} refused</p>
      <ul class="results">${[...refused, ...nodes.filter(one => !refused.includes(one))]
        .slice(0, shownMax).map(one => html`<li key=${one.node_id}><b>${one.name}</b>${" "}
          ${results.get(one.name) ?? "…"}${" "}<${State} state=${one.state} /></li>`)}</ul>
      <div class="buttons"><button class="main" onClick=${close}>Close</button></div>
    <//>`;
}

/** @param {{cluster: string, action: string, nodes: Node[], close: () => void}} props */
export function Power({ cluster, action, nodes, close }) {
  const [asked] = useState(nodes);  // the selection may change while the dialog is open
  const [results, setResults] = useState(/** @type {Map<string, string> | null} */ (null));
  const names = asked.map(one => one.name);
  const plan = useLoaded(() => post(v2("clusters", cluster, "power"),
                                    { nodes: names, action, plan: true }), []);
  const begin = () => {
    /** @type {Map<string, string>} */
    const found = new Map();
    setResults(found);
    return powerEach(cluster, action, asked, (name, result) => {
      found.set(name, result);
      setResults(new Map(found));
    });
  };
  if (results) return html`<${Results} cluster=${cluster} names=${names} results=${results}
    close=${close} />`;
  const changed = plan.value?.nodes ?? [];
  return html`
    <${Confirm} title=${`${verbs[action]} ${counted(asked.length, "node")}?`} verb=${verbs[action]}
        isDanger=${action !== "on"} close=${close}
        act=${begin} done=${() => {}}>
      <p class="names">${names.slice(0, 12).join(", ")}${names.length > 12 && ", …"}</p>
      ${plan.value && html`<p role="status">${changed.length === 0 ? "Nothing would change at once."
        : `At once: ${counted(changed.length, "node")} would be ${[...new Set(changed.map(
          (/** @type {Node} */ one) => one.state))].join(" or ")}.`}</p>`}
      ${plan.fault && html`<p role="status">Not all of them can: ${plan.fault.message}</p>`}
    <//>`;
}
