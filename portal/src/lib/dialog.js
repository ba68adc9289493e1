// Dialogs: the browser's own element keeps the focus inside and closes with Escape.
import { useEffect, useRef, useState } from "preact/hooks";
import { Fault, html } from "./ui.js";

/**
 * @param {object} props
 * @param {string} props.title
 * @param {() => void} props.close
 * @param {import("./ui.js").Children} [props.children]
 */
export function Dialog({ title, close, children }) {
  const box = useRef(/** @type {HTMLDialogElement | null} */ (null));
  useEffect(() => { box.current?.showModal(); }, []);
  return html`
    <dialog ref=${box} aria-labelledby="dialog-title" onClose=${close}>
      <h2 id="dialog-title">${title}</h2>
      ${children}
    </dialog>`;
}

/**
 * Asks before something is done, does it, and shows why it was refused.
 * @param {object} props
 * @param {string} props.title
 * @param {string} props.verb of the button
 * @param {boolean} [props.isDanger]
 * @param {boolean} [props.isReady] false while the button cannot be pressed
 * @param {() => Promise<unknown>} props.act
 * @param {() => void} props.close
 * @param {() => void} [props.done] called when it was done, instead of `close`
 * @param {import("./ui.js").Children} [props.children]
 */
export function Confirm({ title, verb, isDanger, isReady = true, act, close, done = close,
                          children }) {
  const [fault, setFault] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await act();
      done();
    } catch (refused) {
      setFault(/** @type {Error} */ (refused));
      setBusy(false);
    }
  };
  return html`
    <${Dialog} title=${title} close=${close}>
      <form onSubmit=${submit}>
        ${children}
        <${Fault} fault=${fault} />
        <div class="buttons">
          <button type="button" onClick=${close}>Cancel</button>
          <button class=${isDanger ? "danger" : "main"}
            disabled=${isBusy || !isReady}>${verb}</button>
        </div>
      </form>
    <//>`;
}
