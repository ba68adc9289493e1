// What was charged on each day of a period. Pure.

/** @typedef {import("../api").UsageEntry} Entry */
/** @typedef {{first_s: number, days: number, now_s: number}} Period whole days of UTC, up to now */

const day_s = 86_400;

/** @param {number} now_s @param {number} days @returns {Period} */
export const periodUntil = (now_s, days) =>
  ({ first_s: Math.floor(now_s / day_s - days + 1) * day_s, days, now_s });

/**
 * What was charged on each day, oldest first: an entry is charged evenly from its start to its end.
 * @param {Entry[]} entries of the period
 * @param {Period} period
 */
export function byDay(entries, { first_s, days, now_s }) {
  const times = Array.from({ length: days }, (_, i) => first_s + i * day_s);
  const sums = times.map(() => 0);
  for (const entry of entries) {
    const begin = Math.max(entry.start_unix_s, first_s);
    const end = Math.min(entry.end_unix_s || now_s, now_s);
    times.forEach((time_s, i) => {
      const overlap_s = Math.min(end, time_s + day_s) - Math.max(begin, time_s);
      if (overlap_s > 0) sums[i] += entry.used_core_s * overlap_s / (end - begin);
    });
  }
  return { times, sums };
}
