// Usage and budgets: allocations as they are now, and what was charged day by day.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { list } from "../lib/api.js";
import { byDay, periodUntil } from "../lib/charges.js";
import { coreHours, fromNow, time } from "../lib/format.js";
import { store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import {
  Fault, Field, html, Page, State, typed, useLoaded, useRecords, useValue,
} from "../lib/ui.js";

/** @typedef {import("../api").Allocation} Allocation */

/** @param {{one: Allocation}} props */
function Budget({ one }) {
  const share = one.limit_core_s ? one.used_core_s / one.limit_core_s : 0;
  return html`
    <section class="card" aria-label=${"Allocation " + one.allocation_id}>
      <h2>${one.allocation_id} ${one.is_closed && html`<${State} state="closed" kind="bad" />`}</h2>
      <p class="figure">${coreHours(one.used_core_s)}${one.limit_core_s > 0
        ? ` of ${coreHours(one.limit_core_s)} (${Math.round(share * 100)} %)` : ", no limit"}</p>
      ${one.limit_core_s > 0 && html`<progress max="1" value=${share}
        aria-label=${"Used of " + one.allocation_id}></progress>`}
      ${one.forecast_end_unix_s > 0 && html`<p>Used up ${fromNow(one.forecast_end_unix_s)} if what
        runs now goes on</p>`}
      ${one.end_unix_s > 0 && html`<p>Ends ${time(one.end_unix_s)}</p>`}
      ${one.budget.length > 0 && html`<ul class="changes">${one.budget.map(step => html`
        <li>at ${step.percent} %: ${step.action}${step.percent <= one.percent_reached
          ? " (reached)" : ""}</li>`)}</ul>`}
    </section>`;
}

/** @param {{times: number[], sums: number[]}} props */
function Chart({ times, sums }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    let remove = () => {};
    let isGone = false;
    import("../lib/chart.js").then(({ barChart }) => {
      if (!isGone && place.current)
        remove = barChart(place.current, { times, values: sums.map(sum => sum / 3600),
          label: "core hours" });
    });
    return () => {
      isGone = true;
      remove();
    };
  }, [times, sums]);
  const most = Math.max(...sums);
  const day = new Date(times[sums.indexOf(most)] * 1000).toLocaleDateString();
  return html`<div class="chart" ref=${place} role="img"
    aria-label=${`Core hours each day; at most ${coreHours(most)} on ${day}`}></div>`;
}

/** @type {import("../lib/table.js").Column<any>[]} */
const columns = [
  { title: "Cluster", order: one => one.name,
    cell: one => one.name || "–" },
  { title: "Computesets", isNumber: true, order: one => one.computeset_count,
    cell: one => one.computeset_count },
  { title: "Charged", isNumber: true, order: one => one.used_core_s,
    cell: one => coreHours(one.used_core_s) },
];

export default function Usage() {
  const allocations = useRecords(store.allocations);
  const fault = useValue(store.allocations.fault);
  const [days, setDays] = useState(30);
  const { value, fault: refused } = useLoaded(async () => {
    const period = periodUntil(Math.floor(Date.now() / 1000), days);
    const query = "from_unix_s=" + period.first_s;
    const [entries, totals] = await Promise.all([
      list("/v2/usage?" + query, "entries"), list(`/v2/usage?by=cluster&${query}`, "totals")]);
    return { totals, ...byDay(entries, period) };
  }, [days]);
  const rows = useMemo(() => value?.totals ?? [], [value]);
  return html`
    <${Page} title="Usage and budget">
      <${Fault} fault=${fault ?? refused} />
      <div class="cards">${allocations.map(one =>
        html`<${Budget} key=${one.allocation_id} one=${one} />`)}</div>
      <div class="bar"><h2>Core hours each day</h2><${Field} label="Period"><select value=${days}
        onChange=${typed(text => setDays(Number(text)))}>
        ${[7, 30, 90].map(one => html`<option value=${one}>${one} days</option>`)}</select><//>
      </div>
      ${value && html`<${Chart} times=${value.times} sums=${value.sums} />`}
      <${Table} label="Charged in this period, by cluster" rows=${rows} columns=${columns}
        id="name" empty="Nothing was charged." />
    <//>`;
}
