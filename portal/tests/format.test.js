import assert from "node:assert/strict";
import test from "node:test";
import { priceText } from "../src/lib/format.js";

test("a price names memory only if it costs something", () => {
  assert.equal(priceText({ core_milli_su: 1000, gib_milli_su: 0 }), "1 SU for a core for an hour");
  assert.equal(priceText({ core_milli_su: 2500, gib_milli_su: 5 }),
               "2.5 SU for a core and 0.005 SU for a GiB of memory, each for an hour");
});
