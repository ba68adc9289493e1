// Hosts by the rack that they stand in. Pure.

/** @typedef {import("../api").Host} Host */

const collator = new Intl.Collator([], { numeric: true });

/**
 * Racks by name, each with its hosts by name; hosts whose rack is not known come last.
 * @param {Host[]} hosts
 * @returns {{title: string, hosts: Host[]}[]}
 */
export function byRack(hosts) {
  const sorted = [...hosts].sort((a, b) => Number(!a.rack) - Number(!b.rack) ||
    collator.compare(a.rack, b.rack) || collator.compare(a.host_id, b.host_id));
  /** @type {{title: string, hosts: Host[]}[]} */
  const racks = [];
  for (const host of sorted) {
    const last = racks.at(-1);
    if (last && last.hosts[0].rack === host.rack) last.hosts.push(host);
    else racks.push({ title: host.rack ? "Rack " + host.rack : "Rack not known", hosts: [host] });
  }
  return racks;
}
