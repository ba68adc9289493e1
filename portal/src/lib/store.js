// What the portal knows: collections that are read once and then follow the event stream. Pages
// read collections; only this module changes them.
import { effect, signal } from "@preact/signals-core";
import { ask, eachPage, isSignedOut, v2 } from "./api.js";
import { EventStream, streamState } from "./events.js";

/** @typedef {import("./events.js").Event} Event */
/** @typedef {import("../types.js").NodeView} NodeView */

const drawDelay = 30;  // ms: events that arrive together are drawn together

/**
 * The records of one list, by key.
 * @template T
 */
export class Collection {
  /**
   * @param {string} path
   * @param {string} name of the list in the answer
   * @param {(record: T) => string} keyOf
   */
  constructor(path, name, keyOf) {
    this.path = path;
    this.name = name;
    this.keyOf = keyOf;
    /** @type {Map<string, T>} */
    this.records = new Map();
    /** Grows with each change. */
    this.version = signal(0);
    /** @type {import("@preact/signals-core").Signal<Error | null>} */
    this.fault = signal(null);
    this.isLoaded = signal(false);
    /** The event that the first page of the list was made at. */
    this.sequence = 0;
    /** @type {[number, () => void][] | null} changes that arrived while the list is read */
    this.pending = null;
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /** Reads the list unless that was done, or is being done. */
  load() {
    if (!this.isLoaded.peek() && !this.pending) void this.reload();
    return this;
  }

  async reload() {
    this.pending = [];
    this.sequence = 0;
    /** @type {Map<string, T>} */
    const records = new Map();
    try {
      await eachPage(this.path, this.name, (entries, sequence) => {
        if (!this.sequence) this.sequence = sequence;
        for (const entry of entries) records.set(this.keyOf(entry), entry);
        this.records = records;
        this.touch();
      });
      this.fault.value = null;
      this.isLoaded.value = true;
    } catch (fault) {
      this.fault.value = /** @type {Error} */ (fault);
    }
    const late = this.pending ?? [];
    this.pending = null;
    for (const [sequence, change] of late) if (sequence > this.sequence) change();
    this.touch();
  }

  /** @param {number} sequence of the event @param {() => void} change */
  change(sequence, change) {
    if (this.pending) return void this.pending.push([sequence, change]);
    if (!this.isLoaded.peek() || sequence <= this.sequence) return;
    change();
    this.touch();
  }

  /**
   * The fields of `part` replace those of the record.
   * @param {number} sequence
   * @param {any} part
   */
  put(sequence, part) {
    const key = this.keyOf(part);
    this.change(sequence, () => this.records.set(key, { ...this.records.get(key), ...part }));
  }

  /** @param {number} sequence @param {any} record */
  drop(sequence, record) {
    this.change(sequence, () => this.records.delete(this.keyOf(record)));
  }

  touch() {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      this.version.value++;
    }, drawDelay);
  }

  all() { return [...this.records.values()]; }
}

const eventsMax = 1000;

class Store {
  constructor() {
    /** @type {import("@preact/signals-core").Signal<import("../types.js").Me | null>} */
    this.me = signal(null);
    this.clusters = new Collection("/v2/clusters", "clusters", one => one.cluster_id);
    this.computesets = new Collection("/v2/computesets?" + ["created", "submitted", "running",
      "ending", "hibernating", "hibernated"].map(state => "state=" + state).join("&"),
      "computesets", one => String(one.computeset_id));
    this.hosts = new Collection("/v2/hosts", "hosts", one => one.host_id);
    this.hostClasses = new Collection("/v2/host-classes", "classes", one => one.name);
    this.images = new Collection("/v2/images", "images", one => one.image_id);
    this.allocations = new Collection("/v2/allocations", "allocations", one => one.allocation_id);
    this.projects = new Collection("/v2/projects", "projects", one => one.project_id);
    this.people = new Collection("/v2/people", "people", one => one.person_id);
    /** @type {Map<string, Collection<NodeView>>} */
    this.nodes = new Map();
    /** The newest events that arrived, newest first. @type {Event[]} */
    this.events = [];
    this.eventCount = signal(0);
    /** @type {Set<(event: Event) => void>} */
    this.listeners = new Set();
    this.stream = new EventStream(event => this.take(event), () => void this.begin());
    effect(() => { if (streamState.value === "live") this.repair(); });
  }

  /** @returns {Collection<any>[]} */
  collections() {
    return [this.clusters, this.computesets, this.hosts, this.hostClasses, this.images,
      this.allocations, this.projects, this.people, ...this.nodes.values()];
  }

  /** Reads again what could not be read while the gateway was away. */
  repair() {
    for (const one of this.collections()) if (one.fault.peek()) void one.reload();
  }

  /** Learns who is signed in, and follows the events from then on. */
  async begin() {
    const { body, sequence } = await ask("GET", "/v2/me");
    isSignedOut.value = false;
    this.me.value = body;
    this.stream.close();
    this.stream.open(sequence);
    for (const one of this.collections()) if (one.isLoaded.peek()) void one.reload();
  }

  /** The nodes of a cluster. @param {string} cluster */
  nodesOf(cluster) {
    const known = this.nodes.get(cluster);
    if (known) return known.load();
    const fields = ["node_id", "cluster_id", "name", "kind", "index", "cpus", "memory_mb", "state",
      "reason", "is_desired_on", "host_id", "computeset_id"].join(",");
    const made = new Collection(`${v2("clusters", cluster, "nodes")}?fields=${fields}`, "nodes",
                                (/** @type {NodeView} */ one) => one.node_id);
    this.nodes.set(cluster, made);
    return made.load();
  }

  /** @param {Event} event */
  take(event) {
    this.events.unshift(event);
    if (this.events.length > eventsMax) this.events.length = eventsMax;
    this.eventCount.value++;
    appliers[event.type]?.(this, event.sequence, event.body, event);
    for (const listener of this.listeners) listener(event);
  }
}

const onlyInLists = ["release", "address", "clock_skew_ms", "batch_state"];

/**
 * Lets a tag name this image and no other one.
 * @param {Collection<any>} images
 * @param {string} tag
 * @param {string} image_id empty: no image has it any more
 */
function moveTag(images, tag, image_id) {
  for (const image of images.all()) {
    const tags = image.tags.filter((/** @type {string} */ one) => one !== tag);
    if (image.image_id === image_id) tags.push(tag);
    images.records.set(image.image_id, { ...image, tags: tags.sort() });
  }
}

/** @type {Record<string, (known: Store, sequence: number, body: any, event: Event) => void>} */
const appliers = {
  "registry.cluster-defined": (store, at, body) => store.clusters.put(at, body.cluster),
  "registry.cluster-removed": (store, at, body) => {
    store.clusters.drop(at, body.cluster);
    store.nodes.delete(body.cluster.cluster_id);
  },
  "registry.node-defined": (store, at, body, event) =>
    store.nodes.get(event.cluster)?.put(at, body.node),
  "registry.node-removed": (store, at, body, event) =>
    store.nodes.get(event.cluster)?.drop(at, body.node),
  "scheduler.node-changed": (store, at, body, event) =>
    store.nodes.get(event.cluster)?.put(at, body.node),
  "scheduler.computeset-changed": (store, at, body) => {
    const isOver = ["completed", "failed", "cancelled"].includes(body.computeset.state);
    if (isOver) store.computesets.drop(at, body.computeset);
    else store.computesets.put(at, body.computeset);
  },
  "scheduler.host-changed": (store, at, body) => {
    // Events do not have what only lists have.
    const host = Object.entries(body.host).filter(([name]) => !onlyInLists.includes(name));
    store.hosts.put(at, Object.fromEntries(host));
  },
  "scheduler.host-removed": (store, at, body) => store.hosts.drop(at, body),
  "scheduler.host-class-changed": (store, at, body) => store.hostClasses.put(at, body.host_class),
  "scheduler.host-class-removed": (store, at, body) => store.hostClasses.drop(at, body),
  "image_store.image-published": (store, at, body) => store.images.put(at, body.image),
  "image_store.image-removed": (store, at, body) => store.images.drop(at, body),
  "image_store.image-tagged": (store, at, body) =>
    store.images.change(at, () => moveTag(store.images, body.tag, body.image_id)),
  "image_store.image-untagged": (store, at, body) =>
    store.images.change(at, () => moveTag(store.images, body.tag, "")),
  "scheduler.allocation-changed": (store, at, body) => store.allocations.put(at, body.allocation),
  "scheduler.allocation-removed": (store, at, body) => store.allocations.drop(at, body.allocation),
  "registry.project-defined": (store, at, body) => store.projects.put(at, body),
  "registry.project-removed": (store, at, body) => store.projects.drop(at, body),
  "registry.person-defined": (store, at, body) => store.people.put(at, body.person),
  "registry.person-removed": (store, at, body) => store.people.drop(at, body),
};

export const store = new Store();

/** True if the caller's credential has the right. @param {string} right */
export const may = right => store.me.value?.rights.includes(right) ?? false;

export const isOperator = () => may("operate");
