// Plans: what a start, a growth or another change would do.
import { coreHours, counted, duration, fromNow, priceText, time } from "../lib/format.js";
import { Facts, html, State } from "../lib/ui.js";

/** Whether the allocation can pay. @param {import("../api").StartPlan} plan */
function quotaOf(plan) {
  if (typeof plan.left_core_s !== "number") return "no limit";
  const after = plan.left_core_s - plan.core_s_max;
  return `${coreHours(plan.left_core_s)} left, ${coreHours(Math.max(0, after))} afterwards`;
}

/** When it would start. @param {{expected_start_unix_s: number, earliest_start_unix_s: number,
 *   latest_start_unix_s: number}} plan */
export function startOf(plan) {
  if (!plan.expected_start_unix_s) return "not known";
  const expected = plan.expected_start_unix_s * 1000 <= Date.now() ? "now"
    : `${fromNow(plan.expected_start_unix_s)}, at ${time(plan.expected_start_unix_s)}`;
  const span = plan.latest_start_unix_s - plan.earliest_start_unix_s;
  return span > 0
    ? `${expected}; 8 of 10 between ${time(plan.earliest_start_unix_s)} and ${
      time(plan.latest_start_unix_s)}`
    : expected;
}

/** @param {{causes: import("../api").Cause[]}} props */
export const Causes = ({ causes }) => html`
  <ol class="causes">${causes.map(one => html`
    <li><b>${one.subject}</b> <${State} state=${one.state} />
    ${one.reason && html`<p>${one.reason}</p>`}
    ${one.remedy && html`<p class="quiet">${one.remedy}</p>`}
    ${one.until_unix_s > 0 && html`
      <p class="quiet">until ${time(one.until_unix_s)} at the latest</p>`}
  </li>`)}</ol>`;

const namesMax = 24;

/** @param {{plan: import("../api").StartPlan}} props */
export function StartPlan({ plan }) {
  const hosts = [...new Set(plan.hosts)];
  return html`
    <${Facts} facts=${[
      ["Price", `at most ${coreHours(plan.core_s_max)} (${counted(plan.cores, "core")} for ` +
        `${duration(plan.computeset.walltime_mins * 60)})`],
      ["Host class", `${plan.computeset.host_class}: ${priceText(plan.price)}`],
      ["Quota", quotaOf(plan)],
      ["Paid by", plan.computeset.allocation_id || "–"],
      ["Start", startOf(plan)],
      ["Nodes", plan.names.slice(0, namesMax).join(", ") + (plan.names.length > namesMax
        ? ` and ${plan.names.length - namesMax} more` : "")],
      ["Hosts", hosts.length ? hosts.slice(0, namesMax).join(", ") + (hosts.length > namesMax
        ? ` and ${hosts.length - namesMax} more` : "") : "chosen when it starts"],
    ]} />
    ${plan.causes.length > 0 && html`<h3>What blocks</h3><${Causes} causes=${plan.causes} />`}`;
}

/** @param {{plan: import("../api").ChangePlan}} props */
export function ChangePlan({ plan }) {
  const changes = [
    ...plan.computesets.map(one => `computeset ${one.computeset_id}: ${one.state}, ${counted(
      one.nodes.length, "node")}`),
    ...plan.nodes.slice(0, namesMax).map(one => `${one.name}: ${one.state}${
      one.reason && ", " + one.reason}`),
    ...plan.hosts.map(one => `host ${one.host_id}: ${one.state}`),
  ];
  return html`
    <ul class="changes">${changes.length ? changes.map(text => html`<li>${text}</li>`)
      : html`<li>Nothing changes at once.</li>`}
      ${plan.nodes.length > namesMax && html`
        <li>and ${plan.nodes.length - namesMax} more nodes</li>`}
    </ul>
    ${plan.more_core_s_max !== 0 && html`<p>${plan.more_core_s_max > 0 ? "At most " : ""}${
      coreHours(Math.abs(plan.more_core_s_max))} ${plan.more_core_s_max > 0 ? "more" : "less"}${
      typeof plan.left_core_s === "number" && ` of the ${coreHours(plan.left_core_s)} left`}</p>`}`;
}
