import assert from "node:assert/strict";
import test from "node:test";
import { Collection } from "../src/lib/store.js";

/** A collection whose list is answered when `answer` is called. */
function aCollection() {
  let answer = () => {};
  globalThis.fetch = () => new Promise(resolve => {
    answer = (things, sequence) => resolve(new Response(JSON.stringify({ things }), { headers: {
      "Content-Type": "application/json", "Nucleus-Sequence": String(sequence) } }));
  });
  const collection = new Collection("/v2/things", "things", one => one.id);
  const read = collection.reload();
  return { collection, answered: async (things, sequence) => {
    answer(things, sequence);
    await read;
  } };
}

test("an event changes the fields that it has", async () => {
  const { collection, answered } = aCollection();
  await answered([{ id: "a", state: "off", name: "A" }], 5);
  collection.put(6, { id: "a", state: "on" });
  assert.deepEqual(collection.all(), [{ id: "a", state: "on", name: "A" }]);
});

test("an event that the list contains changes nothing", async () => {
  const { collection, answered } = aCollection();
  await answered([{ id: "a", state: "on" }], 5);
  collection.put(5, { id: "a", state: "off" });
  collection.drop(4, { id: "a" });
  assert.deepEqual(collection.all(), [{ id: "a", state: "on" }]);
});

test("events that arrive while the list is read follow it", async () => {
  const { collection, answered } = aCollection();
  collection.put(4, { id: "a", state: "old" });
  collection.put(6, { id: "a", state: "new" });
  collection.drop(7, { id: "b" });
  await answered([{ id: "a", state: "listed" }, { id: "b" }], 5);
  assert.deepEqual(collection.all(), [{ id: "a", state: "new" }]);
});

test("a list that cannot be read says why, and is read again when it is next shown", async () => {
  globalThis.fetch = () => Promise.reject(new Error("no network"));
  const collection = new Collection("/v2/things", "things", one => one.id);
  await collection.reload();
  assert.match(collection.fault.value.message, /cannot be reached/);
  assert.equal(collection.isLoaded.value, false);
});
