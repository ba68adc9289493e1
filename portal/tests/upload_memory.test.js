import assert from "node:assert/strict";
import test from "node:test";
import { forgetUpload, forgetUploads, isFileOf, rememberedUploads, rememberUpload }
  from "../src/lib/upload_memory.js";

const texts = new Map();
globalThis.localStorage = {
  getItem: key => texts.get(key) ?? null, setItem: (key, text) => texts.set(key, text),
  removeItem: key => texts.delete(key) };

const record = (upload_id, more = {}) => ({ person: "pat", upload_id, url: "", ticket: "t",
  expires_unix_s: Date.now() / 1000 + 60, project: "demo", name: "x",
  file: { name: "x.raw", size: 7, modified: 9 }, ...more });
const ids = person => rememberedUploads(person).map(one => one.upload_id);

test("uploads are remembered by person, until they expire", () => {
  rememberUpload(record("a"));
  rememberUpload(record("b", { person: "eve" }));
  rememberUpload(record("c", { expires_unix_s: 1 }));
  rememberUpload(record("a", { ticket: "newer" }));
  assert.deepEqual(ids("pat"), ["a"]);
  assert.equal(rememberedUploads("pat")[0].ticket, "newer");
  forgetUpload("a");
  assert.deepEqual(ids("pat"), []);
  forgetUploads();
  assert.equal(texts.size, 0);
});

test("what is no list of uploads is none", () => {
  for (const text of ["", "{", "7", "null", "{}"]) {
    texts.set("nucleus-uploads", text);
    assert.deepEqual(ids("pat"), []);
  }
});

test("a file is known by its name, size and time of change", () => {
  const file = { name: "x.raw", size: 7, lastModified: 9 };
  assert.equal(isFileOf(record("a"), file), true);
  for (const change of [{ name: "y.raw" }, { size: 8 }, { lastModified: 10 }])
    assert.equal(isFileOf(record("a"), { ...file, ...change }), false);
});
