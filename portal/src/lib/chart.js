// A bar chart of one series over days. The same numbers stand in a table beside it.
import uPlot from "uplot";
import { loadStyle } from "./styles.js";

/** The page's own colours. @param {string} name */
const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * Draws into `place`; returns how to remove it.
 * @param {HTMLElement} place
 * @param {{times: number[], values: number[], label: string, limit?: number}} data
 */
export function barChart(place, { times, values, label }) {
  loadStyle("uPlot.min.css");
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 } };
  const chart = new uPlot({
    width: Math.max(280, place.clientWidth), height: 220, legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_, _min, max) => [0, max || 1] } },
    axes: [axis, { ...axis, size: 60 }],
    series: [{}, { label, stroke: colour("--accent"), fill: colour("--accent-soft"),
      paths: uPlot.paths.bars?.({ size: [0.8, 40] }), points: { show: false } }],
  }, [times, values], place);
  const sizes = new ResizeObserver(() =>
    chart.setSize({ width: Math.max(280, place.clientWidth), height: 220 }));
  sizes.observe(place);
  return () => {
    sizes.disconnect();
    chart.destroy();
  };
}
