// The computesets that wait or run, live; those of the past on request.
import { useMemo, useState } from "preact/hooks";
import { list } from "../lib/api.js";
import { isNotifying, startNotifying, stopNotifying } from "../lib/notify.js";
import { store } from "../lib/store.js";
import { say } from "../lib/toast.js";
import { Fault, html, Page, useLoaded, useRecords, useValue } from "../lib/ui.js";
import { ComputesetTable } from "./computeset_table.js";

const week = 7 * 86_400;

function Past() {
  const { value, fault } = useLoaded(() => list("/v2/computesets?state=completed&state=failed&" +
    "state=cancelled&from_unix_s=" + Math.floor(Date.now() / 1000 - week), "computesets"), []);
  return html`<h2>The last seven days</h2><${Fault} fault=${fault} />
    <${ComputesetTable} sets=${value ?? []} empty=${value ? "None." : "Loading …"} />`;
}

export default function Computesets() {
  const sets = useRecords(store.computesets);
  const fault = useValue(store.computesets.fault);
  const [isPast, setPast] = useState(false);
  const [isOn, setOn] = useState(isNotifying);
  const rows = useMemo(() => [...sets].sort((a, b) => b.computeset_id - a.computeset_id), [sets]);
  const toggle = async () => {
    if (isOn) stopNotifying();
    else if (!await startNotifying()) return say("This browser does not allow notifications", true);
    setOn(!isOn);
  };
  return html`
    <${Page} title="Computesets" actions=${html`
        <button aria-pressed=${isOn} onClick=${toggle}>Notify me</button>
        <button aria-pressed=${isPast} onClick=${() => setPast(!isPast)}>Ended ones</button>`}>
      <${Fault} fault=${fault} />
      <${ComputesetTable} sets=${rows} />
      ${isPast && html`<${Past} />`}
    <//>`;
}
