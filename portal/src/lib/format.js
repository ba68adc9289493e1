// Numbers and times as text. Pure.

/** @param {number} unix_s */
export const time = unix_s => unix_s ? new Date(unix_s * 1000).toLocaleString([], {
  year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit" }) : "–";

/** @param {number} unix_s */
export const clock = unix_s => new Date(unix_s * 1000).toLocaleTimeString();

/** @param {number} seconds */
export function duration(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  const hours = Math.floor(s / 3600);
  const minutes = Math.floor(s % 3600 / 60);
  if (hours < 48) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** From now: `in 5 min`, `3 h ago`. @param {number} unix_s */
export function fromNow(unix_s) {
  if (!unix_s) return "–";
  const left = unix_s - Date.now() / 1000;
  return left > 0 ? "in " + duration(left) : duration(-left) + " ago";
}

/** @param {number} count */
export function bytes(count) {
  let amount = count;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    const digits = amount < 10 && unit !== "B" ? 1 : 0;
    if (amount < 1024) return `${amount.toFixed(digits)} ${unit}`;
    amount /= 1024;
  }
  return amount.toFixed(1) + " TiB";
}

/** @param {number} core_s */
export function coreHours(core_s) {
  const hours = core_s / 3600;
  return hours.toLocaleString([], { maximumFractionDigits: Math.abs(hours) < 10 ? 2 : 0 }) +
    " core hours";
}

/**
 * The price of a class of hosts, from thousandths of an SU.
 * @param {{core_milli_su: number, gib_milli_su: number}} price
 */
export function priceText({ core_milli_su, gib_milli_su }) {
  const amount = (/** @type {number} */ milli) =>
    (milli / 1000).toLocaleString([], { maximumFractionDigits: 3 });
  return `${amount(core_milli_su)} SU for a core` + (gib_milli_su
    ? ` and ${amount(gib_milli_su)} SU for a GiB of memory, each for an hour` : " for an hour");
}

/** @param {number} count @param {string} noun */
export const counted = (count, noun) =>
  `${count.toLocaleString()} ${noun}${count === 1 ? "" : "s"}`;
