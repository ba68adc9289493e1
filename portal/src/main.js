// The portal's first module: signs in, then shows the page that the address names.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isSignedOut } from "./lib/api.js";
import { store } from "./lib/store.js";
import { Fault, html, useValue } from "./lib/ui.js";
import { Shell } from "./pages/shell.js";
import { SignIn } from "./pages/sign_in.js";
import "./lib/notify.js";

const delayMin = 1000;
const delayMax = 10_000;

/** Begins, and tries again until the gateway has answered. @param {(fault: Error) => void} take */
async function begin(take) {
  for (let delay = delayMin; !isSignedOut.peek(); delay = Math.min(delay * 2, delayMax)) {
    try {
      return await store.begin();
    } catch (refused) {
      if (!isSignedOut.peek()) take(/** @type {Error} */ (refused));
    }
    await new Promise(done => setTimeout(done, delay));
  }
}

function App() {
  const me = useValue(store.me);
  const hasEnded = useValue(isSignedOut);
  const [fault, setFault] = useState(/** @type {Error | null} */ (null));
  useEffect(() => void begin(setFault), []);
  if (hasEnded) return html`<${SignIn} hadSession=${me !== null} />`;
  if (me) return html`<${Shell} me=${me} />`;
  return html`<main><${Fault} fault=${fault} /></main>`;
}

const place = document.getElementById("app");
if (place) render(html`<${App} />`, place);
