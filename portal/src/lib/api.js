// The only module that sends HTTP requests to the gateway. The session's cookie goes with each of
// them; a request that changes something has an idempotency key, so that it may be repeated.
import { signal } from "@preact/signals-core";

/** True once a request was refused for lack of a session. */
export const isSignedOut = signal(false);

/** A refusal: problem details as RFC 9457 has them. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{title?: string, detail?: string, field?: string}} body
   */
  constructor(status, body) {
    super(body.detail || body.title || `The gateway answered ${status}`);
    this.status = status;
    this.field = body.field ?? "";
  }
}

// Later reads contain what this page has changed, whichever gateway answers them.
let lastWrite = 0;

/**
 * @typedef {object} Answer
 * @property {any} body
 * @property {number} sequence the newest event that the answer contains
 */

/** @param {Response} response @returns {Promise<any>} */
async function bodyOf(response) {
  const text = await response.text();
  if (!(response.headers.get("Content-Type") ?? "").includes("json")) return {};
  return text ? JSON.parse(text) : {};
}

/** @param {string} text */
const base64 = text => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

/** A random id; crypto.randomUUID exists only in secure contexts. */
const randomId = () => [...crypto.getRandomValues(new Uint8Array(16))]
  .map(byte => byte.toString(16).padStart(2, "0")).join("");

const retryDelays = [200, 800];  // ms

/**
 * A request without an answer is sent again: reads change nothing, and a change has its idempotency
 * key.
 * @param {string} path
 * @param {RequestInit} request
 */
async function send(path, request) {
  for (const delay of retryDelays) {
    const response = await fetch(path, request).catch(() => null);
    if (response) return response;
    await new Promise(done => setTimeout(done, delay));
  }
  return fetch(path, request)
    .catch(() => { throw new Problem(0, { detail: "The gateway cannot be reached" }); });
}

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @param {{person: string, password: string}} [proof] sent instead of the session
 * @returns {Promise<Answer>}
 */
export async function ask(method, path, body, proof) {
  /** @type {Record<string, string>} */
  const headers = { "X-Requested-With": "portal", "Accept": "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["Idempotency-Key"] = randomId();
  else if (lastWrite) headers["Nucleus-After-Sequence"] = String(lastWrite);
  if (proof) headers["Authorization"] = "Basic " + base64(`${proof.person}:${proof.password}`);
  const response = await send(path, { method, headers, body: body && JSON.stringify(body) });
  const answer = await bodyOf(response);
  if (response.status === 401 && !proof && path !== "/v2/session") isSignedOut.value = true;
  if (!response.ok) throw new Problem(response.status, answer);
  const sequence = Number(response.headers.get("Nucleus-Sequence") ?? 0);
  if (method !== "GET") lastWrite = Math.max(lastWrite, sequence);
  return { body: answer, sequence };
}

/** @param {string} path @returns {Promise<any>} */
export const get = async path => (await ask("GET", path)).body;
/**
 * The response body as text, for other types than JSON.
 * @param {string} path
 * @returns {Promise<string>}
 */
export async function getText(path) {
  const response = await send(path, { headers: { "X-Requested-With": "portal" } });
  if (response.status === 401) isSignedOut.value = true;
  if (!response.ok) throw new Problem(response.status, await bodyOf(response));
  return response.text();
}
/** @param {string} path @param {object} [body] @returns {Promise<any>} */
export const post = async (path, body) => (await ask("POST", path, body ?? {})).body;
/** @param {string} path @param {object} [body] @returns {Promise<any>} */
export const patch = async (path, body) => (await ask("PATCH", path, body)).body;
/** @param {string} path @param {object} [body] @returns {Promise<any>} */
export const put = async (path, body) => (await ask("PUT", path, body ?? {})).body;
/** @param {string} path @returns {Promise<any>} */
export const remove = async path => (await ask("DELETE", path)).body;

const firstPage = 100;  // small: it is shown while the others are read
const pageLimit = 1000;
const pagesMax = 100;

/**
 * Reads all pages of a list and hands each to `take`, with the sequence it was made at.
 * @param {string} path
 * @param {string} name of the list in the answer
 * @param {(entries: any[], sequence: number) => void} take
 */
export async function eachPage(path, name, take) {
  const join = path.includes("?") ? "&" : "?";
  let after = "";
  for (let page = 0; page < pagesMax; ++page) {
    const limit = page === 0 ? firstPage : pageLimit;
    const { body, sequence } = await ask(
      "GET", `${path}${join}limit=${limit}${after && "&after=" + encodeURIComponent(after)}`);
    take(body[name], sequence);
    after = body.next ?? "";
    if (!after) return;
  }
}

/** All entries of a list. @param {string} path @param {string} name @returns {Promise<any[]>} */
export async function list(path, name) {
  /** @type {any[]} */
  const all = [];
  await eachPage(path, name, entries => all.push(...entries));
  return all;
}

/** A path of names, each encoded: `/v2/` and the names. @param {...(string|number)} names */
export const v2 = (...names) => "/v2/" + names.map(encodeURIComponent).join("/");
