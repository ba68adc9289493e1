// Why something is in its state: the causes, and how it came to it as a timeline.
import { get } from "../lib/api.js";
import { time } from "../lib/format.js";
import { Fault, Facts, html, useLoaded } from "../lib/ui.js";
import { Causes, startOf } from "./plan.js";

/**
 * @param {object} props
 * @param {string} props.path of the thing
 * @param {unknown} props.state what, when it changes, has another explanation
 */
export function Why({ path, state }) {
  const { value, fault } = useLoaded(() => get(path + "/why"), [path, state]);
  /** @type {import("../api").Explanation | undefined} */
  const answer = value;
  const isWaiting = answer && (answer.queue || answer.expected_start_unix_s > 0);
  return html`
    <section class="card" aria-label="Why">
      <h2>Why</h2>
      <${Fault} fault=${fault} />
      ${answer && html`<${Causes} causes=${answer.causes} />`}
      ${isWaiting && html`<${Facts} facts=${[
        ["Predicted start", startOf(answer)],
        ["Before it in the queue", String(answer.queue?.ahead ?? "–")],
      ]} />`}
      ${answer && answer.timeline.length > 0 && html`<h3>Timeline</h3>
        <ol class="timeline">${answer.timeline.map(step => html`
          <li><time>${time(step.unix_s)}</time> ${step.text}</li>`)}</ol>`}
    </section>`;
}
