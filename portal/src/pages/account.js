// The caller's account: tokens, API key, acknowledgements, members of the projects.
import { useState } from "preact/hooks";
import { ask, get, isSignedOut, list, remove, v2 } from "../lib/api.js";
import { Confirm } from "../lib/dialog.js";
import { fromNow, time } from "../lib/format.js";
import { may, store } from "../lib/store.js";
import { Table } from "../lib/table.js";
import { Fault, Facts, Field, html, Page, typed, useLoaded, useValue } from "../lib/ui.js";
import { Acknowledgement } from "./acknowledgement.js";
import { personColumns } from "./person_columns.js";

/** @typedef {import("../api").TokenEntry} Token */

const day_s = 86_400;

/** @typedef {{person: string, password: string}} Proof */

/** A secret that is shown once. @param {{secret: string, name: string}} props */
const Secret = ({ secret, name }) => html`<p class="secret" role="status">${name}, shown only once:
  <code tabindex="0">${secret}</code></p>`;

/**
 * A session ends within hours, and so would what it creates: what lasts longer is created with the
 * password or token itself.
 * @param {{title: string, verb: string, close: () => void, isDanger?: boolean,
 *   act: (proof: Proof) => Promise<void>, children?: any}} props
 */
function WithPassword({ title, verb, close, isDanger, act, children }) {
  const [password, setPassword] = useState("");
  const person = store.me.value?.person_id ?? "";
  return html`
    <${Confirm} title=${title} verb=${verb} close=${close} isDanger=${isDanger}
        act=${() => act({ person, password })}>
      ${children}
      <${Field} label="Your password, or the token that you signed in with">
        <input type="password" required autocomplete="current-password" value=${password}
          onInput=${typed(setPassword)} /><//>
    <//>`;
}

/** @param {{close: () => void, show: (token: string) => void}} props */
function NewToken({ close, show }) {
  const rights = store.me.value?.rights ?? [];
  const [label, setLabel] = useState("");
  const [days, setDays] = useState(90);
  const [chosen, setChosen] = useState(rights);
  const toggle = (/** @type {string} */ right) => setChosen(
    chosen.includes(right) ? chosen.filter(one => one !== right) : [...chosen, right]);
  const act = async (/** @type {Proof} */ proof) => {
    const expires_unix_s = days ? Math.floor(Date.now() / 1000) + days * day_s : 0;
    const { body } = await ask("POST", "/v2/me/tokens",
                               { label, rights: chosen, expires_unix_s }, proof);
    show(body.token);
  };
  return html`
    <${WithPassword} title="New token" verb="Create" close=${close} act=${act}>
      <${Field} label="Label"><input maxlength="64" required value=${label}
        onInput=${typed(setLabel)} /><//>
      <${Field} label="Expires after days" hint="0: it does not expire"><input type="number" min="0"
        value=${days} onInput=${typed(text => setDays(Number(text)))} /><//>
      <fieldset><legend>Rights</legend>${rights.map(right => html`<label class="check">
        <input type="checkbox" checked=${chosen.includes(right)} onChange=${() => toggle(right)} />
        ${right}</label>`)}</fieldset>
    <//>`;
}

function Tokens() {
  const { value, fault, reload } = useLoaded(() => list("/v2/me/tokens", "tokens"), []);
  const [isMaking, setMaking] = useState(false);
  const [secret, setSecret] = useState("");
  const show = (/** @type {string} */ token) => {
    setSecret(token);
    reload();
  };
  const [revoked, setRevoked] = useState(/** @type {Token | null} */ (null));
  /** @type {import("../lib/table.js").Column<Token>[]} */
  const columns = [
    { title: "Label", order: one => one.label,
      cell: one => one.label || "–" },
    { title: "Id", isWide: true,
      cell: one => html`<code>${one.token_id}</code>` },
    { title: "Rights", isWide: true,
      cell: one => one.rights.join(", ") || "all" },
    { title: "Issued", isWide: true, order: one => one.issued_unix_s,
      cell: one => time(one.issued_unix_s) },
    { title: "Expires", order: one => one.expires_unix_s,
      cell: one => one.expires_unix_s ? fromNow(one.expires_unix_s) : "never" },
    { title: "Actions", cell: one => html`<button class="small"
      aria-label=${`Revoke ${one.label || one.token_id}`}
      onClick=${() => setRevoked(one)}>Revoke</button>` },
  ];
  return html`
    <section>
      <div class="bar"><h2>Tokens</h2>
        <button onClick=${() => setMaking(true)}>New token</button></div>
      <${Fault} fault=${fault} />
      ${secret && html`<${Secret} name="The new token" secret=${secret} />`}
      <${Table} label="Your tokens" rows=${value ?? []} columns=${columns}
        id="token_id" empty=${value ? "None." : "Loading …"} />
      ${isMaking && html`<${NewToken} close=${() => setMaking(false)} show=${show} />`}
      ${revoked && html`<${Confirm} title=${`Revoke ${revoked.label || revoked.token_id}?`}
        verb="Revoke" isDanger=${true} close=${() => setRevoked(null)} act=${async () => {
          await remove(v2("me", "tokens", revoked.token_id));
          reload();
        }}>
        <p>Programs that use it are refused from then on, and so is what was made with it.</p><//>`}
    </section>`;
}

function Key() {
  const [action, setAction] = useState("");
  const [key, setKey] = useState(/** @type {import("../api").ApiKey | null} */ (null));
  const [isGone, setGone] = useState(false);
  /** @type {Record<string, (proof: Proof) => Promise<void>>} */
  const acts = {
    show: async proof => setKey((await ask("GET", "/v2/me/key", undefined, proof)).body),
    replace: async proof =>
      setKey((await ask("PUT", "/v2/me/key", { is_strict: true }, proof)).body),
    revoke: async proof => {
      await ask("DELETE", "/v2/me/key", undefined, proof);
      setKey(null);
      setGone(true);
    },
  };
  const titles = /** @type {Record<string, string>} */ ({ show: "Show the API key",
    replace: "Replace the API key", revoke: "Revoke the API key" });
  return html`
    <section>
      <div class="bar"><h2>API key</h2>${Object.entries(titles).map(([name, title]) =>
        html`<button onClick=${() => setAction(name)}>${title}</button>`)}</div>
      <p class="quiet">A key signs requests instead of being sent with them.</p>
      ${isGone && !key && html`<p role="status">The key is revoked.</p>`}
      ${key && html`<${Facts} facts=${[["Name", html`<code>${key.key_name}</code>`],
        ["Secret", html`<code>${key.secret}</code>`],
        ["Strict", key.is_strict ? "yes: signatures cover method, path and body" : "no"]]} />`}
      ${action && html`<${WithPassword} title=${titles[action]} verb=${titles[action].split(" ")[0]}
        isDanger=${action !== "show"} close=${() => setAction("")} act=${acts[action]} />`}
    </section>`;
}

function Password() {
  const [isAsking, setAsking] = useState(false);
  const [given, setGiven] = useState("");
  const act = async (/** @type {Proof} */ proof) => {
    await ask("POST", "/rest-auth/password/change/",
              { new_password1: given, new_password2: given }, proof);
    isSignedOut.value = true;  // all tokens are revoked, this session's too
  };
  return html`
    <section>
      <div class="bar"><h2>Password</h2>
        <button onClick=${() => setAsking(true)}>Set the password</button></div>
      ${isAsking && html`<${WithPassword} title="Set the password" verb="Set"
          close=${() => setAsking(false)} act=${act}>
        <p>All your tokens are revoked, and you sign in again.</p>
        <${Field} label="New password" hint="8 to 128 bytes"><input type="password" required
          minlength="8" maxlength="128" autocomplete="new-password" value=${given}
          onInput=${typed(setGiven)} /><//>
      <//>`}
    </section>`;
}

function Members() {
  const { value, fault } = useLoaded(() => list("/v2/people", "people"), []);
  return html`<section><h2>Members</h2><${Fault} fault=${fault} />
    <${Table} label="Members of your projects" rows=${value ?? []} columns=${personColumns}
      id="person_id" /></section>`;
}

export default function Account() {
  const me = useValue(store.me);
  const { value } = useLoaded(() => get("/v2/me"), []);
  const shown = value ?? me;
  return html`
    <${Page} title="Account">
      <${Facts} facts=${[["User", shown.person_id], ["Role", shown.role],
        ["Projects", shown.projects.join(", ") || "–"], ["Rights", shown.rights.join(", ")]]} />
      <${Password} />
      <${Tokens} />
      <${Key} />
      ${shown.projects.map((/** @type {string} */ one) =>
        html`<${Acknowledgement} key=${one} project=${one} />`)}
      ${may("people") && html`<${Members} />`}
    <//>`;
}
