// One computeset: its facts, why it is so, and its changes, each with its plan before the button.
import { useEffect, useMemo, useState } from "preact/hooks";
import { get, patch, post, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { counted, duration, fromNow, time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, Facts, Field, html, Page, State, typed, useLoaded, useRecords } from "../lib/ui.js";
import { endOf } from "./computeset_table.js";
import { ChangePlan, StartPlan } from "./plan.js";
import { Why } from "./why.js";

/** @typedef {import("../api").Computeset} Computeset */

/**
 * The request of a change, from what its form has.
 * @typedef {object} Change
 * @property {string} title
 * @property {string} verb
 * @property {boolean} [isDanger]
 * @property {string} method
 * @property {string} part of the computeset's path
 * @property {(given: string) => object | null} body null = the form is not complete
 * @property {string} [label] of its field
 * @property {string} [hint]
 * @property {(set: Computeset) => string} [first] what its field has at first
 */

/** @type {Record<string, Change>} */
const changes = {
  terminate: { title: "Terminate", verb: "Terminate", isDanger: true, method: "POST",
    part: "/power", body: () => ({ action: "shutdown" }) },
  walltime: { title: "Change the walltime", verb: "Change", method: "PATCH", part: "",
    label: "Walltime in minutes, from its start", first: set => String(set.walltime_mins),
    body: given => Number(given) > 0 ? { walltime_mins: Number(given) } : null },
  hibernate: { title: "Hibernate", verb: "Hibernate", method: "POST", part: "/hibernate",
    body: () => ({}) },
  resume: { title: "Resume", verb: "Resume", method: "POST", part: "/resume", body: () => ({}) },
  boot: { title: "Boot without its memory", verb: "Boot", isDanger: true, method: "POST",
    part: "/resume", body: () => ({ discards_memory: true }) },
  grow: { title: "Add nodes", verb: "Add", method: "POST", part: "/nodes",
    label: "Number of nodes", first: () => "1",
    body: given => Number(given) > 0 ? { count: Number(given) } : null },
  shrink: { title: "Remove nodes", verb: "Remove", isDanger: true, method: "POST",
    part: "/nodes/remove", label: "Names, with spaces between", hint: "They are shut down",
    first: () => "",
    body: given => given.trim() ? { names: given.trim().split(/[\s,]+/) } : null },
};

const typingPause = 300;  // ms

/** @param {{set: Computeset, change: Change, close: () => void}} props */
function ChangeDialog({ set, change, close }) {
  const [given, setGiven] = useState(change.first?.(set) ?? "");
  const [state, setState] = useState(/** @type {{plan?: any, fault?: Error}} */ ({}));
  const path = v2("computesets", set.computeset_id) + change.part;
  const body = change.body(given);
  const send = (/** @type {object} */ asked) =>
    change.method === "PATCH" ? patch(path, asked) : post(path, asked);
  useEffect(() => {
    setState({});
    if (!body) return undefined;
    let isCurrent = true;
    const show = (/** @type {object} */ found) => isCurrent && setState(found);
    const timer = setTimeout(() => send({ ...body, plan: true })
      .then(plan => show({ plan }), fault => show({ fault })), typingPause);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [given]);
  return html`
    <${Confirm} title=${`${change.title}: computeset ${set.computeset_id}`} verb=${change.verb}
        isDanger=${change.isDanger} isReady=${Boolean(state.plan)} close=${close}
        act=${() => send(body ?? {})}>
      ${change.label && html`<${Field} label=${change.label} hint=${change.hint}>
        <input value=${given} required
          onInput=${typed(setGiven)} /><//>`}
      <div aria-live="polite">
        ${state.plan && (state.plan.computeset ? html`<${StartPlan} plan=${state.plan} />`
          : html`<${ChangePlan} plan=${state.plan} />`)}
        <${Fault} fault=${state.fault} />
      </div>
    <//>`;
}

const offered = /** @type {Record<string, string[]>} */ ({
  submitted: ["terminate", "walltime"],
  running: ["walltime", "grow", "shrink", "hibernate", "terminate"],
  hibernating: ["terminate"], hibernated: ["resume", "boot", "walltime", "terminate"] });

/** @type {import("../lib/table.js").Column<import("../types.js").NodeView>[]} */
const nodeColumns = [
  { title: "Name", order: one => one.index, cell: one =>
    html`<a href=${href("clusters", one.cluster_id, "nodes", one.name)}>${one.name}</a>` },
  { title: "State", order: one => one.state, cell: one => html`<${State} state=${one.state} />` },
  { title: "Host", order: one => one.host_id, cell: one => one.host_id },
  { title: "Reason", isWide: true, cell: one => one.reason },
];

/** @param {Computeset} set @returns {[string, string][]} */
const idleOf = set => set.idle_since_unix_s
  ? [["Idle since", `${time(set.idle_since_unix_s)}, ${fromNow(set.idle_since_unix_s)}`]] : [];

/** @param {Computeset} set @returns {[string, string][]} */
const hibernatedOf = set => set.hibernated_unix_s
  ? [["Hibernated", `${time(set.hibernated_unix_s)}, ${fromNow(set.hibernated_unix_s)}`]] : [];

/** @param {{set: Computeset}} props */
function Details({ set }) {
  const nodes = useRecords(store.nodesOf(set.cluster_id));
  const own = useMemo(() => {
    const ids = new Set(set.nodes);
    return nodes.filter(one => ids.has(one.node_id));
  }, [nodes, set.nodes]);
  const path = v2("computesets", set.computeset_id);
  return html`
    <div class="split">
      <section class="card" aria-label="Computeset">
        <${Facts} facts=${[
          ["State", html`<${State} state=${set.state} />`],
          ["Reason", set.reason || "–"],
          ["Cluster", html`<a href=${href("clusters", set.cluster_id)}>${set.cluster_id}</a>`],
          ["Host class", set.host_class],
          ["Allocation", set.allocation_id || "–"],
          ["Walltime", duration(set.walltime_mins * 60)],
          ["Accepted", `${time(set.created_unix_s)} by ${set.person_id || "a program"}`],
          ["Started", time(set.start_unix_s)],
          ...idleOf(set),
          ...hibernatedOf(set),
          ["Ends", endOf(set) ? `${time(endOf(set))}, ${fromNow(endOf(set))}` : "–"],
        ]} />
      </section>
      <${Why} path=${path} state=${set.state + set.reason} />
    </div>
    <h2>${counted(set.nodes.length, "node")}</h2>
    <${Table} label=${"Nodes of computeset " + set.computeset_id} rows=${own} id="node_id"
      columns=${nodeColumns} empty="Loading …" />`;
}

/** @param {{id: string}} props */
export default function ComputesetPage({ id }) {
  const live = useRecords(store.computesets).find(one => String(one.computeset_id) === id);
  // One that has ended is in no live list.
  const { value, fault } = useLoaded(() => get(v2("computesets", id)), [id, live?.state]);
  const [change, setChange] = useState("");
  /** @type {Computeset | undefined} */
  const set = live ?? value;
  if (!set) return html`<${Page} title=${"Computeset " + id}><${Fault} fault=${fault} /><//>`;
  return html`
    <${Page} title=${"Computeset " + id} actions=${may("power") &&
        (offered[set.state] ?? []).map(name => html`
          <button class=${changes[name].isDanger ? "danger" : ""}
            onClick=${() => setChange(name)}>${changes[name].title}</button>`)}>
      <${Details} set=${set} />
      ${change && html`<${ChangeDialog} set=${set} change=${changes[change]}
        close=${() => setChange("")} />`}
    <//>`;
}
