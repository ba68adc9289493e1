// The acknowledgement of responsibility of a project: its text, who signed it, and signing.
import { useState } from "preact/hooks";
import { get, post, v2 } from "../lib/api.js";
import { time } from "../lib/format.js";
import { may } from "../lib/store.js";
import { Fault, html, useLoaded } from "../lib/ui.js";

/** @param {{project: string}} props */
export function Acknowledgement({ project }) {
  const path = v2("projects", project, "acknowledgements");
  const { value, fault, reload } = useLoaded(() => get(path), [path]);
  const [refused, setRefused] = useState(/** @type {Error | null} */ (null));
  const sign = async () => {
    try {
      await post(path, { version: value.text.version });
      setRefused(null);
      reload();
    } catch (problem) {
      setRefused(/** @type {Error} */ (problem));
    }
  };
  const isMissing = value && value.text.version === 0;
  return html`
    <section>
      <h2>Acknowledgement of ${project}</h2>
      <${Fault} fault=${refused ?? fault} />
      ${isMissing && html`<p>The centre asks for none.</p>`}
      ${value && !isMissing && html`
        <p>${value.is_acknowledged ? "Nodes may be powered on."
          : `Nodes may be powered on once ${value.missing} has signed.`}</p>
        <blockquote>${value.text.text}</blockquote>
        <ul class="changes">${value.acknowledgements.map((/** @type {any} */ one) => html`
          <li>version ${one.version}: ${one.person_id} (${one.role}),
            ${" " + time(one.signed_unix_s)}</li>`)}</ul>
        ${may("define") && html`
          <button onClick=${sign}>Sign version ${value.text.version}</button>`}`}
    </section>`;
}
