// Starts compute nodes of a cluster: the plan is shown before the button, and asked for again
// whenever the request changes.
import { useEffect, useState } from "preact/hooks";
import { post } from "../lib/api.js";
import { priceText } from "../lib/format.js";
import { go, href } from "../lib/route.js";
import { store } from "../lib/store.js";
import { say } from "../lib/toast.js";
import { Fault, Field, html, Page, typed, useRecords } from "../lib/ui.js";
import { StartPlan } from "./plan.js";

/** @typedef {import("../api").HostClass} HostClass */

const classOfAll = "default";
const typingPause = 300;  // ms

/**
 * The plan of the request, or why it is refused.
 * @param {object} request
 * @returns {{plan?: import("../api").StartPlan, fault?: Error}}
 */
function usePlan(request) {
  const [state, setState] = useState({});
  const text = JSON.stringify(request);
  useEffect(() => {
    let isCurrent = true;
    const show = (/** @type {object} */ found) => isCurrent && setState(found);
    const timer = setTimeout(() => post("/v2/computesets", { ...request, plan: true })
      .then(plan => show({ plan }), fault => show({ fault })), typingPause);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [text]);
  return state;
}

/** @param {{classes: HostClass[], name: string, set: (name: string) => void}} props */
function ClassField({ classes, name, set }) {
  const chosen = classes.find(one => one.name === name);
  return html`
    <${Field} label="Host class" hint=${chosen ? priceText(chosen.price) : "It was removed"}>
      <select value=${name} onChange=${typed(set)}>
        ${!chosen && html`<option>${name}</option>`}
        ${classes.map(one => html`<option>${one.name}</option>`)}</select><//>`;
}

/** @param {{cluster: string}} props */
export default function Start({ cluster }) {
  /** @type {import("../api").Cluster | undefined} */
  const known = useRecords(store.clusters).find(one => one.cluster_id === cluster);
  /** @type {HostClass[]} */
  const classes = useRecords(store.hostClasses);
  const own = known?.allocations ?? [];
  const [count, setCount] = useState(1);
  const [hours, setHours] = useState(24);
  const [allocation, setAllocation] = useState("");
  const [hostClass, setHostClass] = useState(classOfAll);
  const [fault, setFault] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const request = { cluster_id: cluster, count, walltime_mins: Math.round(hours * 60),
    ...allocation && { allocation_id: allocation },
    ...hostClass !== classOfAll && { host_class: hostClass } };
  const { plan, fault: refused } = usePlan(request);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      const set = await post("/v2/computesets", request);
      say(`Computeset ${set.computeset_id} is ${set.state}`);
      go("computesets", set.computeset_id);
    } catch (problem) {
      setFault(/** @type {Error} */ (problem));
      setBusy(false);
    }
  };
  return html`
    <${Page} title=${"Start nodes of " + cluster}>
      <form class="split" onSubmit=${submit}>
        <div>
          <${Field} label="Compute nodes" hint="The first free ones are taken">
            <input type="number" min="1" max="4096" required value=${count}
              onInput=${typed(text => setCount(Number(text)))} /><//>
          <${Field} label="Walltime in hours" hint="They are ended this long after their start">
            <input type="number" min="0.1" max="8760" step="any" required value=${hours}
              onInput=${typed(text => setHours(Number(text)))} /><//>
          ${(classes.length > 1 || hostClass !== classOfAll) && html`<${ClassField}
            classes=${classes} name=${hostClass} set=${setHostClass} />`}
          ${own.length > 1 && html`<${Field} label="Allocation">
            <select value=${allocation}
              onChange=${typed(setAllocation)}>
              <option value="">choose one</option>
              ${own.map(one => html`<option>${one}</option>`)}</select><//>`}
        </div>
        <section class="card" aria-label="Plan" aria-live="polite">
          <h2>What would happen</h2>
          ${plan ? html`<${StartPlan} plan=${plan} />` : !refused && html`<p>Asking …</p>`}
          <${Fault} fault=${refused} />
          <${Fault} fault=${fault} />
          <div class="buttons">
            <a class="button" href=${href("clusters", cluster)}>Cancel</a>
            <button class="main" disabled=${!plan || isBusy}>Start</button>
          </div>
        </section>
      </form>
    <//>`;
}
