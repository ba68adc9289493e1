// Plays the recording of a console.
import { useEffect, useRef, useState } from "preact/hooks";
import { get, getText, v2 } from "../lib/api.js";
import { outputOf, PlayClock } from "../lib/asciicast.js";
import { time } from "../lib/format.js";
import { href } from "../lib/route.js";
import { loadStyle } from "../lib/styles.js";
import { Screen } from "../lib/terminal.js";
import { Facts, Fault, Field, html, Page, typed, useLoaded } from "../lib/ui.js";
import { remarksOf } from "./recordings.js";

const speeds = [0.5, 1, 2, 4, 8, 16];

/** @param {number} seconds */
const shown = seconds => {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
};

/** What is printed up to a time, and goes on with it. */
class Player {
  /** @param {string} file */
  constructor(file) {
    this.outputs = outputOf(file);
    this.length = this.outputs.at(-1)?.at ?? 0;
    this.clock = new PlayClock(() => performance.now() / 1000);
    this.screen = new Screen();
    this.next = 0;
  }

  /** Prints what is due. */
  step() {
    const at = this.clock.at;
    let due = "";
    while (this.next < this.outputs.length && this.outputs[this.next].at <= at)
      due += this.outputs[this.next++].text;
    if (due) this.screen.terminal.write(due);
    if (this.next === this.outputs.length && at >= this.length)
      this.clock.set({ at: this.length, isRunning: false });
  }

  /** @param {number} at */
  seek(at) {
    const isBack = at < this.clock.at;
    this.clock.set({ at });
    if (isBack) {
      this.screen.terminal.reset();
      this.next = 0;
    }
    this.step();
  }

  toggle() {
    const isOver = !this.clock.isRunning && this.clock.at >= this.length;
    if (isOver) this.seek(0);
    this.clock.set({ isRunning: !this.clock.isRunning });
  }

  close() { this.screen.terminal.dispose(); }
}

/** @param {{player: Player}} props */
function Controls({ player }) {
  const [at, setAt] = useState(0);
  const [isRunning, setRunning] = useState(true);
  const [speed, setSpeed] = useState("1");
  useEffect(() => {
    player.clock.set({ isRunning: true });
    let frame = 0;
    const draw = () => {
      player.step();
      setAt(Math.min(player.clock.at, player.length));
      setRunning(player.clock.isRunning);
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, [player]);
  return html`<div class="bar">
    <button class="main" onClick=${() => player.toggle()}>${isRunning ? "Pause" : "Play"}</button>
    <${Field} label="Position"><input type="range" min="0" max=${player.length} step="0.1"
      value=${at} aria-valuetext=${shown(at)}
      onInput=${typed(value => player.seek(Number(value)))} /><//>
    <span>${shown(at)} of ${shown(player.length)}</span>
    <${Field} label="Speed"><select value=${speed} onChange=${typed(value => {
      setSpeed(value);
      player.clock.set({ speed: Number(value) });
    })}>${speeds.map(one => html`<option value=${String(one)}>${one} ×</option>`)}</select><//>
  </div>`;
}

/** @param {{file: string}} props */
function Playing({ file }) {
  const place = useRef(/** @type {HTMLElement | null} */ (null));
  const [player, setPlayer] = useState(/** @type {Player | null} */ (null));
  useEffect(() => {
    const made = new Player(file);
    if (place.current) made.screen.show(place.current, () => place.current?.focus());
    setPlayer(made);
    return () => made.close();
  }, [file]);
  return html`
    ${player && html`<${Controls} player=${player} />`}
    <section class="console" aria-label="Screen">
      <div class="console-place" ref=${place}></div></section>`;
}

/** @param {{id: string}} props */
export default function RecordingPage({ id }) {
  const { value, fault } = useLoaded(async () => ({
    recording: await get(v2("recordings", id)),
    file: await getText(v2("recordings", id, "content")) }), [id]);
  loadStyle("xterm.css");
  const recording = value?.recording;
  return html`
    <${Page} title=${recording ? "Recording of " + recording.node_name : "Recording"}
        actions=${recording && html`<a href=${v2("recordings", id, "content")}
          download>Download</a>`}>
      <p><a href=${href("recordings")}>All recordings</a></p>
      <${Fault} fault=${fault} />
      ${recording && html`<${Facts} facts=${[
        ["Project", recording.project_id], ["Cluster", recording.cluster_id],
        ["Begin", time(recording.begin_unix_ms / 1000)],
        ["End", time(recording.end_unix_ms / 1000)],
        ["Remarks", remarksOf(recording) || "complete"]]} />
        <${Playing} file=${value.file} />`}
    <//>`;
}
