// What every page draws with: html templates, signals as values of components.
import { effect } from "@preact/signals-core";
import htm from "htm";
import { h } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

/** @typedef {import("preact").ComponentChildren} Children */

export const html = htm.bind(h);

/**
 * The signal's value; the component is drawn again when it changes.
 * @template T
 * @param {{readonly value: T, peek(): T}} signal
 * @returns {T}
 */
export function useValue(signal) {
  const [value, setValue] = useState(() => signal.peek());
  useEffect(() => effect(() => {
    const now = signal.value;
    setValue(() => now);
  }), [signal]);
  return value;
}

/**
 * The records of a collection, which is read if it was not yet.
 * @template T
 * @param {import("./store.js").Collection<T>} collection
 * @returns {T[]}
 */
export function useRecords(collection) {
  useEffect(() => void collection.load(), [collection]);
  const version = useValue(collection.version);
  return useMemo(() => collection.all(), [collection, version]);
}

/**
 * Loads something when the component appears or a key changes. `undefined` while it loads.
 * @template T
 * @param {() => Promise<T>} load
 * @param {unknown[]} keys
 * @returns {{value?: T, fault?: Error, reload: () => void}}
 */
export function useLoaded(load, keys) {
  const [state, setState] = useState(/** @type {{value?: T, fault?: Error}} */ ({}));
  const [count, setCount] = useState(0);
  useEffect(() => {
    let isCurrent = true;
    load().then(value => isCurrent && setState({ value }),
                fault => isCurrent && setState({ fault }));
    return () => { isCurrent = false; };
  }, [...keys, count]);
  return { ...state, reload: () => setCount(before => before + 1) };
}

/**
 * Hands what was typed or chosen to `take`.
 * @param {(text: string) => void} take
 */
export const typed = take => (/** @type {any} */ event) => take(event.target.value);

/** @param {{fault?: Error | null}} props */
export const Fault = ({ fault }) =>
  fault ? html`<p class="fault" role="alert">${fault.message}</p>` : null;

/**
 * A state as a word with a colour: the colour adds nothing that the word does not say.
 * @param {{state: string, kind?: string}} props
 */
export const State = ({ state, kind }) =>
  html`<span class=${"state " + (kind ?? kindOf(state))}>${state}</span>`;

const kinds = {
  good: ["active", "running", "up", "live", "ok", "ready", "verified"],
  wait: ["submitted", "created", "ending", "hibernating", "paused", "shutdown", "drained",
         "connecting", "unchecked"],
  bad: ["nostate-error", "crashed", "failed", "lost", "unreachable", "closed", "offline",
        "broken"],
};

/** @param {string} state */
const kindOf = state =>
  Object.entries(kinds).find(([, states]) => states.includes(state))?.[0] ?? "idle";

/** @param {{title: string, children?: Children, actions?: Children}} props */
export const Page = ({ title, children, actions }) => html`
  <div class="page-head"><h1 tabindex="-1">${title}</h1><div class="actions">${actions}</div></div>
  ${children}`;

/** @param {{label: string, hint?: string, children?: Children}} props */
export const Field = ({ label, hint, children }) =>
  html`<label class="field"><span>${label}</span>${children}${
    hint ? html`<small>${hint}</small>` : null}</label>`;

/** Names and values. @param {{facts: [string, Children][]}} props */
export const Facts = ({ facts }) => html`<dl class="facts">${facts.map(([name, value]) =>
  html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
