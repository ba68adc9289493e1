// What virtualization costs in this cluster: the same probes in it and on its hosts.
import { useState } from "preact/hooks";
import { get, post, Problem, v2 } from "../lib/api.js";
import { time } from "../lib/format.js";
import { may } from "../lib/store.js";
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

/** @param {{cluster: string}} props */
export function Overhead({ cluster }) {
  const { value, fault, reload } = useLoaded(() => get(v2("clusters", cluster, "overhead")),
                                             [cluster]);
  const [refused, setRefused] = useState(/** @type {Error | null} */ (null));
  const [isMeasuring, setMeasuring] = useState(false);
  useEvent("overhead.measured", cluster, () => {
    setMeasuring(false);
    reload();
  });
  const measure = async () => {
    try {
      await post(v2("clusters", cluster, "overhead"));
      setRefused(null);
      setMeasuring(true);
    } catch (problem) {
      setRefused(/** @type {Error} */ (problem));
    }
  };
  const isMissing = fault instanceof Problem && fault.status === 404;
  return html`
    <section class="card" aria-label="Overhead">
      ${isMissing && html`<p>This cluster was not measured yet.</p>`}
      <${Fault} fault=${refused ?? (isMissing ? null : fault)} />
      ${value?.failure && html`<p class="fault">The measurement failed: ${value.failure}</p>`}
      ${value && !value.failure && html`<${Facts} facts=${[
        ["Measured", time(value.measured_unix_s)],
        ["MPI latency", slower(value.mpi_latency_ratio, true)],
        ["MPI bandwidth", slower(value.mpi_bandwidth_ratio, false)],
        ["Disk", slower(value.io_ratio, false)],
      ]} />`}
      ${may("power") && html`<button disabled=${isMeasuring} onClick=${measure}>
        ${isMeasuring ? "Measuring …" : "Measure now"}</button>`}
    </section>`;
}
