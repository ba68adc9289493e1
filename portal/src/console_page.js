// The page /console/: one console, opened with a ticket that a client has got. The ticket is in the
// fragment, which browsers do not send. It is valid for one connection.
import { effect } from "@preact/signals-core";
import { ConsoleTerminal } from "./lib/terminal.js";

const given = new URLSearchParams(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
const node = given.get("node") || "Console";
document.title = node;

const state = /** @type {HTMLElement} */ (document.getElementById("state"));
const screen = /** @type {HTMLElement} */ (document.getElementById("screen"));
const terminal = new ConsoleTerminal(async () => (
  { url: given.get("url") ?? "", ticket: given.get("ticket") ?? "" }), { mayResume: false });

effect(() => {
  const isClosed = terminal.state.value === "closed";
  state.textContent = isClosed ? `closed: ${terminal.reason.value}. Open a new console.`
    : terminal.state.value !== "live" ? "connecting"
      : `connected to ${node}${terminal.isRecorded.value ? "; this console is recorded" : ""}`;
});
terminal.show(screen, () => state.focus());
addEventListener("resize", () => terminal.resize());
terminal.connect().then(() => terminal.focus());
