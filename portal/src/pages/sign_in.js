// Sign in with a password or a token. The answer sets the session's cookie, which script cannot
// read.
import { useEffect, useRef, useState } from "preact/hooks";
import { post } from "../lib/api.js";
import { store } from "../lib/store.js";
import { Fault, Field, html } from "../lib/ui.js";

/** @param {{hadSession: boolean}} props */
export function SignIn({ hadSession }) {
  const [isByToken, setByToken] = useState(false);
  const [fault, setFault] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const first = useRef(/** @type {HTMLInputElement | null} */ (null));
  useEffect(() => { document.title = "Sign in · Nucleus"; }, []);
  useEffect(() => first.current?.focus(), [isByToken]);
  const submit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.target));
    setBusy(true);
    try {
      await post("/v2/session", Object.fromEntries(form));
      await store.begin();
    } catch (refused) {
      setFault(/** @type {Error} */ (refused));
      setBusy(false);
      first.current?.focus();
    }
  };
  return html`
    <main class="sign-in">
      <h1>Nucleus</h1>
      <p class="lead">Virtual clusters on your centre's own hosts</p>
      ${hadSession && html`<p role="status">Your session has ended. Sign in again.</p>`}
      <form onSubmit=${submit}>
        ${isByToken
          ? html`<${Field} label="Token"><input ref=${first} name="token" type="password" required
              autocomplete="off" spellcheck=${false} /><//>`
          : html`
            <${Field} label="User name"><input ref=${first} name="person_id" required
              autocomplete="username" autocapitalize="none" spellcheck=${false} /><//>
            <${Field} label="Password"><input name="password" type="password" required
              autocomplete="current-password" /><//>`}
        <${Fault} fault=${fault} />
        <button class="main" disabled=${isBusy}>Sign in</button>
        <button type="button" class="link" onClick=${() => setByToken(!isByToken)}>
          ${isByToken ? "Use a password" : "Use a token"}</button>
      </form>
      <p class="quiet"><a href="/docs/">REST API</a></p>
    </main>`;
}
