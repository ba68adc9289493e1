// Short messages that are read out and disappear.
import { signal } from "@preact/signals-core";
import { html, useValue } from "./ui.js";

const shownFor = 6000;  // ms
const shownMax = 4;

/** @type {import("@preact/signals-core").Signal<{id: number, text: string, isFault: boolean}[]>} */
const toasts = signal([]);
let count = 0;

/** @param {string} text @param {boolean} [isFault] */
export function say(text, isFault = false) {
  const id = ++count;
  toasts.value = [...toasts.value, { id, text, isFault }].slice(-shownMax);
  setTimeout(() => { toasts.value = toasts.value.filter(one => one.id !== id); }, shownFor);
}

export const Toasts = () => html`
  <div class="toasts" role="status" aria-live="polite">
    ${useValue(toasts).map(one => html`
      <p key=${one.id} class=${one.isFault ? "fault" : ""}>${one.text}</p>`)}
  </div>`;
