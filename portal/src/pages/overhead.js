// What virtualization costs in this cluster: the same probes in it and on its hosts. And which
// links between its nodes are slow.
import { useState } from "preact/hooks";
import { get, post, Problem, v2 } from "../lib/api.js";
import { counted, time } from "../lib/format.js";
import { may } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, Facts, html, useLoaded } from "../lib/ui.js";
import { useEvent } from "../lib/use_event.js";

/**
 * How much slower than the host.
 * @param {number} ratio of the cluster's result to the host's
 * @param {boolean} isCost larger is worse
 */
function slower(ratio, isCost) {
  if (!ratio) return "not measured";
  const percent = Math.round((isCost ? ratio - 1 : 1 - ratio) * 100);
  return percent > 0 ? `${percent} % worse than the host` : "as the host";
}

/**
 * The last report at `path`, and how to ask for a new one, whose end is the event `type`.
 * @param {string} path
 * @param {string} type
 * @param {string} cluster
 */
function useMeasurement(path, type, cluster) {
  const { value, fault, reload } = useLoaded(() => get(path), [path]);
  const [refused, setRefused] = useState(/** @type {Error | null} */ (null));
  const [isMeasuring, setMeasuring] = useState(false);
  useEvent(type, cluster, () => {
    setMeasuring(false);
    reload();
  });
  const measure = async () => {
    try {
      await post(path);
      setRefused(null);
      setMeasuring(true);
    } catch (problem) {
      setRefused(/** @type {Error} */ (problem));
    }
  };
  const isMissing = fault instanceof Problem && fault.status === 404;
  return { value, isMissing, isMeasuring, measure, fault: refused ?? (isMissing ? null : fault) };
}

/** @param {{one: ReturnType<typeof useMeasurement>, what: string}} props */
const Measure = ({ one, what }) => may("power") && html`
  <button disabled=${one.isMeasuring} onClick=${one.measure}>
    ${one.isMeasuring ? `Measuring ${what} …` : `Measure ${what}`}</button>`;

/** @typedef {import("../api").LinksReport["links"][number]} Link */

/** @type {import("../lib/table.js").Column<Link>[]} */
const linkColumns = [
  { title: "From", order: one => one.first, cell: one => one.first },
  { title: "To", order: one => one.second, cell: one => one.second },
  { title: "Latency in us", isNumber: true, order: one => one.latency_us,
    cell: one => one.latency_us.toFixed(1) },
  { title: "Bandwidth in MB/s", isNumber: true, order: one => one.bandwidth_mb_s,
    cell: one => one.bandwidth_mb_s.toFixed(1) },
  { title: "Verdict", order: one => Number(!one.is_slow),
    cell: one => one.is_slow ? "slow" : one.is_same_host ? "on one host" : "as the others" },
];

/** @param {{cluster: string}} props */
function Links({ cluster }) {
  const one = useMeasurement(v2("clusters", cluster, "overhead", "links"),
                             "overhead.links-measured", cluster);
  /** @type {import("../api").LinksReport | undefined} */
  const report = one.value;
  const slow = report?.links.filter(link => link.is_slow).length ?? 0;
  return html`
    <section class="card" aria-label="Links between nodes">
      <h2>Links between nodes</h2>
      ${one.isMissing && html`<p>The links of this cluster were not measured yet.</p>`}
      <${Fault} fault=${one.fault} />
      ${report?.failure && html`<p class="fault">The measurement failed: ${report.failure}</p>`}
      ${report && !report.failure && html`
        <${Facts} facts=${[
          ["Measured", time(report.measured_unix_s)],
          ["Slow", `${slow} of ${counted(report.links.length, "link")}`],
          ...(report.shared_node ? [["All slow links have", report.shared_node]] : []),
        ]} />
        <${Table} label="Links" rows=${report.links.map(link =>
          ({ ...link, pair: link.first + " " + link.second }))} columns=${linkColumns}
          id="pair" />`}
      <${Measure} one=${one} what="the links" />
    </section>`;
}

/** @param {{cluster: string}} props */
export function Overhead({ cluster }) {
  const one = useMeasurement(v2("clusters", cluster, "overhead"), "overhead.measured", cluster);
  /** @type {import("../api").OverheadReport | undefined} */
  const report = one.value;
  return html`
    <section class="card" aria-label="Overhead">
      ${one.isMissing && html`<p>This cluster was not measured yet.</p>`}
      <${Fault} fault=${one.fault} />
      ${report?.failure && html`<p class="fault">The measurement failed: ${report.failure}</p>`}
      ${report && !report.failure && html`<${Facts} facts=${[
        ["Measured", time(report.measured_unix_s)],
        ["MPI latency", slower(report.mpi_latency_ratio, true)],
        ["MPI bandwidth", slower(report.mpi_bandwidth_ratio, false)],
        ["Disk", slower(report.io_ratio, false)],
      ]} />`}
      <${Measure} one=${one} what="the overhead" />
    </section>
    <${Links} cluster=${cluster} />`;
}
