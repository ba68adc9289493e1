// The portal's first module: signs in, then shows the page that the address names.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { isSignedOut } from "./lib/api.js";
import { store } from "./lib/store.js";
import { Fault, html, useValue } from "./lib/ui.js";
import { Shell } from "./pages/shell.js";
import { SignIn } from "./pages/sign_in.js";
import "./lib/notify.js";

function App() {
  const me = useValue(store.me);
  const hasEnded = useValue(isSignedOut);
  const [fault, setFault] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    store.begin().catch(refused => { if (!isSignedOut.value) setFault(refused); });
  }, []);
  if (hasEnded) return html`<${SignIn} hadSession=${me !== null} />`;
  if (me) return html`<${Shell} me=${me} />`;
  return html`<main><${Fault} fault=${fault} /></main>`;
}

const place = document.getElementById("app");
if (place) render(html`<${App} />`, place);
