// The speed of a transfer over its last seconds. Pure: times are given.

const window_ms = 5000;

export class Speed {
  constructor() {
    /** Counts of bytes by time, the earliest first. @type {{at: number, count: number}[]} */
    this.samples = [];
  }

  /** Forgets what was before a pause. */
  reset() { this.samples = []; }

  /** @param {number} at milliseconds @param {number} count of all bytes so far */
  add(at, count) {
    this.samples.push({ at, count });
    while (this.samples.length > 2 && this.samples[1].at <= at - window_ms) this.samples.shift();
  }

  /** Bytes in a second; 0 if it is not known yet. */
  get perSecond() {
    const [first, last] = [this.samples[0], this.samples.at(-1)];
    if (!first || !last || last.at === first.at) return 0;
    return Math.max(0, (last.count - first.count) / (last.at - first.at) * 1000);
  }
}
