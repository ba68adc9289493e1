// A recording of a console: the format asciicast v2.

/** @typedef {{at: number, text: string, isGap: boolean}} Output at: seconds from the begin */

/**
 * What the file prints, in its order.
 * @param {string} file
 * @returns {Output[]}
 */
export function outputOf(file) {
  const outputs = [];
  for (const line of file.split("\n").slice(1)) {
    if (!line) continue;
    const [at, kind, text] = JSON.parse(line);
    if (kind === "o") outputs.push({ at, text, isGap: false });
    else if (kind === "m" && text.startsWith("gap "))
      outputs.push({ at, text: `\r\n[bytes ${text.slice(4)} are missing]\r\n`, isGap: true });
  }
  return outputs;
}

/**
 * A clock that runs at a speed, and can be stopped and set.
 */
export class PlayClock {
  /** @param {() => number} now in seconds */
  constructor(now) {
    this.now = now;
    this.speed = 1;
    this.isRunning = false;
    this.position = 0;  // at `since`
    this.since = now();
  }

  /** Seconds of the recording. */
  get at() {
    return this.position + (this.isRunning ? (this.now() - this.since) * this.speed : 0);
  }

  /** @param {{at?: number, speed?: number, isRunning?: boolean}} change */
  set({ at = this.at, speed = this.speed, isRunning = this.isRunning }) {
    this.position = at;
    this.since = this.now();
    this.speed = speed;
    this.isRunning = isRunning;
  }
}
