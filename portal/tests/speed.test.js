import assert from "node:assert/strict";
import test from "node:test";
import { Speed } from "../src/lib/speed.js";

test("the speed is that of the last five seconds", () => {
  const speed = new Speed();
  assert.equal(speed.perSecond, 0);
  speed.add(0, 0);
  assert.equal(speed.perSecond, 0);
  speed.add(1000, 500);
  assert.equal(speed.perSecond, 500);
  for (let s = 2; s <= 20; ++s) speed.add(s * 1000, 500 + (s - 1) * 2000);
  assert.equal(speed.perSecond, 2000);
});

test("what the server did not keep is no speed", () => {
  const speed = new Speed();
  speed.add(0, 1000);
  speed.add(1000, 400);
  assert.equal(speed.perSecond, 0);
  speed.reset();
  assert.equal(speed.perSecond, 0);
});
